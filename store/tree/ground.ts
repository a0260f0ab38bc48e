import type { Currency, Perm } from '../protocol/perms.ts';
import type { LiveTree } from './live-tree.ts';
import type { Node } from './node.ts';
import type { TreeRules } from './rules.ts';
import type { FireMode } from './transaction.ts';

/** Whoever asks, as far as nodes are concerned. */
export interface Requester {
  readonly domid: number;
  readonly isUnprivileged: boolean;
  /** Quotas are for it. */
  readonly isLimited: boolean;
}

/** Accounts of owners and of whoever asks. */
export interface NodeAccounts<Who extends Requester> {
  /** So many more octets are the requester's domain's from now on; negative: fewer. */
  chargeTo(who: Who, octets: number): void;
  /** Whether a requester may not let a domain hold so much more for a node. */
  nodeMemoryExceeded(who: Who, payer: number, octets: number): boolean;
  /** Whether a requester may not have so much; if it may, that is noted as seen. */
  exceeds(who: Who, name: 'node-size' | 'transaction-nodes', value: number): boolean;
  /** Whether a requester may not own so many more nodes. */
  nodesExceeded(who: Who, more: number): boolean;
  /** Whether quotas keep an owner from having so many more nodes; also asked where it is fewer. */
  ownerExceeds(owner: number, more: number): boolean;
  /** So many more nodes are an owner's from now on; negative: fewer. */
  countNodes(owner: number, more: number): void;
  /** So many more are an owner's if all goes well: noted as seen. */
  noteNodes(owner: number, more: number): void;
}

/** Who is known as a domain; `undefined`: nobody. */
export interface Owners {
  record(domid: number): object | undefined;
  /** The same, of a domain that is named in a request: the hypervisor is asked, too. */
  findOrMake(domid: number): object | undefined;
}

/** What entries grant, and whether they still mean whom they meant. */
export interface NodeRights<Who extends Requester> extends Currency {
  /** Rights by an entry list that belongs to a node of this generation. */
  of(who: Who, perms: readonly Perm[], generation: number): number;
}

/** Permissions before a change, and the generation of the node that had them: an entry may have meant somebody else since. */
export interface OldPerms {
  readonly perms: readonly Perm[];
  readonly generation: number;
}

/** Who is told of changes. */
export interface Watchers<Cause> {
  /**
   * Queue the events of one change.
   * @param node the state that decides who may see it; undefined: nobody but by `old`.
   * @param old the permissions before the change.
   * @param cause whose burden the events are; the tree only passes it on.
   */
  fire(name: string, node: Node | undefined, mode: FireMode, old: OldPerms | undefined, cause: Cause | undefined): void;
}

/**
 * What a view of the tree and a commit stand on: all that they need of a daemon, which has it made, and no more.
 * `Who` may ask there; `Cause` is what events are charged to.
 */
export interface Ground<Who extends Requester, Cause> {
  readonly rules: TreeRules;
  readonly tree: LiveTree;
  readonly accounts: NodeAccounts<Who>;
  readonly owners: Owners;
  readonly rights: NodeRights<Who>;
  readonly watchers: Watchers<Cause>;
}
