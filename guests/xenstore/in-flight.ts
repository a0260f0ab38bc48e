/** A request that has no answer yet, for a report of a run that does not end. */
export interface InFlight {
  /** Name of the thread that waits. */
  readonly actor: string;
  readonly type: number;
  readonly txId: number;
  readonly payload: Uint8Array;
  /** Virtual time at which it was asked for. */
  readonly sinceNs: number;
  /** Whether the library has begun to write it. */
  readonly isBegun: boolean;
}
