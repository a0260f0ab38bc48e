import type { Epoch, History, HistoryRecord } from '../history.ts';
import { type Framed, frame, OctetLog, RING_OCTETS, SOCKET_OCTETS } from '../oracles/wire.ts';

/** A request as the store consumed it, with the reply that was found for it. */
export interface Request {
  readonly connection: Connection;
  readonly conn: number;
  readonly type: number;
  readonly reqId: number;
  readonly txId: number;
  readonly payload: string;
  /** When its first octet was consumed. */
  readonly firstSeq: number;
  /** When its last octet was consumed. */
  readonly seq: number;
  readonly timeNs: number;
  readonly isOverlong: boolean;
  /** Who sent it, e.g. `domU3/worker1`; the connection's name where nobody says. */
  readonly actor: string;
  reply: Framed | undefined;
  /** It was (or may have been) put aside while an update was pending: it took effect when its reply was queued. */
  isPutAside: boolean;
  /** It was put aside by a daemon that waits for transactions, and answered when the update was over. */
  isHeldBack: boolean;
  /** A live update lies between its last octet and the first one of its reply. */
  crossedUpdate: boolean;
}

/** What a client library says it sent or got: the records themselves. */
export type Sent = Extract<HistoryRecord, { readonly kind: 'sent' }>;
export type Got = Extract<HistoryRecord, { readonly kind: 'got' }>;

/** One connection epoch, all its streams taken apart. */
export interface Connection {
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
  /** Its guest gave the page away under the store: when that showed, how far the store had written, and how much of that the
   *  page that it has since then holds for the guest. What the guest does after it is not known. `undefined`: it did not. */
  exchanged: { readonly seq: number; readonly written: number; readonly unread: number } | undefined;
  /** Its domain runs at the end of the history, and its program has not closed it: it can be expected to take what is sent to it. */
  isAliveAtEnd: boolean;
  /** Its reply ring or the socket's buffer is full at the end: the client reads nothing. */
  isStalled: boolean;
}

/** Sort the records by connection and take the streams apart into messages. */
export function collectConnections(history: History): Connection[] {
  const connections = history.epochs.map((epoch) => newConnection(epoch));
  const stopped = new Map<bigint, Rest>();
  for (const r of history.records) {
    switch (r.kind) {
      case 'publish':
        connections[r.conn]!.published[r.dir].put(r.from, r.bytes, r);
        break;
      case 'consume':
        connections[r.conn]!.consumed[r.dir].put(r.from, r.bytes, r);
        break;
      case 'sent':
        connections[r.conn]!.sent.push(r);
        break;
      case 'got':
        connections[r.conn]!.got.push(r);
        break;
      case 'open':
        endOlder(connections, connections[r.conn]!, r.seq);
        connections[r.conn]!.openSeq = r.seq;
        break;
      case 'detach':
        connections[r.conn]!.detachSeq = r.seq;
        break;
      case 'close':
        connections[r.conn]!.closeSeq = r.seq;
        break;
      case 'page': {
        const { seq, unread } = r;
        connections[r.conn]!.exchanged = { seq, unread, written: connections[r.conn]!.published.rsp.end };
        break;
      }
      case 'life':
        note(stopped, r);
        break;
      case 'liveUpdate':
      case 'snapshot':
        break;
    }
  }
  for (const connection of connections) {
    connection.offered = frame(connection.published.req).messages;
    const output = frame(connection.published.rsp);
    connection.output = output.messages;
    connection.outputRest = output.rest;
    const actors = new Map(connection.sent.map((s) => [s.end, s.actor]));
    connection.requests = frame(connection.consumed.req).messages.map((m) =>
      toRequest(connection, m, actors.get(m.end) ?? connection.name),
    );
    connection.ignoredSeq = connection.requests.find((r) => r.isOverlong)?.seq ?? Number.POSITIVE_INFINITY;
    if (connection.epoch.isHostile) continue;
    const isOpen =
      connection.detachSeq === Number.POSITIVE_INFINITY && connection.closeSeq === Number.POSITIVE_INFINITY;
    const { exchanged } = connection;
    connection.isAliveAtEnd = isOpen && exchanged === undefined && !isResting(stopped.get(connection.epoch.uniqueId));
    connection.isStalled = isOpen && unreadAtEnd(connection) >= connection.capacity;
  }
  return connections;
}

/** Octets that the store has written and the client has not taken. */
function unreadAtEnd({ published, consumed, exchanged }: Connection): number {
  if (exchanged === undefined) return published.rsp.end - consumed.rsp.end;
  return published.rsp.end - exchanged.written + exchanged.unread;
}

function newConnection(epoch: Epoch): Connection {
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
    exchanged: undefined,
    isAliveAtEnd: false,
    isStalled: false,
  };
}

function toRequest(connection: Connection, m: Framed, actor: string): Request {
  const { type, reqId, txId, payload, isOverlong } = m;
  const { seq, timeNs } = m.last;
  const conn = connection.epoch.conn;
  return {
    connection,
    conn,
    type,
    reqId,
    txId,
    payload,
    firstSeq: m.first.seq,
    seq,
    timeNs,
    isOverlong,
    actor,
    reply: undefined,
    isPutAside: false,
    isHeldBack: false,
    crossedUpdate: false,
  };
}

/** A domain that is introduced once more begins a new epoch; the older one ends, whether or not its port was let go of first. */
function endOlder(connections: readonly Connection[], connection: Connection, seq: number): void {
  if (connection.epoch.isSocket === true) return;
  for (const older of connections) {
    if (older.epoch.isSocket === true) continue;
    const isOlder = older !== connection && older.epoch.domid === connection.epoch.domid && older.openSeq < seq;
    if (isOlder && older.detachSeq > seq) older.detachSeq = seq;
  }
}

function isResting(rest: Rest | undefined): boolean {
  return rest !== undefined && (rest.isPaused || rest.isOver);
}

/** Why a domain does not run: each reason ends by itself. */
interface Rest {
  isPaused: boolean;
  /** Shut down, dying or worse. */
  isOver: boolean;
}

/**
 * Domains that do not run. 1. One is paused. 2. It is shut down meanwhile (INJ-D3 beside a crash). 3. Its pause ends: it goes on
 * as little as before.
 */
function note(stopped: Map<bigint, Rest>, { uniqueId, what }: Extract<HistoryRecord, { readonly kind: 'life' }>): void {
  const rest = stopped.get(uniqueId) ?? { isPaused: false, isOver: false };
  stopped.set(uniqueId, rest);
  if (what === 'paused' || what === 'unpaused') rest.isPaused = what === 'paused';
  else rest.isOver = what !== 'created' && what !== 'resumed';
}
