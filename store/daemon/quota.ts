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

/** What the daemon counts for one domain; `max` the largest values seen. */
export interface Account {
  nodes: number;
  watches: number;
  transactions: number;
  outstanding: number;
  memory: number;
  readonly max: Record<QuotaName, number>;
}

export function newAccount(): Account {
  const max = Object.fromEntries(QUOTA_NAMES.map((n) => [n, 0])) as Record<QuotaName, number>;
  return { nodes: 0, watches: 0, transactions: 0, outstanding: 0, memory: 0, max };
}

/** What is there now of something that is counted; 0 of what is only compared. */
export function currentValue(account: Account, name: QuotaName): number {
  switch (name) {
    case 'nodes':
    case 'watches':
    case 'outstanding':
    case 'memory':
    case 'transactions':
      return account[name];
    default:
      return 0;
  }
}

/** Set the maxima to what is there now (`quota max -r`). */
export function resetMax(account: Account): void {
  for (const name of QUOTA_NAMES) account.max[name] = currentValue(account, name);
}
