import type { Epoch, History, HistoryRecord } from '../history.ts';
import { type Framed, frame, OctetLog, RING_OCTETS, SOCKET_OCTETS } from '../oracles/wire.ts';
import { Code, type RecordLog } from '../record-log.ts';
import { AllTold } from './all-told.ts';

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

/** One connection epoch, all its streams taken apart. */
export interface Connection {
  readonly epoch: Epoch;
  readonly name: string;
  /** Octets that each of its directions can hold. */
  readonly capacity: number;
  readonly published: { readonly req: OctetLog; readonly rsp: OctetLog };
  readonly consumed: { readonly req: OctetLog; readonly rsp: OctetLog };
  /** What its client library says that it sent and got. */
  readonly sent: AllTold<'sent'>;
  readonly got: AllTold<'got'>;
  /** Messages of the published request stream. Cut when somebody asks: nearly always they are those of the consumed one. */
  readonly offered: readonly Framed[];
  /** Messages of the consumed request stream, and what became of them. */
  taken: readonly Framed[];
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
export function collectConnections({ epochs }: History, log: RecordLog): Connection[] {
  const connections = epochs.map((epoch) => newConnection(epoch, log));
  const stopped = new Map<bigint, Rest>();
  const { codes, conns, times, places, counts } = log;
  for (let seq = 0; seq < log.length; seq++) {
    const code = codes[seq]!;
    if (code === Code.kept) {
      collect(connections, stopped, log.kept[places[seq]!]!);
      continue;
    }
    const { published, consumed, sent, got } = connections[conns[seq]!]!;
    const from = places[seq]!;
    const to = from + counts[seq]!;
    if (code === Code.putReq) published.req.putLent(from, to, seq, times[seq]!);
    else if (code === Code.putRsp) published.rsp.putLent(from, to, seq, times[seq]!);
    else if (code === Code.tookReq) consumed.req.putLent(from, to, seq, times[seq]!);
    else if (code === Code.tookRsp) consumed.rsp.putLent(from, to, seq, times[seq]!);
    else if (code === Code.sent) sent.add(seq);
    else got.add(seq);
  }
  for (const connection of connections) {
    const output = frame(connection.published.rsp);
    connection.output = output.messages;
    connection.outputRest = output.rest;
    const actorOf = connection.sent.actors();
    connection.requests = frame(connection.consumed.req).messages.map(
      (m) => new Consumed(connection, m, actorOf(m.end) ?? connection.name),
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

/** A record of those that are kept as they are. */
function collect(connections: readonly Connection[], stopped: Map<bigint, Rest>, r: HistoryRecord): void {
  switch (r.kind) {
    case 'publish':
      connections[r.conn]!.published[r.dir].put(r.from, r.bytes, r);
      break;
    case 'consume':
      connections[r.conn]!.consumed[r.dir].put(r.from, r.bytes, r);
      break;
    case 'sent':
      connections[r.conn]!.sent.addOdd(r);
      break;
    case 'got':
      connections[r.conn]!.got.addOdd(r);
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

function newConnection(epoch: Epoch, log: RecordLog): Connection {
  const streams = log.streams(epoch.conn);
  const pair = () => ({ req: new OctetLog(streams.req), rsp: new OctetLog(streams.rsp) });
  const never = Number.POSITIVE_INFINITY;
  const published = pair();
  let offered: readonly Framed[] | undefined;
  return {
    epoch,
    name: epoch.name,
    capacity: epoch.isSocket === true ? SOCKET_OCTETS : RING_OCTETS,
    published,
    consumed: pair(),
    sent: new AllTold(log, 'sent'),
    got: new AllTold(log, 'got'),
    get offered() {
      offered ??= frame(published.req).messages;
      return offered;
    },
    taken: [],
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

class Consumed implements Request {
  readonly connection: Connection;
  readonly conn: number;
  readonly type: number;
  readonly reqId: number;
  readonly txId: number;
  readonly firstSeq: number;
  readonly seq: number;
  readonly timeNs: number;
  readonly isOverlong: boolean;
  readonly actor: string;
  reply: Framed | undefined = undefined;
  isPutAside = false;
  isHeldBack = false;
  crossedUpdate = false;
  readonly #message: Framed;

  constructor(connection: Connection, message: Framed, actor: string) {
    this.connection = connection;
    this.conn = connection.epoch.conn;
    this.type = message.type;
    this.reqId = message.reqId;
    this.txId = message.txId;
    this.firstSeq = message.first.seq;
    this.seq = message.last.seq;
    this.timeNs = message.last.timeNs;
    this.isOverlong = message.isOverlong;
    this.actor = actor;
    this.#message = message;
  }

  get payload(): string {
    return this.#message.payload;
  }
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
