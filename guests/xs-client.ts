import {
  type Actor,
  copyOctets,
  type Frame,
  PARK,
  type Port,
  REQ_AT,
  REQ_CONS,
  REQ_PROD,
  RING_BYTES,
  RSP_AT,
  RSP_CONS,
  RSP_PROD,
  readableChunk,
  used,
  writableChunk,
} from '../sim/index.ts';
import { textOf as text } from '../store/octets.ts';
import { HEADER_BYTES, PAYLOAD_MAX, XS } from '../store/wire.ts';
import type { GuestOs, Me } from './os.ts';
import { split, strings } from './payload.ts';
import type { EventQueue, Pending, Reply, XsLink } from './xs-link.ts';

/** Virtual time of the client's own work. */
const LOAD_NS = 20;
const COPY_NS_PER_16 = 4;
const STORE_NS = 15;
const SEND_NS = 250;
const PARSE_NS = 60;

/** How a guest treats its ring (guests.md 1.9). */
export interface ClientHabits {
  /** `edge`: signals only when the store could be asleep, as Linux since 4.12 does; `always`: after each chunk. */
  readonly notify: 'edge' | 'always';
  /** One chunk in this many is cut at a random octet, published in parts, or copied in two steps; 0 = never. */
  readonly tornOneIn: number;
  /** Longest absence between two parts of a torn chunk, ns. */
  readonly tornNsMax: number;
  /** Longest pause before the next piece of a reply is consumed, in ns; 0 = reads at once. */
  readonly slowReadNsMax: number;
  /** Requests that may wait for their replies at the same time. */
  readonly maxInFlight: number;
}

export const LINUX_HABITS: ClientHabits = {
  notify: 'edge',
  tornOneIn: 8,
  tornNsMax: 3_000,
  slowReadNsMax: 0,
  maxInFlight: 32,
};

/** What the library tells of its messages: the history of what was put in and got out. */
export interface ClientObserver {
  /** The request's last octet is in the ring; `octetsSent` counts all request octets of this ring so far. */
  sent(actor: string, octetsSent: number, type: number, reqId: number, txId: number, payload: Uint8Array): void;
  /** A whole message was taken out; `octetsGot` counts all response octets so far. */
  got(octetsGot: number, type: number, reqId: number, txId: number, payload: Uint8Array): void;
}

interface Outgoing {
  readonly actor: string;
  readonly bytes: Uint8Array;
  readonly type: number;
  readonly reqId: number;
  readonly txId: number;
  readonly payload: Uint8Array;
}

interface Waiter extends Pending {
  readonly me: Me;
}

/**
 * xenstore over the ring: one actor (`pump`) is the sole user of the ring, as Linux's xenbus thread is; other actors queue
 * requests and park until they are answered. Several requests are in flight, matched by req_id.
 * Source of the protocol: docs/misc/xenstore-ring.txt; of the habits: linux drivers/xen/xenbus/xenbus_comms.c.
 */
export class XsClient implements XsLink {
  readonly #os: GuestOs;
  readonly #ring: Frame;
  readonly #port: Port;
  readonly #habits: ClientHabits;
  readonly #queue: Outgoing[] = [];
  readonly #waiting = new Map<number, Waiter>();
  readonly #watches = new Map<string, EventQueue>();
  #pump: Me | undefined;
  #reqId = 0;
  #octetsSent = 0;
  #octetsGot = 0;
  observer: ClientObserver | undefined = undefined;
  /** Events whose token nobody knows (any more): dropped, as every client does. */
  strayEvents = 0;
  /** Replies whose req_id nobody waits for: dropped with a warning in life; a checker's business here. */
  strayReplies = 0;
  /** While true the client consumes nothing of what the store sends it. */
  held = false;

  constructor(os: GuestOs, ring: Frame, port: Port, habits: ClientHabits = LINUX_HABITS) {
    this.#os = os;
    this.#ring = ring;
    this.#port = port;
    this.#habits = habits;
  }

  /** Start the ring's actor. */
  start(): void {
    this.#pump = this.#os.start('xenbus', (me) => this.#run(me));
    this.#os.handle(this.#port, this.#pump);
  }

  /** Let go of a hold: consume again. */
  release(): void {
    this.held = false;
    this.#pump?.wake();
  }

  get inFlight(): number {
    return this.#waiting.size;
  }

