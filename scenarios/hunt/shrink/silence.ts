import { REST } from '../../engine/cuts.ts';
import type { MadeRequest, RunFacts } from '../facts.ts';
import type { RunSpec } from '../spec.ts';
import { type Failing, firstOf, reduceList, type Search } from './attempts.ts';
import { keptOf, withRequests } from './cutting.ts';

/** Parts of the traffic's time that are tried in place of all of it. */
const PARTS = [1 / 16, 1 / 8, 1 / 4, 1 / 2, 3 / 4, 7 / 8] as const;

/**
 * Where what fails is something that guests and toolstacks owe each other, none of those is kept from a request: it would fail for want
 * of that. What goes is the traffic on whose requests nobody relies, whole threads at first, and what comes late.
 * `undefined`: the run fails only as it is.
 */
export function* silenceOthers({ spec, facts }: Failing): Search<Failing | undefined> {
  const all = yield* firstOf([endingAt(spec, facts.virtualNs)]);
  if (all === undefined) return undefined;
  const talkers = freeThreads(facts);
  const quiet = yield* reduceList(talkers, all, (heard) => silencing(all.spec, talkers, heard));
  const soon = yield* endSooner(quiet.failing);
  const asked = soon.facts.made.filter(({ thread, isFree }) => isFree && quiet.items.includes(thread));
  return (yield* reduceList(asked, soon, (kept) => asking(soon.spec, quiet.items, kept))).failing;
}

/** Threads on whose requests nobody relies, each once. */
function freeThreads({ made }: RunFacts): string[] {
  return [...new Set(made.filter(({ isFree }) => isFree).map(({ thread }) => thread))];
}

/** All make all of their requests until then. */
function endingAt(spec: RunSpec, ns: number): RunSpec {
  return { ...spec, cuts: { ...spec.cuts, requests: { ...spec.cuts?.requests, [REST]: `@${ns}` } } };
}

/** Of these threads only some make their requests, all of them. */
function silencing(spec: RunSpec, talkers: readonly string[], heard: readonly string[]): RunSpec {
  const silent = talkers.filter((thread) => !heard.includes(thread)).map((thread) => [thread, ''] as const);
  return { ...spec, cuts: { ...spec.cuts, requests: { ...spec.cuts?.requests, ...Object.fromEntries(silent) } } };
}

/** These threads make some of their requests. */
function asking(spec: RunSpec, threads: readonly string[], kept: readonly MadeRequest[]): RunSpec {
  const { cuts } = withRequests(spec, kept.map(keptOf));
  const none = threads.map((thread) => [thread, ''] as const);
  return {
    ...spec,
    cuts: { ...spec.cuts, requests: { ...spec.cuts?.requests, ...Object.fromEntries(none), ...cuts?.requests } },
  };
}

function* endSooner(from: Failing): Search<Failing> {
  const { facts } = from;
  let failing = from;
  for (let ns = facts.virtualNs; ns > 0; ) {
    const { spec } = failing;
    const ends = PARTS.map((part) => Math.floor(ns * part));
    const specs = ends.map((end) => endingAt(spec, end));
    const sooner = yield* firstOf(specs);
    if (sooner === undefined) break;
    failing = sooner;
    ns = ends[specs.indexOf(sooner.spec)] as number;
  }
  return failing;
}
