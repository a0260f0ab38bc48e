import type { Frame } from '../memory.ts';

/** What code that works on a shared page needs of it, be it the owner's own page or somebody's mapping of it. */
export interface PageAccess {
  readonly bytes: Uint8Array;
  load32(offset: number): number;
  store32(offset: number, value: number, byOwner: boolean): void;
}

/**
 * Another domain's page as its mapper reaches it. After the unmap, whoever asked for it and by whatever handle, an access is told
 * and goes through all the same: on hardware it would be a page fault, or, worse, what is mapped there by now (GNT-10, GNT-21).
 */
export class MappedPage implements PageAccess {
  #frame: Frame;
  readonly #touched: () => void;
  #isGone = false;

  /** @param touched called with each access after the unmap. */
  constructor(frame: Frame, touched: () => void) {
    this.#frame = frame;
    this.#touched = touched;
  }

  get bytes(): Uint8Array {
    if (this.#isGone) this.#touched();
    return this.#frame.bytes;
  }

  load32(offset: number): number {
    if (this.#isGone) this.#touched();
    return this.#frame.load32(offset);
  }

  store32(offset: number, value: number, byOwner: boolean): void {
    if (this.#isGone) this.#touched();
    this.#frame.store32(offset, value, byOwner);
  }

  /** The granter's page is another object now; what it shows is the same. */
  moveTo(frame: Frame): void {
    this.#frame = frame;
  }

  /** The mapping is taken down. */
  end(): void {
    this.#isGone = true;
  }
}
