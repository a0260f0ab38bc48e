/** Virtual time of the daemon's work, ns. Bounds on how long somebody may wait for it are derived from these. */
export const DAEMON_COSTS = {
  /** A pass over all connections, beside what is done for each. */
  passNs: 200,
  /** A message that was read whole, and served. */
  messageNs: 900,
  /** A piece of one. */
  pieceNs: 150,
  /** A message or a piece of one that was written. */
  writeNs: 350,
} as const;
