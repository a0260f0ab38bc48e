import type { Connection } from './connection.ts';
import type { DaemonState } from './state.ts';

/** A live update between its `-f` and its end. Source: tools/xenstored/lu.c. */
export interface LiveUpdateSession {
  /** The connection that sent `-f`; the session ends with it. */
  readonly owner: Connection;
  readonly file: string;
  commandLine: string;
  force: boolean;
  timeoutSeconds: number;
  version: number;
  /** Second at which `-s` came; undefined before. */
  startedSecond: number | undefined;
  /** Reply that ends a pending `-s`. */
  reply: string | undefined;
}

function nowSecond(state: DaemonState): number {
  return state.platform.wallSecond();
}

/** Whether the pending `-s` may go now, must wait, or is over with `session.reply` (store.md 9.3). */
export function evaluateLiveUpdate(state: DaemonState): 'wait' | 'go' | 'reply' {
  const session = state.liveUpdate;
  if (session === undefined || session.reply !== undefined) return 'reply';
  if (state.options.policy === 'carry' || state.openTransactions === 0) return 'go';
  const now = nowSecond(state);
  const holders = [...state.connections].filter((c) => c.transactions.size > 0);
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

export function startSecond(state: DaemonState): number {
  return nowSecond(state);
}
