import { XS } from '../../store/protocol/wire.ts';
import type { ClientHabits } from './habits.ts';
import type { Request } from './requests.ts';

/** What a suspend waits for, and what waits for the suspend to end. Source: linux xenbus_xs.c, xs_request_enter and _exit. */
export class Suspension {
  readonly #habits: ClientHabits;
  /** Transactions that count, by the caller's id. */
  readonly #open = new Set<number>();
  /** Requests that came too late: they go on after the suspend. */
  readonly #door: Request[] = [];
  /** Transactions of which the store knew nothing at their end; Linux counts them for ever. */
  #leaked = 0;
  /** Requests that were let in and have no answer. */
  #users = 0;
  isClosed = false;

  constructor(habits: ClientHabits) {
    this.#habits = habits;
  }

  /** Let a request in, or keep it at the door. */
  admits(request: Request): boolean {
    if (!this.isClosed || this.#open.has(request.txId)) {
      this.#users++;
      return true;
    }
    this.#door.push(request);
    return false;
  }

  /** The answer to a request that was let in. */
  answered({ type, txId, reply }: Request, startedTxId: number): void {
    this.#users--;
    if (this.#habits.suspendWaits !== 'requests and transactions') return;
    if (type === XS.TRANSACTION_START && reply?.error === undefined) this.#open.add(startedTxId);
    else if (type === XS.TRANSACTION_END && this.#open.delete(txId)) {
      if (reply?.error === 'ENOENT' && this.#habits.leaksLostTransactions) this.#leaked++;
    }
  }

  /** The connection begins anew: no transaction of before is open any more. */
  forgetTransactions(): void {
    this.#open.clear();
    this.#leaked = 0;
  }

  /** Nobody is in any more. */
  get isQuiet(): boolean {
    return this.#users === 0 && this.#open.size === 0 && this.#leaked === 0;
  }

  /** Nobody is in but transactions that the store has lost: nothing can end the wait for them. */
  get isForEver(): boolean {
    return this.isClosed && this.#users === 0 && this.#open.size === 0 && this.#leaked > 0;
  }

  /** Those who waited at the door, in the order in which they came. */
  open(): Request[] {
    this.isClosed = false;
    return this.#door.splice(0);
  }
}
