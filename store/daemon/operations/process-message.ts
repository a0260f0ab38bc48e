import { octetsOf } from '../../protocol/octets.ts';
import type { Message } from '../../protocol/wire.ts';
import { StoreError, XS } from '../../protocol/wire.ts';
import type { Transaction } from '../../tree/transaction.ts';
import { View } from '../../tree/view.ts';
import type { Connection, Delayed } from '../connection.ts';
import type { Daemon } from '../daemon.ts';
import type { Answer } from './request.ts';
import { OPERATIONS } from './table.ts';

/**
 * Process one complete request: the errno door of the store. Whatever a client sends, it gets an answer and the daemon goes
 * on; anything but a StoreError arriving here is our own mistake and passes through.
 * Order of checks: store.md 1.5. Source: core.c, process_message.
 */
export function processMessage(daemon: Daemon, conn: Connection, message: Message): void {
  const { type, txId } = message;
  if (type === XS.TRANSACTION_START && isPutAside(daemon, conn, message)) return;
  daemon.trace.request(conn, type, message.payload);
  const cause = conn.isUnprivileged ? { conn, pending: 1 } : undefined;
  const operation = type <= daemon.state.compat.typeMax ? OPERATIONS[type] : undefined;
  if (operation === undefined) return daemon.output.error(conn, message, 'ENOSYS', cause);
  if (operation.priv === true && conn.isUnprivileged) return daemon.output.error(conn, message, 'EACCES', cause);
  let tx: Transaction | undefined;
  if (txId !== 0 && operation.ignoresTx !== true) {
    tx = conn.transactions.get(txId);
    if (tx === undefined) return daemon.output.error(conn, message, 'ENOENT', cause);
  }
  // The first allocation of most handlers. In a transaction a failed one dooms the commit; a START may be put aside and come again.
  const mayFail = tx === undefined && conn.isLimited && type !== XS.TRANSACTION_START;
  if (mayFail && daemon.platform.lacksMemory(conn.domid)) return daemon.output.error(conn, message, 'ENOMEM', cause);
  const view = new View(daemon.ground, conn, tx, cause);
  let answer: Answer;
  try {
    answer = operation.run({ daemon, conn, message, tx, view, cause });
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    answer = error.errno;
  }
  if (typeof answer === 'string') daemon.output.error(conn, message, answer, cause);
  else if (answer !== undefined) daemon.output.reply(conn, message, type, answer, cause);
  if (view.writes > 0) daemon.throttle.pay(conn, view.writes);
}

/** A START while a live update is pending and the connection has nothing open waits, before anything of it is looked at. */
function isPutAside({ state, delayed }: Daemon, conn: Connection, message: Message): boolean {
  if (state.liveUpdate === undefined || state.options.policy !== 'daemon' || conn.transactions.size > 0) return false;
  if (conn.isUnprivileged && conn.delayed.length > 0) conn.blocked = message;
  else delayed.add(conn, { message, kind: 'transaction-start' });
  return true;
}

/** Carry out a request that was put aside and need not wait any longer (store.md 9.3, 9.6). */
export function processDelayed(daemon: Daemon, conn: Connection, { message, kind }: Delayed): void {
  if (kind !== 'live-update') return processMessage(daemon, conn, message);
  const text = daemon.state.liveUpdate?.reply ?? 'Cancellation was requested';
  daemon.output.reply(conn, message, message.type, octetsOf(`${text}\0`), undefined);
  daemon.delayed.endSession();
}
