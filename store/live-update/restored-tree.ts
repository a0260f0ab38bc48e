import type { Daemon } from '../daemon/daemon.ts';
import { SPECIAL_NODES } from '../daemon/special-nodes.ts';
import type { Perm as ImagePerm, Keys, NodeData } from '../format/index.ts';
import { baseOf, parentOf } from '../protocol/path.ts';
import type { Perm } from '../protocol/perms.ts';
import { type Node, nodeSize, ownerOf } from '../tree/node.ts';

const RIGHTS = { n: 0, r: 1, w: 2, b: 3 } as const;

/** Permissions of an image as the daemon has them. */
export function restorePerms(
  { records, state }: Daemon,
  perms: readonly ImagePerm[],
  isBeside = false,
): readonly Perm[] {
  return perms.map((p, i) => {
    let stale = (p.flags & 1) !== 0;
    if (!stale && i > 0 && !isBeside) {
      if (state.compat.quotaPerDomain) records.findOrMake(p.domid);
      else stale = records.record(p.domid) === undefined;
    }
    return { rights: RIGHTS[p.letter], domid: p.domid, stale };
  });
}

/** A node that is claimed by its path, and whose children are still to come; nobody else has it yet. */
interface GrowingNode extends Node {
  value: Uint8Array;
  perms: readonly Perm[];
  children: string[];
  childOctets: number;
  generation: number;
}

/** What a domain has of the restored tree. */
interface Owner {
  readonly domid: number;
  nodes: number;
  octets: number;
}

/** Most nodes have none, and need no list of their own. */
const NO_CHILDREN: string[] = [];
const NO_VALUE = new Uint8Array(0);
const NO_PERMS: readonly Perm[] = [];

/** The tree from its records: parents come before their children, whose order is the order of the records. */
export class RestoredTree implements Keys {
  readonly #daemon: Daemon;
  readonly #nodes = new Map<string, GrowingNode>();
  /** Special nodes that are kept beside the tree. */
  readonly #beside = new Set<string>();
  /** The node claimed last. */
  #claimed: GrowingNode | undefined = undefined;
  /** Owners by domid; and the one asked for last. */
  readonly #owners = new Map<number, Owner>();
  #owner: Owner | undefined = undefined;
  /** The entries restored last, and what they were: most nodes have the same as their neighbours. */
  #perms: readonly Perm[] = [];
  #imagePerms: readonly ImagePerm[] = [];
  /** The parent looked up last: siblings come together. */
  #parent: GrowingNode | undefined = undefined;

  constructor(daemon: Daemon) {
    this.#daemon = daemon;
  }

  get size(): number {
    return this.#nodes.size + this.#beside.size;
  }

  has(path: string): boolean {
    return this.#nodes.has(path) || this.#beside.has(path);
  }

  /** Claim the path of a node that is to be added next: the check's search and the tree's are one. */
  remember(path: string): boolean {
    const { size } = this;
    if (this.#isBeside(path)) this.#beside.add(path);
    else this.#claim(path);
    return this.size > size;
  }

  #isBeside(path: string): boolean {
    return path.startsWith('@') && !this.#daemon.state.compat.specialNodes;
  }

  #claim(path: string): GrowingNode {
    const node: GrowingNode = {
      path,
      value: NO_VALUE,
      perms: NO_PERMS,
      children: NO_CHILDREN,
      childOctets: 0,
      generation: 0,
    };
    this.#nodes.set(path, node);
    this.#claimed = node;
    return node;
  }

  /** @returns why the node cannot be restored. */
  add(path: string, record: NodeData): string | undefined {
    const { records, state } = this.#daemon;
    if (this.#isBeside(path)) {
      state.generation++; // its record counts, although it is kept beside the tree
      if ((SPECIAL_NODES as readonly string[]).includes(path))
        state.specialPerms.set(path, restorePerms(this.#daemon, record.perms, true));
      return undefined;
    }
    const perms = this.#restorePerms(record.perms);
    const owner = (perms[0] as Perm).domid;
    if (records.findOrMake(owner) === undefined)
      return `write node error restoring node ${path}: owner domain ${owner} does not exist`;
    if (path !== '/' && !path.startsWith('@')) {
      const parent = this.#find(parentOf(path));
      if (parent === undefined) return `read parent error restoring node ${path}`;
      const base = baseOf(path);
      if (parent.childOctets === 0) parent.children = [base];
      else parent.children.push(base);
      parent.childOctets += base.length + 1; // the parent keeps its generation: only its list grows
      this.#ownerOf(ownerOf(parent)).octets += base.length + 1;
    }
    const node = this.#claimed?.path === path ? this.#claimed : this.#claim(path);
    node.value = record.value;
    node.perms = perms;
    node.generation = ++state.generation;
    const has = this.#ownerOf(owner);
    has.nodes++;
    has.octets += nodeSize(node, state.compat) + path.length;
    return undefined;
  }

  #find(path: string): GrowingNode | undefined {
    if (this.#parent?.path !== path) this.#parent = this.#nodes.get(path);
    return this.#parent;
  }

  #restorePerms(perms: readonly ImagePerm[]): readonly Perm[] {
    const before = this.#imagePerms;
    const isSame = (p: ImagePerm, i: number) => {
      const b = before[i];
      return b !== undefined && p.domid === b.domid && p.letter === b.letter && p.flags === b.flags;
    };
    if (perms.length === before.length && perms.every(isSame)) return this.#perms;
    this.#imagePerms = perms;
    this.#perms = restorePerms(this.#daemon, perms);
    return this.#perms;
  }

  finish(): void {
    const { accounting, state } = this.#daemon;
    accounting.charge(state.options.privDomid, state.compat.restoredRootBytes);
    state.tree = this.#nodes;
    // What an owner holds only grows here: the sum reaches the same maxima as one node after the other.
    for (const { domid, nodes, octets } of this.#owners.values()) {
      accounting.charge(domid, octets);
      accounting.countNodes(domid, nodes);
    }
  }

  #ownerOf(domid: number): Owner {
    if (this.#owner?.domid === domid) return this.#owner;
    const owner = this.#owners.get(domid) ?? { domid, nodes: 0, octets: 0 };
    this.#owners.set(domid, owner);
    this.#owner = owner;
    return owner;
  }
}
