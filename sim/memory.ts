import type { Gfn } from './ids.ts';

export const PAGE_BYTES = 4096;

/** One guest frame. Shared by everyone who maps it, so anything in it can change between two steps. */
export class Frame {
  readonly gfn: Gfn;
  readonly bytes = new Uint8Array(PAGE_BYTES);
  readonly #view = new DataView(this.bytes.buffer);
  /** Called with each 32-bit store, after it: (offset, before, after, by the owner?). One watcher: the ring's trace. */
  onStore: ((offset: number, before: number, after: number, byOwner: boolean) => void) | undefined = undefined;
  /** Called with each 32-bit store of the owner: how a mapper that polls by level learns that it may look. */
  onOwnerStore: (() => void) | undefined = undefined;

  constructor(gfn: Gfn) {
    this.gfn = gfn;
  }

  /** One single-copy atomic load of an aligned little-endian word. */
  load32(offset: number): number {
    return this.#view.getUint32(offset, true);
  }

  /** One single-copy atomic store of an aligned little-endian word. */
  store32(offset: number, value: number, byOwner: boolean): void {
    const before = this.#view.getUint32(offset, true);
    this.#view.setUint32(offset, value, true);
    this.onStore?.(offset, before, value >>> 0, byOwner);
    if (byOwner) this.onOwnerStore?.();
  }

  load16(offset: number): number {
    return this.#view.getUint16(offset, true);
  }

  store16(offset: number, value: number): void {
    this.#view.setUint16(offset, value, true);
  }
}

/** A domain's frames, gfn to page. Pages are handed out in order and never reused within a domain's life. */
export class Memory {
  readonly #frames = new Map<Gfn, Frame>();
  #next: Gfn = 0x1000;

  alloc(): Frame {
    const frame = new Frame(this.#next++);
    this.#frames.set(frame.gfn, frame);
    return frame;
  }

  frame(gfn: Gfn): Frame | undefined {
    return this.#frames.get(gfn);
  }

  get size(): number {
    return this.#frames.size;
  }

  /** Give all pages back; mappers that still hold a frame keep it alive, as a page reference does. */
  release(): void {
    this.#frames.clear();
  }
}
