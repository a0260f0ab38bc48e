import type { SettingSpecs } from '../../engine/settings.ts';
import { allInvariants } from '../../judge/invariants/index.ts';
import type { RunFacts } from '../facts.ts';
import type { RunSpec } from '../spec.ts';
import { type Failing, firstOf, lookAt, reduceList, type Search } from './attempts.ts';
import {
  domainOf,
  type KeptRequest,
  keptOf,
  likelyCores,
  placesBetween,
  suspectUpdates,
  updateAt,
  withRequests,
} from './cutting.ts';
import { reduceFaults, reduceSettings, reduceWords, smallAtOnce, turnOff } from './settings.ts';
import { silenceOthers } from './silence.ts';
import { shortenValues } from './values.ts';

/** What a search has come to. */
export interface Shrunk {
  readonly failing: Failing;
  /**
   * Of which requests any that are left are needed: without any single one of them the failure is gone. `free`: of those on which nobody
   * relies. `none`: single requests could not be left out.
   */
  readonly minimal: 'all' | 'free' | 'none';
}

/**
 * Reduce a failing run: faults, what toolstacks make, threads, requests, settings. Each step is accepted only if the run fails in
 * the same way, as whoever drives the search says.
 */
export function* shrink(from: Failing, specs: SettingSpecs): Search<Shrunk> {
  const few = yield* turnOff(yield* bareDomains(yield* reduceFaults(yield* reduceAsks(from))), specs);
  if (!isOfStore(few.facts)) return yield* amongClients(few, specs);
  if (few.facts.outcome === 'violation') {
    const less = yield* smallAtOnce(few, specs);
    const cut = (yield* cutRequests(less, 'even')) ?? (less === few ? undefined : yield* cutRequests(few, 'even'));
    if (cut !== undefined) return { failing: yield* reduceSettings(cut, specs), minimal: 'all' };
  }
  const small = yield* amongClients(few, specs);
  const smallCut = (yield* cutRequests(small.failing, 'even')) ?? (yield* cutRequests(small.failing, 'as it was'));
  if (smallCut === undefined) return small;
  return { failing: yield* reduceSettings(smallCut, specs), minimal: 'all' };
}

/** Whether what fails is the store's, whatever others ask or do not ask. */
function isOfStore({ outcome, signatures: [first] }: RunFacts): boolean {
  if (outcome !== 'violation') return outcome === 'error';
  return allInvariants.some(({ name }) => first?.key.startsWith(`${name}:`));
}

/** What guests and toolstacks owe each other: nobody is kept from what is due of it. */
function* amongClients(from: Failing, specs: SettingSpecs): Search<Shrunk> {
  const small = yield* reduceSettings(yield* smallAtOnce(yield* reduceWords(from, specs), specs), specs);
  const quiet = yield* silenceOthers(small);
  return quiet === undefined ? { failing: small, minimal: 'none' } : { failing: quiet, minimal: 'free' };
}

/** What somebody asked for beside the scenario, as far as the failure needs it. */
function* reduceAsks(from: Failing): Search<Failing> {
  const { asks = [], ...cuts } = from.spec.cuts ?? {};
  if (asks.length === 0) return from;
  const make = (some: readonly string[]) => ({
    ...from.spec,
    cuts: some.length === 0 ? cuts : { ...cuts, asks: some },
  });
  return (yield* reduceList(asks, from, make)).failing;
}

/** Toolstacks make domains with nothing but a ring and a home, if that is enough, in this seed or another. */
function* bareDomains(from: Failing): Search<Failing> {
  const bare = { ...from.spec, cuts: { ...from.spec.cuts, domains: 'bare' } } as const;
  const seeds = [bare.seed, ...BARE_SEEDS.filter((seed) => seed !== bare.seed)];
  return (yield* firstOf(seeds.map((seed) => ({ ...bare, seed })))) ?? from;
}
/** What a failure needs of libxl may come about in one of these without it. */
const BARE_SEEDS = ['1', '2', '3', '4', '5', '6', '7', '8'] as const;

/** Requests are left out, and what is left is done at an even pace if the failure comes about so. An update that has to do with it is
 *  put where it meets them. */
function* cutRequests(from: Failing, pace: 'even' | 'as it was'): Search<Failing | undefined> {
  const found = yield* pace === 'even' ? findCore(from) : asItWas(from);
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
  const least = yield* reduceList(left, fewer.failing, (requests) => withRequests(spec, requests));
  return yield* atEvenPace(yield* shortenValues(least.failing, spec, least.items));
}

/** What is left of a run that was reduced as it is. */
function* atEvenPace(from: Failing): Search<Failing> {
  if (from.spec.cuts?.pace === 'even') return from;
  const even = { ...from.spec, cuts: { ...from.spec.cuts, pace: 'even' } } as const;
  return (yield* firstOf([even])) ?? from;
}

interface Core {
  readonly failing: Failing;
  readonly kept: readonly KeptRequest[];
}

function* findCore({ spec, facts }: Failing): Search<Core | undefined> {
  const domain = domainOf(facts.actor);
  const even = { ...spec, cuts: { ...spec.cuts, pace: 'even' } } as const;
  // Last of all without any update: the failure may have to do with none.
  for (const updateNs of [...suspectUpdates(facts).slice(0, SUSPECTS_MAX), undefined]) {
    for (const core of likelyCores(facts, { domain, updateNs })) {
      const found = updateNs === undefined ? yield* asItIs(even, core) : yield* withUpdate(even, core, updateNs);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}
/** Updates that are suspected one after the other. */
const SUSPECTS_MAX = 2;

/** With each request at its own time, and each step as long as it was, the run is nearly the one that there was. */
function* asItWas({ spec, facts }: Failing): Search<Core | undefined> {
  if (facts.made.length > AS_IT_WAS_MAX) return undefined;
  return yield* asItIs(spec, facts.made.map(keptOf));
}
/** Requests: each that is left out moves all others a little, and many have to be tried. */
const AS_IT_WAS_MAX = 250;

/** Runs of so many requests cost so much that an update is put into fewer places of them. */
const LONG = 300;
const FEW_PLACES = 8;

function* asItIs(spec: RunSpec, kept: readonly KeptRequest[]): Search<Core | undefined> {
  const failing = yield* firstOf([withRequests(spec, kept)]);
  return failing && { failing, kept };
}

/** One update, where it was; else between any two moves of the store, as they are without any. */
function* withUpdate(spec: RunSpec, core: readonly KeptRequest[], updateNs: number): Search<Core | undefined> {
  const at = (ns: number) => [...core, ...updateAt(ns)];
  const there = yield* asItIs(spec, at(updateNs));
  if (there !== undefined) return there;
  const { updatesNs } = yield* lookAt(withRequests(spec, at(updateNs)));
  const { movesNs } = yield* lookAt(withRequests(spec, core));
  const [dumpedNs = updateNs] = updatesNs;
  const places = placesBetween(movesNs, dumpedNs, dumpedNs - updateNs);
  const tries = (core.length > LONG ? places.slice(0, FEW_PLACES) : places).map(at);
  const specs = tries.map((kept) => withRequests(spec, kept));
  const failing = yield* firstOf(specs);
  return failing && { failing, kept: tries[specs.indexOf(failing.spec)] as KeptRequest[] };
}
