/** As much of protobuf's encoding as a trace needs. Source: protobuf.dev/programming-guides/encoding. */
export class Message {
  #octets: number[] = [];

  /** A field of type uint32, uint64, int32, int64 or enum. */
  uint(field: number, value: number | bigint): this {
    return this.#varint(field << 3).#varint(value);
  }

  fixed64(field: number, value: bigint): this {
    this.#varint((field << 3) | 1);
    for (let shift = 0n; shift < 64n; shift += 8n) this.#octets.push(Number((value >> shift) & 0xffn));
    return this;
  }

  text(field: number, value: string): this {
    return this.#counted(field, new TextEncoder().encode(value));
  }

  message(field: number, value: Message): this {
    return this.#counted(field, value.#octets);
  }

  octets(): Uint8Array {
    return Uint8Array.from(this.#octets);
  }

  #counted(field: number, octets: Iterable<number> & { readonly length: number }): this {
    this.#varint((field << 3) | 2).#varint(octets.length);
    for (const octet of octets) this.#octets.push(octet);
    return this;
  }

  #varint(value: number | bigint): this {
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest > 0x7fn; rest >>= 7n) this.#octets.push(Number(rest & 0x7fn) | 0x80);
    this.#octets.push(Number(rest));
    return this;
  }
}
