import type { Connection } from './connection.ts';
import { baseOf, childOf, parentOf } from './path.ts';
import { ALL_RIGHTS, type Perm } from './perms.ts';
import type { DaemonState } from './state.ts';
import type { Access, FireMode, Transaction } from './transaction.ts';
import { type Node, nodeSize, ownerOf, withChild, withoutChild } from './tree.ts';
import { fireWatches, type OldPerms } from './watch.ts';
import { refuse, StoreError } from './wire.ts';

/** Where one request works: the live tree, or a transaction's view of it. */
export class View {
  readonly state: DaemonState;
  /** undefined: the daemon itself, which may do everything. */
  readonly conn: Connection | undefined;
  readonly tx: Transaction | undefined;
  /** Change of the number of nodes by this request, by owner; applied when it succeeds. */
  readonly #deltas = new Map<number, number>();

  constructor(state: DaemonState, conn: Connection | undefined, tx: Transaction | undefined) {
    this.state = state;
    this.conn = conn;
    this.tx = tx;
  }

  /** The node as this request sees it; a transaction remembers that it was looked at. Errors: ENOSPC. */
  get(name: string): Node | undefined {
    return this.tx === undefined ? this.state.liveNode(name) : this.#access(this.tx, name).node;
  }

  #access(tx: Transaction, name: string): Access {
    const there = tx.accesses.get(name);
    if (there !== undefined) return there;
    const { state } = this;
    const conn = this.conn as Connection; // only clients have transactions
    if (state.isLimited(conn)) {
      const limit = state.limits(conn.domid)['transaction-nodes'];
      const n = tx.accesses.size;
      if (limit > 0 && (state.compat.uniformQuota ? n + 1 >= limit : n >= limit)) {
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
    const octets = node === undefined ? 0 : nodeSize(node, state.compat) + name.length;
    tx.memory += octets;
    state.charge(conn.domid, octets);
    return access;
  }

  rights(node: Node): number {
    return this.conn === undefined ? ALL_RIGHTS : this.state.rights(this.conn, node.perms, node.generation);
  }

  /**
   * The node with all of `needed`, or the error that the rule of visibility gives (store.md 3.3). Errors: EACCES, ENOENT.
   */
  visible(name: string, needed: number): Node {
    const node = this.get(name);
    if (node !== undefined) {
      if ((this.rights(node) & needed) === needed) return node;
      if (this.tx !== undefined && name !== '/') this.get(parentOf(name)); // the daemon looks for the parent's rights, too
      refuse('EACCES');
    }
    for (let up = name; up !== '/'; ) {
      up = parentOf(up);
      const ancestor = this.get(up);
      if (ancestor !== undefined) refuse((this.rights(ancestor) & needed) !== 0 ? 'ENOENT' : 'EACCES');
    }
    return refuse('EACCES');
  }

  /** As `visible`, with undefined for a missing node that the caller could see. */
  find(name: string, needed: number): Node | undefined {
    try {
      return this.visible(name, needed);
    } catch (error) {
      if (error instanceof StoreError && error.errno === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Write a node (a new one, or another state of one that was read). Errors: ENOSPC too big; EIO or ENOMEM no memory. */
  put(node: Omit<Node, 'generation'>, isNew: boolean): Node {
    const { state, conn, tx } = this;
    if (conn !== undefined && state.isLimited(conn)) {
      const limit = state.limits(conn.domid)['node-size'];
      const size = nodeSize(node, state.compat);
      if (limit > 0 && size >= limit && !this.shrinks) {
        state.generation++; // consumed although nothing changed (store.md 3.7)
        if (tx !== undefined) tx.failed = true;
        refuse('ENOSPC');
      }
      const account = state.account(conn.domid);
      account.max['node-size'] = Math.max(account.max['node-size'], size);
      const owner = ownerOf(node as Node);
      if (owner === conn.domid && isNew && state.memoryExceeded(conn, size + node.path.length)) {
        state.generation++;
        if (tx !== undefined) tx.failed = true;
        refuse('EIO');
      }
    }
    if (tx === undefined) {
      state.currentWrites++;
      return state.putNode(node);
    }
    const access = this.#access(tx, node.path);
    const written = { ...node, generation: ++state.generation };
    access.node = written;
    access.modified = true;
    return written;
  }

  /** True while a removal rewrites parents: that is never refused. */
  shrinks = false;

  remove(node: Node): void {
    const { state, tx } = this;
    this.#count(ownerOf(node), -1);
    if (tx === undefined) {
      state.currentWrites++;
      state.generation++;
      state.removeNode(node);
      return;
    }
    state.generation++;
    const access = this.#access(tx, node.path);
    access.node = undefined;
    access.modified = true;
  }

  #count(owner: number, delta: number): void {
    this.#deltas.set(owner, (this.#deltas.get(owner) ?? 0) + delta);
  }

  /** Move a node's count to a new owner. */
  reown(from: number, to: number): void {
    if (from === to) return;
    this.#count(from, -1);
    this.#count(to, 1);
  }

  /** The request succeeded: what it changed counts from now on, in the transaction or live. */
  applyCounts(): void {
    for (const [owner, delta] of this.#deltas) {
      if (this.tx !== undefined) this.tx.nodeDeltas.set(owner, (this.tx.nodeDeltas.get(owner) ?? 0) + delta);
      else this.state.domains.countNodes(owner, delta);
    }
  }

  /** Create `name` with all missing levels above it (store.md 3.5). */
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
    // From the top down: what each level inherits; then from the leaf up: what is written.
    let perms = inherit(existing.perms, state, conn);
    const plans: Omit<Node, 'generation'>[] = [];
    for (let i = missing.length - 1; i >= 0; i--) {
      const path = missing[i] as string;
      const below = missing[i - 1];
      const children = below === undefined ? [] : [baseOf(below)];
      const childOctets = below === undefined ? 0 : baseOf(below).length + 1;
      plans.unshift({ path, value: below === undefined ? value : EMPTY, perms, children, childOctets });
      perms = inherit(perms, state, conn);
    }
    let written = 0;
    try {
      for (const plan of plans) {
        this.#mayCreate(written);
        this.put(plan, true);
        this.#count((plan.perms[0] as Perm).domid, 1);
        written++;
      }
      const { generation: _old, ...parent } = withChild(existing, baseOf(missing[missing.length - 1] as string));
      this.put(parent, false);
    } catch (error) {
      for (const plan of plans.slice(0, written)) {
        // Undoing consumes no generation; in a transaction it is not undone at all, the commit fails.
        if (tx !== undefined) tx.failed = true;
        const node = tx === undefined ? state.liveNode(plan.path) : undefined;
        if (node !== undefined) state.removeNode(node);
        this.#count((plan.perms[0] as Perm).domid, -1);
      }
      throw error;
    }
    if (tx !== undefined) tx.creates = true;
    return this.get(name) as Node;
  }

  /** The nodes quota, for one more level of which `already` were written by this request. Errors: ENOSPC. */
  #mayCreate(already: number): void {
    const { state, conn, tx } = this;
    if (conn === undefined || !state.isLimited(conn)) return;
    const { uniformQuota } = state.compat;
    const limit = state.limits(conn.domid).nodes;
    const have = state.account(conn.domid).nodes;
    if (limit === 0) return;
    if (uniformQuota) {
      if (have + 1 >= limit) refuse('ENOSPC');
      return;
    }
    const pending = (tx?.nodeDeltas.get(conn.domid) ?? 0) + already;
    if (have + pending >= limit) refuse('ENOSPC');
  }

  /**
   * Remove a node with all below it, post-order, children in list order (store.md 3.8). Fires in that order.
   * Errors: EIO a transaction's view of the lists does not fit the nodes that are there; ENOSPC.
   */
  removeTree(node: Node): void {
    this.shrinks = true;
    try {
      const parent = node.path === '/' ? undefined : this.get(parentOf(node.path));
      this.#removeBelow(node, true);
      if (parent !== undefined) this.#unlink(parent, node);
      this.fire(node, 'subtree');
    } finally {
      this.shrinks = false;
    }
  }

  #unlink(parent: Node, node: Node): void {
    const rest = withoutChild(parent, baseOf(node.path));
    if (rest === parent) refuse('EIO'); // the list was read before the node was made by somebody else
    this.put(rest, false);
  }

