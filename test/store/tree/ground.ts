import { type Perm, rightsOf } from '../../../store/protocol/perms.ts';
import type { Ground, Requester } from '../../../store/tree/ground.ts';
import { LiveTree } from '../../../store/tree/live-tree.ts';
import type { Node } from '../../../store/tree/node.ts';
import type { TreeRules } from '../../../store/tree/rules.ts';

/** 4.22's. */
export const RULES: TreeRules = {
  nodeHeaderBytes: 16,
  uniformQuota: true,
  countsAtOnce: false,
  commitNeedsOwners: false,
  commitSkipsOwnerless: true,
};

export function guest(domid: number): Requester {
  return { domid, isUnprivileged: true, isLimited: true };
}

export const DOM0: Requester = { domid: 0, isUnprivileged: false, isLimited: false };

/** What limits there are; each is reached, not passed. */
export interface Limits {
  nodes: number;
  memory: number;
  'node-size': number;
  'transaction-nodes': number;
}

/** A tree without a daemon, on which requests can be made: books that are kept in maps, and a list of what was announced. */
export class Bare {
  readonly state = { tree: new Map<string, Node>(), generation: 0 };
  readonly limits: Limits = { nodes: 1000, memory: 1_000_000, 'node-size': 2048, 'transaction-nodes': 1024 };
  /** Octets by domid; owners' and requesters'. */
  readonly memory = new Map<number, number>();
  readonly nodes = new Map<number, number>();
  /** The most nodes that each owner was about to have. */
  readonly seen = new Map<number, number>();
  readonly known = new Set([0, 1, 2]);
  /** Domids whose entries mean somebody who is gone. */
  readonly replaced = new Set<number>();
  /** `<name> <mode> <cause>` of each change. */
  readonly announced: string[] = [];
  readonly ground: Ground<Requester, string>;

  constructor(rules: Partial<TreeRules> = {}) {
    const add = (to: Map<number, number>, key: number, more: number) => to.set(key, (to.get(key) ?? 0) + more);
    const has = (of: Map<number, number>, key: number) => of.get(key) ?? 0;
    const charge = (domid: number, octets: number) => add(this.memory, domid, octets);
    const all: TreeRules = { ...RULES, ...rules };
    const isCurrent = ({ domid }: Perm) => !this.replaced.has(domid);
    this.ground = {
      rules: all,
      tree: new LiveTree(this.state, { charge }, all),
      accounts: {
        chargeTo: ({ domid }, octets) => charge(domid, octets),
        nodeMemoryExceeded: (who, payer, octets) =>
          who.isLimited && has(this.memory, payer) + octets > this.limits.memory,
        exceeds: (who, name, value) => who.isLimited && value > this.limits[name],
        nodesExceeded: (who, more) => who.isLimited && has(this.nodes, who.domid) + more > this.limits.nodes,
        ownerExceeds: (owner, more) => owner !== 0 && has(this.nodes, owner) + more > this.limits.nodes,
        countNodes: (owner, more) => add(this.nodes, owner, more),
        noteNodes: (owner, more) =>
          this.seen.set(owner, Math.max(has(this.seen, owner), has(this.nodes, owner) + more)),
      },
      owners: {
        record: (domid) => (this.known.has(domid) ? {} : undefined),
        findOrMake: (domid) => (this.known.has(domid) ? {} : undefined),
      },
      rights: {
        of: (who, perms, generation) =>
          who.isUnprivileged ? rightsOf(perms, who.domid, -1, -1, generation, { isCurrent }) : 7,
        isCurrent,
      },
      watchers: {
        fire: (name, _node, mode, _old, cause) => this.announced.push(`${name} ${mode} ${cause ?? 'nobody'}`),
      },
    };
    this.ground.tree.put({ path: '/', value: new Uint8Array(0), perms: [entry(0)], children: [], childOctets: 0 });
    this.ground.accounts.countNodes(0, 1);
  }

  /** All nodes by name. */
  paths(): string[] {
    return [...this.state.tree.values()].map(({ path }) => path).sort();
  }

  node(path: string): Node {
    const node = this.ground.tree.get(path);
    if (node === undefined) throw new Error(`assertion: ${path} is there`);
    return node;
  }

  /** What all nodes together must be charged to each owner. */
  owed(): Map<number, number> {
    const owed = new Map<number, number>();
    for (const { path, value, perms, childOctets } of this.state.tree.values()) {
      const owner = (perms[0] as Perm).domid;
      const octets = RULES.nodeHeaderBytes + 8 * perms.length + value.length + childOctets + path.length;
      owed.set(owner, (owed.get(owner) ?? 0) + octets);
    }
    return owed;
  }
}

export function entry(domid: number, rights = 0): Perm {
  return { rights, domid, stale: false };
}
