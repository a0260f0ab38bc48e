import type { Gfn } from '../ids.ts';
import type { Memory, PageKind } from '../memory.ts';

/**
 * What a gfn is, as XEN_DOMCTL_getpageframeinfo3 says it: bits 31..28 of the word, which a stream puts into bits 63..60.
 * Source: XEN_DOMCTL_PFINFO_* in xen/include/public/domctl.h.
 */
export const PAGE_TYPE = {
  /** An ordinary page. */
  NOTAB: 0,
  L1TAB: 1,
  L2TAB: 2,
  L3TAB: 3,
  L4TAB: 4,
  /** Of a table that is pinned as one: beside the level. */
  PINNED: 8,
  BROKEN: 0xd,
  /** Only in a stream: there is a page, and its octets follow elsewhere or never. */
  XALLOC: 0xe,
  /** Nothing, or nothing that is the domain's own. */
  XTAB: 0xf,
} as const;

const TYPES: Readonly<Record<PageKind, number>> = {
  ram: PAGE_TYPE.NOTAB,
  shared: PAGE_TYPE.NOTAB,
  page_table: PAGE_TYPE.L1TAB,
  paged_out: PAGE_TYPE.XTAB,
  foreign: PAGE_TYPE.XTAB,
  mmio: PAGE_TYPE.XTAB,
};

/** Pages that Xen lends, such as the grant table, are not the domain's. Source: XEN_DOMCTL_getpageframeinfo3 in xen/arch/x86/domctl.c. */
export function pageTypeOf(memory: Memory, gfn: Gfn): number {
  const frame = memory.frame(gfn);
  if (frame === undefined || frame.isSpecial) return PAGE_TYPE.XTAB;
  return TYPES[memory.kind(gfn)];
}

/** Whether a stream brings the octets of a page of that type. Source: page_type_has_stream_data in tools/libs/guest/xg_sr_common.h. */
export function hasStreamData(type: number): boolean {
  return type < PAGE_TYPE.BROKEN;
}

/** Whether the restorer asks for memory for it. Source: page_type_to_populate. */
export function isPopulated(type: number): boolean {
  return type < PAGE_TYPE.BROKEN || type === PAGE_TYPE.XALLOC;
}

/** Types that exist; 5 to 8 do not. Source: is_known_page_type. */
export function isKnownPageType(type: number): boolean {
  return (type >= 0 && type <= 4) || (type >= 9 && type <= 0xf);
}
