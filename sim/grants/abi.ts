import type { Domid, Gref, Handle } from '../ids.ts';
import type { Frame } from '../memory.ts';
import type { MappedPage } from './mapped-page.ts';

/** Flags of a shared entry. Source of all numbers here: xen/include/public/grant_table.h. */
export const GTF_invalid = 0;
export const GTF_permit_access = 1;
export const GTF_accept_transfer = 2;
export const GTF_transitive = 3;
export const GTF_type_mask = 3;
export const GTF_readonly = 4;
export const GTF_reading = 8;
export const GTF_writing = 16;
export const GTF_sub_page = 256;
/** The same two bits in an entry of type accept_transfer. */
export const GTF_transfer_committed = 4;
export const GTF_transfer_completed = 8;

export const GNTMAP_device_map = 1;
export const GNTMAP_host_map = 2;
export const GNTMAP_readonly = 4;
export const GNTMAP_application_map = 8;
export const GNTMAP_contains_pte = 16;

export const GNTCOPY_source_gref = 1;
export const GNTCOPY_dest_gref = 2;

export const GNTST = {
  okay: 0,
  general_error: -1,
  bad_domain: -2,
  bad_gntref: -3,
  bad_handle: -4,
  bad_virt_addr: -5,
  bad_dev_addr: -6,
  no_device_space: -7,
  permission_denied: -8,
  bad_page: -9,
  bad_copy_arg: -10,
  address_too_big: -11,
  eagain: -12,
  no_space: -13,
} as const;
export type GrantStatus = (typeof GNTST)[keyof typeof GNTST];

/** As the header spells it: `GNTST_no_space`. */
export function statusName(status: GrantStatus): string {
  const [name] = Object.entries(GNTST).find(([, value]) => value === status) ?? [String(status)];
  return `GNTST_${name}`;
}

/** Index bit of XENMAPSPACE_grant_table that means a status frame. Source: xen/include/public/memory.h. */
export const XENMAPIDX_grant_table_status = 0x8000_0000;

/** Mappings that one frame of the maptrack holds. Source: struct grant_mapping in xen/common/grant_table.c. */
export const MAPTRACK_PER_FRAME = 256;
/** Elements of an unmap that are torn down before one flush; their pins fall after it. Source: GNTTAB_UNMAP_BATCH_SIZE. */
export const UNMAP_BATCH = 32;

/** GNTTABOP_map_grant_ref, what the caller says. */
export interface MapOp {
  readonly dom: Domid;
  readonly ref: Gref;
  /** GNTMAP_*. */
  readonly flags: number;
  /** Where the caller wants the page: octets; translated callers: its gfn times 4096. Omitted: a page of its own choosing. */
  readonly hostAddr?: number;
}

/** GNTTABOP_map_grant_ref, what the hypervisor answers; `handle`, `frame` and the addresses only with GNTST_okay. */
export interface MapResult {
  readonly status: GrantStatus;
  readonly handle?: Handle;
  readonly frame?: Frame;
  /** The same page, reached through this mapping: an access after its end is noticed. */
  readonly page?: MappedPage;
  readonly hostAddr?: number;
  readonly devBusAddr?: number;
}

/** GNTTABOP_unmap_grant_ref. An address of 0 leaves that half of the mapping alone; omitted: the one that the map answered. */
export interface UnmapOp {
  readonly handle: Handle;
  readonly hostAddr?: number;
  readonly devBusAddr?: number;
}

/** GNTTABOP_unmap_and_replace: what is mapped at `newAddr` moves to where the grant was. */
export interface ReplaceOp {
  readonly handle: Handle;
  readonly hostAddr?: number;
  readonly newAddr: number;
}

/** One side of GNTTABOP_copy: a gfn (only of DOMID_SELF) or a reference, as the flag of that side says. */
export interface CopyPtr {
  readonly domid: Domid;
  readonly gfnOrRef: number;
  /** 0 .. 65535. */
  readonly offset: number;
}

export interface CopyOp {
  readonly source: CopyPtr;
  readonly dest: CopyPtr;
  /** Octets, 0 .. 65535. */
  readonly len: number;
  /** GNTCOPY_*. */
  readonly flags: number;
}

export interface TransferOp {
  readonly gfn: number;
  readonly domid: Domid;
  readonly ref: Gref;
}

export interface SwapOp {
  readonly refA: Gref;
  readonly refB: Gref;
}
