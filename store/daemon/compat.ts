import type { TreeRules } from '../tree/rules.ts';
import type { QuotaName } from './quota.ts';

/** Whose behaviour: the release of the C daemon. */
export type CompatName = '4.22' | '4.17';

/**
 * Everything in which the daemons differ, in one place (store.md 11). Code asks here and never for a version. It lies with the
 * daemon, since little of it is about nodes: what is, the tree declares itself (TreeRules), and here is the one table of both.
 */
export interface Compat extends TreeRules {
  readonly name: CompatName;
  /** Highest message type with a handler. */
  readonly typeMax: number;
  /** Domids are parsed strictly; otherwise by atoi. */
  readonly strictDomids: boolean;
  /** `@` names are nodes: GET_PERMS works on them, SET_PERMS fires, transactions hold them. */
  readonly specialNodes: boolean;
  readonly releaseForAny: boolean;
  /** WATCH takes a depth, and special events have a form with the domid. */
  readonly watchDepth: boolean;
  /** UNWATCH checks its path. */
  readonly unwatchChecksPath: boolean;
  /** WATCH of `@` names checks nothing but the length. */
  readonly specialWatchUnchecked: boolean;
  /** Paths are limited for everybody, and the limit itself is allowed. */
  readonly pathLimitForAll: boolean;
  /** Quotas whose own value is still allowed. */
  readonly reachable: ReadonlySet<QuotaName>;
  readonly watchQuotaError: 'ENOSPC' | 'E2BIG';
  /** DOMID_ANY is known in permissions. */
  readonly domidAny: boolean;
  /** server_features and evtchn_port of the ring page are used. */
  readonly ringFeatures: boolean;
  /** Dying is enough to be removed; otherwise dead, gone, or another unique id. */
  readonly dyingIsDeath: boolean;
  /** A dead domain's entries are removed from every node. */
  readonly stripsDeadEntries: boolean;
  /** Domain records copy the quota values when they are made. */
  readonly quotaPerDomain: boolean;
  /** RELEASE deletes the target's watches first. */
  readonly releaseDropsWatches: boolean;
  /** Store domain and not control domain makes a socket unprivileged. */
  readonly privBySocketDomid: boolean;
  /** The error word is written whatever the features say. */
  readonly errorWordAlways: boolean;
  /** What sockets have counts for the store domain. */
  readonly countsSockets: boolean;
  /** Octets for which the privileged domain is charged after a live update, beside its nodes: the root is made twice. */
  readonly restoredRootBytes: number;
  /** Parameters of CONTROL live-update that are looked at. */
  readonly liveUpdateArgsMax: number;
  /** Highest version of the state stream. */
  readonly streamVersionMax: 1 | 2;
  readonly quotaNames: readonly QuotaName[];
  readonly permissionsQuotaLabel: string;
}

const V422: Compat = {
  name: '4.22',
  typeMax: 26,
  strictDomids: true,
  specialNodes: true,
  releaseForAny: true,
  watchDepth: true,
  unwatchChecksPath: true,
  specialWatchUnchecked: false,
  pathLimitForAll: false,
  uniformQuota: true,
  reachable: new Set(),
  watchQuotaError: 'ENOSPC',
  nodeHeaderBytes: 16,
  domidAny: true,
  ringFeatures: true,
  dyingIsDeath: false,
  stripsDeadEntries: true,
  quotaPerDomain: true,
  releaseDropsWatches: true,
  privBySocketDomid: true,
  errorWordAlways: false,
  countsAtOnce: false,
  commitNeedsOwners: false,
  commitSkipsOwnerless: true,
  countsSockets: true,
  restoredRootBytes: 26,
  liveUpdateArgsMax: 6,
  streamVersionMax: 2,
  quotaNames: [
    'nodes',
    'watches',
    'outstanding',
    'memory',
    'transactions',
    'transaction-nodes',
    'node-permissions',
    'path-max',
    'node-size',
  ],
  permissionsQuotaLabel: 'node-permissions',
};

const V417: Compat = {
  name: '4.17',
  typeMax: 22,
  strictDomids: false,
  specialNodes: false,
  releaseForAny: false,
  watchDepth: false,
  unwatchChecksPath: false,
  specialWatchUnchecked: true,
  pathLimitForAll: true,
  uniformQuota: false,
  reachable: new Set<QuotaName>(['transaction-nodes', 'node-permissions', 'path-max']),
  watchQuotaError: 'E2BIG',
  nodeHeaderBytes: 24,
  domidAny: false,
  ringFeatures: false,
  dyingIsDeath: true,
  stripsDeadEntries: false,
  quotaPerDomain: false,
  releaseDropsWatches: false,
  privBySocketDomid: false,
  errorWordAlways: true,
  countsAtOnce: true,
  commitNeedsOwners: true,
  commitSkipsOwnerless: false,
  countsSockets: false,
  restoredRootBytes: 34,
  liveUpdateArgsMax: 4,
  streamVersionMax: 1,
  quotaNames: [
    'nodes',
    'watches',
    'transactions',
    'outstanding',
    'transaction-nodes',
    'memory',
    'node-size',
    'path-max',
    'node-permissions',
  ],
  permissionsQuotaLabel: 'permissions',
};

export function compat(name: CompatName): Compat {
  return name === '4.17' ? V417 : V422;
}
