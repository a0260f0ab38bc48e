import type { Compat } from './compat.ts';

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

const LABELS: Readonly<Record<QuotaName, string>> = {
  nodes: 'Nodes per domain',
  watches: 'Watches per domain',
  outstanding: 'Outstanding requests per domain',
  memory: 'Total Xenstore memory per domain',
  transactions: 'Active transactions per domain',
  'transaction-nodes': 'Max. number of accessed nodes per transaction',
  'node-permissions': 'Max. number of permissions per node',
  'path-max': 'Max. length of a node path',
  'node-size': 'Max. size of a node',
};

/** CONTROL quota without parameters (store.md 7.3 A). */
export function quotaSettingsText(quotas: Readonly<Quotas>, compat: Compat): string {
  let text = 'Quota settings:\n';
  for (const name of compat.quotaNames) {
    const label = compat.uniformQuota
      ? LABELS[name]
      : name === 'transactions'
        ? 'Transactions per domain'
        : name === 'memory'
          ? `${LABELS.memory} (error level)`
          : LABELS[name];
    const shown = name === 'node-permissions' ? compat.permissionsQuotaLabel : name;
    text += `${shown.padEnd(17)}: ${String(quotas[name] | 0).padStart(8)} ${label}\n`;
  }
  return text;
}

/** CONTROL quota-soft without parameters. */
export function softQuotaText(quotas: Readonly<Quotas>, compat: Compat): string {
  const label = compat.uniformQuota ? LABELS.memory : `${LABELS.memory} (warning level)`;
  return `Quota settings:\n${'memory'.padEnd(17)}: ${String(quotas['soft-memory'] | 0).padStart(8)} ${label}\n`;
}

function current(account: Account, name: QuotaName): number {
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

/** CONTROL quota of one domain (7.3 B). */
export function domainQuotaText(domid: number, account: Account, compat: Compat): string {
  let text = `Domain ${domid}:\n`;
  if (!compat.uniformQuota) {
    for (const name of ['nodes', 'watches', 'transactions', 'outstanding', 'memory'] as const)
      text += `${name.padEnd(16)}: ${String(account[name]).padStart(8)}\n`;
    return text;
  }
  for (const name of QUOTA_NAMES)
    text += `${name.padEnd(17)}: ${String(current(account, name)).padStart(8)} (max ${String(account.max[name]).padStart(8)})\n`;
  return text;
}

/** CONTROL quota max (7.3 C). */
export function maxQuotaText(max: Readonly<Record<QuotaName, number>>): string {
  let text = 'Max. seen accounting values:\n';
  for (const name of QUOTA_NAMES) text += `${name.padEnd(17)}: ${String(max[name]).padStart(8)}\n`;
  return text;
}

/** Set the maxima to what is there now (`quota max -r`). */
export function resetMax(account: Account): void {
  for (const name of QUOTA_NAMES) account.max[name] = current(account, name);
}
