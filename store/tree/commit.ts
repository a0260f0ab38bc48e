import { baseOf, parentOf } from '../protocol/path.ts';
import { refuse } from '../protocol/wire.ts';
import type { Ground, Requester } from './ground.ts';
import { type Node, ownerOf, rewritten, withoutChild } from './node.ts';
import { copyOctets, type Transaction } from './transaction.ts';

/**
 * TRANSACTION_END `T` (store.md 5.4): whole or not at all. Errors: ENOMEM an operation in it failed half way; ENOSPC nodes
 * quota; EAGAIN something that it touched was changed by somebody else. Source: transaction.c, finalize_transaction.
 */
export function commit<Who extends Requester, Cause>(
  ground: Ground<Who, Cause>,
  who: Who,
  tx: Transaction,
  cause: Cause | undefined,
): void {
  const { rules, tree, accounts, owners, watchers } = ground;
  if (tx.mustFail) refuse('EAGAIN');
  if (tx.failed) refuse('ENOMEM');
  const isLimited = tx.creates && who.isUnprivileged;
  if (isLimited || rules.commitNeedsOwners) checkNodeCounts(ground, tx, isLimited);
  for (const { path, base } of tx.accesses.values()) if ((tree.get(path)?.generation ?? -1) !== base) refuse('EAGAIN');
  // Private copies go one by one, each before the node is written from it: what events find of the memory quota.
  const drop = (copy: Node | undefined) => {
    if (copy === undefined) return;
    const octets = copyOctets(tx, copy, rules);
    tx.memory -= octets;
    accounts.chargeTo(who, -octets);
  };
  for (const { node, modified } of tx.accesses.values()) if (!modified) drop(node);
  const left: string[] = [];
  for (const { path, base, basePerms, node, modified, isHalfRemoved, fire } of tx.accesses.values()) {
    if (!modified) continue;
    const live = tree.get(path);
    if (isHalfRemoved === true)
      left.push(path); // its owner is missing, for which the daemon checks its store
    else drop(node);
    const kept = isHalfRemoved === true ? undefined : node;
    if (kept !== undefined) {
      const written = rewritten(kept, kept.perms, tree.nextGeneration());
      if (rules.commitSkipsOwnerless && owners.record(ownerOf(kept)) === undefined) left.push(path);
      else tree.store(written, live);
    } else if (live !== undefined && base !== -1) tree.erase(live); // without a generation of its own
    // Who may see it is decided as the store is at this moment: of a new chain the leaf comes before its parents.
    const old = basePerms && { perms: basePerms, generation: base };
    if (fire !== undefined) watchers.fire(path, tree.get(path), fire, old, cause);
  }
  for (const [owner, delta] of tx.nodeDeltas)
    if (left.length === 0 || owners.record(owner) !== undefined) accounts.countNodes(owner, delta);
  for (const path of left) repair(ground, tx, path);
}

/** What the daemon's check of the store does about a node that was to be made and was not: nobody lists it, nothing is below. */
function repair<Who extends Requester, Cause>(ground: Ground<Who, Cause>, tx: Transaction, path: string): void {
  const { tree, accounts } = ground;
  if (tree.get(path) !== undefined) return; // it is as it was before
  const parent = tree.get(parentOf(path));
  if (parent !== undefined) {
    const rest = withoutChild(parent, baseOf(path));
    if (rest !== parent) tree.store(rewritten(rest, rest.perms, tree.nextGeneration()), parent);
  }
  for (const name of tx.accesses.keys()) {
    const orphan = name.startsWith(`${path}/`) ? tree.get(name) : undefined;
    if (orphan === undefined) continue;
    accounts.countNodes(ownerOf(orphan), -1);
    tree.erase(orphan);
  }
}

/** Whoever gains or loses nodes must exist: ENOMEM. The quota is only for those who may not do everything: ENOSPC. */
function checkNodeCounts<Who extends Requester, Cause>(
  { rules, accounts, owners }: Ground<Who, Cause>,
  tx: Transaction,
  isLimited: boolean,
): void {
  for (const [owner, delta] of tx.nodeDeltas) {
    if (owners.record(owner) === undefined && owners.findOrMake(owner) === undefined) refuse('ENOMEM');
    if (isLimited && (delta >= 0 || !rules.uniformQuota) && accounts.ownerExceeds(owner, delta)) refuse('ENOSPC');
  }
}
