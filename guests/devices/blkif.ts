import type { Gref } from '../../sim/index.ts';

/** Layouts and numbers of the block interface, 64-bit ABI. Source of all: xen/include/public/io/blkif.h. */
export const BLKIF_OP_READ = 0;
export const BLKIF_OP_WRITE = 1;
export const BLKIF_OP_WRITE_BARRIER = 2;
export const BLKIF_OP_FLUSH_DISKCACHE = 3;
export const BLKIF_OP_DISCARD = 5;

export const BLKIF_RSP_OKAY = 0;
export const BLKIF_RSP_ERROR = -1;
export const BLKIF_RSP_EOPNOTSUPP = -2;

export const BLKIF_MAX_SEGMENTS_PER_REQUEST = 11;
/** The larger of request and response: 32 slots on a page. */
export const BLKIF_SLOT_BYTES = 112;
export const BLKIF_PROTOCOL = 'x86_64-abi';

/** Bits of the key `info`. */
export const VDISK_READONLY = 4;

/** Octets in front of the segments. */
const HEAD_BYTES = 24;
const SEGMENT_BYTES = 8;

/** A page's part: sectors `firstSect` .. `lastSect` of it, both included. */
export interface BlkSegment {
  readonly gref: Gref;
  readonly firstSect: number;
  readonly lastSect: number;
}

export interface BlkRequest {
  readonly operation: number;
  readonly handle: number;
  readonly id: bigint;
  /** In sectors of 512 octets. */
  readonly sector: bigint;
  readonly segments: readonly BlkSegment[];
  /** Segments that the request says it has: more than fit is for the backend to refuse. */
  readonly nrSegments: number;
  /** DISCARD only. */
  readonly nrSectors: bigint;
}

/** Store a request into its slot. */
export function encodeRequest(r: BlkRequest, slot: Uint8Array): void {
  const v = new DataView(slot.buffer, slot.byteOffset, slot.byteLength);
  slot[0] = r.operation;
  slot[1] = r.operation === BLKIF_OP_DISCARD ? 0 : r.nrSegments; // DISCARD has flags there
  v.setUint16(2, r.handle, true);
  v.setBigUint64(8, r.id, true);
  v.setBigUint64(16, r.sector, true);
  if (r.operation === BLKIF_OP_DISCARD) {
    v.setBigUint64(HEAD_BYTES, r.nrSectors, true);
    return;
  }
  r.segments.forEach(({ gref, firstSect, lastSect }, i) => {
    const at = HEAD_BYTES + SEGMENT_BYTES * i;
    v.setUint32(at, gref, true);
    slot[at + 4] = firstSect;
    slot[at + 5] = lastSect;
  });
}

/** What a slot says. @param slot a private copy: the page changes under the reader (MEM-4). */
export function decodeRequest(slot: Uint8Array): BlkRequest {
  const v = new DataView(slot.buffer, slot.byteOffset, slot.byteLength);
  const operation = slot[0] as number;
  const isDiscard = operation === BLKIF_OP_DISCARD;
  const nrSegments = isDiscard ? 0 : (slot[1] as number);
  const count = Math.min(nrSegments, BLKIF_MAX_SEGMENTS_PER_REQUEST);
  return {
    operation,
    handle: v.getUint16(2, true),
    id: v.getBigUint64(8, true),
    sector: v.getBigUint64(16, true),
    segments: Array.from({ length: count }, (_, i) => {
      const at = HEAD_BYTES + SEGMENT_BYTES * i;
      return { gref: v.getUint32(at, true), firstSect: slot[at + 4] as number, lastSect: slot[at + 5] as number };
    }),
    nrSegments,
    nrSectors: isDiscard ? v.getBigUint64(HEAD_BYTES, true) : 0n,
  };
}

export interface BlkResponse {
  readonly id: bigint;
  readonly operation: number;
  /** BLKIF_RSP_*. */
  readonly status: number;
}

export function encodeResponse(r: BlkResponse, slot: Uint8Array): void {
  const v = new DataView(slot.buffer, slot.byteOffset, slot.byteLength);
  v.setBigUint64(0, r.id, true);
  slot[8] = r.operation;
  v.setInt16(10, r.status, true);
}

export function decodeResponse(slot: Uint8Array): BlkResponse {
  const v = new DataView(slot.buffer, slot.byteOffset, slot.byteLength);
  return { id: v.getBigUint64(0, true), operation: slot[8] as number, status: v.getInt16(10, true) };
}
