import {
  copyOctets,
  REQ_AT,
  REQ_CONS,
  REQ_PROD,
  RING_BYTES,
  RSP_AT,
  RSP_CONS,
  RSP_PROD,
  readableChunk,
  used,
  writableChunk,
} from '../sim/index.ts';
import type { RingPage } from './host.ts';

/** An index pair that no honest guest can leave: the connection is to be ignored with error word 2. */
export const BAD_INDEX = -1;

/** Whether the loop has a reason to read: the indexes differ. They are judged only when read (store.md 2.2). */
export function ringHasRequest(page: RingPage): boolean {
  return page.load32(REQ_CONS) !== page.load32(REQ_PROD);
}

/** Whether the loop has a reason to write: the response ring is not exactly full. */
export function ringHasRoom(page: RingPage): boolean {
  return used(page.load32(RSP_PROD), page.load32(RSP_CONS)) !== RING_BYTES;
}

/**
 * Take at most `max` octets of what the guest has put in: one contiguous piece. Both indexes are loaded once.
 * @returns the count, which may be 0, or BAD_INDEX with nothing touched. Source: xenstored domain.c, readchn.
 */
export function readRing(page: RingPage, into: Uint8Array, at: number, max: number): number {
  const cons = page.load32(REQ_CONS);
  const prod = page.load32(REQ_PROD);
  if (used(prod, cons) > RING_BYTES) return BAD_INDEX;
  const count = Math.min(max, readableChunk(prod, cons));
  copyOctets(page.bytes, REQ_AT + (cons & (RING_BYTES - 1)), into, at, count);
  page.store32(REQ_CONS, (cons + count) >>> 0);
  return count;
}

/** Put at most `max` octets where the guest reads; otherwise as `readRing`. Source: xenstored domain.c, writechn. */
export function writeRing(page: RingPage, bytes: Uint8Array, at: number, max: number): number {
  const cons = page.load32(RSP_CONS);
  const prod = page.load32(RSP_PROD);
  if (used(prod, cons) > RING_BYTES) return BAD_INDEX;
  const count = Math.min(max, writableChunk(prod, cons));
  copyOctets(bytes, at, page.bytes, RSP_AT + (prod & (RING_BYTES - 1)), count);
  page.store32(RSP_PROD, (prod + count) >>> 0);
  return count;
}
