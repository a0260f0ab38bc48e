import type { Stream } from '../random.ts';

const MASK = 0xffff_ffff_ffff_ffffn;

/** Unique ids of one host's domains: xorshift 13, 7, 17 over 64 bits; never 0, different for each creation (DOM-6). */
export class UniqueIds {
  #last: bigint;

  /** The stream stands for the system time that Xen starts from. */
  constructor(draws: Stream) {
    this.#last = (BigInt(draws.bits()) << 32n) | BigInt(draws.bits()) | 1n;
  }

  next(): bigint {
    let x = this.#last;
    x ^= (x << 13n) & MASK;
    x ^= x >> 7n;
    x ^= (x << 17n) & MASK;
    this.#last = x;
    return x;
  }
}
