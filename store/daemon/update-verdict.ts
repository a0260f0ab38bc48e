import type { Connection } from './connection.ts';
import type { DaemonState } from './state.ts';
import type { LiveUpdateSession } from './update-session.ts';

type Known = Pick<DaemonState, 'liveUpdate' | 'options' | 'openTransactions' | 'connections'>;

/** Whether the pending `-s` may go now, must wait, or is over with `session.reply` (store.md 9.3). */
export function evaluateLiveUpdate(state: Known, nowSecond: number): 'wait' | 'go' | 'reply' {
  const session = state.liveUpdate;
  if (session === undefined || session.reply !== undefined) return 'reply';
  const moving = [...state.connections].filter((c) => c.moving !== undefined);
  if (moving.length > 0) return waitForMoves(session, moving, nowSecond);
  if (state.options.policy === 'carry' || state.openTransactions === 0) return 'go';
  const holders = [...state.connections].filter((c) => c.transactions.size > 0);
  const age = (c: Connection) => nowSecond - c.txSinceSecond;
  if (session.force && holders.every((c) => age(c) >= session.timeoutSeconds)) return 'go';
  if (nowSecond < (session.startedSecond ?? nowSecond) + session.timeoutSeconds) return 'wait';
  if (session.force) return 'go';
  const old = holders.filter((c) => age(c) >= session.timeoutSeconds);
  session.reply =
    old.length === 0
      ? 'Overlapping transactions'
      : `Domains with long running transactions:${old.map((c) => `\nDomain ${c.domid}: ${age(c)} s`).join('')}`;
  return 'reply';
}

/** No record tells of a frozen connection: a successor would serve it, and all would happen twice (MIG-67). Not to be forced. */
function waitForMoves(session: LiveUpdateSession, moving: readonly Connection[], nowSecond: number): 'wait' | 'reply' {
  if (nowSecond < (session.startedSecond ?? nowSecond) + session.timeoutSeconds) return 'wait';
  session.reply = `Domains that are migrated:${moving.map((c) => `\nDomain ${c.domid}`).join('')}`;
  return 'reply';
}
