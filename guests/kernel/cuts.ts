/** How one chunk of a request was torn when it was written into its ring. */
export interface Tear {
  /** Octets of the request that were in the ring before. */
  readonly at: number;
  /** Of the chunk, and of those the ones that were copied first; 0: all at once. */
  readonly octets: number;
  readonly first: number;
  /** How long its writer was absent behind these, and behind the store of the index, ns. */
  readonly copyNs: number;
  readonly storeNs: number;
}

/**
 * What becomes of one request of a thread: it goes out, not before its time, with at most so many octets of value, torn like that.
 * `tears` undefined: torn as it is drawn.
 */
export interface Kept {
  readonly atNs: number;
  readonly valueMax: number;
  readonly tears: readonly Tear[] | undefined;
}

/**
 * What of a run is left out: requests, by the thread that makes them and by how many it made before. Whoever makes a request that is left out is answered all the same, so that its draws, and those of everybody
 * else, stay where they are.
 */
export interface Cuts {
  /** `undefined`: it is left out. */
  kept(thread: string, request: number): Kept | undefined;
  /** The last request of a thread that is kept; -1: there is none. */
  lastKept(thread: string): number;
}

/** Somebody who hears of each request that goes out: the how manieth of its thread, when it was made, and what it is. */
export type RequestNoted = (made: {
  readonly thread: string;
  readonly request: number;
  readonly atNs: number;
  readonly type: number;
  readonly payload: Uint8Array;
  /** Whether nobody relies on what its thread asks. */
  readonly isFree: boolean;
}) => void;

/** Somebody who hears of each chunk that was torn, and of which request of its thread. */
export type TearNoted = (thread: string, request: number, tear: Tear) => void;

/** What a run does with the requests of its threads. */
export interface RequestPlan {
  /** Left out: all go out as they are made. */
  readonly cuts?: Cuts | undefined;
  readonly noted?: RequestNoted | undefined;
  readonly torn?: TearNoted | undefined;
  /** Called with the thread of each request that is left out. */
  readonly leftOut?: ((thread: { readonly isFree: boolean }) => void) | undefined;
}
