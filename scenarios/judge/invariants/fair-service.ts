import type { History, HistoryRecord, Verdict, Violation } from '../history.ts';
import { Code, type RecordLog } from '../record-log.ts';
import { logOf } from '../recorded-history.ts';
import { describe } from './finding.ts';
import { answeredConnections } from './replies.ts';

export const CLAIM =
  'No ring of a well-behaved guest waits longer than its turns take: between two of its turns lies at most one pass over all rings';
export const SOURCE = 'store.md 0.4, 10.1; XSR-10; guests.md 6.10 INV-P1';

/** How long things take at most, in virtual ns. */
export interface ServiceTimes {
  /** One turn of one ring: a message in, a message out. */
  readonly turnNs: number;
  /** What a pass costs beside its turns. */
  readonly passNs: number;
  /** Pauses of virtual CPUs, the guest's own and the store's, that may fall into one wait. */
  readonly slackNs: number;
  /** What one request may cost in time by the write rate limit, for each domain that shares it; 0 where it is off. */
  readonly creditNs: number;
}

const KEPT_MAX = 20;

/**
 * From the moment at which a whole request is in the ring to that at which its reply is: the ring itself has moved `n` times
 * meanwhile (its earlier requests, its events, the pieces of a long message), and before each move, as before the first and
 * after the last, at most two passes were needed: one may have just gone by, one serves it. Pauses of live updates do not count.
 * With the write rate limit each of these turns may first have to wait for the credit that the one before has used up.
 */
export function fairService(history: History, times: ServiceTimes): Verdict {
  const log = logOf(history);
  const connections = answeredConnections(history);
  const rings = mostAtOnce(log.kept);
  const passNs = times.passNs + rings * times.turnNs;
  const pauses = updatePauses(log.kept);
  const moves = movesByConnection(log, connections.length);
  const violations: Violation[] = [];
  let judged = 0;
  let longestNs = 0;
  let longestPasses = 0;
  for (const connection of connections) {
    if (connection.epoch.isHostile || connection.exchanged !== undefined) continue;
    const published = new Map(connection.offered.map((m) => [m.end, m.last]));
    const consumed = new Map(connection.requests.map((r, i) => [r, connection.offered[i]?.end]));
    const turns = moves[connection.epoch.conn] as readonly number[];
    for (const request of connection.requests) {
      const { reply } = request;
      const since = published.get(consumed.get(request) ?? -1);
      if (reply === undefined || since === undefined || request.isPutAside || request.type === 0) continue;
      judged++;
      const waitNs = reply.last.timeNs - since.timeNs - paused(pauses, since.timeNs, reply.last.timeNs);
      const own = between(turns, since.timeNs, reply.last.timeNs);
      const boundNs = 2 * (own + 2) * passNs + times.slackNs + (own + 2) * rings * times.creditNs;
      longestNs = Math.max(longestNs, waitNs);
      longestPasses = Math.max(longestPasses, Math.ceil(waitNs / passNs) - 2 * own);
      if (waitNs <= boundNs || violations.length >= KEPT_MAX) continue;
      violations.push({
        invariant: 'fair-service',
        seq: reply.last.seq,
        timeNs: reply.last.timeNs,
        actor: request.actor,
        request: describe(request),
        detail: `${connection.name}: ${describe(request)} waited ${waitNs} ns for its reply; with ${own} turns of its own and ${rings} rings, ${boundNs} ns were due`,
      });
    }
  }
  const checked = [
    ['requests', judged],
    ['rings at once', rings],
    ['ns of a pass', passNs],
    ['ns of the longest wait', longestNs],
    ['passes beyond its own turns', Math.max(0, longestPasses)],
  ] as const;
  return { invariant: 'fair-service', claim: CLAIM, source: SOURCE, checked, violations };
}

function mostAtOnce(records: readonly HistoryRecord[]): number {
  const open = new Set<number>();
  let most = 0;
  for (const r of records) {
    if (r.kind === 'open') open.add(r.conn);
    else if (r.kind === 'detach') open.delete(r.conn);
    most = Math.max(most, open.size);
  }
  return most;
}

interface Span {
  readonly from: number;
  readonly to: number;
}

function updatePauses(records: readonly HistoryRecord[]): Span[] {
  const spans: Span[] = [];
  let from: number | undefined;
  for (const r of records) {
    if (r.kind !== 'liveUpdate') continue;
    if (r.what === 'dump') from = r.timeNs;
    else if (from !== undefined) {
      spans.push({ from, to: r.timeNs });
      from = undefined;
    }
  }
  return spans;
}

function paused(spans: readonly Span[], from: number, to: number): number {
  let ns = 0;
  for (const s of spans) ns += Math.max(0, Math.min(to, s.to) - Math.max(from, s.from));
  return ns;
}

/** When the store moved an index of each ring: it read or wrote a piece. Ascending. */
function movesByConnection(log: RecordLog, connections: number): number[][] {
  const moves: number[][] = Array.from({ length: connections }, () => []);
  for (let seq = 0; seq < log.length; seq++) {
    const code = log.codes[seq] as number;
    const r = code === Code.kept ? log.at(seq) : undefined;
    const isMove =
      code === Code.tookReq ||
      code === Code.putRsp ||
      (r?.kind === 'consume' && r.dir === 'req') ||
      (r?.kind === 'publish' && r.dir === 'rsp');
    if (isMove) (moves[log.conns[seq] as number] as number[]).push(log.times[seq] as number);
  }
  return moves;
}

/** How many of the ascending times lie in `from` .. `to`. */
function between(times: readonly number[], from: number, to: number): number {
  return atLeast(times, to + 1) - atLeast(times, from);
}

/** Place of the first time that is not less than `ns`. */
function atLeast(times: readonly number[], ns: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const mid = (low + high) >> 1;
    if ((times[mid] as number) < ns) low = mid + 1;
    else high = mid;
  }
  return low;
}
