/**
 * What moves domains to other hosts without their help (NC-35): an extension, which no release of xenstored has. A daemon
 * without it does not know the word CONTROL `migrate`.
 */
export interface Moves {
  /** Carry out one command of `daemon`, which is a Daemon (its options are part of what it knows, and cannot name it), at once: `OK` or what else it has to say. Failures are texts, as those of a live update.
   *  Errors (thrown): EINVAL no such command. */
  command(daemon: object, args: readonly string[]): string;
}
