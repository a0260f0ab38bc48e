import type { LiveTree } from '../tree/live-tree.ts';
import { newTransaction, type Transaction } from '../tree/transaction.ts';
import type { Accounting } from './accounting.ts';
import type { Connection } from './connection.ts';
import type { Platform } from './platform.ts';
import type { DaemonState } from './state.ts';
import type { TraceFile } from './trace-file.ts';

type Known = Pick<DaemonState, 'openTransactions'>;

/** Which transactions are open. */
export class Transactions {
  readonly #state: Known;
  readonly #clock: Pick<Platform, 'wallSecond'>;
  readonly #accounting: Accounting;
  readonly #tree: LiveTree;
  readonly #trace: TraceFile;

  constructor(
    state: Known,
    clock: Pick<Platform, 'wallSecond'>,
    accounting: Accounting,
    tree: LiveTree,
    trace: TraceFile,
  ) {
    this.#state = state;
    this.#clock = clock;
    this.#accounting = accounting;
    this.#tree = tree;
    this.#trace = trace;
  }

  /** A new one with the connection's next free id. */
  start(conn: Connection): Transaction {
    let id = conn.lastTxId;
    do id = id === 0xffff_ffff ? 1 : id + 1;
    while (conn.transactions.has(id));
    const tx = newTransaction(id, false, this.#tree.nextGeneration());
    conn.lastTxId = id;
    this.open(conn, tx);
    return tx;
  }

  /** Also how a live update restores one. */
  open(conn: Connection, tx: Transaction): void {
    this.#trace.came('transaction', tx.generation);
    conn.transactions.set(tx.id, tx);
    this.#state.openTransactions++;
    this.#accounting.count(conn, 'transactions', 1);
    if (conn.transactions.size === 1) conn.txSinceSecond = this.#clock.wallSecond();
  }

  /** It is over, and with it go the private copies that are left. */
  end(conn: Connection, tx: Transaction): void {
    this.#trace.went('transaction', tx.generation);
    this.#accounting.chargeTo(conn, -tx.memory);
    conn.transactions.delete(tx.id);
    this.#state.openTransactions--;
    this.#accounting.count(conn, 'transactions', -1);
  }

  /** Give up all of a connection's. */
  drop(conn: Connection): void {
    for (const tx of [...conn.transactions.values()]) this.end(conn, tx);
  }
}
