import type { Perm } from '../protocol/perms.ts';
import { type Node, nodeSize } from './node.ts';
import type { TreeRules } from './rules.ts';

/** How a change is announced: to watches on the name and above it, or on the name alone. */
export type FireMode = 'subtree' | 'exact';

/** A node that a transaction has touched (store.md 5.3). */
export interface Access {
  readonly path: string;
  /** Generation at first access; -1: it did not exist. */
  readonly base: number;
  /** Permissions at first access; undefined: it did not exist. */
  readonly basePerms: readonly Perm[] | undefined;
  /** What the transaction sees: undefined = no such node. */
  node: Node | undefined;
  modified: boolean;
  /**
   * A removal stopped half way, since the owner was let go of: the transaction sees the node as before, a commit takes it away
   * all the same, and its private copy is paid for for good. Source: core.c, delnode_sub.
   */
  isHalfRemoved?: boolean;
  fire: FireMode | undefined;
}

/** One open transaction of one connection: what it touched, in order of first access. */
export interface Transaction {
  readonly id: number;
  /** Value of the global counter at START: names the private copies. */
  readonly generation: number;
  readonly accesses: Map<string, Access>;
  /** Change of the number of nodes, by owner. */
  readonly nodeDeltas: Map<number, number>;
  /** Something was created in it: the nodes quota is tested at commit. */
  creates: boolean;
  /** An operation failed half way: commit answers ENOMEM. */
  failed: boolean;
  /** Restored from an image that carries no conflict base: commit answers EAGAIN and has no effect. */
  readonly mustFail: boolean;
  /** Octets charged to the connection's domain for private copies. */
  memory: number;
}

export function newTransaction(id: number, mustFail = false, generation = 0): Transaction {
  return {
    id,
    generation,
    accesses: new Map(),
    nodeDeltas: new Map(),
    creates: false,
    failed: false,
    mustFail,
    memory: 0,
  };
}

/** Octets of memory that a private copy costs: the node and its name, which is `<generation>/<path>`. */
export function copyOctets(tx: Transaction, node: Node, rules: TreeRules): number {
  return nodeSize(node, rules) + String(tx.generation).length + 1 + node.path.length;
}
