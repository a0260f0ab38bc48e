import { Driver } from '../../../scenarios/drive/drive.ts';
import { parseLine } from '../../../scenarios/drive/parse.ts';
import type { CompatName } from '../../../store/index.ts';

/** A traffic script on a host with rings and sockets; for each action its lines, parsed. `^` in a payload stands for a NUL. */
export function scripted(compat: CompatName, actions: readonly object[]): readonly (readonly object[])[] {
  const driver = new Driver({ compat, seed: '1', liveUpdateEvery: 0, format: compat === '4.17' ? 'v1' : 'v2' });
  return actions.map((action) => {
    const parsed = parseLine(JSON.stringify(action).replaceAll('^', '\\u0000'));
    if (!parsed.ok) throw new Error(parsed.reason);
    return driver.perform(parsed.action).map((line) => JSON.parse(line));
  });
}

/** A header alone, as text for a `raw` action: READ, request 1, no transaction. */
export function headerOf(length: number): string {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 2, true);
  view.setUint32(4, 1, true);
  view.setUint32(12, length, true);
  return String.fromCharCode(...bytes);
}
