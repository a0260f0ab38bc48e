import type { Domain } from '../../sim/index.ts';
import type { DomainPlan } from './domain-config.ts';
import { DomidHistory } from './domid-history.ts';
import { Lock } from './lock.ts';

/** What all processes that use libxl on one host have in common: files, and what Xen keeps for them. */
export class SharedFiles {
  /** Ids that were destroyed of late. */
  readonly history: DomidHistory;
  /** The run of a script that has the scripts' lock named `block`; that of `iptables` is never held across an access. */
  blockLock: object | undefined = undefined;
  /** The id that went last, of a domain that the store had taken: whoever makes a domain may get it at once. */
  lastGone: number | undefined = undefined;
  /** Ids of domains that the store has taken. */
  readonly taken = new Set<number>();
  /** Configurations of domains, by domid, as libxl keeps them (`libxl-json` of a domain's userdata). */
  readonly configs = new Map<number, DomainPlan>();
  readonly #handles = new Map<bigint, string>();
  readonly #userdata = new Map<number, Lock>();

  constructor(history: DomidHistory = new DomidHistory()) {
    this.history = history;
  }

  /** The lock of a domain's configuration file (TS-5). Source: libxl__lock_domain_userdata in libxl_internal.c. */
  userdataLock(domid: number): Lock {
    const lock = this.#userdata.get(domid) ?? new Lock();
    this.#userdata.set(domid, lock);
    return lock;
  }

  setHandle({ uniqueId }: Domain, uuid: string): void {
    this.#handles.set(uniqueId, uuid);
  }

  /** A domain's handle, which is its uuid: the one that it was given, or one made of its unique id. */
  handleOf(domain: Domain): string {
    return this.#handles.get(domain.uniqueId) ?? uuidOf(domain);
  }
}

/** The same for the same run: libxl's are random. */
function uuidOf({ uniqueId, domid }: Domain): string {
  const hex = uniqueId.toString(16).padStart(16, '0');
  const tail = domid.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-8000-${tail}`;
}
