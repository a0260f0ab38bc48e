import type { Gfn } from './ids.ts';
import { LogDirty } from './log-dirty.ts';

export const PAGE_BYTES = 4096;

/** What is told of a store; `before` and `after` are the word's values, unsigned, and `bytes` the whole page after it. */
export type StoreObserver = (
  offset: number,
  before: number,
  after: number,
  byOwner: boolean,
  bytes: Uint8Array,
) => void;

/** Who is told of a page's stores, in the order in which they came. `all` is never changed, only replaced: who is told now is
 *  not moved. */
interface Subscribers {
  all: readonly StoreObserver[];
}

/** One guest frame. Shared by everyone who maps it, so anything in it can change between two steps. */
export class Frame {
  /** Where its owner finds it; a transfer or add_to_physmap gives it a new one. */
  gfn: Gfn;
  readonly bytes = new Uint8Array(PAGE_BYTES);
  readonly #view = new DataView(this.bytes.buffer);
  /** References beside the owner's own: one for each host or device mapping that the hypervisor made for somebody. */
  refs = 0;
  /** Belongs to Xen's heap and is only lent to the domain, as grant frames are: it cannot be given away. */
  isSpecial = false;
  /** `undefined`: there was never anybody. */
  #subscribers: Subscribers | undefined = undefined;
  /** Log-dirty, while it is on. */
  #wrote: (() => void) | undefined = undefined;

  constructor(gfn: Gfn) {
    this.gfn = gfn;
  }

  /** One single-copy atomic load of an aligned little-endian word. */
  load32(offset: number): number {
    return this.#view.getUint32(offset, true);
  }

  /** One single-copy atomic store of an aligned little-endian word. */
  store32(offset: number, value: number, byOwner: boolean): void {
    const subscribers = this.#subscribers;
    if (subscribers === undefined) {
      this.#view.setUint32(offset, value, true);
      return;
    }
    const before = this.#view.getUint32(offset, true);
    this.#view.setUint32(offset, value, true);
    const { all } = subscribers;
    for (let i = 0; i < all.length; i++) (all[i] as StoreObserver)(offset, before, value >>> 0, byOwner, this.bytes);
  }

  /**
   * Tell `observer` of each 32-bit store from the next one on, after it and after those who subscribed before: how a ring is
   * recorded, and how a mapper that polls by level learns that it may look.
   * @returns what ends it, from the next store on.
   */
  subscribe(observer: StoreObserver): () => void {
    const subscribers = this.#subscribers ?? { all: [] };
    this.#subscribers = subscribers;
    subscribers.all = [...subscribers.all, observer];
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      const own = subscribers.all.indexOf(observer);
      subscribers.all = subscribers.all.filter((_, i) => i !== own);
    };
  }

  /** Who is told of this page's stores. */
  get observers(): readonly StoreObserver[] {
    return this.#subscribers?.all ?? [];
  }

  /** Whoever was told of this page's stores is told of the other's from now on. */
  passSubscribers(to: Frame): void {
    to.#subscribers = this.#subscribers;
    to.#wrote = this.#wrote;
    this.#subscribers = undefined;
    this.#wrote = undefined;
  }

  /** To be called by an owner who has stored octets past store32(): log-dirty sees a page's writes, not its octets. */
  wrote(): void {
    this.#wrote?.();
  }

  /** Tell of each write by the owner from now on; @returns what ends it. */
  logWrites(wrote: () => void): () => void {
    this.#wrote = wrote;
    const unsubscribe = this.subscribe((_offset, _before, _after, byOwner) => {
      if (byOwner) wrote();
    });
    return () => {
      this.#wrote = undefined;
      unsubscribe();
    };
  }

  load16(offset: number): number {
    return this.#view.getUint16(offset, true);
  }

  store16(offset: number, value: number): void {
    this.#view.setUint16(offset, value, true);
  }

  /** Compare and swap of an aligned word. @returns what was there: the swap was made if that is `expected`. */
  cas32(offset: number, expected: number, next: number): number {
    const found = this.#view.getUint32(offset, true);
    if (found === expected >>> 0) this.#view.setUint32(offset, next, true);
    return found;
  }

  /** Compare and swap of an aligned half word. @returns what was there. */
  cas16(offset: number, expected: number, next: number): number {
    const found = this.#view.getUint16(offset, true);
    if (found === expected) this.#view.setUint16(offset, next, true);
    return found;
  }
}

