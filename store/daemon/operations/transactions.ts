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

export function transactionEnd({ daemon, conn, message, tx, cause }: Request): Answer {
  const { accounting, ground, throttle, transactions } = daemon;
  const arg = oneString(message.payload);
  if (arg !== 'T' && arg !== 'F') return 'EINVAL';
  if (tx === undefined) return 'ENOENT';
  transactions.end(conn, tx);
  try {
    if (arg === 'F') return OK;
    commit(ground, conn, tx, cause);
    throttle.pay(conn, 1); // for all of it
  } finally {
    accounting.chargeTo(conn, -tx.memory); // for the private copies that are left
  }
  return OK;
}
