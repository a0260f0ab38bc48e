import { copyOctets, type Frame, REQ_AT, RING_BYTES, RSP_AT } from '../../sim/index.ts';
import type { MessageReader } from '../../store/protocol/message-reader.ts';
import { HEADER_BYTES, payloadLength } from '../../store/protocol/wire.ts';

export const MASK = RING_BYTES - 1;

/** LX-9: indexes that cannot be are both made 0. */
export function zero(ring: Frame, cons: number, prod: number): void {
  ring.store32(cons, 0, true);
  ring.store32(prod, 0, true);
}

/** Copy into the request buffer at free-running index `prod`. */
export function put(ring: Frame, prod: number, bytes: Uint8Array, from: number, count: number): void {
  const at = prod & MASK;
  const first = Math.min(count, RING_BYTES - at);
  copyOctets(bytes, from, ring.bytes, REQ_AT + at, first);
  if (first < count) copyOctets(bytes, from + first, ring.bytes, REQ_AT, count - first);
  ring.wrote();
}

/** Copy out of the response buffer at free-running index `cons`. */
export function take(ring: Frame, cons: number, count: number, into: MessageReader): void {
  const at = cons & MASK;
  const first = Math.min(count, RING_BYTES - at);
  into.push(ring.bytes, RSP_AT + at, first);
  if (first < count) into.push(ring.bytes, RSP_AT, count - first);
}

/** As many octets of the response buffer as `into` is long, from free-running index `cons` on. */
function copyOut(ring: Frame, cons: number, into: Uint8Array): void {
  const at = cons & MASK;
  const first = Math.min(into.length, RING_BYTES - at);
  copyOctets(ring.bytes, RSP_AT + at, into, 0, first);
  copyOctets(ring.bytes, RSP_AT, into, first, into.length - first);
}

/** Octets of the next message if all of it is there, else 0: for ever, if it does not fit into a ring (MO-2). */
export function wholeMessage(ring: Frame, cons: number, there: number): number {
  if (there < HEADER_BYTES) return 0;
  const header = new Uint8Array(HEADER_BYTES);
  copyOut(ring, cons, header);
  const total = HEADER_BYTES + payloadLength(header);
  return total > there ? 0 : Math.min(total, RING_BYTES);
}
