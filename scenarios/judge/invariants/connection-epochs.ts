import type { Epoch, History, HistoryRecord } from '../history.ts';
import { type Framed, frame, OctetLog, RING_OCTETS, SOCKET_OCTETS } from '../oracles/wire.ts';

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
  /** A live update lies between its last octet and the first one of its reply. */
  crossedUpdate: boolean;
}

/** What a client library says it sent or got: the records themselves. */
export type Sent = Extract<HistoryRecord, { readonly kind: 'sent' }>;
export type Got = Extract<HistoryRecord, { readonly kind: 'got' }>;

/** One connection epoch, all its streams taken apart. */
export interface Line {
  readonly epoch: Epoch;
  readonly name: string;
  /** Octets that each of its directions can hold. */
  readonly capacity: number;
  readonly published: { readonly req: OctetLog; readonly rsp: OctetLog };
  readonly consumed: { readonly req: OctetLog; readonly rsp: OctetLog };
  readonly sent: Sent[];
  readonly got: Got[];
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
  /** When the program closed its end; infinity: never, as for any ring. */
  closeSeq: number;
  /** When it was ended by a header that announced too much; infinity: never. */
  ignoredSeq: number;
  /** Its domain runs at the end of the history, and its program has not closed it: it can be expected to take what is sent to it. */
  isAliveAtEnd: boolean;
  /** Its reply ring or the socket's buffer is full at the end: the client reads nothing. */
  isStalled: boolean;
}

/** Sort the records by connection and take the streams apart into messages. */
export function collectLines(history: History): Line[] {
  const lines = history.epochs.map((epoch) => newLine(epoch));
  const stopped = new Map<bigint, boolean>();
  for (const r of history.records) {
    switch (r.kind) {
      case 'publish':
        lines[r.conn]!.published[r.dir].put(r.from, r.bytes, r);
        break;
      case 'consume':
        lines[r.conn]!.consumed[r.dir].put(r.from, r.bytes, r);
        break;
      case 'sent':
        lines[r.conn]!.sent.push(r);
        break;
      case 'got':
        lines[r.conn]!.got.push(r);
        break;
      case 'open':
        endOlder(lines, lines[r.conn]!, r.seq);
        lines[r.conn]!.openSeq = r.seq;
        break;
      case 'detach':
        lines[r.conn]!.detachSeq = r.seq;
        break;
      case 'close':
        lines[r.conn]!.closeSeq = r.seq;
        break;
      case 'life':
        note(stopped, r);
        break;
      case 'liveUpdate':
      case 'snapshot':
        break;
    }
  }
  for (const line of lines) {
    line.offered = frame(line.published.req).messages;
    const output = frame(line.published.rsp);
    line.output = output.messages;
    line.outputRest = output.rest;
    const actors = new Map(line.sent.map((s) => [s.end, s.actor]));
    line.requests = frame(line.consumed.req).messages.map((m) => toRequest(line, m, actors.get(m.end) ?? line.name));
    line.ignoredSeq = line.requests.find((r) => r.isOverlong)?.seq ?? Number.POSITIVE_INFINITY;
    if (line.epoch.isHostile) continue;
    const isOpen = line.detachSeq === Number.POSITIVE_INFINITY && line.closeSeq === Number.POSITIVE_INFINITY;
    line.isAliveAtEnd = isOpen && stopped.get(line.epoch.uniqueId) !== true;
    line.isStalled = isOpen && line.published.rsp.end - line.consumed.rsp.end >= line.capacity;
  }
  return lines;
}

function newLine(epoch: Epoch): Line {
  const pair = () => ({ req: new OctetLog(), rsp: new OctetLog() });
  const never = Number.POSITIVE_INFINITY;
  return {
    epoch,
    name: epoch.name,
    capacity: epoch.isSocket === true ? SOCKET_OCTETS : RING_OCTETS,
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
    closeSeq: never,
    ignoredSeq: never,
    isAliveAtEnd: false,
    isStalled: false,
  };
}

function toRequest(line: Line, m: Framed, actor: string): Request {
  const { type, reqId, txId, payload, isOverlong } = m;
  const { seq, timeNs } = m.last;
  const conn = line.epoch.conn;
  return {
    line,
    conn,
    type,
    reqId,
    txId,
    payload,
    seq,
    timeNs,
    isOverlong,
    actor,
    reply: undefined,
    isPutAside: false,
    crossedUpdate: false,
  };
}

/** A domain that is introduced once more begins a new epoch; the older one ends, whether or not its port was let go of first. */
function endOlder(lines: readonly Line[], line: Line, seq: number): void {
  if (line.epoch.isSocket === true) return;
  for (const older of lines) {
    if (older.epoch.isSocket === true) continue;
    const isOlder = older !== line && older.epoch.domid === line.epoch.domid && older.openSeq < seq;
    if (isOlder && older.detachSeq > seq) older.detachSeq = seq;
  }
}

/** Domains that do not run: shut down, paused, dying or worse. */
function note(stopped: Map<bigint, boolean>, r: Extract<HistoryRecord, { readonly kind: 'life' }>): void {
  const runs = r.what === 'created' || r.what === 'unpaused' || r.what === 'resumed';
  stopped.set(r.uniqueId, !runs);
}
