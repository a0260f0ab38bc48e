import type { Connection } from '../daemon/connection.ts';
import type { DaemonState } from '../daemon/state.ts';
import { fireWatches } from '../daemon/watch.ts';
import { baseOf, parentOf } from '../protocol/path.ts';
import { refuse } from '../protocol/wire.ts';
import { type Node, ownerOf, rewritten, withoutChild } from './node.ts';
import { copyOctets, type Transaction } from './transaction.ts';

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
  // Private copies go one by one, each before the node is written from it: what events find of the memory quota.
  const drop = (copy: Node | undefined) => {
    if (copy === undefined) return;
    const octets = copyOctets(tx, copy, state.compat);
    tx.memory -= octets;
    state.chargeTo(conn, -octets);
  };
  for (const { node, modified } of tx.accesses.values()) if (!modified) drop(node);
  const left: string[] = [];
  for (const { path, base, basePerms, node, modified, fire } of tx.accesses.values()) {
    if (!modified) continue;
    const live = state.liveNode(path);
    drop(node);
    if (node !== undefined) {
      const written = rewritten(node, node.perms, ++state.generation);
      if (state.compat.commitSkipsOwnerless && state.domains.record(ownerOf(node)) === undefined) left.push(path);
      else state.store(written, live);
    } else if (live !== undefined && base !== -1) state.erase(live); // without a generation of its own
    // Who may see it is decided as the store is at this moment: of a new chain the leaf comes before its parents.
    const old = basePerms && { perms: basePerms, generation: base };
    if (fire !== undefined) fireWatches(state, path, state.liveNode(path), fire, old);
  }
  for (const [owner, delta] of tx.nodeDeltas)
    if (left.length === 0 || state.domains.record(owner) !== undefined) state.domains.countNodes(owner, delta);
  for (const path of left) repair(state, tx, path);
  state.payForWrites(conn, 1);
}

/** What the daemon's check of the store does about a node that was to be made and was not: nobody lists it, nothing is below. */
function repair(state: DaemonState, tx: Transaction, path: string): void {
  if (state.liveNode(path) !== undefined) return; // it is as it was before
  const parent = state.liveNode(parentOf(path));
  if (parent !== undefined) {
    const rest = withoutChild(parent, baseOf(path));
    if (rest !== parent) state.store(rewritten(rest, rest.perms, ++state.generation), parent);
  }
  for (const name of tx.accesses.keys()) {
    const orphan = name.startsWith(`${path}/`) ? state.liveNode(name) : undefined;
    if (orphan === undefined) continue;
    state.domains.countNodes(ownerOf(orphan), -1);
    state.erase(orphan);
  }
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
