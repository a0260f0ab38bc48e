import type { PageAccess } from './grants/mapped-page.ts';
import { type Frame, PAGE_BYTES } from './memory.ts';

/**
 * The generic request/response ring on one shared page. All indexes are free-running u32. Each method makes few shared
 * accesses, so that an actor can yield between them. Source: xen/include/public/io/ring.h.
 */
export const IO_REQ_PROD = 0;
export const IO_REQ_EVENT = 4;
export const IO_RSP_PROD = 8;
export const IO_RSP_EVENT = 12;
export const IO_HEADER_BYTES = 64;

/** Slots of `slotBytes` octets that a page holds: the largest power of two that fits behind the header. */
export function slotsOf(slotBytes: number): number {
  return 1 << (31 - Math.clz32(Math.floor((PAGE_BYTES - IO_HEADER_BYTES) / slotBytes)));
}

/** Whether a producer that moved from `before` to `after` passed the peer's event threshold: it lies in (before, after]. */
export function mustNotify(before: number, after: number, event: number): boolean {
  return (after - event) >>> 0 < (after - before) >>> 0;
}

/** Empty the header as a frontend does before it grants the page: the first item of either side notifies. */
export function initIoRing(frame: Frame): void {
  for (const at of [IO_REQ_PROD, IO_RSP_PROD]) frame.store32(at, 0, true);
  for (const at of [IO_REQ_EVENT, IO_RSP_EVENT]) frame.store32(at, 1, true);
}

/** What both ends have: their private producer and consumer index, and where each finds its words. */
class RingEnd {
  readonly slots: number;
  readonly #frame: PageAccess;
  readonly #slotBytes: number;
  readonly #isFront: boolean;
  /** Items filled in, published or not. */
  prodPvt: number;
  /** Items of the peer taken. */
  cons: number;

  constructor(frame: PageAccess, slotBytes: number, isFront: boolean, start: number) {
    this.#frame = frame;
    this.#slotBytes = slotBytes;
    this.#isFront = isFront;
    this.slots = slotsOf(slotBytes);
    this.prodPvt = start;
    this.cons = start;
  }

  /** The octets of the slot of index `index`, in the page itself. */
  slot(index: number): Uint8Array {
    const at = IO_HEADER_BYTES + (index & (this.slots - 1)) * this.#slotBytes;
    return this.#frame.bytes.subarray(at, at + this.#slotBytes);
  }

  /** The next slot to produce in; the private index moves on. The caller has checked that there is room. */
  fill(): Uint8Array {
    const slot = this.slot(this.prodPvt);
    this.prodPvt = (this.prodPvt + 1) >>> 0;
    return slot;
  }

  /** The next slot to consume; the private index moves on. The caller has checked that there is one. */
  take(): Uint8Array {
    const slot = this.slot(this.cons);
    this.cons = (this.cons + 1) >>> 0;
    return slot;
  }

  /** One step: store the producer index (RNG-2). @returns the index before, for `shouldNotify`. */
  publish(): number {
    const at = this.#isFront ? IO_REQ_PROD : IO_RSP_PROD;
    const before = this.#frame.load32(at);
    this.#frame.store32(at, this.prodPvt, this.#isFront);
    return before;
  }

  /** A later step: load the peer's threshold. @param after what was published, where others may have published since.
   *  @returns whether to send an event. */
  shouldNotify(before: number, after = this.prodPvt): boolean {
    return mustNotify(before, after, this.#frame.load32(this.#isFront ? IO_REQ_EVENT : IO_RSP_EVENT));
  }

  /** Before sleep: ask for an event at the next item (RNG-3). Look for work once more in a later step.
   *  @param left items that are there, and too few to go on with. */
  arm(left = 0): void {
    this.#frame.store32(this.#isFront ? IO_RSP_EVENT : IO_REQ_EVENT, (this.cons + left + 1) >>> 0, this.#isFront);
  }

  protected peerProd(): number {
    return this.#frame.load32(this.#isFront ? IO_RSP_PROD : IO_REQ_PROD);
  }
}

/** The frontend's end: produces requests, consumes responses. */
export class FrontRing extends RingEnd {
  readonly #own: Frame;

  /** @param start where both indexes stand: 0 on a new ring. */
  constructor(frame: Frame, slotBytes: number, start = 0) {
    super(frame, slotBytes, true, start);
    this.#own = frame;
  }

  override fill(): Uint8Array {
    this.#own.wrote();
    return super.fill();
  }

  get free(): number {
    return this.slots - ((this.prodPvt - this.cons) >>> 0);
  }

  /** Responses to take, or -1: the backend's index is impossible and the frontend must stop. */
  pending(): number {
    const waiting = (this.peerProd() - this.cons) >>> 0;
    return waiting > this.slots ? -1 : waiting;
  }

  /** The look after `arm(left)`: whether anything came since the look before it. */
  hasMore(left = 0): boolean {
    return this.pending() !== left;
  }
}

/** The backend's end: consumes requests, produces responses. */
export class BackRing extends RingEnd {
  /** @param start where both indexes stand: 0 on a new ring. */
  constructor(frame: PageAccess, slotBytes: number, start = 0) {
    super(frame, slotBytes, false, start);
  }

  /**
   * A ring in use, by a backend that finds it: it knows nothing of its predecessor but what that has published, so that it begins at
   * the response index, in both directions (NC-28). `undefined`: more requests lie beyond that than the ring has slots.
   * Source: BACK_RING_ATTACH in xen/include/public/io/ring.h; EIO in linux drivers/block/xen-blkback/xenbus.c, xen_blkif_map.
   */
  static attach(frame: PageAccess, slotBytes: number): BackRing | undefined {
    const ring = new BackRing(frame, slotBytes, frame.load32(IO_RSP_PROD));
    return ring.pending() < 0 ? undefined : ring;
  }

  /** Requests to take, or -1: the frontend's index is impossible and the backend must stop (RNG-8). */
  pending(): number {
    const prod = this.peerProd();
    if ((prod - this.prodPvt) >>> 0 > this.slots) return -1;
    return Math.min((prod - this.cons) >>> 0, this.slots - ((this.cons - this.prodPvt) >>> 0));
  }

  /** The look after `arm(left)`: whether anything came since the look before it. */
  hasMore(left = 0): boolean {
    return this.pending() !== left;
  }
}
