import type { Connection } from './connection.ts';

/** A live update between its `-f` and its end. Source: tools/xenstored/lu.c. */
export interface LiveUpdateSession {
  /** The connection that sent `-f`; the session ends with it. */
  readonly owner: Connection;
  readonly file: string;
  commandLine: string;
  force: boolean;
  timeoutSeconds: number;
  version: number;
  /** Second of the wall clock at which `-s` came; undefined before. */
  startedSecond: number | undefined;
  /** Reply that ends a pending `-s`. */
  reply: string | undefined;
}

/** What a pending `-s` is judged by. */
export interface Pending {
  /** Open transactions go over to the successor: nothing need be waited for. */
  readonly carriesTransactions: boolean;
  readonly openTransactions: number;
  readonly connections: Iterable<Connection>;
  /** Of the wall clock. */
  readonly nowSecond: number;
}

/**
 * Whether the pending `-s` may go now, must wait, or is over with `session.reply` (store.md 9.3); over without a reply, and
 * without a session: it was aborted.
 */
export function evaluateLiveUpdate(session: LiveUpdateSession | undefined, pending: Pending): 'wait' | 'go' | 'reply' {
  if (session === undefined || session.reply !== undefined) return 'reply';
  const { nowSecond: now } = pending;
  if (pending.carriesTransactions || pending.openTransactions === 0) return 'go';
  const holders = [...pending.connections].filter((c) => c.transactions.size > 0);
  const age = (c: Connection) => now - c.txSinceSecond;
  if (session.force && holders.every((c) => age(c) >= session.timeoutSeconds)) return 'go';
  if (now < (session.startedSecond ?? now) + session.timeoutSeconds) return 'wait';
  if (session.force) return 'go';
  const old = holders.filter((c) => age(c) >= session.timeoutSeconds);
  session.reply =
    old.length === 0
      ? 'Overlapping transactions'
      : `Domains with long running transactions:${old.map((c) => `\nDomain ${c.domid}: ${age(c)} s`).join('')}`;
  return 'reply';
}
