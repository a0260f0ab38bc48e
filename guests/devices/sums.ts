import type { Packet } from './observer.ts';

/** Octets of a sector, whatever the device's own sectors are. Source: xen/include/public/io/blkif.h. */
export const SECTOR_BYTES = 512;

/** A checksum over octets `at` .. `at+len-1`; 32 bits, sensitive to order. */
export function sumOf(bytes: Uint8Array, at: number, len: number): number {
  let sum = 0x811c9dc5 ^ len;
  const words = len & ~3;
  for (let i = at; i < at + words; i += 4) {
    const word =
      (bytes[i] as number) |
      ((bytes[i + 1] as number) << 8) |
      ((bytes[i + 2] as number) << 16) |
      ((bytes[i + 3] as number) << 24);
    sum = Math.imul(sum ^ word, 0x01000193);
    sum ^= sum >>> 15;
  }
  for (let i = at + words; i < at + len; i++) sum = Math.imul(sum ^ (bytes[i] as number), 0x01000193);
  return sum >>> 0;
}

/** One sum for each sector of `bytes`. */
export function sectorSums(bytes: Uint8Array): number[] {
  const sums: number[] = [];
  for (let at = 0; at < bytes.length; at += SECTOR_BYTES) sums.push(sumOf(bytes, at, SECTOR_BYTES));
  return sums;
}

/** Octets of an Ethernet header: to, from, type. */
export const ETH_HLEN = 14;

/** A packet as its own octets describe it. */
export function packetOf(bytes: Uint8Array): Packet {
  return { to: hex(bytes, 0), from: hex(bytes, 6), len: bytes.length, sum: sumOf(bytes, 0, bytes.length) };
}

/** A hardware address at `at`, as twelve hex digits. */
export function hex(bytes: Uint8Array, at: number): string {
  let s = '';
  for (let i = at; i < at + 6; i++) s += (bytes[i] ?? 0).toString(16).padStart(2, '0');
  return s;
}
