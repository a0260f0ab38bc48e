import type { Connection } from '../daemon/connection.ts';
import type { DaemonState } from '../daemon/state.ts';
import { fireWatches, type OldPerms } from '../daemon/watch.ts';
import { baseOf, childOf, parentOf } from '../protocol/path.ts';
import { ALL_RIGHTS, type Perm, settledPerms } from '../protocol/perms.ts';
import { refuse } from '../protocol/wire.ts';
import { type Node, nodeSize, ownerOf, rewritten, withChild, withoutChild, withValue } from './node.ts';
import { type Access, copyOctets, type FireMode, type Transaction } from './transaction.ts';

/** Whether a write may be refused for its size: a removal never is. */
type Limits = 'checked' | 'unchecked';

/** Where one request works: the live tree, or a transaction's view of it. */
export class View {
  readonly state: DaemonState;
  /** The requester; undefined: the daemon itself. */
  readonly conn: Connection | undefined;
  readonly tx: Transaction | undefined;
  /** Change of the number of nodes by this request, by owner; applied when it succeeds. */
  #deltas: Map<number, number> | undefined = undefined;

  constructor(state: DaemonState, conn: Connection | undefined, tx: Transaction | undefined) {
    this.state = state;
    this.conn = conn;
    this.tx = tx;
  }

  // Looking ---------------------------------------------------------------------------------------------------------

  /** The node as this request sees it; a transaction remembers that it was looked at. Errors: ENOSPC. */
  get(name: string): Node | undefined {
    return this.tx === undefined ? this.state.liveNode(name) : this.#access(this.tx, name).node;
  }

