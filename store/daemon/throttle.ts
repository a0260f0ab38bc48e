import type { Connection } from './connection.ts';
import type { Platform } from './platform.ts';
import type { DaemonState } from './state.ts';
import type { Wakes } from './wakes.ts';

type Known = Pick<
  DaemonState,
  'options' | 'openTransactions' | 'records' | 'rate' | 'waitingForCredit' | 'waitingForQuota' | 'liveUpdate'
>;

/** Who is not read for now: what limited connections pay for, and what they must wait for (store.md 10.2, 10.3). */
export class Throttle {
  readonly #state: Known;
  readonly #clock: Pick<Platform, 'nowMs'>;
  readonly #wakes: Wakes;

  constructor(state: Known, clock: Pick<Platform, 'nowMs'>, wakes: Wakes) {
    this.#state = state;
    this.#clock = clock;
    this.#wakes = wakes;
  }

  /**
   * Whether policy lets the connection be read: credit, outstanding requests, memory, a blocked request. Who may not for want of
   * a quota is remembered, since anybody may change that: who removes its nodes, or raises the quota.
   */
  canRead(conn: Connection): boolean {
    if (conn.moving !== undefined && (conn.moving === 'frozen' || conn.headerUsed === 0)) return false;
    if (conn.blocked !== undefined && this.#state.liveUpdate !== undefined) return false;
    const { record } = conn;
    if (!conn.isLimited || record === undefined) return true;
    const { rate, waitingForCredit, waitingForQuota } = this.#state;
    const isIndebted = record.credit !== undefined && !rate.allowed(record.credit, this.#clock.nowMs());
    const isOver = isOverQuota(conn);
    if (isIndebted) waitingForCredit.add(conn);
    if (isOver) waitingForQuota.add(conn);
    return !isIndebted && !isOver;
  }

  /** A limited connection pays for writes while any transaction is open. */
  pay(conn: Connection, writes: number): void {
    if (!this.#state.options.limitsWrites || this.#state.openTransactions === 0 || !conn.isLimited) return;
    const credit = conn.record?.credit;
    if (credit !== undefined) this.#state.rate.debit(credit, writes, this.#clock.nowMs());
  }

  /** A request was processed, or output has left: who waited for a quota may be within it by now. */
  lookAgain(): void {
    const { waitingForQuota } = this.#state;
    if (waitingForQuota.size === 0) return;
    for (const conn of waitingForQuota) {
      if (!conn.isClosed && isOverQuota(conn)) continue;
      waitingForQuota.delete(conn);
      if (!conn.isClosed) this.#wakes.inputAllowed(conn);
    }
  }

  /** Time has passed: who waited for credit may have it by now. */
  recover(nowMs: number): void {
    const { records, rate, waitingForCredit } = this.#state;
    if (waitingForCredit.size === 0) return;
    for (const conn of [...waitingForCredit]) {
      const credit = records.get(conn.domid)?.credit;
      if (conn.isClosed || credit === undefined || rate.allowed(credit, nowMs)) {
        waitingForCredit.delete(conn);
        if (!conn.isClosed) this.#wakes.inputAllowed(conn);
      }
    }
  }

  /** Ms from now until somebody may have credit again; infinite: nobody waits for it. */
  waitMs(): number {
    const { records, rate, waitingForCredit } = this.#state;
    let wait = Number.POSITIVE_INFINITY;
    for (const conn of waitingForCredit) {
      const credit = records.get(conn.domid)?.credit;
      if (credit !== undefined) wait = Math.min(wait, Math.max(1, rate.waitMs(credit)));
    }
    return wait;
  }
}

/** Whether a limited connection has more outstanding, or holds more memory, than lets it be read. */
function isOverQuota({ record, limits }: Connection): boolean {
  if (record === undefined) return false;
  const { outstanding, memory } = record.account;
  return (
    (limits.outstanding > 0 && outstanding >= limits.outstanding) || (limits.memory > 0 && memory >= limits.memory)
  );
}
