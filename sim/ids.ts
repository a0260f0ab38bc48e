declare const kind: unique symbol;

/**
 * A number with the kind of id that it is, for the compiler alone: a port where a domid belongs does not compile.
 * The mark is optional, so that a number as such is any id. Were it not, about 200 places of the house and 900 of its
 * tests would have to convert one, most of them a literal, and what they would find is what this finds.
 */
type Id<K extends string> = number & { readonly [kind]?: K };

/** Domain id, 16 bits on every interface. Source: xen/include/public/xen.h. */
export type Domid = Id<'Domid'>;
/** Index into a domain's grant table. */
export type Gref = Id<'Gref'>;
/** Event channel port, local to one domain. */
export type Port = Id<'Port'>;
/** Guest frame number. */
export type Gfn = Id<'Gfn'>;
/** Handle of one grant mapping, local to the mapping domain. */
export type Handle = Id<'Handle'>;

/** Ids that are no domain's, from here on: each has a meaning of its own, or none. Source: xen/include/public/xen.h. */
export const DOMID_FIRST_RESERVED = 0x7ff0;
export const DOMID_SELF = 0x7ff0;
export const DOMID_INVALID = 0x7ff4;
export const DOMID_ANY = 0x7ff5;

/** Reserved grant references, written by the domain builder. Source: xen/include/public/grant_table.h. */
export const GNTTAB_RESERVED_CONSOLE = 0;
export const GNTTAB_RESERVED_XENSTORE = 1;
export const GNTTAB_NR_RESERVED_ENTRIES = 8;
