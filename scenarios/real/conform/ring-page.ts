import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { REQ_CONS, REQ_PROD, RING_BYTES, RSP_AT, RSP_CONS, RSP_PROD, used } from '../../../sim/index.ts';

/** A guest's end of its ring page; the page is a file that the daemon has mapped, so reads and writes here are its memory. */
export class RingPage {
  readonly #fd: number;
  readonly #word = new Uint8Array(4);
  readonly #wordView = new DataView(this.#word.buffer);

  constructor(path: string) {
    this.#fd = openSync(path, 'r+');
  }

  /** One u32 of the page, at an offset of xs_wire.h. */
  read32(at: number): number {
    readSync(this.#fd, this.#word, 0, 4, at);
    return this.#wordView.getUint32(0, true);
  }

  write32(at: number, value: number): void {
    this.#wordView.setUint32(0, value, true);
    writeSync(this.#fd, this.#word, 0, 4, at);
  }

  /** Put in as much as there is room for; returns the count. */
  put(octets: Uint8Array): number {
    const prod = this.read32(REQ_PROD);
    const unread = used(prod, this.read32(REQ_CONS));
    const count = Math.min(octets.length, unread > RING_BYTES ? 0 : RING_BYTES - unread);
    this.#copy(prod, count, (from, length, at) => writeSync(this.#fd, octets, from, length, at));
    if (count > 0) this.write32(REQ_PROD, (prod + count) >>> 0);
    return count;
  }

  /** Take out everything that is there. */
  take(): Uint8Array {
    const cons = this.read32(RSP_CONS);
    const count = used(this.read32(RSP_PROD), cons);
    if (count === 0 || count > RING_BYTES) return new Uint8Array(0);
    const octets = new Uint8Array(count);
    this.#copy(cons, count, (from, length, at) => readSync(this.#fd, octets, from, length, RSP_AT + at));
    this.write32(RSP_CONS, (cons + count) >>> 0);
    return octets;
  }

  /** One step per contiguous piece of the ring. */
  #copy(index: number, count: number, step: (from: number, length: number, at: number) => void): void {
    for (let from = 0; from < count; ) {
      const at = (index + from) % RING_BYTES;
      const length = Math.min(count - from, RING_BYTES - at);
      step(from, length, at);
      from += length;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}
