import type { RunResult } from '../engine/scenario.ts';
import type { Violation } from '../judge/history.ts';

/** A message without what differs from seed to seed: numbers, octets that were quoted, and the names they are in. */
export function shapeOf(message: string): string {
  return message
    .replace(/"(?:[^"\\]|\\.)*"/g, '"…"')
    .replace(/0x[0-9a-f]+/g, '0x#')
    .replace(/\b[0-9][0-9,.]*\b/g, '#')
    .replace(/(?<=[A-Za-z/_:-])[0-9]+/g, '#')
    .replace(/(?:\/[\w#@.:-]+){2,}/g, '/…');
}

/** Violations of one cause: the first, and how many there are. */
export interface Alike {
  readonly first: Violation;
  readonly count: number;
}

/** One for each shape of message, in the order in which they came. */
export function alike(violations: readonly Violation[]): Alike[] {
  const groups = new Map<string, { first: Violation; count: number }>();
  for (const violation of violations) {
    const key = shapeOf(violation.detail);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { first: violation, count: 1 });
    else group.count++;
  }
  return [...groups.values()];
}

/** All violations of a run in the order in which they became certain; numbers of records are each host's own. */
export function violationsOf({ verdicts }: Pick<RunResult, 'verdicts'>): readonly Violation[] {
  return verdicts.flatMap(({ violations }) => violations).sort((a, b) => a.timeNs - b.timeNs || a.seq - b.seq);
}

/** Why a run did not pass: what a sweep groups by, and one sentence of this run. */
export interface Cause {
  readonly key: string;
  readonly text: string;
}

/** The first thing that went wrong: what comes after it may be its consequence. `undefined`: the run has passed. */
export function causeOf(result: RunResult): Cause | undefined {
  const { outcome, failure, waits = [], reason } = result;
  if (outcome === 'pass') return undefined;
  if (failure !== undefined) {
    const where = failure.actor === '' ? '' : `${failure.actor}: `;
    return { key: `error ${shapeOf(where)}${shapeOf(failure.what)}`, text: `${where}${failure.what}` };
  }
  const [first] = violationsOf(result);
  if (outcome === 'violation' && first !== undefined) {
    const text = `${first.invariant}: ${first.detail}`;
    return { key: `violation ${shapeOf(text)}`, text };
  }
  const wait = outcome === 'stuck' ? waits[0] : undefined;
  const text = wait === undefined ? reason : `${wait.who} waits for ${wait.what || 'a wake-up'}`;
  return { key: `${outcome} ${shapeOf(text)}`, text };
}

/** Where in the history a violation was caused, as far as its message tells: the first record that it names. */
export function causedAt({ seq, detail }: Violation): number | undefined {
  const named = [...detail.matchAll(/\bseq ([0-9]+)/g)].map(([, digits]) => Number(digits)).filter((n) => n <= seq);
  return named.length === 0 ? undefined : Math.min(...named);
}
