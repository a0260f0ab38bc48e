/** What becomes of one request of a thread: it goes out, with at most so many octets of value, or it is left out. */
export type Kept = { readonly valueMax: number } | undefined;

/**
 * What of a run is left out: requests, by the thread that makes them and by how many it made before. A thread of which nothing is
 * said makes none. Whoever makes a request that is left out is answered all the same, so that its draws, and those of everybody
 * else, stay where they are.
 */
export interface Cuts {
  kept(thread: string, request: number): Kept;
}

/** The requests that one thread makes: counted, and looked up. */
export class RequestCount {
  readonly #thread: string;
  readonly #cuts: Cuts | undefined;
  #made = 0;

  constructor(thread: string, cuts: Cuts | undefined) {
    this.#thread = thread;
    this.#cuts = cuts;
  }

  /** Whether any request of anybody is left out. */
  get isCut(): boolean {
    return this.#cuts !== undefined;
  }

  /** How many were made so far, those that were left out among them. */
  get made(): number {
    return this.#made;
  }

  /** One more is made: `undefined` where it is to be left out. */
  next(): Kept {
    const n = this.#made++;
    return this.#cuts === undefined ? WHOLE : this.#cuts.kept(this.#thread, n);
  }
}

const WHOLE: Kept = { valueMax: Number.POSITIVE_INFINITY };
