import { type Node, nodeSize, ownerOf } from './node.ts';
import type { TreeRules } from './rules.ts';

/** What is known of the nodes. Nobody has an image of all of it: a transaction knows what it has touched, and looks at the rest live. */
export interface TreeState {
  /** Nodes by absolute name; special nodes are in it too, outside of everybody's child list. */
  readonly tree: Map<string, Node>;
  /** Value of the global counter at the last write. */
  generation: number;
}

/** Who keeps account of the memory that domains hold. */
export interface Charges {
  /** So many more octets are a domain's from now on; negative: fewer. */
  charge(domid: number, octets: number): void;
}

/** The nodes as everybody sees them. Whatever is written here is charged to its owner. */
export class LiveTree {
  readonly #state: TreeState;
  readonly #charges: Charges;
  readonly #rules: TreeRules;

  constructor(state: TreeState, charges: Charges, rules: TreeRules) {
    this.#state = state;
    this.#charges = charges;
    this.#rules = rules;
  }

  get(name: string): Node | undefined {
    return this.#state.tree.get(name);
  }

  /** Count one more generation; its number. */
  nextGeneration(): number {
    return ++this.#state.generation;
  }

  /** Write a node with a new generation. */
  put({ path, value, perms, children, childOctets }: Omit<Node, 'generation'>): Node {
    const written: Node = { path, value, perms, children, childOctets, generation: this.nextGeneration() };
    this.store(written, this.get(path));
    return written;
  }

  /** Put a node that has its generation where `old` was, and settle who pays for it. */
  store(node: Node, old: Node | undefined): void {
    if (old !== undefined) this.#charges.charge(ownerOf(old), -(nodeSize(old, this.#rules) + old.path.length));
    this.#charges.charge(ownerOf(node), nodeSize(node, this.#rules) + node.path.length);
    this.#state.tree.set(node.path, node);
  }

  /** Take a node away. Whether that counts as a generation is the caller's to know. */
  erase(node: Node): void {
    this.#charges.charge(ownerOf(node), -(nodeSize(node, this.#rules) + node.path.length));
    this.#state.tree.delete(node.path);
  }
}
