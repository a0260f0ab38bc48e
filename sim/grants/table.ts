import type { Domain } from './domain.ts';
import type { Domid, Gref, Handle } from './ids.ts';
import type { Frame } from './memory.ts';

/** Source of the numbers: xen/include/public/grant_table.h. */
export const GTF_permit_access = 1;
export const GTF_readonly = 4;
export const GTF_reading = 8;
export const GTF_writing = 16;
const GTF_type_mask = 3;
const GTF_sub_page = 256;

export const GNTMAP_device_map = 1;
export const GNTMAP_host_map = 2;
export const GNTMAP_readonly = 4;

export const GNTST = {
  okay: 0,
  general_error: -1,
  bad_domain: -2,
  bad_gntref: -3,
  bad_handle: -4,
  bad_page: -9,
  no_space: -13,
} as const;
export type GrantStatus = (typeof GNTST)[keyof typeof GNTST];

/** Entries of eight octets in one shared frame of a version 1 table. */
export const ENTRIES_PER_FRAME = 512;
const ENTRY_BYTES = 8;
const PIN_MAX = 255;

/** Xen's own record of a pinned entry: the frame is the one captured at the first pin (GNT-6). */
interface ActiveEntry {
  domid: Domid;
  frame: Frame;
  readPins: number;
  writePins: number;
}

interface Mapping {
  readonly granter: Domain;
  readonly gref: Gref;
  readonly readonly: boolean;
  readonly frame: Frame;
}

/** One domain's grant table: the shared entries are octets in frames of the guest, which edits them itself. */
export class GrantTable {
  readonly frames: Frame[] = [];
  readonly #active = new Map<Gref, ActiveEntry>();

  /** Entries that exist now; a higher reference is GNTST_bad_gntref even below the limit (GNT-19). */
  get size(): number {
    return this.frames.length * ENTRIES_PER_FRAME;
  }

  /** Flags and domid as the one 32-bit word that Xen compares and swaps. */
  header(gref: Gref): { readonly flags: number; readonly domid: Domid } {
    const { frame, at } = this.#at(gref);
    return { flags: frame.load16(at), domid: frame.load16(at + 2) };
  }

  /** Write a whole entry, flags last (fence F5): what a guest or the domain builder does. */
  write(gref: Gref, entry: { readonly flags: number; readonly domid: Domid; readonly gfn: number }): void {
    const { frame, at } = this.#at(gref);
    frame.store16(at + 2, entry.domid);
    frame.store32(at + 4, entry.gfn, true);
    frame.store16(at, entry.flags);
  }

  /** The guest's end of access: false while somebody has the page mapped, and then nothing changes (section 2.6). */
  revoke(gref: Gref): boolean {
    const { frame, at } = this.#at(gref);
    if ((frame.load16(at) & (GTF_reading | GTF_writing)) !== 0) return false;
    frame.store16(at, 0);
    return true;
  }

  gfnOf(gref: Gref): number {
    const { frame, at } = this.#at(gref);
    return frame.load32(at + 4);
  }

  setFlags(gref: Gref, flags: number): void {
    const { frame, at } = this.#at(gref);
    frame.store16(at, flags);
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

  #at(gref: Gref): { frame: Frame; at: number } {
    const frame = this.frames[Math.floor(gref / ENTRIES_PER_FRAME)];
    if (frame === undefined) throw new Error(`assertion: gref ${gref} beyond the table`);
    return { frame, at: (gref % ENTRIES_PER_FRAME) * ENTRY_BYTES };
  }
}

/** The mappings that one domain holds of others' pages, by handle. Handles are reused, lowest first (GNT-21). */
export class Maptrack {
  readonly limit: number;
  readonly #mappings: (Mapping | undefined)[] = [];

  constructor(limit: number) {
    this.limit = limit;
  }

  free(): Handle | undefined {
    const hole = this.#mappings.indexOf(undefined);
    if (hole >= 0) return hole;
    return this.#mappings.length < this.limit ? this.#mappings.length : undefined;
  }

