import type { RunResult } from '../../engine/scenario.ts';
import { historiesOf } from '../../report/histories.ts';
import { recordText } from '../../report/text.ts';
import type { UpdateWindow } from './neighbours.ts';

/** What a shrunk run fails by: the nearest runs that differ in one thing and do not fail like it, a sentence each. */
export function causesOf(result: RunResult, window: UpdateWindow | undefined): string[] {
  const { faults = 'off' } = result.settings;
  const lines =
    faults === 'off'
      ? []
      : String(faults)
          .split(',')
          .map((id) => `It fails only with ${id}.`);
  if (window !== undefined) lines.push(...windowText(result, window));
  return lines;
}

function windowText(result: RunResult, { firstNs, lastNs, before, after }: UpdateWindow): string[] {
  const span = firstNs === lastNs ? `at ${firstNs} ns` : `from ${firstNs} to ${lastNs} ns`;
  const lines = [`It fails if the image is written ${span}:`];
  const last = lastBefore(result, firstNs);
  if (last !== undefined) lines.push(`  ${last}`);
  for (const [side, when] of [
    [before, 'before'],
    [after, 'after'],
  ] as const) {
    if (side === undefined) continue;
    const [other] = side.facts.signatures;
    const what =
      side.facts.outcome === 'pass' || side.facts.outcome === 'unknown'
        ? 'it passes'
        : `it fails otherwise (${other?.text ?? side.facts.outcome})`;
    lines.push(`  written ${when} that, at ${side.atNs} ns, ${what}.`);
  }
  return lines;
}

/** The last thing that the histories tell before a moment. */
function lastBefore(result: RunResult, ns: number): string | undefined {
  const [last] = historiesOf(result)
    .flatMap(({ name, history }) => {
      const record = history.records.findLast(({ timeNs, kind }) => timeNs < ns && kind !== 'liveUpdate');
      return record === undefined ? [] : [{ name, history, record }];
    })
    .sort((a, b) => b.record.timeNs - a.record.timeNs);
  if (last === undefined) return undefined;
  const { name, history, record } = last;
  return `after seq ${record.seq}${name === '' ? '' : ` of ${name}`}: ${recordText(history, record)}`;
}
