/** What a live update interrupted, at the moment of the dump, and what came of it. */
export interface UpdateRecord {
  /** Counts from 1, as in the news. */
  readonly n: number;
  readonly format: string;
  /** Virtual ns at which the update began. */
  readonly atNs: number;
  /** `failed`: the old instance has served on, or, if `ended` is set since, there is no store any more. */
  readonly outcome: 'ok' | 'failed';
  /** Why it failed; '' otherwise. */
  readonly reason: string;
  readonly connections: number;
  /** Requests of which the store had consumed some octets, but not all. */
  readonly partialRequests: number;
  /** Octets of requests that were in rings, not consumed. */
  readonly requestOctetsInRings: number;
  /** Messages to clients of which some octets were written, but not all. */
  readonly partialReplies: number;
  readonly queuedReplies: number;
  readonly queuedEvents: number;
  readonly openTransactions: number;
  readonly watches: number;
  readonly nodes: number;
  /** Of all files together; 0 where nothing could be written. */
  readonly imageBytes: number;
  /** What the format does not carry, a line each; empty for `v1` and `v2`. */
  readonly losses: readonly string[];
  /** How many of each kind, in the order in which the kinds were met. */
  readonly lossCounts: readonly (readonly [kind: string, count: number])[];
  /** Virtual ns during which nobody was served. */
  readonly pauseNs: number;
}
