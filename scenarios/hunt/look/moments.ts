import type { LookedAt } from '../../engine/looked-at.ts';
import type { RunResult } from '../../engine/scenario.ts';
import type { RunExtras, Runner, RunSpec } from '../spec.ts';
import { type Moment, momentOf } from './moment.ts';

/** One host while its run goes on, and what was seen of it. */
interface Watched {
  readonly host: LookedAt;
  /** Ascending, those that are still to come. */
  readonly wanted: number[];
  readonly found: Map<number, Moment>;
}

/**
 * Run a spec, and look at each of its hosts when records of that host's history have just been written: forwards and backwards alike,
 * since the same spec gives the same run.
 * @param seqs which records; one that a host does not get to is the end of the run
 * @returns the moments of each host, in the order of the result's hosts
 */
export function momentsOf(
  runner: Runner,
  spec: RunSpec,
  seqs: readonly number[],
  extras: RunExtras = {},
): { readonly result: RunResult; readonly moments: readonly (readonly Moment[])[] } {
  const hosts: Watched[] = [];
  const look = () => {
    for (const { host, wanted, found } of hosts)
      for (let next = wanted[0]; next !== undefined && (host.recorder?.length ?? 0) > next; next = wanted[0]) {
        wanted.shift();
        found.set(next, momentOf(host));
      }
  };
  const result = runner(spec, {
    ...extras,
    opened: (host) => hosts.push({ host, wanted: [...seqs].sort((a, b) => a - b), found: new Map() }),
    observed: look,
  });
  const moments = hosts.map(({ host, wanted, found }) => {
    const end = wanted.length === 0 ? undefined : momentOf(host);
    return seqs.flatMap((seq) => found.get(seq) ?? end ?? []);
  });
  return { result, moments };
}
