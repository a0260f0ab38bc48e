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
  used,
} from '../../sim/index.ts';
import { MessageReader } from '../../store/protocol/message-reader.ts';
import { HEADER_BYTES, type Message, payloadLength } from '../../store/protocol/wire.ts';
import type { GuestOs, Thread } from '../kernel/index.ts';
import type { ClientHabits } from './habits.ts';
import type { Outgoing } from './requests.ts';

/** Virtual time of the client's own work. */
const LOAD_NS = 20;
const COPY_NS_PER_16 = 4;
const STORE_NS = 15;
const SEND_NS = 250;
const PARSE_NS = 60;

const MASK = RING_BYTES - 1;

/** What the ring's actor gets its messages from, and hands them to. */
export interface RingOwner {
  /** The next request to be written, if there is one that may go. */
  next(): Outgoing | undefined;
  /** Its last octet is in the ring; `end` counts all request octets of this ring so far. */
  written(out: Outgoing, end: number): void;
  /** The indexes cannot be: EIO. */
  failed(out: Outgoing): void;
  /** A whole message was taken out; `end` counts all response octets so far. */
  got(message: Message, end: number): void;
  /** The actor has come to a point where the ring may be left alone. */
  stopped(): void;
}

/** The sole user of a ring, as Linux's xenbus thread is: writes requests piece by piece, consumes what comes. */
export class RingMover {
  readonly #os: GuestOs;
  readonly #habits: ClientHabits;
  readonly #owner: RingOwner;
  readonly #incoming: MessageReader;
  #frame: Frame;
  #port: Port;
  #me: Thread | undefined;
  #sent = 0;
  #got = 0;
  #isStopping = false;
  #abandons = false;
  isStopped = false;
  /** While true nothing is consumed of what the store sends. */
  held = false;

  constructor(os: GuestOs, frame: Frame, port: Port, habits: ClientHabits, owner: RingOwner) {
    this.#os = os;
    this.#frame = frame;
    this.#port = port;
    this.#habits = habits;
    this.#owner = owner;
    this.#incoming = new MessageReader(habits.overlong);
  }

  start(): void {
    this.#me = this.#os.start('xenbus', (me) => this.#run(me));
    this.#os.handle(this.#port, this.#me);
  }

  wake(): void {
    this.#me?.wake();
  }

  signal(): void {
    this.#os.hyper.send(this.#port);
  }

