import { type Kept, XS } from '../../../guests/index.ts';
import { formatKept } from '../../engine/cuts.ts';
import type { MadeRequest, RunFacts } from '../facts.ts';
import type { RunSpec } from '../spec.ts';

/** A request that is kept, with its time. */
export type KeptRequest = Pick<MadeRequest, 'thread' | 'request' | 'atNs' | 'type' | 'valueBytes' | 'tears'> & {
  readonly valueMax: number;
};

/** The thread that asks for live updates. */
export const OPERATOR = 'dom0/operator';

/** Nothing is shortened yet. */
export function keptOf(made: MadeRequest): KeptRequest {
  return { ...made, valueMax: Number.POSITIVE_INFINITY };
}

/** The run in which these requests are made, and no others, each at its time; updates when their requests are. */
export function withRequests(spec: RunSpec, kept: readonly KeptRequest[]): RunSpec {
  const byThread = new Map<string, [number, Kept][]>();
  for (const { thread, request, atNs, valueMax, tears } of kept) {
    const list = byThread.get(thread) ?? [];
    byThread.set(thread, list);
    list.push([request, { atNs, valueMax, tears }]);
  }
  const threads = [...byThread].sort(([a], [b]) => (a < b ? -1 : 1));
  const requests = Object.fromEntries(
    threads.map(([thread, list]) => [thread, formatKept(list.sort((a, b) => a[0] - b[0]))]),
  );
  const updatesAtNs = updatesOf(kept);
  return { ...spec, cuts: { ...spec.cuts, requests, updatesAtNs } };
}

/** When the operator is to begin: it asks for each update with two requests, -f and -s, or -a. Those that are left out come, and go,
 *  with the next one that is not. */
function updatesOf(kept: readonly KeptRequest[]): number[] {
  const asked = kept.filter(({ thread }) => thread === OPERATOR).sort((a, b) => a.request - b.request);
  const last = asked.at(-1)?.request ?? -1;
  const moments: number[] = [];
  for (let n = 0; n * 2 <= last; n++)
    moments.push(asked.find(({ request }) => request >= n * 2)?.atNs ?? (moments.at(-1) as number));
  return moments;
}

/** Requests by which a domain comes to have a ring, and a home that is its own. */
export function isBirthOf({ type, about }: MadeRequest, domid: number): boolean {
  const [first] = about.split('\0');
  if (type === XS.INTRODUCE) return first === String(domid);
  const home = `/local/domain/${domid}`;
  return CHANGES.includes(type) && (first === home || first === `${home}/data`);
}
const CHANGES: readonly number[] = [XS.WRITE, XS.MKDIR, XS.SET_PERMS];

/** Requests by which a run begins: what all guests share. */
export function isCommonGround({ thread, type, about }: MadeRequest): boolean {
  return thread.startsWith('dom0/') && CHANGES.includes(type) && /^\/(?:shared|local|tool|vm|libxl)\0/.test(about);
}

/** `domU3` of `domU3/worker0`. */
export function domainOf(actor: string): string {
  return actor.split('/')[0] as string;
}

/** Whose failure it is, and which update may have to do with it. */
interface Suspects {
  readonly domain: string;
  /** When it may have been asked for, virtual ns; `undefined`: no update has to do with it. */
  readonly updateNs: number | undefined;
}

/** The update between cause and effect, else the last before the effect, then the others. */
export function suspectUpdates({ made, causedNs, failedNs }: RunFacts): number[] {
  const asked = made
    .filter(({ thread, about }) => thread === OPERATOR && about.includes('\0-s\0'))
    .map(({ atNs }) => atNs);
  const between = asked.filter((atNs) => causedNs !== undefined && atNs >= causedNs - ARMED_NS && atNs <= failedNs);
  const before = asked.filter((atNs) => atNs <= failedNs).reverse();
  return [...new Set([...between, ...before, ...asked])];
}

/**
 * Small sets of requests in which the failure is likely to be still there, the smallest first: of who missed something, near the
 * update; then with its watches, and what others changed; then of all guests; then all.
 */
