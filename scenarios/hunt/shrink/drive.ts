import { failsLike, type RunFacts } from '../facts.ts';
import type { RunSpec } from '../spec.ts';
import type { Search } from './attempts.ts';

/** Drive a search in this thread. @returns what it comes to, and how many runs that took. */
export function driveHere<T>(
  search: Search<T>,
  key: string,
  tryOne: (spec: RunSpec) => RunFacts,
): { readonly found: T; readonly replays: number } {
  let replays = 0;
  for (let step = search.next(); ; ) {
    if (step.done === true) return { found: step.value, replays };
    let hit: { readonly index: number; readonly facts: RunFacts } | undefined;
    const { specs, isLook = false } = step.value;
    for (const [index, spec] of specs.entries()) {
      replays++;
      const facts = tryOne(spec);
      if (!isLook && !failsLike(facts, key)) continue;
      hit = { index, facts };
      break;
    }
    step = search.next(hit);
  }
}
