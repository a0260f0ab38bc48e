import type { Epoch, History, HistoryRecord } from '../history.ts';
import { textOf } from '../oracles/octets.ts';
import { type Framed, frame, OctetLog, RING_OCTETS } from '../oracles/wire.ts';
import type { Moment } from './finding.ts';

/** A request as the store consumed it, with the reply that was found for it. */
export interface Request {
  readonly line: Line;
  readonly conn: number;
  readonly type: number;
  readonly reqId: number;
  readonly txId: number;
  readonly payload: string;
  /** When its last octet was consumed. */
  readonly seq: number;
  readonly timeNs: number;
  readonly isOverlong: boolean;
  /** Who sent it, e.g. `domU3/worker1`; the connection's name where nobody says. */
  readonly actor: string;
  reply: Framed | undefined;
  /** It was (or may have been) put aside while an update was pending: it took effect when its reply was queued. */
  isPutAside: boolean;
}

type Message = { readonly type: number; readonly reqId: number; readonly txId: number; readonly payload: string };

/** What a client library says it sent or got. */
export interface Told extends Message {
  /** Only of what was sent. */
  readonly actor?: string;
  readonly end: number;
  readonly at: Moment;
}

/** One connection epoch, all its streams taken apart. */
export interface Line {
  readonly epoch: Epoch;
  readonly name: string;
  readonly published: { readonly req: OctetLog; readonly rsp: OctetLog };
  readonly consumed: { readonly req: OctetLog; readonly rsp: OctetLog };
  readonly sent: Told[];
  readonly got: Told[];
  /** Messages of the published request stream. */
  offered: readonly Framed[];
  requests: readonly Request[];
  /** Replies and events as the store wrote them. */
  output: readonly Framed[];
  /** Octets of a reply or event that is not complete. */
  outputRest: number;
  openSeq: number;
  /** When the store let go of it; infinity: never. */
  detachSeq: number;
  /** When it was ended by a header that announced too much; infinity: never. */
  ignoredSeq: number;
  /** Its domain runs at the end of the history: it can be expected to take what is sent to it. */
  isAliveAtEnd: boolean;
  /** Its reply ring is full at the end: the guest reads nothing. */
  isStalled: boolean;
}

/** Sort the records by connection and take the streams apart into messages. */
export function collectLines(history: History): Line[] {
  const lines = history.epochs.map((epoch) => newLine(epoch));
  const stopped = new Map<bigint, boolean>();
  for (const r of history.records) {
    if (r.kind === 'life') note(stopped, r);
    else if ('conn' in r) take(lines[r.conn]!, r);
  }
  for (const line of lines) {
    line.offered = frame(line.published.req).messages;
    const output = frame(line.published.rsp);
    line.output = output.messages;
    line.outputRest = output.rest;
    const actors = new Map(line.sent.map((s) => [s.end, s.actor]));
    line.requests = frame(line.consumed.req).messages.map((m) => toRequest(line, m, actors.get(m.end) ?? line.name));
    line.ignoredSeq = line.requests.find((r) => r.isOverlong)?.seq ?? Number.POSITIVE_INFINITY;
    line.isAliveAtEnd = line.detachSeq === Number.POSITIVE_INFINITY && stopped.get(line.epoch.uniqueId) !== true;
    line.isStalled = line.detachSeq === Number.POSITIVE_INFINITY && line.published.rsp.end - line.consumed.rsp.end >= RING_OCTETS;
  }
  return lines;
}

function newLine(epoch: Epoch): Line {
  const pair = () => ({ req: new OctetLog(), rsp: new OctetLog() });
  const never = Number.POSITIVE_INFINITY;
  return {
    epoch,
    name: epoch.name,
    published: pair(),
    consumed: pair(),
    sent: [],
    got: [],
    offered: [],
    requests: [],
    output: [],
    outputRest: 0,
    openSeq: never,
    detachSeq: never,
    ignoredSeq: never,
    isAliveAtEnd: false,
    isStalled: false,
  };
}

type WithConn = Extract<HistoryRecord, { readonly conn: number }>;

function take(line: Line, r: WithConn): void {
  switch (r.kind) {
    case 'publish':
      line.published[r.dir].put(r.from, r.bytes, r.seq, r.timeNs);
      break;
    case 'consume':
      line.consumed[r.dir].put(r.from, r.bytes, r.seq, r.timeNs);
      break;
    case 'sent':
      line.sent.push({ ...told(r), actor: r.actor });
      break;
    case 'got':
      line.got.push(told(r));
      break;
    case 'open':
      line.openSeq = r.seq;
      break;
    case 'detach':
      line.detachSeq = r.seq;
      break;
  }
}

function told(r: Extract<HistoryRecord, { readonly kind: 'sent' | 'got' }>): Told {
  const { type, reqId, txId, end, seq, timeNs } = r;
  return { type, reqId, txId, payload: textOf(r.payload), end, at: { seq, timeNs } };
}

function toRequest(line: Line, m: Framed, actor: string): Request {
  const { type, reqId, txId, payload, isOverlong } = m;
  const { seq, timeNs } = m.last;
  const conn = line.epoch.conn;
  return { line, conn, type, reqId, txId, payload, seq, timeNs, isOverlong, actor, reply: undefined, isPutAside: false };
}

/** Domains that do not run: shut down, paused, dying or worse. */
function note(stopped: Map<bigint, boolean>, r: Extract<HistoryRecord, { readonly kind: 'life' }>): void {
  const runs = r.what === 'created' || r.what === 'unpaused' || r.what === 'resumed';
  stopped.set(r.uniqueId, !runs);
}
