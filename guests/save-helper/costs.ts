/** Virtual time of what a helper does, ns (4.4). What a link or a disk takes comes on top. */
export const CALL_NS = 1_000;
/** XEN_DOMCTL_shadow_op CLEAN: a walk over the bitmap. */
export const CLEAN_NS = 20_000;
export const CLEAN_PAGE_NS = 1;
/** Type, map and copy one page. */
export const PAGE_NS = 500;
/** A page that has no octets: its type alone. */
export const HOLE_NS = 10;
/** The contexts of the vCPUs and of the emulated devices. */
export const CONTEXT_NS = 200_000;
