import { DOMID_FIRST_RESERVED, type Domid } from '../ids.ts';

/** Domains of whose change VIRQ_DOM_EXC's handler has not been told; the bitmap exists only while that is bound (DOM-30). */
export class ChangedDomains {
  #bits: Set<Domid> | undefined = undefined;

  get exists(): boolean {
    return this.#bits !== undefined;
  }

  /** The VIRQ was bound: a bit for every domain that there is. */
  open(domids: Iterable<Domid>): void {
    this.#bits = new Set(domids);
  }

  /** The VIRQ was closed. */
  close(): void {
    this.#bits = undefined;
  }

  /** Set a domain's bit; lost while the VIRQ is not bound (DOM-31). */
  mark(domid: Domid): void {
    this.#bits?.add(domid);
  }

  get isEmpty(): boolean {
    return this.#bits === undefined || this.#bits.size === 0;
  }

  /** Whether a domid of which that is true has its bit set. */
  some(is: (domid: Domid) => boolean): boolean {
    for (const domid of this.#bits ?? []) if (is(domid)) return true;
    return false;
  }

  /** Take the lowest domid out; `undefined`: none, or no bitmap (DOM-32). */
  pop(): Domid | undefined {
    if (this.#bits === undefined || this.isEmpty) return undefined;
    let lowest: Domid = DOMID_FIRST_RESERVED;
    for (const domid of this.#bits) if (domid < lowest) lowest = domid;
    this.#bits.delete(lowest);
    return lowest;
  }
}
