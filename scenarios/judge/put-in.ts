import { copyOctets } from '../../sim/index.ts';

/** Octets that lie in one or two pieces, as in a ring: `count` from `at` on, of which those from `first` on are at `rest`. */
export interface Pieces {
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly first: number;
  readonly rest: number;
  readonly count: number;
}

/** A copy of them in one piece. */
export function octetsOf({ bytes, at, first, rest, count }: Pieces): Uint8Array {
  const copy = new Uint8Array(count);
  const whole = Math.min(first, count);
  copyOctets(bytes, at, copy, 0, whole);
  copyOctets(bytes, rest, copy, whole, count - whole);
  return copy;
}

/**
 * What was put into one direction of one connection, from its first octet on and without gaps: the only copy that a history
 * keeps. What is taken out, sent or got is compared with it at once, and needs none of its own where it is the same.
 */
export class PutIn {
  /** Grows; what `window` has given stays as it is. */
  bytes = new Uint8Array(64);
  /** Octets so far. */
  end = 0;

  append({ bytes, at, first, rest, count }: Pieces): void {
    const { end } = this;
    const to = end + count;
    if (to > this.bytes.length) this.#grow(to);
    const whole = Math.min(first, count);
    copyOctets(bytes, at, this.bytes, end, whole);
    copyOctets(bytes, rest, this.bytes, end + whole, count - whole);
    this.end = to;
  }

  /** Whether the octets from position `from` on are these. */
  has(from: number, { bytes, at, first, rest, count }: Pieces): boolean {
    if (from + count > this.end) return false;
    const own = this.bytes;
    const whole = Math.min(first, count);
    for (let i = 0; i < whole; i++) if (own[from + i] !== bytes[at + i]) return false;
    for (let i = whole; i < count; i++) if (own[from + i] !== bytes[rest + i - whole]) return false;
    return true;
  }

  /** Whether the message that ends at `end` is this one. */
  hasMessage(end: number, type: number, reqId: number, txId: number, payload: Uint8Array): boolean {
    const at = end - payload.length;
    const start = at - HEADER_OCTETS;
    if (start < 0 || end > this.end) return false;
    if (this.u32(start) !== type || this.u32(start + 4) !== reqId || this.u32(start + 8) !== txId) return false;
    if (this.u32(start + 12) !== payload.length) return false;
    const own = this.bytes;
    for (let i = 0; i < payload.length; i++) if (own[at + i] !== payload[i]) return false;
    return true;
  }

  u32(at: number): number {
    const b = this.bytes;
    return (
      ((b[at] as number) |
        ((b[at + 1] as number) << 8) |
        ((b[at + 2] as number) << 16) |
        ((b[at + 3] as number) << 24)) >>>
      0
    );
  }

  window(from: number, to: number): Uint8Array {
    return this.bytes.subarray(from, to);
  }

  #grow(to: number): void {
    const grown = new Uint8Array(Math.max(to, this.bytes.length * 2));
    grown.set(this.bytes);
    this.bytes = grown;
  }
}

/** Source: xen/include/public/io/xs_wire.h, xsd_sockmsg. */
export const HEADER_OCTETS = 16;
