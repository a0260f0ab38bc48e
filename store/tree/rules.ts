/**
 * In what the daemons differ about nodes, as far as the tree must know. Everything else in which they differ is about rings,
 * CONTROL and quotas, so that the table of all of it is the daemon's (store/daemon/compat.ts): it extends this.
 */
export interface TreeRules {
  /** Octets of a node that count beside permissions, value and child names. */
  readonly nodeHeaderBytes: number;
  /** `new value >= quota` refuses, uniformly; otherwise each limit has its own comparison (store.md 6.1). */
  readonly uniformQuota: boolean;
  /** Nodes are counted when they are made or removed, and not when the request has succeeded. */
  readonly countsAtOnce: boolean;
  /** Every commit asks whether the domains exist whose nodes it adds or removes, not only one that quotas are for. */
  readonly commitNeedsOwners: boolean;
  /** A commit leaves out nodes whose owner is gone, and answers OK. */
  readonly commitSkipsOwnerless: boolean;
}
