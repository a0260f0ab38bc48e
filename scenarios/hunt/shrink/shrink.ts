import type { SettingSpecs } from '../../engine/settings.ts';
import { type Failing, firstOf, reduceList, type Search } from './attempts.ts';
import {
  domainOf,
  type KeptRequest,
  likelyCores,
  placesFor,
  suspectUpdates,
  updateAt,
  withRequests,
} from './cutting.ts';
import { reduceFaults, reduceSettings } from './settings.ts';

/** What a search has come to. */
export interface Shrunk {
  readonly failing: Failing;
  /** Whether single requests could be left out; if so, without any one of those that are left the failure is gone. */
  readonly isCut: boolean;
}

/**
 * Reduce a failing run: faults, what toolstacks make, threads, requests, settings. Each step is accepted only if the run fails in
 * the same way, as whoever drives the search says.
 */
export function* shrink(from: Failing, specs: SettingSpecs): Search<Shrunk> {
  const few = yield* bareDomains(yield* reduceFaults(from));
  const cut = (yield* cutRequests(few)) ?? (yield* cutRequests(yield* reduceSettings(few, specs)));
  if (cut === undefined) return { failing: few, isCut: false };
  return { failing: yield* reduceSettings(cut, specs), isCut: true };
}

/** Toolstacks make domains with nothing but a ring and a home, if that is enough. */
function* bareDomains(from: Failing): Search<Failing> {
  const { spec } = from;
  return (yield* firstOf([{ ...spec, cuts: { ...spec.cuts, domains: 'bare' } }])) ?? from;
}

/** Requests are left out, and what is left is done at an even pace. An update that has to do with it is put where it meets them. */
function* cutRequests(from: Failing): Search<Failing | undefined> {
  const found = yield* findCore(from);
  if (found === undefined) return undefined;
  const { failing, kept } = found;
  const spec = failing.spec;
  const threads = [...new Set(kept.map(({ thread }) => thread))];
  const some = (names: readonly string[]) =>
    withRequests(
      spec,
      kept.filter(({ thread }) => names.includes(thread)),
    );
  const fewer = yield* reduceList(threads, failing, some);
  const left = kept.filter(({ thread }) => fewer.items.includes(thread));
  return (yield* reduceList(left, fewer.failing, (requests) => withRequests(spec, requests))).failing;
}

interface Core {
  readonly failing: Failing;
  readonly kept: readonly KeptRequest[];
}

function* findCore({ spec, facts }: Failing): Search<Core | undefined> {
  const domain = domainOf(facts.actor);
  for (const updateNs of suspectUpdates(facts).slice(0, SUSPECTS_MAX)) {
    for (const core of likelyCores(facts, { domain, updateNs })) {
      const places = updateNs === undefined ? [undefined] : placesFor(core, updateNs);
      const tries = places.map((atNs) => (atNs === undefined ? core : [...core, ...updateAt(atNs)]));
      const paced = tries.map((kept) => withRequests({ ...spec, cuts: { ...spec.cuts, pace: 'even' } }, kept));
      const failing = yield* firstOf(paced);
      if (failing !== undefined) return { failing, kept: tries[paced.indexOf(failing.spec)] as KeptRequest[] };
    }
  }
  return undefined;
}
/** Updates that are suspected one after the other. */
const SUSPECTS_MAX = 3;
