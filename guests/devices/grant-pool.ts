import {
  DOMID_SELF,
  type Domid,
  endAccess,
  type Frame,
  GNTTAB_NR_RESERVED_ENTRIES,
  type Gref,
  grantAccess,
  openTable,
  type TableBytes,
} from '../../sim/index.ts';
import type { GuestOs } from '../kernel/index.ts';

/** References of one frame of a table, by its version. */
const REFS_PER_FRAME = { 1: 512, 2: 256 } as const;
/** How often references that were busy are tried again, and how many at once (GNT-18). */
const DEFERRED_NS = 1_000_000_000;
const DEFERRED_AT_ONCE = 10;

/**
 * A kernel's grant references: which are free, and which wait until their peer lets go.
 * Source: linux drivers/xen/grant-table.c.
 */
export class GrantPool {
  readonly #os: GuestOs;
  readonly #free: Gref[] = [];
  readonly #deferred: { readonly gref: Gref; readonly frame: Frame | undefined }[] = [];
  #table: TableBytes;
  #next: Gref = GNTTAB_NR_RESERVED_ENTRIES;
  #isRetrying = false;

  constructor(os: GuestOs) {
    this.#os = os;
    this.#table = openTable(os.hyper.gnttab, os.domain.memory);
  }

  /** References whose peer still has the page. */
  get busy(): number {
    return this.#deferred.length;
  }

  /**
   * gnttab_resume: in a new domain, whose table is as large as the old one was and empty. References stay in use until their
   * users end them, for which nobody has to let go of anything. Source: linux drivers/xen/grant-table.c.
   */
  resume(): void {
    const { hyper, domain } = this.#os;
    const { version, frames } = this.#table;
    if (version === 2) hyper.gnttab.setVersion(2);
    hyper.gnttab.setupTable(DOMID_SELF, frames.length);
    this.#table = openTable(hyper.gnttab, domain.memory);
  }

  /** gnttab_grant_foreign_access; `undefined`: the table is full. */
  grant(domid: Domid, frame: Frame, readonly = false): Gref | undefined {
    const version = this.#os.hyper.gnttab.getVersion(DOMID_SELF);
    if (version.ok && version.value !== this.#table.version) this.#begin();
    const gref = this.#free.pop() ?? this.#fresh();
    if (gref !== undefined) grantAccess(this.#table, gref, { domid, gfn: frame.gfn, readonly });
    return gref;
  }

  /** End access to a page that is kept. @returns false: the peer still has it; the reference is not free before that ends. */
  end(gref: Gref): boolean {
    return this.#end(gref, undefined);
  }

  /** End access to a page, and give it back as soon as the peer lets go. */
  endAndFree(gref: Gref, frame: Frame): void {
    if (this.#end(gref, frame)) this.#os.domain.memory.free(frame.gfn);
  }

  #end(gref: Gref, frame: Frame | undefined): boolean {
    if (endAccess(this.#table, gref)) {
      this.#free.push(gref);
      return true;
    }
    this.#deferred.push({ gref, frame });
    if (!this.#isRetrying) {
      this.#isRetrying = true;
      this.#os.start('grants-deferred', () => this.#retry());
    }
    return false;
  }

  /** The kernel has asked for another version while nothing of it was granted: entries have another size, and all are clear. */
  #begin(): void {
    this.#table = openTable(this.#os.hyper.gnttab, this.#os.domain.memory);
    this.#free.length = 0;
    this.#next = GNTTAB_NR_RESERVED_ENTRIES;
    for (const { frame } of this.#deferred.splice(0)) if (frame !== undefined) this.#os.domain.memory.free(frame.gfn);
  }

  *#retry() {
    while (this.#deferred.length > 0) {
      yield DEFERRED_NS;
      for (const entry of this.#deferred.splice(0, DEFERRED_AT_ONCE)) {
        if (!endAccess(this.#table, entry.gref)) this.#deferred.push(entry);
        else {
          this.#free.push(entry.gref);
          if (entry.frame !== undefined) this.#os.domain.memory.free(entry.frame.gfn);
        }
      }
    }
    this.#isRetrying = false;
  }

  /** A reference that was never used; the table grows for it (GNT-19). */
  #fresh(): Gref | undefined {
    if (this.#next >= this.#table.frames.length * REFS_PER_FRAME[this.#table.version]) {
      const { gnttab } = this.#os.hyper;
      if (gnttab.setupTable(DOMID_SELF, this.#table.frames.length + 1).frames.length === 0) return undefined;
      this.#table = openTable(gnttab, this.#os.domain.memory);
    }
    return this.#next++;
  }
}
