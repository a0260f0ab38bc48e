import type { Actor, Domain } from '../../sim/index.ts';
import type { DomainPlan } from './domain-config.ts';
import { DomidHistory } from './domid-history.ts';
import { Lock } from './lock.ts';

/** How often is looked whether domains may be built. */
const HELD_LOOK_NS = 100_000;

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
  #isHeld = false;
  readonly #building = new Set<object>();
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

  /** From now on nobody may begin to build a domain, or all may: an administrator has a file that all who do so look for. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
  }

  /** Domains that are being built: they have nodes, and the store has not taken them. */
  get building(): number {
    return this.#building.size;
  }

  /** Wait until domains may be built, and begin with one; no time passes where they may. @returns what ends it. */
  *beginToBuild(): Actor<() => void> {
    while (this.#isHeld) yield HELD_LOOK_NS;
    const one = {};
    this.#building.add(one);
    return () => void this.#building.delete(one);
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
