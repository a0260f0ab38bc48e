import {
  type Actor,
  CONNECTION,
  type Frame,
  PARK,
  type Port,
  REQ_CONS,
  REQ_PROD,
  RING_BYTES,
  RSP_CONS,
  RSP_PROD,
  type Stream,
  used,
  XENSTORE_RECONNECT,
} from '../../sim/index.ts';
import { MessageReader } from '../../store/protocol/message-reader.ts';
import type { Message } from '../../store/protocol/wire.ts';
import type { GuestOs, Tear, Thread } from '../kernel/index.ts';
import type { ClientHabits } from './habits.ts';
import type { Outgoing, Request } from './requests.ts';
import { MASK, put, take, wholeMessage, zero } from './ring-octets.ts';

/** Virtual time of the client's own work. */
const LOAD_NS = 20;
const COPY_NS_PER_16 = 4;
const STORE_NS = 15;
const SEND_NS = 250;
const PARSE_NS = 60;

/** Indexes that cannot be. */
const BAD_INDEX = -1;

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
  /** Not at the end of a message: the connection begins anew, and nothing but its word means anything until it has. */
  #isReconnecting = false;
  #abandons = false;
  /** Where requests are left out, how slowly is read after one is a matter of that one alone. */
  #ofRequest: Stream | undefined = undefined;
  /** Where requests are left out, how this one was torn when none was; `undefined`: it is torn as it is drawn. */
  #tears: readonly Tear[] | undefined = undefined;
  /** The request that is being written: octets that are in the ring, and the piece that they end in. */
  #current: Outgoing | undefined = undefined;
  #written = 0;
  #piece = 0;
  /** The page of this round, its index as it was loaded, and the chunk that is moved. */
  #ring: Frame;
  #index = 0;
  #chunk = 0;
  /** The request of which this chunk is torn, and where in it the chunk begins. */
  #torn: Request | undefined = undefined;
  #tornFrom = 0;
  /** Octets of a torn chunk that are copied by themselves; 0: it is copied at once. How long the absence behind them was. */
  #tornAt = 0;
  #copyNs = 0;
  /** That tear as it was when nothing was left out. */
  #tear: Tear | undefined = undefined;
  isStopped = false;
  /** While true nothing is consumed of what the store sends. */
  held = false;
  /** Request octets, of all since this ring began, of which none more goes in; response octets likewise. */
  writesUpTo = Number.POSITIVE_INFINITY;
  readsUpTo = Number.POSITIVE_INFINITY;

  constructor(os: GuestOs, frame: Frame, port: Port, habits: ClientHabits, owner: RingOwner) {
    this.#os = os;
    this.#frame = frame;
    this.#ring = frame;
    this.#port = port;
    this.#habits = habits;
    this.#owner = owner;
    this.#incoming = new MessageReader(habits.overlong);
  }

  start(): void {
    this.#me = this.#os.start('xenbus', () => this.#run());
    this.#os.handle(this.#port, this.#me);
  }

  wake(): void {
    this.#me?.wake();
  }

  signal(): void {
    this.#os.hyper.send(this.#port);
  }

  /** Octets that went into the ring, and that were taken out, since it began. */
  get moved(): { readonly sent: number; readonly got: number } {
    return { sent: this.#sent, got: this.#got };
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

  /** Quiesce wherever it is, for a connection that begins anew: each event from then on makes the owner hear of it again. */
  stopAtOnce(): void {
    this.#isReconnecting = true;
    this.stop();
  }

  /** Somebody, the guest itself or who has made the domain, wants the store to begin the connection anew, and it has not yet. */
  get isToConnect(): boolean {
    return this.load(CONNECTION) === XENSTORE_RECONNECT;
  }

  /** Ask the store for that. */
  askToConnect(): void {
    this.#frame.store32(CONNECTION, XENSTORE_RECONNECT, true);
    this.signal();
  }

  /** The request that is being written, if there is one, is not written to its end. */
  abandon(): void {
    this.#abandons = true;
    this.wake();
  }

  /** Go on where it was. */
  go(): void {
    this.#isStopping = false;
    this.#isReconnecting = false;
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

  /**
   * What is done between two yields is in methods, and what is known across one in fields: a suspended generator keeps each local
   * that it still needs, and there are millions of suspensions a second.
   */
  *#run(): Actor {
    const { notify } = this.#habits;
    for (;;) {
      if (this.#mayStop()) {
        this.isStopped = true;
        if (this.#isReconnecting) this.#os.acknowledge(this.#port);
        this.#owner.stopped();
        yield PARK;
        continue;
      }
      this.#ring = this.#frame;
      this.#os.acknowledge(this.#port); // before the last look at the indexes (EVT-19)

      this.#pick();
      const writes = this.#toWrite();
      if (writes === BAD_INDEX) {
        yield STORE_NS;
        continue;
      }
      if (writes > 0) {
        if (this.#tornAt > 0) yield this.#copyFirst();
        yield this.#copyRest();
        const isWhole = this.#publish();
        yield this.#storeNs();
        // LX-6: the store may be asleep only if it had consumed everything before this chunk. A plain comparison: where the
        // indexes pass 2^32 it is wrong.
        if (notify === 'edge' ? this.#index <= this.#ring.load32(REQ_CONS) : notify === 'always' || isWhole) {
          this.#os.hyper.send(this.#port);
          yield SEND_NS;
        }
      }

      const reads = this.#toRead();
      if (reads === BAD_INDEX) {
        yield STORE_NS;
        continue;
      }
      if (reads > 0) {
        if (this.#habits.slowReadNsMax > 0) yield this.#draws.below(this.#habits.slowReadNsMax);
        yield this.#copyOut();
        const isWhole = this.#consume();
        yield STORE_NS + PARSE_NS;
        // LX-7: the store may wait for room only if the ring had been full before this chunk.
        const there = used(this.#ring.load32(RSP_PROD), this.#index);
        if (notify === 'edge' ? there >= RING_BYTES : notify === 'always' || isWhole) {
          this.#os.hyper.send(this.#port);
          yield SEND_NS;
        }
      }
      if (writes === 0 && reads === 0) yield PARK;
    }
  }

  get #draws(): Stream {
    return this.#ofRequest ?? (this.#me as Thread).draws;
  }

  #mayStop(): boolean {
    if (this.#isReconnecting) {
      this.#current = undefined;
      return true;
    }
    if (!this.#isStopping || this.#current !== undefined) return false;
    return !(this.#habits.suspendWaitsForMessage && this.#incoming.held > 0);
  }

  /** The request to be written: the one that is under way, or the next. */
  #pick(): void {
    if (this.#abandons) {
      this.#abandons = false;
      this.#current = undefined;
    }
    if (this.#current !== undefined) return;
    this.#current = this.#owner.next();
    this.#written = 0;
    this.#piece = 0;
    if (this.#current === undefined || this.#os.requests.cuts === undefined) return;
    const { me, number } = this.#current.request;
    this.#tears = this.#os.requests.cuts.kept(me.name, number)?.tears;
    this.#ofRequest = this.#tears && this.#os.machine.streams.for(`torn/${me.name}/${number}`);
  }

  // Writing -----------------------------------------------------------------------------------------------------------

  /** Whether this chunk is torn: cut, published in parts, or copied in two steps. */
  #drawsTorn(): boolean {
    const { tornOneIn } = this.#habits;
    return tornOneIn > 0 && this.#draws.oneIn(tornOneIn);
  }

  /** Octets of the request that go into the ring now; 0: none. */
  #toWrite(): number {
    const current = this.#current;
    if (current === undefined) return 0;
    const { badIndex, wraps, writes } = this.#habits;
    const ring = this.#ring;
    const cons = ring.load32(REQ_CONS);
    const prod = ring.load32(REQ_PROD);
    if (badIndex === 'zero both' && used(prod, cons) > RING_BYTES) {
      zero(ring, REQ_CONS, REQ_PROD); // LX-9
      this.#owner.failed(current);
      this.#current = undefined;
      return BAD_INDEX;
    }
    const end = current.ends[this.#piece] as number;
    let chunk = Math.min((RING_BYTES - used(prod, cons)) >>> 0, end - this.#written, this.writesUpTo - this.#sent);
    if (!wraps) chunk = Math.min(chunk, RING_BYTES - (prod & MASK));
    if (writes === 'messages' && chunk < end) chunk = 0; // MO-1: waits until all of it fits
    if (chunk <= 0) return 0;
    this.#index = prod;
    this.#chunk = chunk;
    const isTorn = this.#tears === undefined ? this.#drawTear(writes !== 'messages') : this.#tearAsBefore(this.#tears);
    this.#torn = isTorn ? current.request : undefined;
    this.#tornFrom = this.#written;
    return this.#chunk;
  }

  /** @returns whether the chunk is torn; how, is in its fields then. */
  #drawTear(mayShorten: boolean): boolean {
    const isTorn = this.#drawsTorn();
    if (isTorn && this.#chunk > 1 && mayShorten && this.#draws.oneIn(2))
      this.#chunk = 1 + this.#draws.below(this.#chunk);
    this.#tornAt = isTorn && this.#chunk > 1 ? 1 + this.#draws.below(this.#chunk - 1) : 0;
    this.#copyNs = 0;
    this.#tear = undefined;
    return isTorn;
  }

  /** The same where requests are left out: as it was when none was, as far as there are octets for that. */
  #tearAsBefore(tears: readonly Tear[]): boolean {
    const tear = tears.find(({ at }) => at === this.#written);
    this.#tear = tear;
    if (tear !== undefined) this.#chunk = Math.min(this.#chunk, tear.octets);
    this.#tornAt = tear !== undefined && tear.first < this.#chunk ? tear.first : 0;
    return tear !== undefined;
  }

  /** Copy what there is before the tear: preempted between two octets of the copy. @returns ns. */
  #copyFirst(): number {
    const { bytes } = this.#current as Outgoing;
    put(this.#ring, this.#index, bytes, this.#written, this.#tornAt);
    this.#copyNs = this.#tear?.copyNs ?? this.#draws.below(this.#habits.tornNsMax);
    return LOAD_NS + this.#copyNs;
  }

  /** Copy the chunk, or what is left of it. @returns ns. */
  #copyRest(): number {
    const { bytes } = this.#current as Outgoing;
    const at = this.#tornAt;
    put(this.#ring, this.#index + at, bytes, this.#written + at, this.#chunk - at);
    return LOAD_NS + COPY_NS_PER_16 * (this.#chunk >> 4);
  }

  /** Store the index. @returns whether the request is written to its end. */
  #publish(): boolean {
    const current = this.#current as Outgoing;
    this.#written += this.#chunk;
    this.#sent += this.#chunk;
    this.#ring.store32(REQ_PROD, (this.#index + this.#chunk) >>> 0, true);
    if (this.#written === current.ends[this.#piece]) this.#piece++;
    if (this.#written < current.bytes.length) return false;
    this.#owner.written(current, this.#sent);
    this.#current = undefined;
    return true;
  }

  /** How long a store of a request's index takes. */
  #storeNs(): number {
    const { torn } = this.#os.requests;
    const request = this.#torn;
    if (request === undefined) return STORE_NS;
    const storeNs = this.#tear?.storeNs ?? this.#draws.below(this.#habits.tornNsMax);
    torn?.(request.me.name, request.number, {
      at: this.#tornFrom,
      octets: this.#chunk,
      first: this.#tornAt,
      copyNs: this.#copyNs,
      storeNs,
    });
    return STORE_NS + storeNs;
  }

  // Reading -----------------------------------------------------------------------------------------------------------

  /** Octets of responses that are taken out now; 0: none. */
  #toRead(): number {
    if (this.held) return 0;
    const { badIndex, wraps, reads } = this.#habits;
    const ring = this.#ring;
    const cons = ring.load32(RSP_CONS);
    const there = used(ring.load32(RSP_PROD), cons);
    if (badIndex === 'zero both' && there > RING_BYTES) {
      zero(ring, RSP_CONS, RSP_PROD); // LX-9
      this.#incoming.clear();
      return BAD_INDEX;
    }
    let chunk = Math.min(there, RING_BYTES, this.readsUpTo - this.#got);
    if (reads === 'messages') chunk = wholeMessage(ring, cons, there);
    else if (!wraps) chunk = Math.min(chunk, RING_BYTES - (cons & MASK));
    this.#index = cons;
    this.#chunk = chunk;
    return Math.max(0, chunk);
  }

  /** Copy the chunk, or a first part of it. @returns ns. */
  #copyOut(): number {
    const torn = this.#drawsTorn();
    if (torn && this.#habits.reads === 'octets') this.#chunk = 1 + this.#draws.below(this.#chunk);
    take(this.#ring, this.#index, this.#chunk, this.#incoming);
    return LOAD_NS + COPY_NS_PER_16 * (this.#chunk >> 4);
  }

  /** Store the index, and hand over what is whole. @returns whether anything was. */
  #consume(): boolean {
    const incoming = this.#incoming;
    this.#ring.store32(RSP_CONS, (this.#index + this.#chunk) >>> 0, true);
    this.#got += this.#chunk;
    let isWhole = false;
    for (let message = incoming.shift(); message !== undefined; message = incoming.shift()) {
      this.#owner.got(message, this.#got - incoming.held);
      isWhole = true;
    }
    return isWhole;
  }
}