/**
 * What a gfn stands for beside ordinary memory: paged out to disk, shared copy on write, another domain's page, a device's
 * registers, or a page that is in use as a page table and so can be read but not written by others.
 * Source: xen/arch/x86/include/asm/p2m.h, check_get_page_from_gfn.
 */
export type PageKind = 'ram' | 'paged_out' | 'shared' | 'foreign' | 'mmio' | 'page_table';

/** A domain's frames, gfn to page. Gfns are handed out in order; a page that is given back leaves its gfn empty. */
export class Memory {
  readonly #frames = new Map<Gfn, Frame>();
  /** Pages that the domain gave back, or lost with its life, while others still refer to them. */
  readonly #kept = new Set<Frame>();
  readonly #kinds = new Map<Gfn, PageKind>();
  #next: Gfn = 0x1000;
  /** Whether Xen keeps the physmap (HVM, PVH) and not the guest (PV). */
  translated = false;
  /** Pages that the domain may own. */
  maxPages = Number.POSITIVE_INFINITY;
  /** What was written since the last look, while log-dirty is on; what mappers store is not seen here (GNT-13). */
  dirty: LogDirty | undefined = undefined;
  /** Pages that Xen keeps mapped and writes to unseen, as it does for nested guests. Source: hvm_map_guest_frame_rw. */
  readonly xenMaps = new Set<Frame>();
  /** What ends the logging of each frame. */
  readonly #logged = new Map<Frame, () => void>();
  #maxGfn: Gfn = -1;

  /** XENMEM_maximum_gpfn: the highest gfn that ever had a page; it never goes down. -1: none had. */
  get maxGfn(): Gfn {
    return this.#maxGfn;
  }