  #removeBelow(node: Node, isTop: boolean): void {
    for (const base of node.children) {
      const child = this.get(childOf(node.path, base));
      if (child === undefined) refuse('EIO'); // the list was read before the child was removed by somebody else
      this.#removeBelow(child, false);
    }
    const now = this.get(node.path) ?? node;
    this.remove(now);
    if (isTop) return;
    // The parent's list is rewritten for each of them, as the daemon does: generations count (store.md 3.7).
    const parent = this.get(parentOf(node.path));
    if (parent !== undefined) this.#unlink(parent, node);
    this.fire(node, 'exact');
  }

  /** Announce a change now, or at commit. `old`: before a change of permissions. */
  fire(node: Node, mode: FireMode, old?: OldPerms): void {
    if (this.tx === undefined) fireWatches(this.state, node.path, node, mode, old);
    else {
      const access = this.tx.accesses.get(node.path);
      if (access !== undefined && access.fire !== 'subtree') access.fire = mode;
    }
  }
}

const EMPTY = new Uint8Array(0);

/** A new level's permissions: its parent's, the first entry's domain being an unprivileged creator. */
function inherit(perms: readonly Perm[], state: DaemonState, conn: Connection | undefined): readonly Perm[] {
  if (conn === undefined || !state.isUnprivileged(conn)) return perms;
  const first = perms[0] as Perm;
  return first.domid === conn.domid && !first.stale ? perms : [{ ...first, domid: conn.domid }, ...perms.slice(1)];
}
