import { baseOf, childOf, parentOf } from '../protocol/path.ts';
import { ALL_RIGHTS, type Perm, settledPerms } from '../protocol/perms.ts';
import { refuse } from '../protocol/wire.ts';
import type { Ground, OldPerms, Requester } from './ground.ts';
import { listOf, NO_NAMES } from './names.ts';
import { type Node, nodeSize, ownerOf, rewritten, withChild, withoutChild, withValue } from './node.ts';
import { type Access, copyOctets, type FireMode, type Transaction } from './transaction.ts';

/**
 * What a refusal for want of memory is to the client, if a write may be refused at all: a removal never is. Only what creates a
 * node sees to the errno; of an overwrite the daemon tells whatever errno came last, and here it is ENOMEM for all of them.
 */
type Limits = { readonly noMemory: 'EIO' | 'ENOMEM' } | 'unchecked';
const CREATION: Limits = { noMemory: 'EIO' };
const OVERWRITE: Limits = { noMemory: 'ENOMEM' };

/** Where one request works: the live tree, or a transaction's view of it. */
export class View<Who extends Requester, Cause> {
  readonly #ground: Ground<Who, Cause>;
  /** The requester; undefined: the daemon itself. */
  readonly #who: Who | undefined;
  readonly #tx: Transaction | undefined;
  /** Whose burden the events are. */
  readonly #cause: Cause | undefined;
  /** Writes and deletions so far, outside of transactions. */
  writes = 0;
  /** Change of the number of nodes by this request, by owner; applied when it succeeds. */
  #deltas: Map<number, number> | undefined = undefined;

  constructor(ground: Ground<Who, Cause>, who: Who | undefined, tx: Transaction | undefined, cause: Cause | undefined) {
    this.#ground = ground;
    this.#who = who;
    this.#tx = tx;
    this.#cause = cause;
  }

  // Looking ---------------------------------------------------------------------------------------------------------

  /** The node as this request sees it; a transaction remembers that it was looked at. Errors: ENOSPC. */
  get(name: string): Node | undefined {
    return this.#tx === undefined ? this.#ground.tree.get(name) : this.#access(this.#tx, name).node;
  }

