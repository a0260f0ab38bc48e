import { copyOctets, RING_BYTES } from '../../sim/index.ts';
import { HEADER_BYTES, PAYLOAD_MAX } from '../../store/protocol/wire.ts';

export interface Received {
  readonly type: number;
  readonly reqId: number;
  readonly txId: number;
  readonly payload: Uint8Array;
}

/** Response octets on their way to being messages. */
export class Incoming {
  readonly #dropsOverlong: boolean;
  #bytes = new Uint8Array(2 * RING_BYTES + HEADER_BYTES + PAYLOAD_MAX);
  #view = new DataView(this.#bytes.buffer);
  #from = 0;
  #to = 0;
  /** Headers that announced more than 4096 octets. */
  overlong = 0;

  constructor(dropsOverlong: boolean) {
    this.#dropsOverlong = dropsOverlong;
  }

  /** Octets held since the last `compact`. */
  get length(): number {
    return this.#to;
  }

  /** Octets given out as messages since the last `compact`. */
  get shifted(): number {
    return this.#from;
  }

  push(from: Uint8Array, at: number, count: number): void {
    if (this.#to + count > this.#bytes.length) this.#grow();
    copyOctets(from, at, this.#bytes, this.#to, count);
    this.#to += count;
  }

  shift(): Received | undefined {
    for (;;) {
      const at = this.#from;
      const v = this.#view;
      if (this.#to - at < HEADER_BYTES) return undefined;
      const len = v.getUint32(at + 12, true);
      if (len > PAYLOAD_MAX && this.#dropsOverlong) {
        // LX-10: the header is dropped, and what follows is taken for one.
        this.#from += HEADER_BYTES;
        this.overlong++;
        continue;
      }
      if (this.#to - at < HEADER_BYTES + len) return undefined;
      this.#from += HEADER_BYTES + len;
      if (len > PAYLOAD_MAX) this.overlong++;
      const payload = new Uint8Array(len);
      copyOctets(this.#bytes, at + HEADER_BYTES, payload, 0, len);
      return {
        type: v.getUint32(at, true),
        reqId: v.getUint32(at + 4, true),
        txId: v.getUint32(at + 8, true),
        payload,
      };
    }
  }

  compact(): void {
    if (this.#from === 0) return;
    if (this.#from < this.#to) this.#bytes.copyWithin(0, this.#from, this.#to);
    this.#to -= this.#from;
    this.#from = 0;
  }

  /** What was half received is forgotten. */
  clear(): void {
    this.#from = 0;
    this.#to = 0;
  }

  /** A client that believes what a header says makes room for it. */
  #grow(): void {
    const bytes = new Uint8Array(2 * this.#bytes.length);
    bytes.set(this.#bytes.subarray(0, this.#to));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}
