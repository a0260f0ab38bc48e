import { closeSync, readSync, writeSync } from 'node:fs';
import { Words } from './calls.ts';

/** The two FIFOs to a daemon. Whoever has written waits for the other: one of the two stands still at any time. */
export class Channel {
  readonly #to: number;
  readonly #from: number;
  #octets = new Uint8Array(1 << 20);

  /** @param to descriptor to write to, @param from descriptor to read from; both block. */
  constructor(to: number, from: number) {
    this.#to = to;
    this.#from = from;
  }

  /** Let the daemon go on, and wait for its next call; `undefined`: there is no daemon any more. */
  exchange(answer: Uint8Array): Words | undefined {
    try {
      for (let at = 0; at < answer.length; ) at += writeSync(this.#to, answer, at);
    } catch {
      return undefined; // EPIPE
    }
    return this.next();
  }

  /** Wait for a call; `undefined`: there is no daemon any more. */
  next(): Words | undefined {
    let count = 0;
    let end = 4;
    while (count < end) {
      if (count === this.#octets.length) this.#grow(end);
      const n = readSync(this.#from, this.#octets, count, this.#octets.length - count, null);
      if (n === 0) return undefined;
      count += n;
      if (count >= 4) end = 4 + new DataView(this.#octets.buffer).getUint32(0, true);
    }
    return new Words(this.#octets, 4, end);
  }

  /** Wait until the daemon, and whoever it has begotten, have closed their end. */
  drain(): void {
    while (readSync(this.#from, this.#octets, 0, this.#octets.length, null) > 0);
  }

  close(): void {
    closeSync(this.#to);
    closeSync(this.#from);
  }

  #grow(least: number): void {
    const octets = new Uint8Array(2 * least);
    octets.set(this.#octets);
    this.#octets = octets;
  }
}
