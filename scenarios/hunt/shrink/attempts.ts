import type { RunFacts } from '../facts.ts';
import type { RunSpec } from '../spec.ts';

/**
 * What a search asks whoever drives it: for the first of these runs, in the order in which they are wanted, that fails as it should;
 * or (`isLook`) what becomes of the one run, whether it fails or not. The answer does not depend on how many are tried at a time, so
 * that a search comes to the same with any number of workers.
 */
export interface Ask {
  readonly specs: readonly RunSpec[];
  readonly isLook?: true;
}

/** The first of those that fails as it should, or the one that was looked at. */
export interface Hit {
  readonly index: number;
  readonly facts: RunFacts;
}

export type Search<T> = Generator<Ask, T, Hit | undefined>;

/** A run that fails, and what is known of it. */
export interface Failing {
  readonly spec: RunSpec;
  readonly facts: RunFacts;
}

/** The first of these that fails as it should; `undefined`: none does. */
export function* firstOf(specs: readonly RunSpec[]): Search<Failing | undefined> {
  if (specs.length === 0) return undefined;
  const hit = yield { specs };
  return hit === undefined ? undefined : { spec: specs[hit.index] as RunSpec, facts: hit.facts };
}

/** What becomes of a run. */
export function* lookAt(spec: RunSpec): Search<RunFacts> {
  const hit = yield { specs: [spec], isLook: true };
  if (hit === undefined) throw new Error('assertion: a run that was to be looked at');
  return hit.facts;
}

/**
 * Delta debugging: take pieces out of a list, from large to small, as long as what is left fails as it should. What comes back is
 * 1-minimal: without any single one of its items the failure is another, or gone.
 * @param make the run with these items; their order is kept.
 */
export function* reduceList<T>(
  items: readonly T[],
  from: Failing,
  make: (items: readonly T[]) => RunSpec,
): Search<{ readonly items: readonly T[]; readonly failing: Failing }> {
  let kept = items;
  let failing = from;
  for (let size = Math.max(1, Math.ceil(kept.length / 2)); kept.length > 0; ) {
    let removed = false;
    for (let at = 0; at < kept.length; ) {
      const without: (readonly T[])[] = [];
      for (let cut = at; cut < kept.length; cut += size)
        without.push([...kept.slice(0, cut), ...kept.slice(cut + size)]);
      const hit = yield { specs: without.map(make) };
      if (hit === undefined) break;
      kept = without[hit.index] as readonly T[];
      failing = { spec: make(kept), facts: hit.facts };
      at += hit.index * size;
      removed = true;
    }
    // Taking one item can make another one superfluous: single items are tried until none goes.
    if (size > 1) size = Math.ceil(size / 2);
    else if (!removed) break;
  }
  return { items: kept, failing };
}