export function likelyCores({ made, domids }: RunFacts, { domain, updateNs }: Suspects): KeptRequest[][] {
  const openSinceNs = openTransactions(made, updateNs);
  const own = domids[domain] ?? [];
  const isBirth = (one: MadeRequest) => own.some((domid) => domid !== 0 && isBirthOf(one, domid));
  const isAnyBirth = (one: MadeRequest) =>
    Object.values(domids).some((ids) => ids.some((domid) => domid !== 0 && isBirthOf(one, domid)));
  const isOwn = ({ thread }: MadeRequest) => domainOf(thread) === domain && thread !== OPERATOR;
  const isGuests = ({ thread }: MadeRequest) => !thread.startsWith('dom0/');
  const isNear = ({ thread, atNs }: MadeRequest) =>
    updateNs === undefined ||
    (atNs <= updateNs + NEAR_NS && atNs >= Math.min(updateNs - NEAR_NS, openSinceNs.get(thread) ?? updateNs));
  const isStanding = ({ type, atNs }: MadeRequest) => type === XS.WATCH && (updateNs === undefined || atNs < updateNs);
  const isChange = ({ type }: MadeRequest) => CHANGES.includes(type) || type === XS.RM;
  const cores: ((one: MadeRequest) => boolean)[] = [
    (one) => isBirth(one) || (isOwn(one) && isNear(one)),
    (one) => isBirth(one) || isCommonGround(one) || (isOwn(one) && (isNear(one) || isStanding(one))),
    (one) =>
      isAnyBirth(one) ||
      isCommonGround(one) ||
      (isOwn(one) && (isNear(one) || isStanding(one))) ||
      (isGuests(one) && isChange(one) && isNear(one)),
    (one) => isAnyBirth(one) || isCommonGround(one) || (isGuests(one) && (isNear(one) || isStanding(one))),
    (one) => isAnyBirth(one) || isCommonGround(one) || isGuests(one) || isOwn(one),
    () => true,
  ];
  return cores
    .map((is) => made.filter((one) => is(one) && one.thread !== OPERATOR).map(keptOf))
    .filter((core, i, all) => core.length > (all[i - 1]?.length ?? 0));
}
/** Since when each thread has a transaction open at an update. */
function openTransactions(made: readonly MadeRequest[], updateNs = 0): ReadonlyMap<string, number> {
  const sinceNs = new Map<string, number>();
  for (const { thread, type, atNs } of made) {
    if (atNs > updateNs) continue;
    if (type === XS.TRANSACTION_START) sinceNs.set(thread, atNs);
    else if (type === XS.TRANSACTION_END) sinceNs.delete(thread);
  }
  return sinceNs;
}

/** What is near an update, virtual ns. */
const NEAR_NS = 400_000;

/** Before an update is asked for, its file is named, virtual ns. */
const ARMED_NS = 30_000;

/** The operator asks for one update at this time. */
export function updateAt(atNs: number): KeptRequest[] {
  const ask = (request: number, whenNs: number): KeptRequest => {
    return {
      thread: OPERATOR,
      request,
      atNs: Math.max(0, whenNs),
      type: XS.CONTROL,
      valueBytes: 0,
      tears: [],
      valueMax: Number.POSITIVE_INFINITY,
    };
  };
  return [ask(0, atNs - ARMED_NS), ask(1, atNs)];
}

/**
 * When to ask for an update so that it comes between any two moves of the store, those nearest to `updateNs` first.
 * @param latencyNs from the request to the image
 */
export function placesBetween(movesNs: readonly number[], updateNs: number, latencyNs: number): number[] {
  const near = movesNs.filter((ns) => Math.abs(ns - updateNs) <= NEAR_NS);
  const places = near.flatMap((ns) => [ns - latencyNs, ns - latencyNs - EARLIER_NS]);
  const distance = (ns: number) => Math.abs(ns + latencyNs - updateNs);
  return [...new Set(places)].sort((a, b) => distance(a) - distance(b) || a - b).slice(0, PLACES_MAX);
}
/** A pass of the daemon or so, virtual ns. */
const EARLIER_NS = 900;
const PLACES_MAX = 60;
