import { readFileSync } from 'node:fs';
import type { CompatName, StorePolicy } from '../../store/index.ts';
import { Driver } from '../drive/drive.ts';
import { parseScript } from '../drive/parse.ts';
import { labOf } from './lab-of.ts';
import { complain, printJsonText, reasonOf, say } from './terminal/output.ts';

interface DriveOptions {
  readonly compat: CompatName;
  readonly policy: StorePolicy;
  readonly liveUpdateEvery?: number;
  readonly format?: string;
  readonly seed: string;
}

/** File descriptor 0, as a shell's `-` names it. */
export const STDIN = '-';

/** What a file holds, or standard input; or why it cannot be read. */
export function readText(file: string): { readonly text: string } | { readonly reason: string } {
  try {
    return { text: readFileSync(file === STDIN ? 0 : file, 'utf8') };
  } catch (error) {
    return { reason: reasonOf(error) };
  }
}

/**
 * Run a traffic script. A line that is not understood ends it (exit 2), after those before it were run and printed; where what
 * it expects did not come, it goes on, and ends with 1.
 */
export async function driveCommand(file: string, options: DriveOptions): Promise<number> {
  const script = readText(file);
  const name = file === STDIN ? 'standard input' : file;
  if ('reason' in script) return complain(`${name}: ${script.reason}`);
  const { compat, policy, seed } = options;
  const format = options.format ?? (compat === '4.17' ? 'v1' : 'v2');
  const lab = await labOf(format);
  const driver = new Driver({ compat, policy, seed, liveUpdateEvery: options.liveUpdateEvery ?? 0, format, lab });
  for (const parsed of parseScript(script.text)) {
    if (!parsed.ok) return complain(`${name}:${parsed.line}: ${parsed.reason}`);
    const before = driver.disappointments.length;
    for (const line of driver.perform(parsed.action)) printJsonText(`${line}\n`);
    for (const reason of driver.disappointments.slice(before)) say(`${name}:${parsed.line}: ${reason}`);
  }
  return driver.disappointments.length === 0 ? 0 : 1;
}
