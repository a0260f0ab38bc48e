/** What becomes of one request of a thread: it goes out, not before its time, with at most so many octets of value. */
export interface Kept {
  readonly atNs: number;
  readonly valueMax: number;
}

/**
 * What of a run is left out: requests, by the thread that makes them and by how many it made before. A thread of which nothing is
 * said makes none. Whoever makes a request that is left out is answered all the same, so that its draws, and those of everybody
 * else, stay where they are.
 */
export interface Cuts {
  /** `undefined`: it is left out. */
  kept(thread: string, request: number): Kept | undefined;
  /** When the last request of a thread that is kept is made, virtual ns; `undefined`: there is none. */
  lastNs(thread: string): number | undefined;
}

/** Somebody who hears of each request that goes out: the how manieth of its thread, when it was made, and what it is. */
export type RequestNoted = (made: {
  readonly thread: string;
  readonly request: number;
  readonly atNs: number;
  readonly type: number;
  readonly payload: Uint8Array;
}) => void;

/** What a run does with the requests of its threads. */
export interface RequestPlan {
  /** Left out: all go out as they are made. */
  readonly cuts?: Cuts | undefined;
  readonly noted?: RequestNoted | undefined;
}