  submit(me: Me, type: number, payload: Uint8Array, txId = 0): Pending {
    if (payload.length > PAYLOAD_MAX) throw new Error(`assertion: payload of ${payload.length} octets`);
    this.#reqId = (this.#reqId + 1) >>> 0;
    const reqId = this.#reqId;
    const bytes = new Uint8Array(HEADER_BYTES + payload.length);
    put32(bytes, 0, type);
    put32(bytes, 4, reqId);
    put32(bytes, 8, txId);
    put32(bytes, 12, payload.length);
    copyOctets(payload, 0, bytes, HEADER_BYTES, payload.length);
    const pending: Waiter = { reqId, reply: undefined, me };
    this.#waiting.set(reqId, pending);
    this.#queue.push({ actor: me.name, bytes, type, reqId, txId, payload });
    this.#pump?.wake();
    return pending;
  }

  *answer(pending: Pending): Actor<Reply> {
    while (pending.reply === undefined) yield PARK;
    return pending.reply;
  }

  *request(me: Me, type: number, payload: Uint8Array, txId = 0): Actor<Reply> {
    return yield* this.answer(this.submit(me, type, payload, txId));
  }

  *watch(queue: EventQueue, path: string, token: string, depth?: number): Actor<Reply> {
    this.#watches.set(token, queue);
    const payload = depth === undefined ? strings(path, token) : strings(path, token, String(depth));
    const reply = yield* this.request(queue.me, XS.WATCH, payload);
    if (reply.error !== undefined) this.#watches.delete(token);
    return reply;
  }

  *unwatch(me: Me, path: string, token: string): Actor<Reply> {
    this.#watches.delete(token);
    return yield* this.request(me, XS.UNWATCH, strings(path, token));
  }

  *begin(me: Me): Actor<{ readonly txId: number } | { readonly error: string }> {
    const reply = yield* this.request(me, XS.TRANSACTION_START, strings(''));
    return reply.error === undefined ? { txId: Number(text(reply.payload).slice(0, -1)) } : { error: reply.error };
  }

  *end(me: Me, txId: number, commit: boolean): Actor<string | undefined> {
    return (yield* this.request(me, XS.TRANSACTION_END, strings(commit ? 'T' : 'F'), txId)).error;
  }

  *transaction<T>(
    me: Me,
    body: (txId: number) => Actor<T | undefined>,
    roundsMax: number,
  ): Actor<{ readonly value: T; readonly rounds: number } | { readonly error: string; readonly rounds: number }> {
    let error = 'EAGAIN';
    let rounds = 0;
    while (rounds < roundsMax) {
      rounds++;
      const begun = yield* this.begin(me);
      if ('error' in begun) return { error: begun.error, rounds };
      const value = yield* body(begun.txId);
      const failed = yield* this.end(me, begun.txId, value !== undefined);
      if (failed === undefined) return value === undefined ? { error: 'aborted', rounds } : { value, rounds };
      error = failed;
      if (failed !== 'EAGAIN' && failed !== 'ENOENT') break;
    }
    return { error, rounds };
  }

  // The ring's actor ------------------------------------------------------------------------------------------------