  set(handle: Handle, mapping: Mapping | undefined): void {
    this.#mappings[handle] = mapping;
  }

  get(handle: Handle): Mapping | undefined {
    return this.#mappings[handle];
  }

  /** Live handles, ascending. */
  handles(): Handle[] {
    return this.#mappings.flatMap((m, h) => (m === undefined ? [] : [h]));
  }
}

/** GNTTABOP_map_grant_ref, host mapping. Checks in Xen's order (hypervisor.md 2.4, GNT-1 to GNT-9).
 *  Source: xen/common/grant_table.c. */
export function mapGrant(
  mapper: Domain,
  granter: Domain | undefined,
  gref: Gref,
  flags: number,
): { readonly status: GrantStatus; readonly handle?: Handle; readonly frame?: Frame } {
  if ((flags & (GNTMAP_host_map | GNTMAP_device_map)) === 0) return { status: GNTST.bad_gntref };
  if (granter === undefined) return { status: GNTST.bad_domain };
  const handle = mapper.maptrack.free();
  if (handle === undefined) return { status: GNTST.no_space };
  const table = granter.grants;
  if (gref >= table.size) return { status: GNTST.bad_gntref };
  const readonly = (flags & GNTMAP_readonly) !== 0;
  const active = table.active(gref);
  if (active !== undefined) {
    if (active.domid !== mapper.domid) return { status: GNTST.general_error }; // GNT-8
    if ((readonly ? active.readPins : active.writePins) >= PIN_MAX) return { status: GNTST.general_error };
  }
  const header = table.header(gref);
  if (active === undefined || (!readonly && active.writePins === 0)) {
    if (active === undefined) {
      if ((header.flags & GTF_type_mask) !== GTF_permit_access) return { status: GNTST.general_error };
      if ((header.flags & GTF_sub_page) !== 0) return { status: GNTST.general_error };
      if (header.domid !== mapper.domid) return { status: GNTST.general_error };
    }
    if (!readonly && (header.flags & GTF_readonly) !== 0) return { status: GNTST.general_error };
  }
  const frame = active?.frame ?? granter.memory.frame(table.gfnOf(gref));
  if (frame === undefined) return { status: GNTST.bad_page };
  if (granter.dying !== 'alive' && active === undefined) return { status: GNTST.general_error }; // DOM-11
  table.setFlags(gref, header.flags | GTF_reading | (readonly ? 0 : GTF_writing));
  const entry = active ?? { domid: mapper.domid, frame, readPins: 0, writePins: 0 };
  if (readonly) entry.readPins++;
  else entry.writePins++;
  table.setActive(gref, entry);
  granter.foreignMaps++;
  mapper.maptrack.set(handle, { granter, gref, readonly, frame });
  return { status: GNTST.okay, handle, frame };
}

/** GNTTABOP_unmap_grant_ref. When no pin is left the in-use bits fall, and nobody is told (GNT-12).
 *  @returns the granter whose page was let go, or `undefined` with GNTST_bad_handle. */
export function unmapGrant(
  mapper: Domain,
  handle: Handle,
): { readonly granter: Domain; readonly gref: Gref } | undefined {
  const mapping = mapper.maptrack.get(handle);
  if (mapping === undefined) return undefined;
  mapper.maptrack.set(handle, undefined);
  const { granter, gref } = mapping;
  const entry = granter.grants.active(gref);
  if (entry === undefined) throw new Error(`assertion: mapping of d${granter.domid} gref ${gref} without a pin`);
  if (mapping.readonly) entry.readPins--;
  else entry.writePins--;
  const header = granter.grants.header(gref);
  const kept = (entry.writePins > 0 ? GTF_writing : 0) | (entry.readPins + entry.writePins > 0 ? GTF_reading : 0);
  granter.grants.setFlags(gref, (header.flags & ~(GTF_reading | GTF_writing)) | (header.flags & kept));
  if (entry.readPins + entry.writePins === 0) granter.grants.setActive(gref, undefined);
  granter.foreignMaps--;
  return { granter, gref };
}
