import { FEATURE_DOMID_ANY, FEATURE_ERROR, FEATURE_WATCHDEPTH } from '../../sim/index.ts';
import type { Account, Quotas } from './quota.ts';
import type { Credit } from './rate.ts';

/** What every domain is offered, if nothing else was set for it. Source: domain.c, XENSTORE_FEATURES. */
export const SERVER_FEATURES_OFFERED = FEATURE_ERROR | FEATURE_WATCHDEPTH | FEATURE_DOMID_ANY;

/** What the daemon keeps of a domain that was introduced or merely named (store.md 0.3). */
export interface DomainRecord {
  readonly domid: number;
  introduced: boolean;
  /** 0n = not learnt yet. */
  uniqueId: bigint;
  /** Global generation when the record was made: permissions older than this meant somebody else. */
  stamp: number;
  features: number;
  isShutdown: boolean;
  /** Dead, but kept by a connection whose target it is (store.md 8.6). */
  isDetached: boolean;
  readonly quotas: Quotas;
  readonly account: Account;
  credit: Credit | undefined;
}

/** No record is younger than this generation: what was known before is known again. */
export function limitStamps(records: Iterable<DomainRecord>, generation: number): void {
  for (const record of records) record.stamp = Math.min(record.stamp, generation);
}
