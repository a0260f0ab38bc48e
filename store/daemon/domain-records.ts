import { DOMID_ANY, DOMID_FIRST_RESERVED } from '../../sim/index.ts';
import type { Perm } from '../protocol/perms.ts';
import { refuse } from '../protocol/wire.ts';
import type { Owners } from '../tree/ground.ts';
import { type DomainRecord, SERVER_FEATURES_OFFERED } from './domain-record.ts';
import type { Platform } from './platform.ts';
import { Account } from './quota.ts';
import type { DaemonState } from './state.ts';

type Known = Pick<DaemonState, 'records' | 'loose' | 'quotas' | 'generation'>;

/** Which domains the daemon keeps a record of, and how it comes to (store.md 0.3). */
export class DomainRecords implements Owners {
  readonly #state: Known;
  readonly #platform: Pick<Platform, 'domainState'>;

  constructor(state: Known, platform: Pick<Platform, 'domainState'>) {
    this.#state = state;
    this.#platform = platform;
  }

  record(domid: number): DomainRecord | undefined {
    return this.#state.records.get(domid);
  }

  isIntroduced(domid: number): boolean {
    return this.record(domid)?.introduced === true;
  }

  /** The record, made if there is none; nobody is asked whether the domain exists. */
  make(domid: number): DomainRecord {
    const { records, loose, quotas, generation } = this.#state;
    const there = records.get(domid);
    if (there !== undefined) return there;
    const record: DomainRecord = {
      domid,
      introduced: false,
      uniqueId: 0n,
      stamp: generation,
      features: SERVER_FEATURES_OFFERED,
      isShutdown: false,
      isDetached: false,
      quotas: { ...quotas },
      account: loose.get(domid) ?? new Account(),
      credit: undefined,
    };
    loose.delete(domid);
    records.set(domid, record);
    return record;
  }

  /** The record of a domain that is named in a request: made if the hypervisor knows the domain. */
  findOrMake(domid: number): DomainRecord | undefined {
    const there = this.record(domid);
    if (there !== undefined && there.uniqueId !== 0n) return there;
    const info = domid < DOMID_FIRST_RESERVED ? this.#platform.domainState(domid) : undefined;
    if (info === undefined) return there;
    const record = there ?? this.make(domid);
    record.uniqueId = info.uniqueId;
    return record;
  }

  /** The domain is gone; what it still holds is somebody's all the same. */
  remove({ domid, account }: DomainRecord): void {
    this.#state.records.delete(domid);
    if (account.nodes !== 0 || account.memory !== 0) this.#state.loose.set(domid, account);
  }

  /** SET_PERMS names domains: which of the entries mean nobody (store.md 3.4). Errors: ENOENT for the owner. */
  markStale(perms: readonly Perm[], knowsAny: boolean): readonly Perm[] {
    const marked = perms.map((perm) => {
      if (knowsAny && perm.domid === DOMID_ANY) return perm;
      if (this.record(perm.domid) !== undefined || this.findOrMake(perm.domid) !== undefined) return perm;
      return { ...perm, stale: true };
    });
    if (marked[0]?.stale === true) refuse('ENOENT'); // all the same, records of all the others were made
    return marked;
  }
}
