import type { History, Verdict } from '../history.ts';
import { show } from '../oracles/octets.ts';
import { ERROR_NAMES, type Framed, Op } from '../oracles/wire.ts';
import type { RecordLog } from '../record-log.ts';
import { logOf } from '../recorded-history.ts';
import { type Connection, collectConnections, type Request } from './connection-epochs.ts';
import { describe, describeWhole, type Evidence, type Findings, newEvidence } from './finding.ts';

export const CLAIM =
  'Every request was answered exactly once, in request order, with its req_id, its tx_id and its type (or ERROR), and with what the store holds at that moment';
export const SOURCE = 'docs/misc/xenstore.txt; store.md 1.6; guests.md 6.4 INV-R1 to R8';

/** Connections with the reply to each request, for checks of one scenario: what is wrong about replies is told by the families. */
export function answeredConnections(history: History): readonly Connection[] {
  const log = logOf(history);
  const connections = collectConnections(history, log);
  pairReplies(history, log, connections, newEvidence());
  return connections;
}

/** Find the reply to each request; complains about replies without a request, out of order, or wrong in their header. */
export function pairReplies(
  history: History,
  log: RecordLog,
  connections: readonly Connection[],
  evidence: Evidence,
): void {
  const found = evidence.replies;
  const updates = log.kept.filter((r) => r.kind === 'liveUpdate').map((r) => r.seq);
  const all: OpenRequests[] = [];
  for (const connection of connections) {
    const open = new OpenRequests(connection.requests);
    for (const reply of connection.output) {
      if (reply.type === Op.WATCH_EVENT) continue;
      if (reply.first.seq > connection.ignoredSeq) break; // an ignored ring's stream has no meaning any more (store.md 2.6)
      found.count('replies');
      pairOne(connection, open, reply, found);
    }
    all.push(open);
  }
  const ups = log.kept.flatMap((r) => (r.kind === 'liveUpdate' && r.what === 'up' ? [r.seq] : []));
  const pending = pendingSpans(connections, ups);
  for (const [conn, connection] of connections.entries())
    for (const request of connection.requests) judgeOrder(request, all[conn]!, updates, pending, found);
  if (history.transactionPolicy === 'daemon') noteHeldBack(connections, pending);
}

/** Requests without a reply, oldest first. */
class OpenRequests {
  readonly #requests: readonly Request[];
  #head = 0;
  readonly overtaker = new Map<Request, Framed>();

  constructor(requests: readonly Request[]) {
    this.#requests = requests;
  }

