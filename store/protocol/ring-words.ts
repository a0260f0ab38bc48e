/**
 * What the words of a ring page say that are not indexes; where they lie is sim/ring.ts. Source: xen/include/public/io/xs_wire.h.
 */

/** The error word: why the daemon has given the ring up (XENSTORE_ERROR_*). */
export const ERROR_COMM = 1;
export const ERROR_RINGIDX = 2;
export const ERROR_PROTO = 3;

/** Bits of the server's features (XENSTORE_SERVER_FEATURE_*). */
export const FEATURE_ERROR = 2;
export const FEATURE_WATCHDEPTH = 4;
export const FEATURE_DOMID_ANY = 8;
