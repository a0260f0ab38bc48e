/** Octets in their order, up to a capacity. */
export class OctetQueue {
  readonly capacity: number;
  #bytes = new Uint8Array(256);
  #from = 0;
  #to = 0;

  /** @param capacity octets that it holds at most. */
  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get length(): number {
    return this.#to - this.#from;
  }

  get room(): number {
    return this.capacity - this.length;
  }

  /** Put `count` octets of `from`, beginning at `at`. The caller has looked at the room. */
  push(from: Uint8Array, at: number, count: number): void {
    if (this.#to + count > this.#bytes.length) {
      const held = this.#bytes.subarray(this.#from, this.#to);
      let size = this.#bytes.length;
      while (size < held.length + count) size *= 2;
      const bytes = size === this.#bytes.length ? this.#bytes : new Uint8Array(size);
      bytes.set(held);
      this.#to = held.length;
      this.#from = 0;
      this.#bytes = bytes;
    }
    this.#bytes.set(from.subarray(at, at + count), this.#to);
    this.#to += count;
  }

  /** Take up to `max` octets into `into`, from `at` on. @returns how many. */
  pull(into: Uint8Array, at: number, max: number): number {
    const count = Math.min(max, this.length);
    into.set(this.#bytes.subarray(this.#from, this.#from + count), at);
    this.#from += count;
    if (this.#from === this.#to) {
      this.#from = 0;
      this.#to = 0;
    }
    return count;
  }

  /** Up to `max` octets, the caller's to keep. */
  take(max: number): Uint8Array {
    const octets = new Uint8Array(Math.min(max, this.length));
    this.pull(octets, 0, octets.length);
    return octets;
  }

  clear(): void {
    this.#from = 0;
    this.#to = 0;
  }
}