  /** Log-dirty on, every page clean; or off. Whoever may do so, and when, is decided where it is asked for. */
  logDirty(isOn: boolean): void {
    for (const end of this.#logged.values()) end();
    this.#logged.clear();
    this.dirty = isOn ? new LogDirty() : undefined;
    if (isOn) for (const frame of this.#frames.values()) this.#log(frame);
  }

  alloc(): Frame {
    return this.#set(this.#freshGfn(), new Frame(0));
  }

  frame(gfn: Gfn): Frame | undefined {
    return this.#frames.get(gfn);
  }

  get size(): number {
    return this.#frames.size;
  }

  /** Every page that has a gfn, in the order in which they got it. */
  get frames(): readonly Frame[] {
    return [...this.#frames.values()];
  }

  /** Whether the page is this domain's: reachable by its gfn, or given back and still referred to. */
  owns(frame: Frame): boolean {
    return this.#frames.get(frame.gfn) === frame || this.#kept.has(frame);
  }

  /** Pages that exist only because somebody refers to them. */
  get kept(): readonly Frame[] {
    return [...this.#kept];
  }

  kind(gfn: Gfn): PageKind {
    return this.#kinds.get(gfn) ?? 'ram';
  }

  /** What the pager, the sharer or the guest's kernel made of a page. */
  setKind(gfn: Gfn, kind: PageKind): void {
    if (kind === 'ram') this.#kinds.delete(gfn);
    else this.#kinds.set(gfn, kind);
  }

  /** XENMEM_decrease_reservation: the gfn is empty from now on; mappers keep the old page. @returns false: nothing there. */
  free(gfn: Gfn): boolean {
    const frame = this.#frames.get(gfn);
    if (frame === undefined) return false;
    this.#drop(frame);
    return true;
  }

  /** XENMEM_populate_physmap: a fresh page of zeros at an empty gfn. @returns `undefined`: the gfn is in use. */
  populate(gfn: Gfn): Frame | undefined {
    return this.#frames.has(gfn) ? undefined : this.#set(gfn, new Frame(0));
  }

  /** XENMEM_add_to_physmap: the page moves to `gfn`; what was there is given back. */
  place(frame: Frame, gfn: Gfn): void {
    if (this.#frames.get(frame.gfn) === frame) {
      this.#unlog(frame);
      this.#frames.delete(frame.gfn);
    }
    this.free(gfn);
    this.#set(gfn, frame);
  }

  /** Take in a page from elsewhere at a fresh gfn. */
  adopt(frame: Frame): Gfn {
    return this.#set(this.#freshGfn(), frame).gfn;
  }

  /** Take an unshared ordinary page out of the domain for good; `undefined` and no change if there is any other reference. */
  steal(gfn: Gfn): Frame | undefined {
    const frame = this.#frames.get(gfn);
    if (frame === undefined || frame.refs > 0 || frame.isSpecial) return undefined;
    this.#unlog(frame);
    this.#frames.delete(gfn);
    return frame;
  }

  /**
   * These pages are the ones that programs know: they come here with the octets that `this` has at their gfns, and `from`, which
   * they leave, gets others with the octets that it had. Whoever had mapped one there goes on with what is left there.
   * @param left told of each page that was left behind, and what took its place.
   */
  takePages(from: Memory, left: (was: Frame, is: Frame) => void): void {
    for (const frame of from.frames) {
      const { gfn } = frame;
      const husk = new Frame(gfn);
      husk.bytes.set(frame.bytes);
      husk.refs = frame.refs;
      husk.isSpecial = frame.isSpecial;
      frame.refs = 0;
      from.#frames.set(gfn, husk);
      frame.passSubscribers(husk);
      left(frame, husk);
      const come = this.#frames.get(gfn);
      if (come === undefined) continue;
      frame.bytes.set(come.bytes);
      frame.refs = come.refs;
      frame.isSpecial = come.isSpecial;
      come.passSubscribers(frame);
      this.#frames.set(gfn, frame);
      left(come, frame);
    }
    for (const [gfn, kind] of from.#kinds) this.#kinds.set(gfn, kind);
    this.#next = from.#next;
  }

  /** Take a reference on behalf of a mapper. */
  get(frame: Frame): void {
    frame.refs++;
  }

  /** Drop a mapper's reference; a page that was given back goes with the last one. */
  put(frame: Frame): void {
    frame.refs--;
    if (frame.refs === 0) this.#kept.delete(frame);
  }

  /** Log-dirty: the hypervisor wrote to the page, or took a writable mapping of it down. */
  markDirty(frame: Frame): void {
    this.dirty?.mark(frame.gfn);
  }

  /** Give all pages back; mappers that still hold a frame keep it alive, as a page reference does. */
  release(): void {
    for (const frame of this.#frames.values()) if (frame.refs > 0) this.#kept.add(frame);
    this.logDirty(false);
    this.#frames.clear();
    this.#kinds.clear();
  }

  #set(gfn: Gfn, frame: Frame): Frame {
    frame.gfn = gfn;
    this.#frames.set(gfn, frame);
    if (gfn > this.#maxGfn) this.#maxGfn = gfn;
    if (this.dirty !== undefined) {
      this.#log(frame);
      this.dirty.mark(gfn); // what is at this gfn is not what was sent
    }
    return frame;
  }

  #log(frame: Frame): void {
    if (!frame.isSpecial && !this.#logged.has(frame))
      this.#logged.set(
        frame,
        frame.logWrites(() => this.dirty?.fault(frame.gfn)),
      );
  }

  #unlog(frame: Frame): void {
    if (this.dirty === undefined) return;
    this.#logged.get(frame)?.();
    this.#logged.delete(frame);
    this.dirty.mark(frame.gfn); // it is to be told that nothing is there any more
  }

  /** The next gfn in order that the guest itself has put nothing at. */
  #freshGfn(): Gfn {
    while (this.#frames.has(this.#next)) this.#next++;
    return this.#next++;
  }

  #drop(frame: Frame): void {
    this.#unlog(frame);
    this.#frames.delete(frame.gfn);
    this.#kinds.delete(frame.gfn);
    if (frame.refs > 0) this.#kept.add(frame);
  }
}
