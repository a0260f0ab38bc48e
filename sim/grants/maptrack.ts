import type { Gref, Handle } from '../ids.ts';
import { type Frame, PAGE_BYTES } from '../memory.ts';
import { GNTMAP_contains_pte, MAPTRACK_PER_FRAME } from './abi.ts';
import type { MappedPage } from './mapped-page.ts';
import { GRANT_LIMITS, type Granter } from './table.ts';

/** What the hypervisor knows of one mapping, owned by the mapper. */
export interface Mapping {
  readonly granter: Granter;
  readonly gref: Gref;
  frame: Frame;
  readonly page: MappedPage;
  /** GNTMAP_*; the host_map and device_map bits go as their halves are unmapped. */
  flags: number;
  /** Where the map put it, and its bus address; for callers that do not say them again when they unmap. */
  readonly hostAddr: number;
  readonly devBusAddr: number;
}

/** What one page of a domain's address space shows of others' memory. */
export interface Pte {
  readonly frame: Frame;
  readonly readonly: boolean;
}

/** First address that is used for callers who do not care where a page goes. */
const WINDOW = 0x1000_0000_0000;

/**
 * The mappings that one domain holds of others' pages, by handle, and where they are in its address space. The handle that
 * was let go last is given out first, so that a stale handle soon meets another mapping (GNT-21).
 */
export class Maptrack {
  /** Mappings at most. */
  limit = GRANT_LIMITS.maptrackFrames * MAPTRACK_PER_FRAME;
  readonly #mappings: (Mapping | undefined)[] = [];
  readonly #freed: Handle[] = [];
  readonly #ptes = new Map<PteSlot, Pte>();
  #inUse = 0;

  /** A granter's page is another object now: mappings and page table entries show that one. */
  pageMoved(from: Frame, to: Frame): void {
    for (const mapping of this.#mappings) {
      if (mapping?.frame !== from) continue;
      mapping.frame = to;
      mapping.page.moveTo(to);
    }
    for (const [slot, pte] of this.#ptes) if (pte.frame === from) this.#ptes.set(slot, { ...pte, frame: to });
  }

  /** The handle that the next set() would use; `undefined`: none is left. */
  free(): Handle | undefined {
    const freed = this.#freed.at(-1);
    if (this.#inUse >= this.limit) return undefined;
    return freed ?? this.#mappings.length;
  }

  /** Use the handle that free() told. */
  set(handle: Handle, mapping: Mapping): void {
    if (this.#freed.at(-1) === handle) this.#freed.pop();
    this.#mappings[handle] = mapping;
    this.#inUse++;
  }

  drop(handle: Handle): void {
    this.#mappings[handle] = undefined;
    this.#freed.push(handle);
    this.#inUse--;
  }

  get(handle: Handle): Mapping | undefined {
    return this.#mappings[handle];
  }

  /** Live handles, ascending. */
  handles(): Handle[] {
    return this.#mappings.flatMap((m, h) => (m === undefined ? [] : [h]));
  }

  /** The address that belongs to a handle whose caller named none. */
  addressFor(handle: Handle): number {
    return WINDOW + handle * PAGE_BYTES;
  }

  pte(slot: PteSlot): Pte | undefined {
    return this.#ptes.get(slot);
  }

  /** Store a page table entry; what was there is forgotten, which is the guest's own mistake. */
  setPte(slot: PteSlot, pte: Pte | undefined): void {
    if (pte === undefined) this.#ptes.delete(slot);
    else this.#ptes.set(slot, pte);
  }
}

/** Names a page table entry: the page number of an address, or below zero the entry's own address (GNTMAP_contains_pte). */
export type PteSlot = number;

/** The entry that a map or unmap with these flags means by `hostAddr`. */
export function slotOf(flags: number, hostAddr: number): PteSlot {
  return (flags & GNTMAP_contains_pte) !== 0 ? -hostAddr : Math.floor(hostAddr / PAGE_BYTES);
}