  /** The oldest open request that `reply` answers, by req_id and (if `strict`) tx_id; older open ones count as overtaken. */
  match(reply: Framed, strict: boolean): Request | undefined {
    while (this.#requests[this.#head]?.reply !== undefined) this.#head++;
    for (let i = this.#head; i < this.#requests.length; i++) {
      const r = this.#requests[i]!;
      if (r.seq > reply.first.seq) return undefined;
      if (r.reply !== undefined || r.isOverlong || r.reqId !== reply.reqId || (strict && r.txId !== reply.txId))
        continue;
      for (let k = this.#head; k < i; k++) {
        const older = this.#requests[k]!;
        if (older.reply === undefined && !this.overtaker.has(older)) this.overtaker.set(older, reply);
      }
      return r;
    }
    return undefined;
  }

  oldest(): Request | undefined {
    while (this.#requests[this.#head]?.reply !== undefined) this.#head++;
    return this.#requests[this.#head];
  }
}

function pairOne(connection: Connection, open: OpenRequests, reply: Framed, found: Findings): void {
  const bad = (detail: string, of?: Request) =>
    found.add(reply.first, of?.actor ?? connection.name, of === undefined ? '' : describe(of), detail);
  let request = open.match(reply, true);
  if (request === undefined) {
    request = open.match(reply, false);
    if (request === undefined) {
      const next = open.oldest();
      const waiting =
        next === undefined || next.seq > reply.first.seq
          ? 'no request was open'
          : `the oldest open one is ${describe(next)}`;
      bad(`reply without a request: ${describeWhole(reply)}; ${waiting}`);
      return;
    }
    bad(`reply to ${describe(request)} came with tx_id ${reply.txId}`, request);
  }
  request.reply = reply;
  if (reply.type !== request.type && reply.type !== Op.ERROR)
    bad(`${describe(request)} was answered by type ${describeWhole(reply)}`, request);
  if (reply.type === Op.ERROR) {
    found.count('errors');
    const name = reply.payload.slice(0, -1);
    if (!reply.payload.endsWith('\0') || !ERROR_NAMES.has(name))
      bad(`${describe(request)} failed with an unknown error ${show(reply.payload)}`, request);
  }
}

/** From which record to which an update is pending. */
interface Pending {
  readonly from: number;
  readonly to: number;
}

/** While a live update is pending, as far as its requests show: from `-f` on, until it is done, given up with an answer to `-s`,
 *  or over with the connection that asked for it (store.md 9.2, 9.3). */
function pendingSpans(connections: readonly Connection[], ups: readonly number[]): readonly Pending[] {
  const never = Number.POSITIVE_INFINITY;
  return connections.flatMap((connection) => {
    const asked = connection.requests.filter((r) => r.type === Op.CONTROL && r.payload.startsWith('live-update\0'));
    return asked.map((r, i) => {
      const goesOn = r.reply?.type === Op.CONTROL && r.reply.payload === 'OK\0' && !r.payload.includes('\0-s\0');
      const said = goesOn ? asked[i + 1]?.seq : r.reply?.first.seq;
      // 1. An update fails. 2. The old instance serves on, and puts STARTs aside. 3. Who asked is told, and the update is over.
      const done = ups.find((u) => u > r.seq);
      return { from: r.seq, to: Math.min(said ?? never, done ?? never, connection.detachSeq) };
    });
  });
}

function judgeOrder(
  request: Request,
  open: OpenRequests,
  updates: readonly number[],
  pending: readonly Pending[],
  found: Findings,
): void {
  found.count('requests');
  const { reply } = request;
  if (reply === undefined) return;
  const overtaker = open.overtaker.get(request);
  if (request.type === Op.CONTROL) return; // answered when it is done: `live-update -s` by the next instance (store.md 9.3)
  if (request.type === Op.TRANSACTION_START) {
    // 1. An update is pending. 2. START arrives and is put aside. 3. Requests behind it are served and answered. 4. The update
    // is done or given up, START runs. Who asked for the update may not be in the history: then it shows only by its end.
    request.crossedUpdate = updates.some((u) => u > request.seq && u < reply.first.seq);
    if (request.crossedUpdate || pending.some((p) => p.from < request.seq && request.seq < p.to)) {
      request.isPutAside = true;
      found.count('starts put aside');
      return;
    }
  }
  if (overtaker === undefined) return;
  const detail = `reply to ${describe(request)} (seq ${reply.first.seq}) came after ${describe(overtaker)}, the reply to a later request (seq ${overtaker.first.seq})`;
  found.add(reply.first, request.actor, describe(request), detail);
}

/** STARTs that came while an update was pending, and were answered when it was not any more. */
function noteHeldBack(connections: readonly Connection[], pending: readonly Pending[]): void {
  for (const { requests } of connections)
    for (const r of requests) {
      const at = r.reply?.first.seq;
      if (r.isPutAside && at !== undefined)
        r.isHeldBack = pending.some((p) => p.from < r.seq && r.seq < p.to && p.to < at);
    }
}

/** At the end every request that can be answered was. */
export function checkAnswered(
  { transactionPolicy }: Pick<History, 'transactionPolicy'>,
  log: RecordLog,
  connections: readonly Connection[],
  evidence: Evidence,
): void {
  const found = evidence.replies;
  const end = log.at(-1);
  if (end === undefined) return;
  const pendingSeq = transactionPolicy === 'daemon' ? pendingSince(log, connections) : Number.POSITIVE_INFINITY;
  for (const connection of connections) {
    // A request whose epoch has ended may stay unanswered; so may one of a guest that reads nothing. But a later request that
    // was answered shows that its own reply was not merely still on its way.
    const lastAnswered = connection.requests.findLast((r) => r.reply !== undefined && !mayBeLate(r))?.seq ?? -1;
    const isOver = !connection.isAliveAtEnd || connection.isStalled || connection.ignoredSeq < Number.POSITIVE_INFINITY;
    for (const r of connection.requests) {
      if (r.reply !== undefined || r.isOverlong) continue;
      if (r.type === Op.TRANSACTION_START && r.seq > pendingSeq) continue;
      if (isOver && (r.seq > lastAnswered || mayBeLate(r) || r.seq >= connection.ignoredSeq)) continue;
      found.add(end, r.actor, describe(r), `no reply to ${describeWhole(r)}, consumed at seq ${r.seq}`);
    }
  }
}

/**
 * Since when an update is pending that nobody starts or gives up; Infinity: none is. 1. A program names the file of an update (-f). 2. It
 * ends, or is kept from asking for the start (-s). 3. A guest's TRANSACTION_START is put aside (store.md 9.3), for as long as the run goes on.
 */
function pendingSince(log: RecordLog, connections: readonly Connection[]): number {
  const asked = connections
    .flatMap(({ requests }) => requests.filter(({ type, payload }) => type === Op.CONTROL && UPDATE.test(payload)))
    .sort((a, b) => a.seq - b.seq);
  const last = asked.findLast(({ reply }) => reply?.payload === 'OK\0');
  if (last === undefined || !NAMES_FILE.test(last.payload)) return Number.POSITIVE_INFINITY;
  const isOver = log.kept.some(({ kind, seq }) => kind === 'liveUpdate' && seq > last.seq);
  return isOver ? Number.POSITIVE_INFINITY : last.seq;
}
const UPDATE = /^live-update\0/;
const NAMES_FILE = /^live-update\0-f\0/;

function mayBeLate(r: Request): boolean {
  return r.type === Op.CONTROL || r.type === Op.TRANSACTION_START;
}

export function replies(evidence: Evidence): Verdict {
  return evidence.replies.verdict(CLAIM, SOURCE);
}
