import { FIRST_RESERVED, type KnownDomains } from './known-domains.ts';
import { parentOf } from './paths.ts';
import type { Perm } from './permissions.ts';
import type { Asked } from './prediction.ts';
import { type Access, type Node, type Transaction, unlink } from './tree.ts';
import type { Peer, XenstoreModel } from './xenstore-model.ts';

/** Apply what a transaction wrote, each name with its event right behind it, in order of first access. Source: store.md 5.4. */
export function commit(model: XenstoreModel, peer: Peer, asked: Asked, tx: Transaction): void {
  const by = model.writer(peer, asked, true);
  const left: string[] = [];
  for (const { name, before, now: seen, isModified, isHalfRemoved, fires } of tx.accessed.values()) {
    if (!isModified) continue;
    const now = isHalfRemoved === true ? undefined : seen;
    const owned = now === undefined ? 'yes' : isOwned(model, now);
    if (owned === 'no' || isHalfRemoved === true) left.push(name);
    if (owned !== 'no') model.tree.write(name, now && { ...now, perms: asCommitted(now.perms, model.domains) }, by);
    // 1. It is made for domain 5. 2. Domain 5 goes. 3. The commit: the node is told of only if the store has not noticed that.
    if (owned === 'unsure') model.doubtful.add(name);
    if (fires !== 'no') model.fire(name, fires, model.tree.read(name), before?.perms);
  }
  for (const name of left) {
    if (model.tree.read(name) !== undefined) continue; // as it was before
    if (model.tree.read(parentOf(name)) !== undefined) unlink(model.tree, name, by);
    for (const below of tx.accessed.keys()) if (below.startsWith(`${name}/`)) model.tree.write(below, undefined, by);
  }
}

/** 4.22 leaves nodes out of whose owner it has no record. Source: transaction.c, finalize_transaction. */
function isOwned(model: XenstoreModel, { perms }: Node): 'yes' | 'no' | 'unsure' {
  const owner = perms[0]?.domid ?? 0;
  return model.compat === '4.17' ? 'yes' : model.hasAccount(owner);
}

/** 1. A transaction copies a node that names domain 5. 2. Domain 5 dies: its entry leaves the node, without a change of
 *  generation. 3. The commit writes the copy back. Whether the entry is back or not, it gives access to nobody. */
function asCommitted(perms: readonly Perm[], domains: KnownDomains): readonly Perm[] {
  const isFine = (p: Perm) => p.isStale || p.domid >= FIRST_RESERVED || domains.existence(p.domid) === 'yes';
  return perms.every(isFine) ? perms : perms.map((p) => (isFine(p) ? p : { ...p, mayBeStale: true }));
}

/** Who changed what a transaction had accessed. */
export function explainConflict(model: XenstoreModel, access: Access): string {
  const writer = model.tree.read(access.name)?.writer ?? model.tree.removedBy.get(access.name);
  const whom = writer === undefined ? 'somebody' : `${writer.describe()} (seq ${writer.seq})`;
  return `${access.name}, first accessed at seq ${access.seq}, was changed by ${whom}`;
}
