/** The xenstore ring page. Source: xen/include/public/io/xs_wire.h, docs/misc/xenstore-ring.txt. */
export const RING_BYTES = 1024;
export const REQ_AT = 0;
export const RSP_AT = 1024;
export const REQ_CONS = 2048;
export const REQ_PROD = 2052;
export const RSP_CONS = 2056;
export const RSP_PROD = 2060;
export const SERVER_FEATURES = 2064;
export const CONNECTION = 2068;
export const ERROR = 2072;
export const EVTCHN_PORT = 2076;

/** Bits at SERVER_FEATURES: what the store offers. Source: xs_wire.h, XENSTORE_SERVER_FEATURE_*. */
export const FEATURE_ERROR = 2;
export const FEATURE_WATCHDEPTH = 4;
export const FEATURE_DOMID_ANY = 8;
/** Values at CONNECTION: RECONNECT is a guest's wish, CONNECTED the store's answer. Source: xs_wire.h. */
export const XENSTORE_CONNECTED = 0;
export const XENSTORE_RECONNECT = 1;
/** Values at ERROR: why the store gave a ring up. Source: xs_wire.h. */
export const XENSTORE_ERROR_COMM = 1;
export const XENSTORE_ERROR_RINGIDX = 2;
export const XENSTORE_ERROR_PROTO = 3;

/** Which index word: 0 req_cons, 1 req_prod, 2 rsp_cons, 3 rsp_prod. */
export type RingWord = 0 | 1 | 2 | 3;

/** The index word at a page offset, or -1 if the offset is no index. */
export function wordAt(offset: number): RingWord | -1 {
  return offset >= REQ_CONS && offset <= RSP_PROD ? (((offset - REQ_CONS) >> 2) as RingWord) : -1;
}

/** Octets between two free-running indexes, modulo 2^32. More than RING_BYTES: one of them is wrong. */
export function used(prod: number, cons: number): number {
  return (prod - cons) >>> 0;
}

/** Octets that can be read in one piece: what is there, up to the physical end of the buffer. */
export function readableChunk(prod: number, cons: number): number {
  return Math.min(used(prod, cons), RING_BYTES - (cons & (RING_BYTES - 1)));
}

/** Octets that can be written in one piece: the free room, up to the physical end of the buffer. */
export function writableChunk(prod: number, cons: number): number {
  return Math.min(RING_BYTES - used(prod, cons), RING_BYTES - (prod & (RING_BYTES - 1)));
}

/** A copy by hand is faster than a call of set() up to about here: that makes an object for its window first. */
const SHORT = 64;

/** Copy `count` octets from `from` at `fromAt` to `to` at `toAt`. */
export function copyOctets(from: Uint8Array, fromAt: number, to: Uint8Array, toAt: number, count: number): void {
  if (count > SHORT) to.set(from.subarray(fromAt, fromAt + count), toAt);
  else for (let i = 0; i < count; i++) to[toAt + i] = from[fromAt + i] as number;
}
