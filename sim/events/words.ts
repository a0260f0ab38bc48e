/** Where the event words lie in memory shared with the guest, 64-bit x86. Source: xen/include/public/xen.h, event_channel.h. */

/** shared_info: 32 vcpu_info, then evtchn_pending[64] and evtchn_mask[64] of 64 bits each. */
export const VCPU_INFO_BYTES = 64;
export const LEGACY_MAX_VCPUS = 32;
export const PENDING_AT = VCPU_INFO_BYTES * LEGACY_MAX_VCPUS;
export const MASK_AT = PENDING_AT + 512;
/** vcpu_info: two bytes and a 64-bit word. */
export const UPCALL_PENDING = 0;
export const UPCALL_MASK = 1;
export const PENDING_SEL = 8;
export const TWO_LEVEL_PORTS = 4096;

/** One FIFO event word; its low 17 bits are the link. */
export const FIFO_PENDING = 0x8000_0000;
export const FIFO_MASKED = 0x4000_0000;
export const FIFO_LINKED = 0x2000_0000;
export const FIFO_BUSY = 0x1000_0000;
export const FIFO_LINK_BITS = 17;
export const FIFO_LINK = (1 << FIFO_LINK_BITS) - 1;
export const FIFO_PORTS = 1 << FIFO_LINK_BITS;
export const FIFO_WORDS_PER_PAGE = 1024;
export const FIFO_PAGES = FIFO_PORTS / FIFO_WORDS_PER_PAGE;
export const FIFO_QUEUES = 16;
export const PRIORITY_DEFAULT = 7;
export const PRIORITY_MIN = 15;
/** Control block: ready bitmap, a reserved word, 16 heads. */
export const CONTROL_BYTES = 72;
export const READY = 0;
export const HEADS = 8;

/** Whether bit `bit` of the bitmap that starts at `at` is set. */
export function testBit(bytes: Uint8Array, at: number, bit: number): boolean {
  return ((bytes[at + (bit >> 3)] as number) & (1 << (bit & 7))) !== 0;
}

/** Set the bit; what it was. */
export function testAndSetBit(bytes: Uint8Array, at: number, bit: number): boolean {
  const i = at + (bit >> 3);
  const before = bytes[i] as number;
  bytes[i] = before | (1 << (bit & 7));
  return (before & (1 << (bit & 7))) !== 0;
}

/** Clear the bit; what it was. */
export function testAndClearBit(bytes: Uint8Array, at: number, bit: number): boolean {
  const i = at + (bit >> 3);
  const before = bytes[i] as number;
  bytes[i] = before & ~(1 << (bit & 7));
  return (before & (1 << (bit & 7))) !== 0;
}

/** One little-endian 32-bit load. */
export function load32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  );
}

/** One little-endian 32-bit store. */
export function store32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}
