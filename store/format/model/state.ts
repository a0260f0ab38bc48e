import type { PermLetter } from '../generations/records.ts';

/**
 * What a daemon knows, in terms of no format and of no daemon: the middle of every conversion. Paths are octet
 * strings (one code point U+0000..U+00FF for each octet), tokens and values are octets. What is absent is not known,
 * which is not the same as empty.
 */
export interface DaemonState {
  /** A live update moves everything between two processes; a migration moves what belongs to one domain. */
  readonly scope: 'update' | 'migration';
  /** The tree: each node after its parent, siblings in the order that DIRECTORY reports. */
  readonly nodes: readonly NodeState[];
  /** `@releaseDomain` and the like, which have a value only in theory. */
  readonly specials: readonly NodeState[];
  readonly connections: readonly ConnectionState[];
  /** What is known of domains beside their connections. */
  readonly domains: readonly DomainState[];
  readonly quotas?: DefaultQuotas;
  readonly listeners: Listeners;
  readonly evtchn: EvtchnState;
}

export interface AclEntry {
  readonly letter: PermLetter;
  readonly domid: number;
  /** The domain named is gone; its number may have been given to another (XSA-322). */
  readonly stale: boolean;
}

export interface NodeState {
  readonly path: string;
  readonly value: Uint8Array;
  /** The first entry names the owner. */
  readonly acl: readonly AclEntry[];
  readonly generation?: bigint;
}

export interface RingLink {
  readonly kind: 'ring';
  readonly domid: number;
  /** Peer set by SET_TARGET. */
  readonly target?: number;
  /** The daemon's end of the event channel. */
  readonly port?: number;
  /** The guest's end. */
  readonly guestPort?: number;
  /** Frame of the ring page. */
  readonly mfn?: bigint;
  /** The hypervisor's never reused identity of the domain. */
  readonly uniqueId?: bigint;
  readonly flags?: DomainFlags;
}

/** Each true or absent. */
export interface DomainFlags {
  /** Dead, and not yet released. */
  readonly released?: true;
  /** Cut off for breaking the protocol. */
  readonly ignored?: true;
  readonly shutdown?: true;
}

export interface SocketLink {
  readonly kind: 'socket';
  readonly fd: number;
}

export interface ConnectionState {
  readonly link: RingLink | SocketLink;
  readonly readOnly: boolean;
  /** In the order of their registration. */
  readonly watches: readonly WatchState[];
  readonly transactions: readonly TransactionState[];
  /** Whole requests that were taken and put aside, oldest first, with their headers. */
  readonly delayed: readonly Uint8Array[];
  /** The request that has arrived in part. */
  readonly input: Uint8Array;
  /** Not yet delivered: `restBytes` octets of a message that is half sent, then whole messages. */
  readonly output: Uint8Array;
  readonly restBytes: number;
}

export interface WatchState {
  /** As the client gave it: relative stays relative. */
  readonly path: string;
  readonly token: Uint8Array;
  /** Levels below the path; absent = all. */
  readonly depth?: number;
}

export interface TransactionState {
  /** As returned to the client; unique in its connection. */
  readonly id: number;
  readonly nodes: readonly TouchedNode[];
  /** Generation of the store when it began. */
  readonly base?: bigint;
  /** The events that a commit will fire. */
  readonly events?: readonly OwedEvent[];
}

export interface OwedEvent {
  readonly path: string;
  /** Only watches on this very path hear of it: it is below another that is removed. */
  readonly exact: boolean;
}

/** A node as the transaction sees it. Neither read nor written: it is not there; no entries and no value then. */
export interface TouchedNode {
  readonly path: string;
  readonly read: boolean;
  readonly written: boolean;
  readonly value: Uint8Array;
  readonly acl: readonly AclEntry[];
  /** Generation at the first access: what a conflict is judged by. */
  readonly base?: bigint;
}

export interface QuotaState {
  readonly name: string;
  /** 0 = unlimited. */
  readonly value: number;
}

export interface DefaultQuotas {
  /** Defaults for each domain. */
  readonly domain: readonly QuotaState[];
  /** Limits of the whole store. */
  readonly global: readonly QuotaState[];
}

export interface DomainState {
  readonly domid: number;
  /** What the server offered to the domain, the word at offset 2064 of its ring page. */
  readonly features?: number;
  readonly quotas: readonly QuotaState[];
}

/** File descriptors; absent = not open. */
export interface Listeners {
  readonly rw?: number;
  readonly ro?: number;
}

export interface EvtchnState {
  /** The event channel device. */
  readonly fd?: number;
  /** The port that VIRQ_DOM_EXC is bound to. */
  readonly excPort?: number;
}

/** A daemon that knows nothing. */
export const EMPTY_STATE: DaemonState = {
  scope: 'update',
  nodes: [],
  specials: [],
  connections: [],
  domains: [],
  listeners: {},
  evtchn: {},
};

/** `domain 5` or `socket 9`. */
export function connectionName(link: RingLink | SocketLink): string {
  return link.kind === 'ring' ? `domain ${link.domid}` : `socket ${link.fd}`;
}

/** The path one level up; undefined for `/`. */
export function parentPath(path: string): string | undefined {
  if (path === '/') return undefined;
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}

/** Names of the children of each node that has any, in order. */
export function childLists(nodes: readonly NodeState[]): ReadonlyMap<string, readonly string[]> {
  const lists = new Map<string, string[]>();
  for (const { path } of nodes) {
    const parent = parentPath(path);
    if (parent === undefined) continue;
    const name = path.slice(parent === '/' ? 1 : parent.length + 1);
    const list = lists.get(parent);
    if (list === undefined) lists.set(parent, [name]);
    else list.push(name);
  }
  return lists;
}
