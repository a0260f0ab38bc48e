/** The console page. Source: xen/include/public/io/console.h. */
export const CONSOLE_CONNECTION = 3088;
/** Values of the octet at CONSOLE_CONNECTION; a page of zeros says connected, as all did before there was the octet. */
export const XENCONSOLE_CONNECTED = 0;
export const XENCONSOLE_DISCONNECTED = 1;

/** One direction of a page with two byte rings: its data, a power of two of octets, and its free-running u32 indexes. */
export interface ByteRing {
  readonly at: number;
  readonly size: number;
  /** Page offsets of the index words. */
  readonly cons: number;
  readonly prod: number;
}

/** To the guest. */
export const CONSOLE_IN: ByteRing = { at: 0, size: 1024, cons: 3072, prod: 3076 };
/** From the guest. */
export const CONSOLE_OUT: ByteRing = { at: 1024, size: 2048, cons: 3080, prod: 3084 };

/** Copy `bytes` into the ring, from free-running index `prod` on; the caller has checked that there is room. */
export function putOctets(page: Uint8Array, ring: ByteRing, prod: number, bytes: Uint8Array): void {
  const start = prod & (ring.size - 1);
  const first = Math.min(bytes.length, ring.size - start);
  page.set(bytes.subarray(0, first), ring.at + start);
  page.set(bytes.subarray(first), ring.at);
}

/** A copy of `count` octets of the ring, at most its size, from free-running index `cons` on. */
export function takeOctets(page: Uint8Array, ring: ByteRing, cons: number, count: number): Uint8Array {
  const start = cons & (ring.size - 1);
  const first = Math.min(count, ring.size - start);
  const copy = new Uint8Array(count);
  copy.set(page.subarray(ring.at + start, ring.at + start + first));
  copy.set(page.subarray(ring.at, ring.at + count - first), first);
  return copy;
}
