/** Hard limits by name; `soft-memory` is the one soft limit. Source: domain.c, hard_quotas. */
export const QUOTA_NAMES = [
  'nodes',
  'watches',
  'outstanding',
  'memory',
  'transactions',
  'transaction-nodes',
  'node-permissions',
  'path-max',
  'node-size',
] as const;
export type QuotaName = (typeof QUOTA_NAMES)[number];
export type Quotas = Record<QuotaName | 'soft-memory', number>;

export const DEFAULT_QUOTAS: Readonly<Quotas> = {
  nodes: 1000,
  watches: 128,
  outstanding: 20,
  memory: 2_621_440,
  'soft-memory': 2_097_152,
  transactions: 10,
  'transaction-nodes': 1024,
  'node-permissions': 5,
  'path-max': 2048,
  'node-size': 2048,
};

/** Names and order in which GET_QUOTA lists them. */
export const QUOTA_LIST =
  'nodes watches outstanding memory soft-memory transactions transaction-nodes node-permissions path-max node-size';

export function isQuota(name: string): name is keyof Quotas {
  return Object.hasOwn(DEFAULT_QUOTAS, name);
}

/** Where the value of each is in a list of all of them. */
export const QUOTA = Object.fromEntries(QUOTA_NAMES.map((name, i) => [name, i])) as Readonly<Record<QuotaName, number>>;

/** One value for each of QUOTA_NAMES, in their order. */
export type QuotaValues = number[];

export function newQuotaValues(): QuotaValues {
  return QUOTA_NAMES.map(() => 0);
}

/** What the daemon counts for one domain. Lists and no names: each request is counted several times. */
export class Account {
  /** What is there now of something that is counted; 0 of what is only compared. */
  readonly now: QuotaValues = newQuotaValues();
  /** The largest values seen. */
  readonly max: QuotaValues = newQuotaValues();

  get nodes(): number {
    return this.now[QUOTA.nodes] as number;
  }

  get watches(): number {
    return this.now[QUOTA.watches] as number;
  }

  get transactions(): number {
    return this.now[QUOTA.transactions] as number;
  }

  get outstanding(): number {
    return this.now[QUOTA.outstanding] as number;
  }

  get memory(): number {
    return this.now[QUOTA.memory] as number;
  }

  /** Set the maxima to what is there now (`quota max -r`). */
  resetMax(): void {
    for (let i = 0; i < this.max.length; i++) this.max[i] = this.now[i] as number;
  }
}
