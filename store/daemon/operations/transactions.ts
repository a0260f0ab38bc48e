import { octetsOf } from '../../protocol/octets.ts';
import { OK, oneString } from '../../protocol/wire.ts';
import { commit } from '../../tree/commit.ts';
import type { Answer, Request } from './request.ts';

export function transactionStart({ daemon, conn, tx }: Request): Answer {
  if (tx !== undefined) return 'EBUSY';
  if (conn.isLimited) {
    const limit = conn.limits.transactions;
    const open = conn.transactions.size;
    if (limit > 0 && (daemon.state.compat.uniformQuota ? open + 1 >= limit : open > limit)) return 'ENOSPC';
  }
  return octetsOf(`${daemon.transactions.start(conn).id}\0`);
}

/** OK is queued before the transaction and its private copies are given up: the domain's memory holds all of it then. An error is
 *  queued after that. */
export function transactionEnd({ daemon, conn, message, tx, cause }: Request): Answer {
  const { ground, output, state, throttle, transactions } = daemon;
  const arg = oneString(message.payload);
  if (arg !== 'T' && arg !== 'F') return 'EINVAL';
  if (tx === undefined) return 'ENOENT';
  try {
    if (arg === 'T') {
      commit(ground, conn, tx, cause);
      if (state.openTransactions > 1) throttle.pay(conn, 1); // for all of it, where others may be in its way
    }
    output.reply(conn, message, message.type, OK, cause);
  } finally {
    transactions.end(conn, tx);
  }
  return undefined;
}