  #access(tx: Transaction, name: string): Access {
    const there = tx.accesses.get(name);
    if (there !== undefined) return there;
    const { state, conn } = this;
    if (conn?.isLimited === true) {
      const n = tx.accesses.size;
      if (state.exceeds(conn, 'transaction-nodes', n + 1)) {
        tx.failed = true;
        refuse('ENOSPC');
      }
    }
    const node = state.liveNode(name);
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
      this.#charge(tx, copyOctets(tx, node, state.compat));
      if (conn !== undefined) state.exceeds(conn, 'node-size', nodeSize(node, state.compat)); // seen, and not refused
    }
    return access;
  }

  #charge(tx: Transaction, octets: number): void {
    tx.memory += octets;
    if (this.conn !== undefined) this.state.chargeTo(this.conn, octets);
  }

  rights(node: Node): number {
    return this.conn === undefined ? ALL_RIGHTS : this.state.rights(this.conn, node.perms, node.generation);
  }

  /** The node with all of `needed`, or the error that the rule of visibility gives (store.md 3.3). */
  visible(name: string, needed: number): Node | 'ENOENT' | 'EACCES' {
    const node = this.get(name);
    if (node !== undefined) {
      if ((this.rights(node) & needed) === needed) return node;
      if (this.tx !== undefined) this.get(parentOf(name)); // the daemon asks the parent, too, and so it was looked at
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

  /** Give an existing node a value. Errors: ENOSPC too big. */
  putValue(node: Node, value: Uint8Array): Node {
    const { state } = this;
    const perms = settledPerms(node.perms, node.generation, state);
    return this.#put(withValue(node, value, perms, ++state.generation), node, 'checked');
  }

  /** Give an existing node other entries. Errors: ENOSPC too big. */
  putPerms(node: Node, perms: readonly Perm[]): Node {
    return this.#put(rewritten(node, perms, ++this.state.generation), node, 'checked');
  }

  /** Write an existing node with another list of children. Errors: ENOSPC too big. */
  #putChildren(node: Node, old: Node, limits: Limits): Node {
    const { state } = this;
    const perms = settledPerms(old.perms, old.generation, state);
    return this.#put(rewritten(node, perms, ++state.generation), old, limits);
  }

  /** Write a node that has its new generation: that is consumed even if the write is refused (store.md 3.7). */
  #put(node: Node, old: Node | undefined, limits: Limits): Node {
    const { state, conn, tx } = this;
    if (tx === undefined) state.currentWrites++;
    if (conn?.link.kind === 'ring') {
      const size = nodeSize(node, state.compat);
      const tooBig = state.exceeds(conn, 'node-size', size);
      if (limits === 'checked') {
        if (tooBig) this.#fail('ENOSPC');
        const paysMemory = tx !== undefined || ownerOf(node) === conn.domid;
        const added = old === undefined ? size + node.path.length : size - nodeSize(old, state.compat);
        // An overwrite that is refused for memory leaves the real daemon with whatever errno was around.
        if (conn.isLimited && paysMemory && added > 0 && state.memoryExceeded(conn, added))
          this.#fail(old === undefined ? 'EIO' : 'ENOMEM');
      }
    }
    if (tx === undefined) {
      state.store(node, old);
      return node;
    }
    const access = this.#access(tx, node.path);
    if (access.node !== undefined) this.#charge(tx, -copyOctets(tx, access.node, state.compat));
    this.#charge(tx, copyOctets(tx, node, state.compat));
    access.node = node;
    access.modified = true;
    return node;
  }

  #fail(errno: 'ENOSPC' | 'EIO' | 'ENOMEM'): never {
    if (this.tx !== undefined) this.tx.failed = true;
    refuse(errno);
  }

  #remove(node: Node): void {
    const { state, tx } = this;
    state.generation++;
    if (!this.#isCounted(ownerOf(node))) refuse('EIO');
    this.#count(ownerOf(node), -1);
    if (tx === undefined) state.currentWrites++;
    this.#erase(node);
  }

  #erase(node: Node): void {
    const { state, tx } = this;
    if (tx === undefined) {
      state.erase(node);
      return;
    }
    const access = this.#access(tx, node.path);
    if (access.node !== undefined) this.#charge(tx, -copyOctets(tx, access.node, state.compat));
    access.node = undefined;
    access.modified = true;
  }

  // Counting --------------------------------------------------------------------------------------------------------

  #count(owner: number, delta: number): void {
    let deltas = this.#deltas;
    if (this.tx !== undefined && this.state.compat.countsAtOnce) deltas = this.tx.nodeDeltas;
    else if (deltas === undefined) {
      deltas = new Map();
      this.#deltas = deltas;
    }
    const sum = (deltas.get(owner) ?? 0) + delta;
    deltas.set(owner, sum);
    if (this.state.compat.countsAtOnce) return;
    const account = this.state.account(owner);
    const seen = account.nodes + (this.tx?.nodeDeltas.get(owner) ?? 0) + sum;
    this.state.noteMax(owner, account, 'nodes', seen);
  }

  /**
   * False: a transaction works on a node whose owner died meanwhile, and whose nodes are counted by the request (4.22) or
   * only at commit (4.17).
   */
  #isCounted(owner: number): boolean {
    const { state, conn, tx } = this;
    if (tx === undefined || state.compat.countsAtOnce || owner === conn?.domid) return true;
    return state.domains.findOrMake(owner) !== undefined;
  }

  /** Move a node's count to a new owner. Errors: ENOMEM the old one is gone. */
  reown(from: number, to: number): void {
    if (!this.#isCounted(from)) refuse('ENOMEM');
    // Also where both are the same: a commit asks whether everybody who is counted still exists.
    this.#count(from, -1);
    this.#count(to, 1);
  }

  /** The request succeeded: what it changed counts from now on, in the transaction or live. */
  applyCounts(): void {
    if (this.#deltas === undefined) return;
    for (const [owner, delta] of this.#deltas) {
      if (this.tx !== undefined) this.tx.nodeDeltas.set(owner, (this.tx.nodeDeltas.get(owner) ?? 0) + delta);
      else this.state.domains.countNodes(owner, delta);
    }
  }

  // Creating and removing -------------------------------------------------------------------------------------------

  /** Create `name` with all missing levels above it (store.md 3.5). Errors: ENOSPC, EIO. */
  create(name: string, value: Uint8Array): Node {
    const { state, conn, tx } = this;
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
    const perms = inherit(settledPerms(existing.perms, existing.generation, state), conn);
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
          children: base === undefined ? [] : [base],
          childOctets: base === undefined ? 0 : base.length + 1,
          generation: ++state.generation,
        };
        this.#put(node, undefined, 'checked');
        if (!this.#isCounted((perms[0] as Perm).domid)) {
          this.#erase(node);
          refuse('ENOMEM');
        }
        written.push(node);
        this.#count((perms[0] as Perm).domid, 1);
      }
      this.#putChildren(withChild(existing, baseOf(missing[missing.length - 1] as string)), existing, 'checked');
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
    const { state, conn, tx } = this;
    if (conn?.isLimited !== true) return;
    const limit = conn.limits.nodes;
    const have = state.accountOf(conn).nodes;
    if (limit === 0) return;
    // What a transaction has made is not looked at here; 4.17 sees what this request has made outside of one.
    const more = state.compat.countsAtOnce ? (tx === undefined ? already : 0) : 1;
    if (have + more >= limit) refuse('ENOSPC');
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
    for (const base of node.children) {
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
    if (this.tx === undefined) {
      fireWatches(this.state, node.path, node, mode, old);
      return;
    }
    const access = this.tx.accesses.get(node.path);
    if (access !== undefined && access.fire !== 'subtree') access.fire = mode;
  }
}

const EMPTY = new Uint8Array(0);

/** A new level's entries: its parent's, the first entry's domain being an unprivileged creator. */
function inherit(perms: readonly Perm[], conn: Connection | undefined): readonly Perm[] {
  if (conn?.isUnprivileged !== true) return perms;
  const first = perms[0] as Perm;
  return first.domid === conn.domid ? perms : [{ ...first, domid: conn.domid }, ...perms.slice(1)];
}