  get place(): { readonly frame: Frame; readonly port: Port } {
    return { frame: this.#frame, port: this.#port };
  }

  load(offset: number): number {
    return this.#frame.load32(offset);
  }

  /** Quiesce: the owner hears when. LX-11: not in the middle of a message, for those who wait for its end. */
  stop(): void {
    this.#isStopping = true;
    this.wake();
  }

  /** The request that is being written, if there is one, is not written to its end. */
  abandon(): void {
    this.#abandons = true;
    this.wake();
  }

  /** Go on where it was. */
  go(): void {
    this.#isStopping = false;
    this.isStopped = false;
    this.wake();
  }

  /** Another page and port, in the domain where the guest now is. A message that was half received is dropped. */
  moveTo(frame: Frame, port: Port): void {
    this.#frame = frame;
    this.#port = port;
    this.#sent = 0;
    this.#got = 0;
    this.#incoming.clear();
    if (this.#me !== undefined) this.#os.handle(port, this.#me);
    this.#os.domain.ports.unmask(port); // the restorer left all of them masked (EVT-33)
  }

  /** LX-19: responses that nobody asked for are skipped, without a look at them. */
  skipResponses(): void {
    const prod = this.load(RSP_PROD);
    if (prod !== this.load(RSP_CONS)) this.#frame.store32(RSP_CONS, prod, true);
  }

  *#run(me: Thread): Actor {
    const { draws } = me;
    const { tornOneIn, tornNsMax, slowReadNsMax, notify, badIndex, wraps, writes, reads } = this.#habits;
    const { suspendWaitsForMessage } = this.#habits;
    const checks = badIndex === 'zero both';
    const incoming = this.#incoming;
    const owner = this.#owner;
    let current: Outgoing | undefined;
    let written = 0;
    let piece = 0;
    for (;;) {
      if (this.#isStopping && current === undefined && !(suspendWaitsForMessage && incoming.held > 0)) {
        this.isStopped = true;
        owner.stopped();
        yield PARK;
        continue;
      }
      const ring = this.#frame;
      this.#os.acknowledge(this.#port); // before the last look at the indexes (EVT-19)
      let worked = false;

      if (this.#abandons) {
        this.#abandons = false;
        current = undefined;
      }
      if (current === undefined) {
        current = owner.next();
        written = 0;
        piece = 0;
      }
      if (current !== undefined) {
        const cons = ring.load32(REQ_CONS);
        const prod = ring.load32(REQ_PROD);
        if (checks && used(prod, cons) > RING_BYTES) {
          zero(ring, REQ_CONS, REQ_PROD); // LX-9
          owner.failed(current);
          current = undefined;
          yield STORE_NS;
          continue;
        }
        const end: number = current.ends[piece] as number;
        let chunk = Math.min((RING_BYTES - used(prod, cons)) >>> 0, end - written);
        if (!wraps) chunk = Math.min(chunk, RING_BYTES - (prod & MASK));
        if (writes === 'messages' && chunk < end) chunk = 0; // MO-1: waits until all of it fits
        if (chunk > 0) {
          worked = true;
          const torn = tornOneIn > 0 && draws.oneIn(tornOneIn);
          const isCut = torn && chunk > 1 && writes !== 'messages' && draws.oneIn(2);
          if (isCut) chunk = 1 + draws.below(chunk); // published in parts
          if (torn && chunk > 1) {
            const first = 1 + draws.below(chunk - 1); // preempted between two octets of the copy
            put(ring, prod, current.bytes, written, first);
            yield LOAD_NS + draws.below(tornNsMax);
            put(ring, prod + first, current.bytes, written + first, chunk - first);
          } else put(ring, prod, current.bytes, written, chunk);
          yield LOAD_NS + COPY_NS_PER_16 * (chunk >> 4);
          written += chunk;
          this.#sent += chunk;
          ring.store32(REQ_PROD, (prod + chunk) >>> 0, true);
          if (written === end) piece++;
          const isWhole: boolean = written === current.bytes.length;
          if (isWhole) {
            owner.written(current, this.#sent);
            current = undefined;
          }
          yield torn ? STORE_NS + draws.below(tornNsMax) : STORE_NS;
          // LX-6: the store may be asleep only if it had consumed everything before this chunk. A plain comparison: where the
          // indexes pass 2^32 it is wrong.
          if (notify === 'edge' ? prod <= ring.load32(REQ_CONS) : notify === 'always' || isWhole) {
            this.#os.hyper.send(this.#port);
            yield SEND_NS;
          }
        }
      }

      if (!this.held) {
        const cons = ring.load32(RSP_CONS);
        const prod = ring.load32(RSP_PROD);
        const there = used(prod, cons);
        if (checks && there > RING_BYTES) {
          zero(ring, RSP_CONS, RSP_PROD); // LX-9
          incoming.clear();
          yield STORE_NS;
          continue;
        }
        let chunk = Math.min(there, RING_BYTES);
        if (reads === 'messages') chunk = wholeMessage(ring, cons, there);
        else if (!wraps) chunk = Math.min(chunk, RING_BYTES - (cons & MASK));
        if (chunk > 0) {
          worked = true;
          if (slowReadNsMax > 0) yield draws.below(slowReadNsMax);
          const torn = tornOneIn > 0 && draws.oneIn(tornOneIn);
          if (torn && reads === 'octets') chunk = 1 + draws.below(chunk);
          take(ring, cons, chunk, incoming);
          yield LOAD_NS + COPY_NS_PER_16 * (chunk >> 4);
          ring.store32(RSP_CONS, (cons + chunk) >>> 0, true);
          this.#got += chunk;
          let isWhole = false;
          for (let message = incoming.shift(); message !== undefined; message = incoming.shift()) {
            owner.got(message, this.#got - incoming.held);
            isWhole = true;
          }
          yield STORE_NS + PARSE_NS;
          // LX-7: the store may wait for room only if the ring had been full before this chunk.
          if (notify === 'edge' ? used(ring.load32(RSP_PROD), cons) >= RING_BYTES : notify === 'always' || isWhole) {
            this.#os.hyper.send(this.#port);
            yield SEND_NS;
          }
        }
      }
      if (!worked) yield PARK;
    }
  }
}

function zero(ring: Frame, cons: number, prod: number): void {
  ring.store32(cons, 0, true);
  ring.store32(prod, 0, true);
}

/** Copy into the request buffer at free-running index `prod`. */
function put(ring: Frame, prod: number, bytes: Uint8Array, from: number, count: number): void {
  const at = prod & MASK;
  const first = Math.min(count, RING_BYTES - at);
  copyOctets(bytes, from, ring.bytes, REQ_AT + at, first);
  if (first < count) copyOctets(bytes, from + first, ring.bytes, REQ_AT, count - first);
  ring.wrote();
}

/** Copy out of the response buffer at free-running index `cons`. */
function take(ring: Frame, cons: number, count: number, into: MessageReader): void {
  const at = cons & MASK;
  const first = Math.min(count, RING_BYTES - at);
  into.push(ring.bytes, RSP_AT + at, first);
  if (first < count) into.push(ring.bytes, RSP_AT, count - first);
}

/** As many octets of the response buffer as `into` is long, from free-running index `cons` on. */
function copyOut(ring: Frame, cons: number, into: Uint8Array): void {
  const at = cons & MASK;
  const first = Math.min(into.length, RING_BYTES - at);
  copyOctets(ring.bytes, RSP_AT + at, into, 0, first);
  copyOctets(ring.bytes, RSP_AT, into, first, into.length - first);
}

/** Octets of the next message if all of it is there, else 0: for ever, if it does not fit into a ring (MO-2). */
function wholeMessage(ring: Frame, cons: number, there: number): number {
  if (there < HEADER_BYTES) return 0;
  const header = new Uint8Array(HEADER_BYTES);
  copyOut(ring, cons, header);
  const total = HEADER_BYTES + payloadLength(header);
  return total > there ? 0 : Math.min(total, RING_BYTES);
}
