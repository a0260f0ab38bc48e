import {
  type Actor,
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
} from '../../sim/index.ts';
import { ACCESS_NS, COPY_NS } from './costs.ts';
import type { RingPage } from './platform.ts';

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

/** Which way octets go: out of the requests of a guest, or into its responses. */
export type RingWay = 'read' | 'write';

/** What one move does, once the indexes were found to be good. */
function copyChunk(
  way: RingWay,
  page: RingPage,
  { cons, prod }: { readonly cons: number; readonly prod: number },
  bytes: Uint8Array,
  at: number,
  max: number,
): number {
  if (way === 'read') {
    const count = Math.min(max, readableChunk(prod, cons));
    page.take(REQ_AT + (cons & (RING_BYTES - 1)), bytes, at, count);
    return count;
  }
  const count = Math.min(max, writableChunk(prod, cons));
  page.put(RSP_AT + (prod & (RING_BYTES - 1)), bytes, at, count);
  return count;
}

/**
 * Take at most `max` octets of what the guest has put in: one contiguous piece, in one step.
 * @returns the count, which may be 0, or BAD_INDEX with nothing touched. Source: xenstored domain.c, readchn.
 */
export function readRing(page: RingPage, into: Uint8Array, at: number, max: number): number {
  const cons = page.load32(REQ_CONS);
  const prod = page.load32(REQ_PROD);
  if (used(prod, cons) > RING_BYTES) return BAD_INDEX;
  const count = copyChunk('read', page, { cons, prod }, into, at, max);
  page.store32(REQ_CONS, (cons + count) >>> 0);
  return count;
}

/** Put at most `max` octets where the guest reads; otherwise as `readRing`. Source: xenstored domain.c, writechn. */
export function writeRing(page: RingPage, bytes: Uint8Array, at: number, max: number): number {
  const cons = page.load32(RSP_CONS);
  const prod = page.load32(RSP_PROD);
  if (used(prod, cons) > RING_BYTES) return BAD_INDEX;
  const count = copyChunk('write', page, { cons, prod }, bytes, at, max);
  page.store32(RSP_PROD, (prod + count) >>> 0);
  return count;
}

/**
 * `readRing` or `writeRing` as the daemon's processor does it: others run between any two of its accesses. The index that it
 * moves is loaded once more, so what the guest has stored there meanwhile gets the count added, and what it stores after that
 * load is lost (MEM-5).
 * Source: xenstored domain.c, readchn and writechn: `intf->req_cons += len`.
 */
export function* moveInSteps(way: RingWay, page: RingPage, bytes: Uint8Array, at: number, max: number): Actor<number> {
  const [consAt, prodAt, ownAt] = way === 'read' ? [REQ_CONS, REQ_PROD, REQ_CONS] : [RSP_CONS, RSP_PROD, RSP_PROD];
  const cons = page.load32(consAt);
  yield ACCESS_NS;
  const prod = page.load32(prodAt);
  yield ACCESS_NS;
  if (used(prod, cons) > RING_BYTES) return BAD_INDEX;
  const count = copyChunk(way, page, { cons, prod }, bytes, at, max);
  yield COPY_NS;
  const own = page.load32(ownAt);
  yield ACCESS_NS;
  page.store32(ownAt, (own + count) >>> 0);
  yield ACCESS_NS;
  return count;
}
