/** Domain id, 16 bits on every interface. Source: xen/include/public/xen.h. */
export type Domid = number;
/** Index into a domain's grant table. */
export type Gref = number;
/** Event channel port, local to one domain. */
export type Port = number;
/** Guest frame number. */
export type Gfn = number;
/** Handle of one grant mapping, local to the mapping domain. */
export type Handle = number;

/** Ids that are no domain's, from here on: each has a meaning of its own, or none. Source: xen/include/public/xen.h. */
export const DOMID_FIRST_RESERVED = 0x7ff0;
export const DOMID_SELF = 0x7ff0;
export const DOMID_INVALID = 0x7ff4;
export const DOMID_ANY = 0x7ff5;

/** Reserved grant references, written by the domain builder. Source: xen/include/public/grant_table.h. */
export const GNTTAB_RESERVED_CONSOLE = 0;
export const GNTTAB_RESERVED_XENSTORE = 1;
export const GNTTAB_NR_RESERVED_ENTRIES = 8;
