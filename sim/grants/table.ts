import type { DomainBase } from '../domain.ts';
import { fail } from '../errors.ts';
import { type Domid, type Gfn, GNTTAB_NR_RESERVED_ENTRIES, type Gref } from '../ids.ts';
import { Frame, type Memory } from '../memory.ts';
import { GTF_invalid, GTF_permit_access, GTF_reading, GTF_transitive, GTF_type_mask, GTF_writing } from './abi.ts';
import { endAccess, putEntry } from './guest.ts';
import {
  entryCount,
  loadBody,
  loadHeader,
  loadStatus,
  statusFramesFor,
  storeDomid,
  storeFlags,
  storeGfn,
  storeStatus,
} from './layout.ts';

/** Limits that the toolstack gives a domain at its creation. Source: libxl's max_grant_frames, max_maptrack_frames, grant_opts. */
export interface GrantLimits {
  readonly grantFrames: number;
  readonly maptrackFrames: number;
  readonly version: 1 | 2;
}

export const GRANT_LIMITS: GrantLimits = { grantFrames: 64, maptrackFrames: 1024, version: 2 };
/** What libxl and init-xenstore-domain give to a xenstore stub domain. */
export const STUBDOM_GRANT_LIMITS: GrantLimits = { grantFrames: 4, maptrackFrames: 128, version: 1 };

/** A domain as whoever uses its grants knows it. */
export interface Granter extends DomainBase {
  readonly grants: GrantTable;
}

/** Xen's own record of a pinned entry: frame, window and source are those of the first pin (GNT-6). */
export interface ActiveEntry {
  /** Four counters of eight bits (pin.ts). */
  pin: number;
  domid: Domid;
  frame: Frame;
  /** Window of a sub-page entry, octets; the whole page for others. */
  start: number;
  length: number;
  /** Sub-page or transitive: such an entry cannot be mapped. */
  isSubPage: boolean;
  /** Whose page it is: another domain than the granter behind a transitive entry. */
  source: Granter;
  sourceRef: Gref;
  /** The status word as Xen left it, and whether something else was found there since: for the self-check. */
  shown: number;
  isOverwritten: boolean;
}

/** One domain's grant table: the shared entries are octets in frames of the guest, which edits them itself. */
export class GrantTable {
  version: 1 | 2 = 1;
  readonly frames: Frame[] = [];
  readonly statusFrames: Frame[] = [];
  limits: GrantLimits = GRANT_LIMITS;
  /** Entries of version 2 that are pinned as sub-page or transitive: they forbid the way back to version 1. */
  v2Ops = 0;
  readonly #active = new Map<Gref, ActiveEntry>();
  readonly #memory: Memory;

  constructor(memory: Memory) {
    this.#memory = memory;
    this.grow(1);
  }

  /** Entries that exist now; a higher reference is GNTST_bad_gntref even below the limit (GNT-19). */
  get size(): number {
    return entryCount(this);
  }

