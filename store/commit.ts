import type { Connection } from './connection.ts';
import type { DaemonState } from './state.ts';
import type { Transaction } from './transaction.ts';
import { rewritten } from './tree.ts';
import { fireWatches } from './watch.ts';
import { refuse } from './wire.ts';

/**
 * TRANSACTION_END `T` (store.md 5.4): whole or not at all. Errors: ENOMEM an operation in it failed half way; ENOSPC nodes
 * quota; EAGAIN something that it touched was changed by somebody else. Source: transaction.c, finalize_transaction.
 */
export function commit(state: DaemonState, conn: Connection, tx: Transaction): void {
  if (tx.mustFail) refuse('EAGAIN');
  if (tx.failed) refuse('ENOMEM');
  const isLimited = tx.creates && conn.isUnprivileged;
  if (isLimited || state.compat.commitNeedsOwners) checkNodeCounts(state, tx, isLimited);
  for (const { path, base } of tx.accesses.values())
    if ((state.liveNode(path)?.generation ?? -1) !== base) refuse('EAGAIN');
  for (const { path, base, basePerms, node, modified, fire } of tx.accesses.values()) {
    if (!modified) continue;
    const live = state.liveNode(path);
    if (node !== undefined) state.store(rewritten(node, node.perms, ++state.generation), live);
    else if (live !== undefined && base !== -1) state.erase(live); // without a generation of its own
    // Who may see it is decided as the store is at this moment: of a new chain the leaf comes before its parents.
    const old = basePerms && { perms: basePerms, generation: base };
    if (fire !== undefined) fireWatches(state, path, state.liveNode(path), fire, old);
  }
  for (const [owner, delta] of tx.nodeDeltas) state.domains.countNodes(owner, delta);
  state.payForWrites(conn, 1);
}

/** Whoever gains or loses nodes must exist: ENOMEM. The quota is only for those who may not do everything: ENOSPC. */
function checkNodeCounts(state: DaemonState, tx: Transaction, isLimited: boolean): void {
  for (const [owner, delta] of tx.nodeDeltas) {
    if (state.domains.record(owner) === undefined && state.domains.findOrMake(owner) === undefined) refuse('ENOMEM');
    if (!isLimited || owner === state.options.privDomid) continue;
    const limit = state.limits(owner).nodes;
    const would = state.account(owner).nodes + delta;
    if (limit > 0 && would >= limit && (delta >= 0 || !state.compat.uniformQuota)) refuse('ENOSPC');
  }
}