  *#run(me: Me): Actor {
    const { draws } = me;
    const ring = this.#ring;
    const { tornOneIn, tornNsMax, slowReadNsMax, notify } = this.#habits;
    let current: Outgoing | undefined;
    let written = 0;
    const incoming = new Incoming();
    for (;;) {
      this.#os.acknowledge(this.#port); // before the last look at the indexes (EVT-19)
      let worked = false;

      current ??= this.#waiting.size - this.#queue.length <= this.#habits.maxInFlight ? this.#queue.shift() : undefined;
      if (current !== undefined) {
        const cons = ring.load32(REQ_CONS);
        const prod = ring.load32(REQ_PROD);
        let chunk =
          used(prod, cons) > RING_BYTES ? 0 : Math.min(writableChunk(prod, cons), current.bytes.length - written);
        if (chunk > 0) {
          worked = true;
          const torn = tornOneIn > 0 && draws.oneIn(tornOneIn);
          if (torn && chunk > 1 && draws.oneIn(2)) chunk = 1 + draws.below(chunk); // published in parts
          const at = REQ_AT + (prod & (RING_BYTES - 1));
          if (torn && chunk > 1) {
            const first = 1 + draws.below(chunk - 1); // preempted between two octets of the copy
            copyOctets(current.bytes, written, ring.bytes, at, first);
            yield LOAD_NS + draws.below(tornNsMax);
            copyOctets(current.bytes, written + first, ring.bytes, at + first, chunk - first);
          } else copyOctets(current.bytes, written, ring.bytes, at, chunk);
          yield LOAD_NS + COPY_NS_PER_16 * (chunk >> 4);
          written += chunk;
          this.#octetsSent += chunk;
          ring.store32(REQ_PROD, (prod + chunk) >>> 0, true);
          if (written === current.bytes.length) {
            const { actor, type, reqId, txId, payload } = current;
            this.observer?.sent(actor, this.#octetsSent, type, reqId, txId, payload);
            current = undefined;
            written = 0;
          }
          yield torn ? STORE_NS + draws.below(tornNsMax) : STORE_NS;
          // LX-6: the store may be asleep only if it had consumed everything before this chunk.
          const left = used(prod, ring.load32(REQ_CONS));
          if (notify === 'always' || left === 0 || left > RING_BYTES) {
            this.#os.hyper.send(this.#port);
            yield SEND_NS;
          }
        }
      }

      if (!this.held) {
        const cons = ring.load32(RSP_CONS);
        const prod = ring.load32(RSP_PROD);
        let chunk = used(prod, cons) > RING_BYTES ? 0 : readableChunk(prod, cons);
        if (chunk > 0) {
          worked = true;
          if (slowReadNsMax > 0) yield draws.below(slowReadNsMax);
          const torn = tornOneIn > 0 && draws.oneIn(tornOneIn);
          if (torn) chunk = 1 + draws.below(chunk);
          const at = RSP_AT + (cons & (RING_BYTES - 1));
          incoming.push(ring.bytes, at, chunk);
          yield LOAD_NS + COPY_NS_PER_16 * (chunk >> 4);
          ring.store32(RSP_CONS, (cons + chunk) >>> 0, true);
          this.#octetsGot += chunk;
          const before = this.#octetsGot - incoming.length;
          for (let message = incoming.shift(); message !== undefined; message = incoming.shift()) {
            this.#got(message, before + incoming.shifted);
          }
          incoming.compact();
          yield STORE_NS + PARSE_NS;
          // LX-7: the store may wait for room only if the ring had been full before this chunk.
          if (notify === 'always' || used(ring.load32(RSP_PROD), cons) >= RING_BYTES) {
            this.#os.hyper.send(this.#port);
            yield SEND_NS;
          }
        }
      }
      if (!worked) yield PARK;
    }
  }

  #got(message: Received, end: number): void {
    const { type, reqId, txId, payload } = message;
    this.observer?.got(end, type, reqId, txId, payload);
    if (type === XS.WATCH_EVENT) {
      const [path, token] = split(payload);
      const queue = token === undefined ? undefined : this.#watches.get(token);
      if (queue === undefined || path === undefined || token === undefined) this.strayEvents++;
      else {
        queue.events.push({ path, token });
        queue.me.wake();
      }
      return;
    }
    const waiter = this.#waiting.get(reqId);
    if (waiter === undefined) {
      this.strayReplies++;
      return;
    }
    this.#waiting.delete(reqId);
    waiter.reply = { type, payload, error: type === XS.ERROR ? text(payload).replace(/\0$/, '') : undefined };
    waiter.me.wake();
    if (this.#queue.length > 0) this.#pump?.wake();
  }
}

function put32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

interface Received {
  readonly type: number;
  readonly reqId: number;
  readonly txId: number;
  readonly payload: Uint8Array;
}

/** Response octets on their way to being messages. */
class Incoming {
  #bytes = new Uint8Array(2 * RING_BYTES + HEADER_BYTES + PAYLOAD_MAX);
  #view = new DataView(this.#bytes.buffer);
  #from = 0;
  #to = 0;

  /** Octets held since the last `compact`. */
  get length(): number {
    return this.#to;
  }

  /** Octets given out as messages since the last `compact`. */
  get shifted(): number {
    return this.#from;
  }

  push(from: Uint8Array, at: number, count: number): void {
    copyOctets(from, at, this.#bytes, this.#to, count);
    this.#to += count;
  }

  shift(): Received | undefined {
    const at = this.#from;
    const v = this.#view;
    if (this.#to - at < HEADER_BYTES) return undefined;
    const len = v.getUint32(at + 12, true);
    // LX-10: the header of an oversize message is dropped, and what follows is taken for a header.
    const take = len > PAYLOAD_MAX ? 0 : len;
    if (this.#to - at < HEADER_BYTES + take) return undefined;
    this.#from += HEADER_BYTES + take;
    const payload = new Uint8Array(take);
    copyOctets(this.#bytes, at + HEADER_BYTES, payload, 0, take);
    return { type: v.getUint32(at, true), reqId: v.getUint32(at + 4, true), txId: v.getUint32(at + 8, true), payload };
  }

  compact(): void {
    if (this.#from === 0) return;
    if (this.#from < this.#to) this.#bytes.copyWithin(0, this.#from, this.#to);
    this.#to -= this.#from;
    this.#from = 0;
  }
}
