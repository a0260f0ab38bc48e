import type { LookedAt } from '../../engine/looked-at.ts';
import type { RunResult } from '../../engine/scenario.ts';
import type { RunExtras, Runner, RunSpec } from '../spec.ts';
import { type Moment, momentOf } from './moment.ts';

/**
 * Run a spec, and look at the host when records of its history have just been written: forwards and backwards alike, since the same
 * spec gives the same run.
 * @param seqs which records; one that the run does not get to is its end
 */
export function momentsOf(
  runner: Runner,
  spec: RunSpec,
  seqs: readonly number[],
  extras: RunExtras = {},
): { readonly result: RunResult; readonly moments: readonly Moment[] } {
  const wanted = [...seqs].sort((a, b) => a - b);
  const found = new Map<number, Moment>();
  let host: LookedAt | undefined;
  const look = () => {
    for (let next = wanted[0]; next !== undefined && host !== undefined; next = wanted[0]) {
      if ((host.recorder?.length ?? 0) <= next) return;
      wanted.shift();
      found.set(next, momentOf(host));
    }
  };
  const result = runner(spec, {
    ...extras,
    opened: (opened) => {
      host = opened;
    },
    observed: look,
  });
  const end = host === undefined || wanted.length === 0 ? undefined : momentOf(host);
  return { result, moments: seqs.flatMap((seq) => found.get(seq) ?? end ?? []) };
}
