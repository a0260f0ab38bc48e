import { childOf, parentOf } from './paths.ts';
import type { Perm } from './permissions.ts';
import { postOrder, type Transaction, type Writer } from './tree.ts';
import type { XenstoreModel } from './xenstore-model.ts';

/** Domids from here on are never those of domains. Source: xen/include/public/xen.h. */
const FIRST_RESERVED = 0x7ff0;

/** Which domains there are, as far as permission entries are concerned. */
export class KnownDomains {
  readonly #states = new Map<number, 'alive' | 'gone'>();
  /** Named by SET_PERMS: the store has a record of them. `before`: it had one before a live update, which may have lost it. */
  readonly #referred = new Map<number, 'since' | 'before'>();

  alive(domid: number): void {
    this.#states.set(domid, 'alive');
  }

  /** Returns whether the store had a record of it. */
  gone(domid: number): boolean {
    this.#states.set(domid, 'gone');
    return this.#referred.has(domid);
  }

  /** SET_PERMS named it. */
  refer(domid: number): void {
    if (this.existence(domid) === 'yes') this.#referred.set(domid, 'since');
  }

  /** The store let go of its record. */
  forget(domid: number): void {
    this.#referred.delete(domid);
  }

  /** Whether the store has a record of a domain without a ring: from the first SET_PERMS that names it until it notices its end. */
  hasRecord(domid: number): 'yes' | 'no' | 'unsure' {
    if (domid === 0 || domid >= FIRST_RESERVED) return 'yes';
    const when = this.#referred.get(domid);
    if (when === undefined) return 'no';
    return when === 'before' || this.existence(domid) === 'unsure' ? 'unsure' : 'yes';
  }

  /** A successor took over. */
  liveUpdate(): void {
    for (const domid of this.#referred.keys()) this.#referred.set(domid, 'before');
  }

  /** Whether the store takes it for an existing one. `unsure`: it has gone, the store may not have noticed. */
  existence(domid: number): 'yes' | 'no' | 'unsure' {
    if (domid >= FIRST_RESERVED) return 'no';
    if (domid === 0 || this.#states.get(domid) === 'alive') return 'yes';
    return this.#referred.has(domid) ? 'unsure' : 'no';
  }
}

/** What a domain owned goes, with events, wherever it stands; its entries go without. Source: store.md 3.4, 8.6. */
export function purgeDomain(model: XenstoreModel, domid: number, seq: number): void {
  const { tree, compat } = model;
  const by: Writer = { seq, isCommit: false, describe: () => `end of domain ${domid}` };
  const names = (perms: readonly Perm[]) => perms.some((p) => p.domid === domid);
  const walk = (name: string): void => {
    const node = tree.read(name);
    if (node === undefined) return;
    if (node.perms[0]!.domid === domid) {
      model.remove(tree, name, by);
      return;
    }
    if (names(node.perms)) tree.strip(name, without(node.perms, domid, compat));
    for (const leaf of node.children) walk(childOf(name, leaf));
  };
  walk('/');
  for (const name of ['@releaseDomain', '@introduceDomain']) {
    const node = tree.read(name)!;
    if (node.perms[0]!.domid !== domid) tree.strip(name, without(node.perms, domid, compat));
  }
  for (const peer of model.peers.values()) for (const tx of peer.transactions.values()) haunt(tx, domid);
}

/** 4.22 takes a dead domain's entries out; 4.17 keeps printing them, without effect. Ghosts may have been written since. */
function without(perms: readonly Perm[], domid: number, compat: '4.22' | '4.17'): readonly Perm[] {
  if (compat === '4.17') return perms.map((p) => (p.domid === domid ? { ...p, isStale: true } : p));
  return perms.filter((p, i) => i === 0 || p.domid !== domid || p.isGhost);
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

/** The events of purgeDomain() alone: the domain's nodes may be gone already, or not yet. */
export function foreseePurge(model: XenstoreModel, domid: number): void {
  const walk = (name: string): void => {
    const node = model.tree.read(name);
    if (node === undefined) return;
    if (node.perms[0]!.domid === domid)
      for (const gone of postOrder(model.tree, name))
        model.fire(gone.name, gone.name === name ? 'subtree' : 'exact', gone.node, undefined);
    else for (const leaf of node.children) walk(childOf(name, leaf));
  };
  walk('/');
}

/** The list with the domain's entries marked: printed or not, they give no access. */
function withGhosts(perms: readonly Perm[], domid: number): readonly Perm[] {
  return perms.map((p, i) => (i > 0 && p.domid === domid ? { ...p, isGhost: true } : p));
}

/** A transaction's copies may keep the entries of a domain that died, or not: they give access to nobody. */
function haunt(tx: Transaction, domid: number): void {
  for (const access of tx.accessed.values()) {
    const { now } = access;
    if (now?.perms.some((p, i) => i > 0 && p.domid === domid)) {
      access.now = { ...now, perms: withGhosts(now.perms, domid) };
    }
  }
}

/** No record tells when the store hears of the end of a domain without a ring. 1. SET_PERMS names it. 2. It goes. 3. The store
 *  drops its entries, some time after: until then and since then, GET_PERMS may print them or not. */
export function hauntTree(model: XenstoreModel, domid: number): void {
  for (const [name, node] of model.tree.nodes) {
    if (node.perms.some((p, i) => i > 0 && p.domid === domid)) model.tree.strip(name, withGhosts(node.perms, domid));
  }
}

/** 1. A transaction copies a node that names domain 5. 2. Domain 5 dies: its entry leaves the node, without a change of
 *  generation. 3. The commit writes the copy back. Whether the entry is back or not, it gives access to nobody. */
export function asCommitted(perms: readonly Perm[], domains: KnownDomains): readonly Perm[] {
  const isFine = (p: Perm) => p.isStale || p.domid >= FIRST_RESERVED || domains.existence(p.domid) === 'yes';
  return perms.every(isFine) ? perms : perms.map((p) => (isFine(p) ? p : { ...p, isGhost: true }));
}
