import type { DomainEnds } from './domain-ends.ts';
import type { DomainRecord } from './domain-record.ts';
import type { DomainState, Platform } from './platform.ts';
import { RELEASE_DOMAIN, type SpecialNodes } from './special-nodes.ts';
import type { DaemonState } from './state.ts';

type Known = Pick<DaemonState, 'compat' | 'records' | 'connections'>;

/** What the hypervisor says of domains, and what follows from it (store.md 8.7). */
export class DomainChanges {
  readonly #state: Known;
  readonly #platform: Pick<Platform, 'domainState' | 'popChangedDomain'>;
  readonly #special: SpecialNodes;
  readonly #ends: DomainEnds;

  constructor(
    state: Known,
    platform: Pick<Platform, 'domainState' | 'popChangedDomain'>,
    special: SpecialNodes,
    ends: DomainEnds,
  ) {
    this.#state = state;
    this.#platform = platform;
    this.#special = special;
    this.#ends = ends;
  }

  /** VIRQ_DOM_EXC: drain the bitmap (4.22) or look at every record (4.17). */
  checkChanged(): void {
    if (this.#state.compat.dyingIsDeath) return this.#checkAll417();
    const changed: { domid: number; info: DomainState | undefined }[] = [];
    const pop = () => this.#platform.popChangedDomain();
    for (let next = pop(); next !== undefined; next = pop()) changed.push({ domid: next.domid, info: next.state });
    let notify = false;
    for (const { domid, info } of changed) notify = this.#check(domid, info, notify);
    if (notify) this.#special.fire(RELEASE_DOMAIN, undefined);
  }

  /**
   * A starting daemon takes what the bitmap holds to itself: it looks at every domain anyway. (Whoever binds the VIRQ is told of
   * all domains that there are.) Source: domain.c, init_domains.
   */
  forgetChanged(): void {
    if (this.#state.compat.dyingIsDeath) return;
    while (this.#platform.popChangedDomain() !== undefined);
  }

  /** After a live update: the VIRQ may have been missed. */
  checkEvery(): void {
    if (this.#state.compat.dyingIsDeath) return this.#checkAll417();
    let notify = false;
    for (const domid of [...this.#state.records.keys()].sort((a, b) => a - b))
      notify = this.#check(domid, this.#platform.domainState(domid), notify);
    if (notify) this.#special.fire(RELEASE_DOMAIN, undefined);
  }

  /** @returns whether the plain form of the event is still owed, as it may be already (`notify`). */
  #check(domid: number, info: DomainState | undefined, notify: boolean): boolean {
    const record = this.#state.records.get(domid);
    if (record === undefined) return notify;
    let isGone = info === undefined;
    if (info !== undefined) {
      if (record.uniqueId === 0n) record.uniqueId = info.uniqueId;
      else if (record.uniqueId !== info.uniqueId) isGone = true;
    }
    if (!record.introduced) {
      if (isGone) this.#ends.destroy(record);
      return notify;
    }
    let isOwed = notify;
    if (!isGone && info?.shutdown === true && !record.isShutdown && !this.#isParkedForMove(record)) {
      record.isShutdown = true;
      this.#special.fire(RELEASE_DOMAIN, domid, 'domid-only');
      isOwed = true;
    }
    if (!isGone && info?.dead !== true) return isOwed;
    return this.#ends.end(record) ? false : isOwed; // the destruction fired the plain form
  }

  /**
   * A domain that is frozen was stopped to be moved. It knows nothing of that, so it is not told, although it may watch the ends
   * of domains: everybody else is (NC-4, INV-M27).
   */
  #isParkedForMove(record: DomainRecord): boolean {
    const { domid } = record;
    const conn = this.#state.connections.ringOf(domid);
    if (conn?.moving !== 'frozen') return false;
    record.isShutdown = true;
    this.#special.fire(RELEASE_DOMAIN, domid, undefined, conn);
    return true;
  }

  /** The newest record first, and from the start again after each removal. */
  #checkAll417(): void {
    let notify = false;
    again: for (;;) {
      for (const record of [...this.#state.records.values()].reverse()) {
        const info = this.#platform.domainState(record.domid);
        if (!record.introduced) {
          if (info !== undefined) continue;
          this.#ends.destroy(record);
          continue again;
        }
        if (info?.shutdown === true && !record.isShutdown && !this.#isParkedForMove(record)) {
          record.isShutdown = true;
          notify = true;
        }
        if (info !== undefined && !info.dying && !info.dead) continue;
        if (!this.#ends.end(record)) continue;
        notify = false;
        continue again;
      }
      break;
    }
    if (notify) this.#special.fire(RELEASE_DOMAIN, undefined);
  }
}
