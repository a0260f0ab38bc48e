/** What xenconsoled holds of one guest's output until its terminal takes it. Source: tools/console/daemon/io.c, struct buffer. */
export class ConsoleBuffer {
  #bytes = new Uint8Array(1024);
  #consumed = 0;
  #size = 0;
  /** Octets allowed; 0: any number. */
  limit = 0;

  /** Octets held, those that were written but not yet forgotten included: this is what the limit is compared with. */
  get size(): number {
    return this.#size;
  }

  /** What the terminal has not taken yet; a view that the next call makes stale. */
  get pending(): Uint8Array {
    return this.#bytes.subarray(this.#consumed, this.#size);
  }

  append(bytes: Uint8Array): void {
    if (this.#size + bytes.length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#size + bytes.length));
      larger.set(this.#bytes.subarray(0, this.#size));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#size);
    this.#size += bytes.length;
  }

  /**
   * Keep to the limit, give or take a quarter: forget what was written, or else cut out the middle. The newest octets stay, and
   * so do the oldest.
   */
  discard(): void {
    const { limit } = this;
    if (limit === 0 || this.#size <= Math.floor((5 * limit) / 4)) return;
    if (this.#consumed > Math.floor(limit / 4)) {
      this.#bytes.copyWithin(0, this.#consumed, this.#size);
      this.#size -= this.#consumed;
      this.#consumed = 0;
      return;
    }
    this.#bytes.copyWithin(Math.floor(limit / 2), limit, this.#size);
    this.#size -= limit - Math.floor(limit / 2);
  }

  /** The terminal has taken `count` octets. */
  advance(count: number): void {
    this.#consumed += count;
    if (this.#consumed !== this.#size) return;
    this.#consumed = 0;
    this.#size = 0;
  }
}
