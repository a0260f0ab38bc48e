import type { RunSpec } from '../spec.ts';
import { type Failing, firstOf, type Search } from './attempts.ts';
import { type KeptRequest, withRequests } from './cutting.ts';

/** Octets of value that are tried in place of all of them. */
const LENGTHS = [0, 1, 16] as const;

/** Values that requests write are made shorter: all of them, else each by itself. */
export function* shortenValues(from: Failing, spec: RunSpec, kept: readonly KeptRequest[]): Search<Failing> {
  const long = kept.filter(({ valueBytes }) => valueBytes > 0);
  if (long.length === 0) return from;
  const cutTo = (some: readonly KeptRequest[], valueMax: number) =>
    kept.map((one) => (some.includes(one) && one.valueBytes > valueMax ? { ...one, valueMax } : one));
  const all = yield* firstOf(LENGTHS.map((valueMax) => withRequests(spec, cutTo(long, valueMax))));
  if (all !== undefined) return all;
  let failing = from;
  let now = kept;
  for (const at of kept.keys()) {
    const tries = LENGTHS.filter((valueMax) => (now[at] as KeptRequest).valueBytes > valueMax).map((valueMax) =>
      now.map((one, i) => (i === at ? { ...one, valueMax } : one)),
    );
    const specs = tries.map((requests) => withRequests(spec, requests));
    const shorter = yield* firstOf(specs);
    if (shorter === undefined) continue;
    failing = shorter;
    now = tries[specs.indexOf(shorter.spec)] as readonly KeptRequest[];
  }
  return failing;
}
