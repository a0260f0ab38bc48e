import { childOf, parentOf } from './paths.ts';
import type { Perm } from './permissions.ts';
import { postOrder, type Transaction, type Writer } from './tree.ts';
import type { XenstoreModel } from './xenstore-model.ts';

/** The store let go of a domain: what it owned goes, then the world is told. Source: store.md 8.6, 8.9. */
export function detach(model: XenstoreModel, conn: number, seq: number): void {
  const peer = model.peers.get(conn);
  if (peer === undefined) return;
  model.hangUp(conn, seq);
  purge(model, peer.domid, seq);
  for (const other of model.peers.values()) if (other.target === peer.domid) other.target = undefined;
  model.announce('@releaseDomain', peer.domid);
}

/** The hypervisor made or forgot a domain. Returns whether the store may now drop a domain it had never introduced. */
export function noteLife(model: XenstoreModel, domid: number, what: string): boolean {
  if (what === 'created') model.domains.alive(domid);
  if (what !== 'gone') return false;
  if (model.introduced(domid) === undefined) model.quotas.delete(domid);
  const mayDrop = model.domains.gone(domid) && model.introduced(domid) === undefined;
  if (mayDrop) doubtEntriesInTree(model, domid);
  return mayDrop;
}

/** The store dropped a domain: what it owned goes, with events, wherever it stands; its entries go without.
 *  Source: store.md 3.4, 8.6.
 *  @param bornSeq since when another one has its id: what was written since is that one's. */
export function purge(model: XenstoreModel, domid: number, seq: number, bornSeq?: number): void {
  const { tree, compat } = model;
  if (bornSeq === undefined) model.domains.forget(domid);
  else model.domains.forgetFormer(domid);
  model.quotas.delete(domid);
  const by: Writer = { seq, isCommit: false, describe: () => `end of domain ${domid}` };
  const names = (perms: readonly Perm[]) => perms.some((p) => p.domid === domid);
  const walk = (name: string): void => {
    const node = tree.read(name);
    if (node === undefined) return;
    const isOfFormer = bornSeq === undefined || (node.writer?.seq ?? 0) < bornSeq;
    if (isOfFormer && node.perms[0]!.domid === domid) {
      model.remove(tree, name, by);
      return;
    }
    if (isOfFormer && names(node.perms)) tree.strip(name, without(node.perms, domid, compat));
    for (const leaf of node.children) walk(childOf(name, leaf));
  };
  walk('/');
  for (const name of ['@releaseDomain', '@introduceDomain']) {
    const node = tree.read(name)!;
    if (node.perms[0]!.domid !== domid) tree.strip(name, without(node.perms, domid, compat));
  }
  for (const peer of model.peers.values()) for (const tx of peer.transactions.values()) doubtEntriesOf(tx, domid);
}

/** 4.22 takes a dead domain's entries out; 4.17 keeps printing them, without effect. Those that may be stale may have been
 *  written since. */
function without(perms: readonly Perm[], domid: number, compat: '4.22' | '4.17'): readonly Perm[] {
  if (compat === '4.17') return perms.map((p) => (p.domid === domid ? { ...p, isStale: true } : p));
  return perms.filter((p, i) => i === 0 || p.domid !== domid || p.mayBeStale);
}

/** 1. A domain without a ring goes. 2. Somebody looks at what it owned, in a transaction. 3. The store notices the end: before or
 *  after the look, no record shows. Whether such a name has changed since, and who tells of it, is not known. */
export function doubtOwned(model: XenstoreModel, domid: number): void {
  for (const [name, { perms }] of model.tree.nodes) {
    if (perms[0]!.domid !== domid) continue;
    model.doubtful.add(parentOf(name)); // its list of children
    for (const { name: below } of postOrder(model.tree, name)) model.doubtful.add(below);
  }
}

/** The events of purge() alone: the domain's nodes may be gone already, or not yet. Who removes them from now on may find nothing
 *  there, and then tells nobody. */
export function foreseePurge(model: XenstoreModel, domid: number): void {
  const walk = (name: string): void => {
    const node = model.tree.read(name);
    if (node === undefined) return;
    if (node.perms[0]!.domid === domid)
      for (const gone of postOrder(model.tree, name)) {
        model.fire(gone.name, gone.name === name ? 'subtree' : 'exact', gone.node, undefined);
        model.doubtful.add(gone.name);
      }
    else for (const leaf of node.children) walk(childOf(name, leaf));
  };
  walk('/');
}

/** The list with the domain's entries as stale ones, which may be printed or not, and give no access. */
function withDoubtful(perms: readonly Perm[], domid: number): readonly Perm[] {
  return perms.map((p, i) => (i > 0 && p.domid === domid ? { ...p, mayBeStale: true } : p));
}

/** A transaction's copies may keep the entries of a domain that died, or not: they give access to nobody. */
function doubtEntriesOf(tx: Transaction, domid: number): void {
  for (const access of tx.accessed.values()) {
    const { now } = access;
    if (now?.perms.some((p, i) => i > 0 && p.domid === domid)) {
      access.now = { ...now, perms: withDoubtful(now.perms, domid) };
    }
  }
}

/** No record tells when the store hears of the end of a domain without a ring. 1. SET_PERMS names it. 2. It goes. 3. The store
 *  drops its entries, some time after: until then and since then, GET_PERMS may print them or not. */
function doubtEntriesInTree(model: XenstoreModel, domid: number): void {
  for (const [name, node] of model.tree.nodes) {
    if (node.perms.some((p, i) => i > 0 && p.domid === domid)) model.tree.strip(name, withDoubtful(node.perms, domid));
  }
}