  #access(tx: Transaction, name: string): Access {
    const there = tx.accesses.get(name);
    if (there !== undefined) return there;
    const { accounts, rules, tree } = this.#ground;
    const who = this.#who;
    if (who?.isLimited === true && accounts.exceeds(who, 'transaction-nodes', tx.accesses.size + 1)) {
      tx.failed = true;
      refuse('ENOSPC');
    }
    const node = tree.get(name);
    const access: Access = {
      path: name,
      base: node?.generation ?? -1,
      basePerms: node?.perms,
      node,
      modified: false,
      fire: undefined,
    };
    tx.accesses.set(name, access);
    if (node !== undefined) {
      this.#charge(tx, copyOctets(tx, node, rules));
      if (who !== undefined) accounts.exceeds(who, 'node-size', nodeSize(node, rules)); // seen, and not refused
    }
    return access;
  }

  #charge(tx: Transaction, octets: number): void {
    tx.memory += octets;
    if (this.#who !== undefined) this.#ground.accounts.chargeTo(this.#who, octets);
  }

  rights(node: Node): number {
    return this.#who === undefined ? ALL_RIGHTS : this.#ground.rights.of(this.#who, node.perms, node.generation);
  }

  /** The node with all of `needed`, or the error that the rule of visibility gives (store.md 3.3). */
  visible(name: string, needed: number): Node | 'ENOENT' | 'EACCES' {
    const node = this.get(name);
    if (node !== undefined) {
      if ((this.rights(node) & needed) === needed) return node;
      if (this.#tx !== undefined) this.get(parentOf(name)); // the daemon asks the parent, too, and so it was looked at
      return 'EACCES';
    }
    for (let up = name; up !== '/'; ) {
      up = parentOf(up);
      const ancestor = this.get(up);
      if (ancestor !== undefined) return (this.rights(ancestor) & needed) !== 0 ? 'ENOENT' : 'EACCES';
    }
    return 'EACCES';
  }

  // Writing ---------------------------------------------------------------------------------------------------------

  /** Give an existing node a value. Errors: ENOSPC too big; ENOMEM. */
  putValue(node: Node, value: Uint8Array): Node {
    const { rights, tree } = this.#ground;
    const perms = settledPerms(node.perms, node.generation, rights);
    return this.#put(withValue(node, value, perms, tree.nextGeneration()), node, OVERWRITE);
  }

  /** Give an existing node other entries. Errors: ENOSPC too big; ENOMEM. */
  putPerms(node: Node, perms: readonly Perm[]): Node {
    return this.#put(rewritten(node, perms, this.#ground.tree.nextGeneration()), node, OVERWRITE);
  }

  /** Write an existing node with another list of children. Errors: ENOSPC too big; EIO. */
  #putChildren(node: Node, old: Node, limits: Limits): Node {
    const { rights, tree } = this.#ground;
    const perms = settledPerms(old.perms, old.generation, rights);
    return this.#put(rewritten(node, perms, tree.nextGeneration()), old, limits);
  }

  /** Write a node that has its new generation: that is consumed even if the write is refused (store.md 3.7). */
  #put(node: Node, old: Node | undefined, limits: Limits): Node {
    const { accounts, rules, tree } = this.#ground;
    const who = this.#who;
    const tx = this.#tx;
    if (tx === undefined) this.writes++;
    if (who !== undefined) {
      const size = nodeSize(node, rules);
      const tooBig = accounts.exceeds(who, 'node-size', size);
      if (limits !== 'unchecked') {
        if (tooBig) this.#fail('ENOSPC');
        if (this.#lacksMemory(who, node, old)) this.#fail(limits.noMemory);
      }
    }
    if (tx === undefined) {
      tree.store(node, old);
      return node;
    }
    const access = this.#access(tx, node.path);
    if (access.isHalfRemoved === true && access.node !== undefined) {
      access.isHalfRemoved = false; // what is written is the transaction's again
      tx.memory += copyOctets(tx, access.node, rules);
    }
    if (access.node !== undefined) this.#charge(tx, -copyOctets(tx, access.node, rules));
    this.#charge(tx, copyOctets(tx, node, rules));
    access.node = node;
    access.modified = true;
    return node;
  }

  /**
   * Whether the memory quota keeps a node from being written: what it was is given back first, also where it becomes smaller.
   * A live node is its owner's, a private copy the requester's.
   */
  #lacksMemory(who: Who, node: Node, old: Node | undefined): boolean {
    const { accounts, rules } = this.#ground;
    const tx = this.#tx;
    const octetsOf = (one: Node) =>
      tx === undefined ? nodeSize(one, rules) + one.path.length : copyOctets(tx, one, rules);
    const payer = (one: Node) => (tx === undefined ? ownerOf(one) : who.domid);
    const before = tx === undefined ? old : tx.accesses.get(node.path)?.node;
    const freed = before !== undefined && payer(before) === payer(node) ? octetsOf(before) : 0;
    return accounts.nodeMemoryExceeded(who, payer(node), octetsOf(node) - freed);
  }

  #fail(errno: 'ENOSPC' | 'EIO' | 'ENOMEM'): never {
    if (this.#tx !== undefined) this.#tx.failed = true;
    refuse(errno);
  }

  #remove(node: Node): void {
    this.#ground.tree.nextGeneration();
    if (!this.#isKnown(ownerOf(node))) this.#leaveHalfRemoved(node);
    this.#count(ownerOf(node), -1);
    if (this.#tx === undefined) this.writes++;
    this.#erase(node);
  }

  #leaveHalfRemoved(node: Node): never {
    const { rules } = this.#ground;
    const access = this.#tx?.accesses.get(node.path);
    if (this.#tx !== undefined && access !== undefined && access.isHalfRemoved !== true) {
      access.modified = true;
      access.isHalfRemoved = true;
      this.#tx.memory -= copyOctets(this.#tx, node, rules);
    }
    refuse('EIO');
  }

  #erase(node: Node): void {
    const { rules, tree } = this.#ground;
    const tx = this.#tx;
    if (tx === undefined) {
      tree.erase(node);
      return;
    }
    const access = this.#access(tx, node.path);
    if (access.node !== undefined) this.#charge(tx, -copyOctets(tx, access.node, rules));
    access.node = undefined;
    access.modified = true;
  }

  // Counting --------------------------------------------------------------------------------------------------------

  #count(owner: number, delta: number): void {
    const { accounts, rules } = this.#ground;
    const tx = this.#tx;
    let deltas = this.#deltas;
    if (tx !== undefined && rules.countsAtOnce) deltas = tx.nodeDeltas;
    else if (deltas === undefined) {
      deltas = new Map();
      this.#deltas = deltas;
    }
    const sum = (deltas.get(owner) ?? 0) + delta;
    deltas.set(owner, sum);
    if (!rules.countsAtOnce) accounts.noteNodes(owner, (tx?.nodeDeltas.get(owner) ?? 0) + sum);
  }

  /**
   * False: a transaction works on a node whose owner was let go of meanwhile, be it alive or dead. The request counts nodes
   * (4.22), and nothing can be taken from an account that is gone; 4.17 counts them at commit only.
   */
  #isKnown(owner: number): boolean {
    const { owners, rules } = this.#ground;
    if (this.#tx === undefined || rules.countsAtOnce || owner === this.#who?.domid) return true;
    return owners.record(owner) !== undefined;
  }

  /** The same of somebody who is given a node: whoever is alive gets an account for it. */
  #canOwn(owner: number): boolean {
    return this.#isKnown(owner) || this.#ground.owners.findOrMake(owner) !== undefined;
  }

  /** Move a node's count to a new owner. Errors: ENOMEM the old one was let go of. */
  reown(from: number, to: number): void {
    if (!this.#isKnown(from)) refuse('ENOMEM');
    // Also where both are the same: a commit asks whether everybody who is counted still exists.
    this.#count(from, -1);
    this.#count(to, 1);
  }

  /** The request succeeded: what it changed counts from now on, in the transaction or live. */
  applyCounts(): void {
    if (this.#deltas === undefined) return;
    for (const [owner, delta] of this.#deltas) {
      if (this.#tx === undefined) this.#ground.accounts.countNodes(owner, delta);
      else this.#tx.nodeDeltas.set(owner, (this.#tx.nodeDeltas.get(owner) ?? 0) + delta);
    }
  }

  // Creating and removing -------------------------------------------------------------------------------------------

  /** Create `name` with all missing levels above it (store.md 3.5). Errors: ENOSPC, EIO. */
  create(name: string, value: Uint8Array): Node {
    const { rights, tree } = this.#ground;
    const tx = this.#tx;
    const missing: string[] = [];
    let up = name;
    let existing: Node | undefined;
    do {
      missing.push(up);
      up = parentOf(up);
      existing = this.get(up);
    } while (existing === undefined);
    if (tx !== undefined) tx.creates = true;
    // All levels get the same entries: what the existing one has, with a limited creator as the owner.
    const perms = inherit(settledPerms(existing.perms, existing.generation, rights), this.#who);
    const written: Node[] = [];
    try {
      for (let i = 0; i < missing.length; i++) {
        const path = missing[i] as string;
        const base = i === 0 ? undefined : baseOf(missing[i - 1] as string);
        this.#mayCreate(written.length);
        const node: Node = {
          path,
          value: i === 0 ? value : EMPTY,
          perms,
          children: base === undefined ? NO_NAMES : [base],
          childOctets: base === undefined ? 0 : base.length + 1,
          generation: tree.nextGeneration(),
        };
        this.#put(node, undefined, CREATION);
        if (!this.#canOwn((perms[0] as Perm).domid)) {
          this.#erase(node);
          refuse('ENOMEM');
        }
        written.push(node);
        this.#count((perms[0] as Perm).domid, 1);
      }
      this.#putChildren(withChild(existing, baseOf(missing[missing.length - 1] as string)), existing, CREATION);
    } catch (error) {
      // What was written goes without a trace but for the generations; a transaction cannot be mended.
      if (tx !== undefined && written.length > 0) tx.failed = true;
      for (const node of written) {
        this.#erase(node);
        this.#count(ownerOf(node), -1);
      }
      throw error;
    }
    return written[0] as Node;
  }

  /** The nodes quota, for one more level of which `already` were written by this request. Errors: ENOSPC. */
  #mayCreate(already: number): void {
    const { accounts, rules } = this.#ground;
    if (this.#who === undefined) return;
    // What a transaction has made is not looked at here; 4.17 sees what this request has made outside of one.
    const more = rules.countsAtOnce ? (this.#tx === undefined ? already : 0) : 1;
    if (accounts.nodesExceeded(this.#who, more)) refuse('ENOSPC');
  }

  /**
   * Remove a node with all below it, post-order, children in list order (store.md 3.8). Fires in that order.
   * @param parent undefined: the node is a root. Errors: EIO a transaction's view of the lists does not fit the nodes that
   * are there; ENOSPC.
   */
  removeTree(node: Node, parent: Node | undefined): void {
    this.#removeBelow(node, true);
    if (parent !== undefined) this.#unlink(parent, node);
  }

  /** Write the parent's list without a child: that is done for each removed node, and counts in generations. */
  #unlink(parent: Node, child: Node): Node {
    const rest = withoutChild(parent, baseOf(child.path));
    if (rest === parent) refuse('EIO'); // the list was read before the child was made by somebody else
    return this.#putChildren(rest, parent, 'unchecked');
  }

  #removeBelow(node: Node, isTop: boolean): void {
    let now = node;
    for (const base of listOf(node.children)) {
      const child = this.get(childOf(node.path, base));
      if (child === undefined) refuse('EIO'); // the list was read before the child was removed by somebody else
      this.#removeBelow(child, false);
      now = this.#unlink(now, child);
    }
    this.#remove(now);
    this.fire(now, isTop ? 'subtree' : 'exact');
  }

  /** Announce a change now, or at commit. `old`: before a change of entries. */
  fire(node: Node, mode: FireMode, old?: OldPerms): void {
    if (this.#tx === undefined) {
      this.#ground.watchers.fire(node.path, node, mode, old, this.#cause);
      return;
    }
    const access = this.#tx.accesses.get(node.path);
    if (access !== undefined && access.fire !== 'subtree') access.fire = mode;
  }
}

const EMPTY = new Uint8Array(0);

/** A new level's entries: its parent's, the first entry's domain being an unprivileged creator. */
function inherit(perms: readonly Perm[], who: Requester | undefined): readonly Perm[] {
  if (who?.isUnprivileged !== true) return perms;
  const first = perms[0] as Perm;
  return first.domid === who.domid ? perms : [{ ...first, domid: who.domid }, ...perms.slice(1)];
}
