import type { Gfn } from './ids.ts';

/**
 * Which pages of a domain were written since the last look. A page counts once, however often it is written; the first write
 * costs its writer a trip into Xen. Source: xen/arch/x86/mm/paging.c, set_pfn_logdirty, paging_log_dirty_op.
 */
export class LogDirty {
  readonly #dirty = new Set<Gfn>();
  /** First writes by the guest itself that nobody has paid for yet: see `takeFaults`. */
  #faults = 0;

  get size(): number {
    return this.#dirty.size;
  }

  /** Ascending. */
  gfns(): Gfn[] {
    return [...this.#dirty].sort((a, b) => a - b);
  }

  /** The hypervisor wrote to the page on somebody's behalf, or took a writable mapping of it down. */
  mark(gfn: Gfn): void {
    this.#dirty.add(gfn);
  }

  /** The guest itself wrote: a fault, if the page was clean. */
  fault(gfn: Gfn): void {
    if (this.#dirty.has(gfn)) return;
    this.#dirty.add(gfn);
    this.#faults++;
  }

  /** Every page is clean from here on. */
  clean(): void {
    this.#dirty.clear();
  }

  /** Faults since the last call: whoever wrote stands still for that long. */
  takeFaults(): number {
    const faults = this.#faults;
    this.#faults = 0;
    return faults;
  }
}
