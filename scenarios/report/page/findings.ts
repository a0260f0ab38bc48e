import { opName } from '../../../store/protocol/wire.ts';
import type { RunResult } from '../../engine/scenario.ts';
import type { History, Violation } from '../../judge/history.ts';
import { logOf } from '../../judge/recorded-history.ts';
import { alike, causedAt } from '../cause.ts';
import type { Band, Finding } from './layout.ts';
import type { Links } from './links.ts';
import type { Timeline } from './timeline.ts';

/** Findings that a page tells one by one; the report counts them all. */
const FINDINGS_MAX = 50;
/** Records that led to one of them. */
const CHAIN_MAX = 60;

/** The history of a host with what belongs together in it. */
export interface Linked {
  readonly history: History;
  readonly links: Links;
}

/** What is wrong with a run, the earliest first, each with what led to it. */
export function findingsOf(
  result: RunResult,
  linked: readonly Linked[],
  timeline: Timeline,
  bands: readonly Band[],
): Finding[] {
  const end = Math.max(0, timeline.count - 1);
  const first = result.verdicts
    .flatMap(({ violations }) => alike(violations))
    .sort((a, b) => a.first.timeNs - b.first.timeNs || a.first.seq - b.first.seq)
    .slice(0, FINDINGS_MAX)
    .map(({ first, count }) => ofViolation(first, count, linked, timeline, bands, result.hosts !== undefined));
  const plain = (name: string, who: string, detail: string): Finding => {
    const before = bands.findLastIndex(({ kind }) => kind === 'update');
    return { name, who, detail, at: end, chain: [[end, 'the last record']], bands: before < 0 ? [] : [before] };
  };
  const { failure, waits = [], outcome, reason } = result;
  if (failure !== undefined) first.push(plain('error', failure.actor, failure.what));
  if (outcome === 'stuck' || outcome === 'unknown')
    first.push(
      ...waits.slice(0, FINDINGS_MAX).map(({ who, what }) => plain(outcome, who, `waits for ${what || 'a wake-up'}`)),
    );
  if (first.length === 0 && outcome !== 'pass') first.push(plain(outcome, '', reason));
  return first;
}

function ofViolation(
  violation: Violation,
  count: number,
  linked: readonly Linked[],
  timeline: Timeline,
  bands: readonly Band[],
  areSeveral: boolean,
): Finding {
  const { invariant, actor, request, timeNs } = violation;
  const more = count > 1 ? ` (and ${count - 1} more of this kind)` : '';
  const detail = `${violation.detail}${more}`;
  const who = [actor, violation.detail.includes(request) ? '' : request].filter((word) => word !== '').join(', ');
  const host = areSeveral ? violation.host : 0;
  const one = host === undefined ? undefined : linked[host];
  if (host === undefined || one === undefined) {
    const at = timeline.lastAt(timeNs);
    const straddled = straddledBy(bands, undefined, at, undefined);
    return { name: invariant, who, detail, at, chain: [[at, 'noticed']], bands: straddled };
  }
  const at = timeline.placeOf(host, violation.seq);
  const chain = chainOf(violation, one);
  const caused = causedAt(violation);
  const straddled = straddledBy(bands, caused === undefined ? undefined : timeline.placeOf(host, caused), at, host);
  const places = new Map([...chain].map(([seq, role]) => [timeline.placeOf(host, seq), role] as const));
  for (const each of straddled) {
    const band = bands[each] as Band;
    places.set(band.first, `${band.name} begins`);
    places.set(band.last, `${band.name} is over`);
  }
  places.set(at, places.has(at) ? `noticed; ${places.get(at)}` : 'noticed');
  const sorted = [...places].sort(([a], [b]) => a - b).slice(0, CHAIN_MAX);
  return { name: invariant, who, detail, at, chain: sorted, bands: straddled };
}

/** By seq what part each record has: those that the message names, the request, its way through the store, and its answer. */
function chainOf(violation: Violation, { history, links }: Linked): Map<number, string> {
  const log = logOf(history);
  const roles = new Map<number, string>();
  const add = (seq: number | undefined, role: string) => {
    if (seq !== undefined && seq >= 0 && seq < log.length && !roles.has(seq)) roles.set(seq, role);
  };
  const addRequest = (seq: number) => {
    add(seq, 'the request');
    add(links.served[seq], 'the store takes it');
    const reply = links.reply[seq] ?? -1;
    if (reply < 0) return;
    add(links.written[reply], 'the store has written the answer');
    add(reply, 'the answer');
  };
  const named = [...violation.detail.matchAll(/\bseq ([0-9]+)/g)].map(([, digits]) => Number(digits));
  const servedHere = requestsServed(links, new Set(named));
  const request = requestOf(violation, history, servedHere);
  if (request !== undefined) addRequest(request);
  for (const seq of [...named, violation.seq]) {
    const kind = log.messageAt(seq);
    if (kind === 'sent') addRequest(seq);
    if (kind !== 'got') continue;
    const asked = links.asked[seq] ?? -1;
    if (asked >= 0) addRequest(asked);
    add(links.cause[seq], 'what the event tells of');
    add(links.written[seq], 'the store has written it');
  }
  for (const seq of servedHere) addRequest(seq);
  for (const seq of named) add(seq, 'named in the finding');
  return roles;
}

/** Requests whose last octet was taken in one of these records. */
function requestsServed({ served }: Links, records: ReadonlySet<number>): number[] {
  const found: number[] = [];
  if (records.size > 0)
    for (let seq = 0; seq < served.length; seq++) if (records.has(served[seq] as number)) found.push(seq);
  return found;
}

/** The request that a violation is about: by its name and number, of those that it names the place of, or else the last before it. */
function requestOf(
  { request, detail, actor, seq }: Violation,
  history: History,
  served: readonly number[],
): number | undefined {
  const words = /\b([A-Z_]+) req_id ([0-9]+)/.exec(request) ?? /\b([A-Z_]+) req_id ([0-9]+)/.exec(detail);
  if (words === null) return undefined;
  const [, name, digits] = words;
  const log = logOf(history);
  const isIt = (at: number) =>
    log.messageAt(at) === 'sent' && log.reqIdOf(at) === Number(digits) && opName(log.typeOf(at)) === name;
  const known = served.find(isIt);
  if (known !== undefined) return known;
  for (let at = Math.min(seq, log.length - 1); at >= 0; at--) {
    if (!isIt(at)) continue;
    const record = log.at(at);
    if (record?.kind !== 'sent') continue;
    const owner = history.epochs[record.conn]?.name ?? '';
    if (actor === '' || actor === record.actor || actor === owner || actor.startsWith(`${owner}/`)) return at;
  }
  return undefined;
}

/** Updates between a cause and where it was noticed; if there is none, or nobody knows the cause, the last one before. */
function straddledBy(
  bands: readonly Band[],
  caused: number | undefined,
  at: number,
  host: number | undefined,
): number[] {
  const own = bands.flatMap(({ hosts, kind }, i) =>
    kind === 'update' && (host === undefined || hosts.includes(host)) ? [i] : [],
  );
  const between = own.filter((i) => {
    const { first, last } = bands[i] as Band;
    return caused !== undefined && caused <= last && first <= at;
  });
  if (between.length > 0) return between;
  const before = own.findLast((i) => (bands[i] as Band).first <= at);
  return before === undefined ? [] : [before];
}
