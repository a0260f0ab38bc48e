import type { Connection } from './connection.ts';
import type { DaemonState } from './state.ts';
import type { Transaction } from './transaction.ts';
import { fireWatches } from './watch.ts';
import { refuse } from './wire.ts';

/**
 * TRANSACTION_END `T` (store.md 5.4): whole or not at all. Errors: ENOMEM an operation in it failed half way; ENOSPC nodes
 * quota; EAGAIN something that it touched was changed by somebody else. Source: transaction.c, finalize_transaction.
 */
export function commit(state: DaemonState, conn: Connection, tx: Transaction): void {
  if (tx.mustFail) refuse('EAGAIN');
  if (tx.failed) refuse('ENOMEM');
  checkNodeCounts(state, tx, tx.creates && state.isUnprivileged(conn));
  for (const access of tx.accesses.values())
    if ((state.liveNode(access.path)?.generation ?? -1) !== access.base) refuse('EAGAIN');
  for (const access of tx.accesses.values()) {
    if (!access.modified) continue;
    const { path, node } = access;
    if (node !== undefined) state.putNode(node);
    else {
      const live = state.liveNode(path);
      if (live !== undefined) state.removeNode(live);
      else if (access.base === -1) continue; // made and removed inside: nobody hears of it
    }
    if (access.fire !== undefined) {
      const old = access.basePerms === undefined ? undefined : { perms: access.basePerms, generation: access.base };
      fireWatches(state, path, state.liveNode(path), access.fire, old);
    }
  }
  for (const [owner, delta] of tx.nodeDeltas) state.domains.countNodes(owner, delta);
  state.payForWrites(conn, 1);
}

/** Whoever gains or loses nodes must exist: ENOMEM. The quota is only for those who may not do everything: ENOSPC. */
function checkNodeCounts(state: DaemonState, tx: Transaction, isLimited: boolean): void {
  for (const [owner, delta] of tx.nodeDeltas) {
    if (state.domains.findOrMake(owner) === undefined) refuse('ENOMEM');
    if (!isLimited || owner === state.options.privDomid) continue;
    const limit = state.limits(owner).nodes;
    const would = state.account(owner).nodes + delta;
    if (limit > 0 && would >= limit && (delta >= 0 || !state.compat.uniformQuota)) refuse('ENOSPC');
  }
}
