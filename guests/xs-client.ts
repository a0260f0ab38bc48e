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
import { HEADER_BYTES, message, PAYLOAD_MAX, XS } from '../store/wire.ts';
import type { GuestOs, Me } from './os.ts';
import { askUnwatch, askWatch, begin, end, toReply, transaction, WatchRoutes } from './xs-calls.ts';
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
  readonly #routes = new WatchRoutes();
  #pump: Me | undefined;
  #reqId = 0;
  #octetsSent = 0;
  #octetsGot = 0;
  observer: ClientObserver | undefined = undefined;
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
    const bytes = message(type, reqId, txId, payload);
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
    this.#routes.add(token, queue);
    const reply = yield* askWatch(this, queue.me, path, token, depth);
    if (reply.error !== undefined) this.#routes.remove(token);
    return reply;
  }

  *unwatch(me: Me, path: string, token: string): Actor<Reply> {
    this.#routes.remove(token);
    return yield* askUnwatch(this, me, path, token);
  }

  begin(me: Me): Actor<{ readonly txId: number } | { readonly error: string }> {
    return begin(this, me);
  }

  end(me: Me, txId: number, commit: boolean): Actor<string | undefined> {
    return end(this, me, txId, commit);
  }

  transaction<T>(
    me: Me,
    body: (txId: number) => Actor<T | undefined>,
    roundsMax: number,
  ): Actor<{ readonly value: T; readonly rounds: number } | { readonly error: string; readonly rounds: number }> {
    return transaction(this, me, body, roundsMax);
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
          for (let whole = incoming.shift(); whole !== undefined; whole = incoming.shift()) {
            this.#got(whole, before + incoming.shifted);
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
      this.#routes.deliver(payload);
      return;
    }
    const waiter = this.#waiting.get(reqId);
    if (waiter === undefined) {
      this.strayReplies++;
      return;
    }
    this.#waiting.delete(reqId);
    waiter.reply = toReply(type, payload);
    waiter.me.wake();
    if (this.#queue.length > 0) this.#pump?.wake();
  }
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