  /** Add shared frames, and status frames with version 2, until there are `frames`; never shrinks. @returns false: above the limit. */
  grow(frames: number): boolean {
    if (frames > this.limits.grantFrames) return false;
    while (this.frames.length < frames) this.frames.push(this.#lend());
    if (this.version === 2) this.#growStatus();
    return true;
  }

  /** Flags and domid as the one 32-bit word that Xen compares and swaps. */
  header(gref: Gref): { readonly flags: number; readonly domid: Domid } {
    const word = loadHeader(this, gref);
    return { flags: word & 0xffff, domid: word >>> 16 };
  }

  /** Write a whole entry of permit_access, flags last (fence F5): what a guest or the domain builder does. */
  write(gref: Gref, entry: { readonly flags: number; readonly domid: Domid; readonly gfn: number }): void {
    putEntry(this, gref, entry);
  }

  /** The guest's end of access: false while somebody has the page mapped (section 2.6). */
  revoke(gref: Gref): boolean {
    return endAccess(this, gref);
  }

  active(gref: Gref): ActiveEntry | undefined {
    return this.#active.get(gref);
  }

  setActive(gref: Gref, entry: ActiveEntry | undefined): void {
    if (entry === undefined) this.#active.delete(gref);
    else this.#active.set(gref, entry);
  }

  /** Pinned entries, ascending. */
  pinned(): [Gref, ActiveEntry][] {
    return [...this.#active].sort((a, b) => a[0] - b[0]);
  }

  /**
   * GNTTABOP_set_version: the eight reserved entries are carried over, every other one is cleared (GNT-20).
   * Errors: EINVAL no such version; ENOSYS above what the domain may have; EBUSY another entry is pinned; EAGAIN an
   * operation of version 2 is under way; ERANGE a reserved entry has no form in version 1. Source: gnttab_set_version.
   */
  setVersion(version: number): void {
    if (version !== 1 && version !== 2) fail('EINVAL', `grant table version ${version}`);
    if (version > this.limits.version) fail('ENOSYS', `grant table version ${version}`);
    if (version === this.version) return;
    for (const [gref] of this.pinned())
      if (gref >= GNTTAB_NR_RESERVED_ENTRIES) fail('EBUSY', `reference ${gref} is pinned`);
    if (version === 1) this.#checkRepresentable();
    if (this.statusFrames.some((frame) => frame.refs > 0)) fail('EBUSY', 'a status frame is mapped by somebody');
    for (const [gref, record] of this.pinned()) {
      // An entry whose type the guest took away loses its in-use bits on the way to version 1, pinned or not.
      const isInvalid = (this.header(gref).flags & GTF_type_mask) !== GTF_permit_access;
      record.isOverwritten ||= isInvalid || loadStatus(this, gref) !== record.shown;
    }
    const reserved = this.#takeReserved();
    for (const frame of this.frames) frame.bytes.fill(0);
    if (version === 1) for (const frame of this.statusFrames.splice(0)) this.#memory.free(frame.gfn);
    this.version = version;
    if (version === 2) this.#growStatus();
    reserved.forEach((entry, gref) => {
      const inUse = entry.flags & (GTF_reading | GTF_writing);
      storeDomid(this, gref, entry.domid);
      storeGfn(this, gref, entry.gfn);
      storeFlags(this, gref, version === 1 ? entry.flags : entry.flags & ~(GTF_reading | GTF_writing));
      if (version === 2) storeStatus(this, gref, inUse);
    });
    for (const [gref, record] of this.pinned()) record.shown = loadStatus(this, gref);
  }

  /** Of a domain that comes from elsewhere: so many frames at these gfns, status frames behind the others; all zeros. */
  replace(version: 1 | 2, frames: number, gfns: readonly Gfn[]): void {
    for (const frame of [...this.frames.splice(0), ...this.statusFrames.splice(0)]) this.#memory.free(frame.gfn);
    this.version = version;
    for (const [i, gfn] of gfns.entries()) {
      const frame = new Frame(gfn);
      frame.isSpecial = true;
      this.#memory.place(frame, gfn);
      (i < frames ? this.frames : this.statusFrames).push(frame);
    }
  }

  /** Its frames are other objects now, at the same gfns. */
  pagesMoved(): void {
    for (const list of [this.frames, this.statusFrames])
      for (const [i, frame] of list.entries()) list[i] = this.#memory.frame(frame.gfn) ?? frame;
  }

  #checkRepresentable(): void {
    if (this.v2Ops > 0) fail('EAGAIN', `${this.v2Ops} operations of version 2`);
    for (let gref = 0; gref < GNTTAB_NR_RESERVED_ENTRIES; gref++) {
      const type = this.header(gref).flags & GTF_type_mask;
      const isWide = loadBody(this, gref).gfn >= 0x1_0000_0000;
      if (type === GTF_transitive || (type === GTF_permit_access && isWide)) fail('ERANGE', `reserved entry ${gref}`);
    }
  }

  /** The reserved entries in the words of version 1. From version 2 only permit_access is carried over. */
  #takeReserved(): { readonly flags: number; readonly domid: Domid; readonly gfn: number }[] {
    return Array.from({ length: GNTTAB_NR_RESERVED_ENTRIES }, (_, gref) => {
      const { flags, domid } = this.header(gref);
      if (this.version === 2 && (flags & GTF_type_mask) !== GTF_permit_access)
        return { flags: GTF_invalid, domid: 0, gfn: 0 };
      return { flags: flags | loadStatus(this, gref), domid, gfn: loadBody(this, gref).gfn };
    });
  }

  #growStatus(): void {
    while (this.statusFrames.length < statusFramesFor(this.frames.length)) this.statusFrames.push(this.#lend());
  }

  #lend(): Frame {
    const frame = this.#memory.alloc();
    frame.isSpecial = true;
    return frame;
  }
}
