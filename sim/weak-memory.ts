import type { Frame } from './memory.ts';
import type { Stream } from './random.ts';
import type { Scheduler } from './scheduler.ts';

interface Pending {
  readonly frame: Frame;
  readonly offset: number;
  readonly value: number;
  /** Write fences before it. */
  readonly epoch: number;
  isDone: boolean;
}

/** `tso`: stores are seen in their order, as on x86; `weak`: only those to one word, or with a fence between, as on Arm. */
export type StoreOrder = 'tso' | 'weak';

/**
 * One CPU's stores on their way to memory (MEM-1): the CPU itself sees them at once, others up to `delayNsMax` later, unless a
 * fence comes first. Loads happen when they are made: a load that passes an earlier store is seen, two loads in the wrong order
 * are not. Whoever stores through none of these has sequential consistency.
 */
export class StoreBuffer {
  readonly #scheduler: Scheduler;
  readonly #draws: Stream;
  readonly #byOwner: boolean;
  readonly #order: StoreOrder;
  readonly #delayNsMax: number;
  #pending: Pending[] = [];
  #epoch = 0;

  /** `byOwner`: whether this CPU runs the domain that owns the pages. */
  constructor(
    scheduler: Scheduler,
    draws: Stream,
    options: { readonly byOwner: boolean; readonly order: StoreOrder; readonly delayNsMax: number },
  ) {
    this.#scheduler = scheduler;
    this.#draws = draws;
    this.#byOwner = options.byOwner;
    this.#order = options.order;
    this.#delayNsMax = options.delayNsMax;
  }

  /** Store an aligned word, for others to see some time. */
  store32(frame: Frame, offset: number, value: number): void {
    const entry: Pending = { frame, offset, value, epoch: this.#epoch, isDone: false };
    this.#pending.push(entry);
    const dueNs = this.#scheduler.nowNs + this.#draws.between(0, this.#delayNsMax);
    this.#scheduler.at(dueNs, () => this.#complete(entry));
  }

  /** Load an aligned word: this CPU's own last store to it, or what everybody sees. */
  load32(frame: Frame, offset: number): number {
    for (let i = this.#pending.length - 1; i >= 0; i--) {
      const entry = this.#pending[i] as Pending;
      if (entry.frame === frame && entry.offset === offset) return entry.value >>> 0;
    }
    return frame.load32(offset);
  }

  /** A write fence: what is stored from here on is seen after what was stored before. */
  writeFence(): void {
    this.#epoch++;
  }

  /** A full fence, as every hypercall is: all stores are seen before the next load. */
  fence(): void {
    for (const entry of this.#pending) this.#write(entry);
    this.#pending = [];
  }

  #complete(entry: Pending): void {
    if (entry.isDone) return;
    const first = this.#pending.indexOf(entry);
    for (let i = 0; i <= first; i++) {
      const earlier = this.#pending[i] as Pending;
      const isSameWord = earlier.frame === entry.frame && earlier.offset === entry.offset;
      if (this.#order === 'tso' || isSameWord || earlier.epoch < entry.epoch) this.#write(earlier);
    }
    this.#pending = this.#pending.filter((e) => !e.isDone);
  }

  #write(entry: Pending): void {
    entry.isDone = true;
    entry.frame.store32(entry.offset, entry.value, this.#byOwner);
  }
}
