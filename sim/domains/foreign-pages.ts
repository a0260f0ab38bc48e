import type { DomainBase } from '../domain.ts';
import type { Frame } from '../memory.ts';

/**
 * Pages of another domain in a program's address space, as the toolstack maps them. What is stored through a writable mapping is
 * seen by log-dirty when it is taken down, and not before (GNT-13). As long as it lasts the domain cannot be freed.
 * Source: tools/libs/foreignmemory; put_page_type in xen/arch/x86/mm.c.
 */
export class ForeignPages {
  readonly #of: DomainBase;
  readonly #isWritable: boolean;
  readonly #released: (of: DomainBase) => void;
  #pages: readonly (Frame | undefined)[];
  #isOver = false;

  /** @param released called when the last of them is gone. */
  constructor(
    of: DomainBase,
    pages: readonly (Frame | undefined)[],
    isWritable: boolean,
    released: (of: DomainBase) => void,
  ) {
    this.#of = of;
    this.#pages = pages;
    this.#isWritable = isWritable;
    this.#released = released;
    for (const page of pages) if (page !== undefined) of.memory.get(page);
    of.foreignMaps++;
    of.toolMaps.add(this);
  }

  /** In the order in which they were asked for; `undefined`: that one could not be mapped (EINVAL). */
  get pages(): readonly (Frame | undefined)[] {
    return this.#pages;
  }

  /** Take the mapping down. A second time does nothing. */
  unmap(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const pages = this.#pages;
    this.#pages = [];
    for (const page of pages) {
      if (page === undefined) continue;
      if (this.#isWritable) this.#of.memory.markDirty(page);
      this.#of.memory.put(page);
    }
    this.#of.foreignMaps--;
    this.#of.toolMaps.delete(this);
    this.#released(this.#of);
  }
}
