/** A rolling 64-bit digest of everything that happens: two 32-bit lanes, a few multiplications an event. */
export class Digest {
  #a = 0x9e3779b9 | 0;
  #b = 0x85ebca6b | 0;

  /** Fold one 32-bit word. */
  word(value: number): void {
    this.#a = Math.imul(this.#a ^ value, 0x01000193) ^ (this.#b >>> 15);
    this.#b = (Math.imul(this.#b, 0x9e3779b1) + (value ^ (this.#a >>> 13))) | 0;
  }

  /** Fold a whole number below 2^53, such as a time in ns. */
  wide(value: number): void {
    this.word(value | 0);
    this.word((value / 0x1_0000_0000) | 0);
  }

  /** Fold octets and their count. */
  octets(bytes: Uint8Array, from: number, to: number): void {
    let a = this.#a;
    for (let i = from; i < to; i++) a = Math.imul(a ^ (bytes[i] as number), 0x01000193);
    this.#a = a;
    this.word(to - from);
  }

  /** Fold a text, one code unit a word. */
  text(value: string): void {
    for (let i = 0; i < value.length; i++) this.word(value.charCodeAt(i));
    this.word(value.length);
  }

  /** Sixteen hex digits. */
  hex(): string {
    const lane = (n: number) => (n >>> 0).toString(16).padStart(8, '0');
    return lane(this.#a) + lane(this.#b);
  }
}
