import {
  copyOctets,
  type Domid,
  ERROR,
  type Frame,
  type MappedPage,
  REQ_AT,
  RING_BYTES,
  type RingWord,
  RSP_AT,
  type StoreNews,
  type StoreObserver,
  type Trace,
  wordAt,
} from '../../sim/index.ts';
import type { RingPage } from './platform.ts';

/** What a ring's record needs of the process that has the ring mapped. */
export interface RingWitness {
  readonly trace: Trace;
  /** Others run between any two of the daemon's accesses to a ring, as they do in life; otherwise a move is one step. */
  readonly movesInSteps: boolean;
  tell(news: StoreNews): void;
}

/**
 * The index stores to one ring page, by whoever makes them, on their way into the trace and to who has it mapped. Its guest
 * stores while nobody does, too, so a record goes on until the next mapping of the page begins one of its own. A guest that goes
 * to another host takes its page along; the record stays with what is left behind.
 */
export class RingRecord {
  readonly witness: RingWitness;
  readonly #domid: Domid;
  readonly #mappers: (() => void)[] = [];
  /** What was copied out of the ring or into it last, where others run between that and the index that says so. */
  moved: Uint8Array | undefined = undefined;
  readonly observer: StoreObserver;
  /** Ends the record. */
  readonly end: () => void;

  constructor(witness: RingWitness, domid: Domid, frame: Frame) {
    this.witness = witness;
    this.#domid = domid;
    this.observer = (offset, before, after, byOwner, bytes) => this.#stored(offset, before, after, byOwner, bytes);
    this.end = frame.subscribe(this.observer);
  }

  /** Call `touched` at each store of the guest from now on. @returns what ends that. */
  attach(touched: () => void): () => void {
    this.#mappers.push(touched);
    return () => {
      const at = this.#mappers.indexOf(touched);
      if (at >= 0) this.#mappers.splice(at, 1);
    };
  }

  #stored(offset: number, before: number, after: number, byOwner: boolean, page: Uint8Array): void {
    const word = wordAt(offset);
    if (word >= 0 && before !== after) {
      const bytes = byOwner ? page : this.#asMoved(word as RingWord, before, page);
      this.witness.trace.index(this.#domid, byOwner ? 'guest' : 'store', word as RingWord, before, after, bytes);
    } else if (offset === ERROR && !byOwner)
      this.witness.tell({ phase: 'error-word', client: this.#domid, error: after });
    if (byOwner) for (let i = 0; i < this.#mappers.length; i++) (this.#mappers[i] as () => void)();
  }

  /**
   * The page as the daemon saw it when it moved what an index, now at `from`, tells of: 1. The daemon copies a request out of the
   * ring. 2. The guest changes the octets. 3. The daemon says that it has taken them: those of step 1.
   */
  #asMoved(word: RingWord, from: number, bytes: Uint8Array): Uint8Array {
    const { moved } = this;
    if (moved === undefined) return bytes;
    this.moved = undefined;
    const page = bytes.slice();
    const buffer = word < 2 ? REQ_AT : RSP_AT;
    for (let i = 0; i < moved.length; i++) page[buffer + ((from + i) & (RING_BYTES - 1))] = moved[i] as number;
    return page;
  }
}

/** A guest's ring page as the daemon's process has it mapped. */
export class MappedRing implements RingPage {
  readonly gfn: number;
  readonly #page: MappedPage;
  readonly #record: RingRecord;
  readonly #unmap: () => void;
  #isMapped = true;

  /** @param unmap called once, when the mapping is dropped. */
  constructor(frame: Frame, page: MappedPage, record: RingRecord, unmap: () => void) {
    this.gfn = frame.gfn;
    this.#page = page;
    this.#record = record;
    this.#unmap = unmap;
  }

  take(offset: number, into: Uint8Array, at: number, count: number): void {
    copyOctets(this.#page.bytes, offset, into, at, count);
    if (this.#record.witness.movesInSteps) this.#record.moved = into.slice(at, at + count);
  }

  put(offset: number, from: Uint8Array, at: number, count: number): void {
    copyOctets(from, at, this.#page.bytes, offset, count);
    if (this.#record.witness.movesInSteps) this.#record.moved = from.slice(at, at + count);
  }

  load32(offset: number): number {
    return this.#page.load32(offset);
  }

  store32(offset: number, value: number): void {
    this.#page.store32(offset, value, false);
  }

  unmap(): void {
    if (!this.#isMapped) return;
    this.#isMapped = false;
    this.#unmap();
  }
}
