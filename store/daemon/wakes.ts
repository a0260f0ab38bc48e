import type { Connection } from './connection.ts';

/** Whom the parts of a daemon tell that there is something to do: its main loop. */
export interface Wakes {
  /** Something was queued on a connection. */
  outputQueued(conn: Connection): void;
  /** A connection that policy kept from being read may be read again. */
  inputAllowed(conn: Connection): void;
  /** A connection was released by its neighbour in the list. @returns whether its end is put off until its own turn comes. */
  released(conn: Connection): boolean;
  /** A guest stored to its ring's indexes. */
  touched(conn: Connection): void;
}

/** Nobody is served: a state is being restored, or requests are handed to the daemon directly. */
export const NOBODY: Wakes = {
  outputQueued: () => {},
  inputAllowed: () => {},
  released: () => false,
  touched: () => {},
};
