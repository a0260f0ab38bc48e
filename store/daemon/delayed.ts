import type { Connection, Delayed } from './connection.ts';
import type { Platform } from './platform.ts';
import type { DaemonState } from './state.ts';
import { evaluateLiveUpdate } from './update-verdict.ts';
import type { Wakes } from './wakes.ts';

type Known = Pick<DaemonState, 'withDelayed' | 'connections' | 'liveUpdate' | 'options' | 'openTransactions'>;

/** Requests that were put aside, and the live update that they wait for (store.md 9.3). */
export class DelayedRequests {
  readonly #state: Known;
  readonly #clock: Pick<Platform, 'wallSecond'>;
  readonly #wakes: Wakes;

  constructor(state: Known, clock: Pick<Platform, 'wallSecond'>, wakes: Wakes) {
    this.#state = state;
    this.#clock = clock;
    this.#wakes = wakes;
  }

  /** Whether anything is put aside. */
  get isAny(): boolean {
    for (const conn of this.#state.withDelayed) if (conn.moving !== 'frozen') return true;
    return false;
  }

  add(conn: Connection, delayed: Delayed): void {
    conn.delayed.unshift(delayed);
    this.#state.withDelayed.add(conn);
  }

  /** Nobody waits for the answers any more. */
  drop(conn: Connection): void {
    conn.delayed = [];
    conn.blocked = undefined;
    this.#state.withDelayed.delete(conn);
  }

  /** The update was aborted or has failed: the session is over, and what was blocked by it may go on. */
  endSession(): void {
    this.#state.liveUpdate = undefined;
    for (const conn of this.#state.connections) if (conn.blocked !== undefined) this.#wakes.inputAllowed(conn);
  }

  /**
   * Call each delayed request once, newest first, in connection order (store.md 0.4, step 5).
   * @param execute runs a request that need not wait any longer.
   * @returns `live-update` when the update is to be carried out now.
   */
  run(execute: (conn: Connection, delayed: Delayed) => void): 'live-update' | undefined {
    const { withDelayed } = this.#state;
    for (const conn of [...withDelayed].sort((a, b) => a.serial - b.serial)) {
      if (conn.moving === 'frozen') continue; // done here and in the image, it would be done twice
      for (const delayed of conn.delayed.slice()) {
        if (!conn.delayed.includes(delayed)) continue;
        if (delayed.kind === 'live-update') {
          const verdict = evaluateLiveUpdate(this.#state, this.#clock.wallSecond());
          if (verdict === 'wait') continue;
          if (verdict === 'go') return 'live-update';
        } else if (delayed.kind === 'transaction-start' && this.#state.liveUpdate !== undefined) continue;
        conn.delayed = conn.delayed.filter((d) => d !== delayed);
        execute(conn, delayed);
      }
      if (conn.delayed.length === 0) withDelayed.delete(conn);
    }
    return undefined;
  }
}
