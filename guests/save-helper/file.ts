import type { Actor, OctetReader, OctetWriter } from '../../sim/index.ts';

/** What a disk takes in a second, octets. */
const DISK_BANDWIDTH = 400_000_000;
const NS_PER_S = 1_000_000_000;
/** Octets of one read(2). */
const READ_BYTES = 65_536;

export interface FileLimits {
  /** Octets for which the file system has room; left out: enough. */
  readonly roomBytes?: number;
}

/** A file in dom0: what was written stays there, whatever becomes of who wrote it (SV-1). */
export class SavedFile {
  #octets = new Uint8Array(0);
  #size = 0;

  /** @param octets what is in it; a copy is made. */
  constructor(octets?: Uint8Array) {
    if (octets !== undefined) this.#append(octets);
  }

  get size(): number {
    return this.#size;
  }

  /** A copy. */
  get octets(): Uint8Array {
    return this.#octets.slice(0, this.#size);
  }

  /** open(O_WRONLY | O_CREAT | O_TRUNC), and write(2). 'broken': ENOSPC, and what there was room for is there (FP-31). */
  writer({ roomBytes = Number.POSITIVE_INFINITY }: FileLimits = {}): OctetWriter {
    this.#size = 0;
    let isOpen = true;
    const file = this;
    return {
      *write(octets: Uint8Array): Actor<'ok' | 'broken'> {
        if (!isOpen) return 'broken';
        const count = Math.min(octets.length, roomBytes - file.#size);
        file.#append(octets.subarray(0, count));
        yield Math.ceil((count * NS_PER_S) / DISK_BANDWIDTH);
        return count < octets.length ? 'broken' : 'ok';
      },
      close: () => {
        isOpen = false;
      },
    };
  }

  /** open(O_RDONLY), and read(2), as far as the file goes at that time. */
  reader(): OctetReader {
    let at = 0;
    let isOpen = true;
    const file = this;
    return {
      *read(max: number): Actor<Uint8Array | 'end' | 'broken'> {
        if (!isOpen) return 'broken';
        const octets = file.#octets.slice(at, Math.min(file.#size, at + Math.min(max, READ_BYTES)));
        if (octets.length === 0) return 'end';
        at += octets.length;
        yield Math.ceil((octets.length * NS_PER_S) / DISK_BANDWIDTH);
        return octets;
      },
      close: () => {
        isOpen = false;
      },
    };
  }

  #append(octets: Uint8Array): void {
    const size = this.#size + octets.length;
    if (size > this.#octets.length) {
      const grown = new Uint8Array(Math.max(size, this.#octets.length * 2));
      grown.set(this.#octets.subarray(0, this.#size));
      this.#octets = grown;
    }
    this.#octets.set(octets, this.#size);
    this.#size = size;
  }
}
