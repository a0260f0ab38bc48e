import type { Compat } from './compat.ts';
import { type Account, QUOTA, QUOTA_NAMES, type QuotaName, type Quotas, type QuotaValues } from './quota.ts';

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

/** CONTROL quota of one domain (7.3 B). */
export function domainQuotaText(domid: number, account: Account, compat: Compat): string {
  let text = `Domain ${domid}:\n`;
  if (!compat.uniformQuota) {
    for (const name of ['nodes', 'watches', 'transactions', 'outstanding', 'memory'] as const)
      text += `${name.padEnd(16)}: ${String(account[name]).padStart(8)}\n`;
    return text;
  }
  for (const name of QUOTA_NAMES)
    text += `${name.padEnd(17)}: ${String(account.now[QUOTA[name]]).padStart(8)} (max ${String(account.max[QUOTA[name]]).padStart(8)})\n`;
  return text;
}

/** CONTROL quota max (7.3 C). */
export function maxQuotaText(max: Readonly<QuotaValues>): string {
  let text = 'Max. seen accounting values:\n';
  for (const name of QUOTA_NAMES) text += `${name.padEnd(17)}: ${String(max[QUOTA[name]]).padStart(8)}\n`;
  return text;
}
