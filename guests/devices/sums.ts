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

const ETHERTYPE_ARP = 0x0806;

/** What an interface tells everybody of its own address (twelve hex digits) without being asked: an ARP reply to itself. */
export function gratuitousArp(address: string): Uint8Array {
  const own = Uint8Array.from({ length: 6 }, (_, i) => Number.parseInt(address.slice(2 * i, 2 * i + 2), 16));
  const packet = new Uint8Array(ETH_HLEN + 28);
  packet.fill(0xff, 0, 6);
  packet.set(own, 6);
  const v = new DataView(packet.buffer);
  v.setUint16(12, ETHERTYPE_ARP, false);
  v.setUint16(ETH_HLEN, 1, false); // Ethernet
  v.setUint16(ETH_HLEN + 2, 0x0800, false); // IPv4
  v.setUint16(ETH_HLEN + 4, 0x0604, false);
  v.setUint16(ETH_HLEN + 6, 2, false); // reply
  packet.set(own, ETH_HLEN + 8);
  packet.set(own, ETH_HLEN + 18);
  return packet;
}

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
