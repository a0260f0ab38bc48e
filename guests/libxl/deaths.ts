import { type Actor, PARK, XEN_DOMINF_dying, XEN_DOMINF_shutdown, XEN_DOMINF_shutdownshift } from '../../sim/index.ts';
import type { Call } from './call.ts';
import { ProcessWatch } from './process-watch.ts';

export type DomainEvent =
  /** It is gone, or dead. */
  | { readonly kind: 'death'; readonly domid: number }
  /** It has shut down, with that code. */
  | { readonly kind: 'shutdown'; readonly domid: number; readonly code: number };

/** How many domains one look at Xen's list brings, if more than one is waited for. */
const BATCH = 200;

/**
 * Waits for the ends of domains (TS-13): one watch on @releaseDomain for all, and a look at Xen's list with each of its
 * events, also those that mean nothing. The caller has no lock.
 * Source: libxl_evenable_domain_death, domain_death_xswatch_callback in tools/libs/light/libxl_domain.c.
 */
export class DomainDeaths {
  readonly #call: Call;
  /** Ascending by domid. */
  #waitedFor: { readonly domid: number; isShutdownReported: boolean }[] = [];
  readonly #found: DomainEvent[] = [];
  #watch: ProcessWatch | undefined;
  /** Looks at the list so far. */
  scans = 0;

  constructor(call: Call) {
    this.#call = call;
  }

  /** Wait for this one, too. False: the store refused the watch. */
  *add(domid: number): Actor<boolean> {
    this.#waitedFor.push({ domid, isShutdownReported: false });
    this.#waitedFor.sort((a, b) => a.domid - b.domid);
    const call = this.#call;
    this.#watch ??= yield* call.locked(() => ProcessWatch.register(call.xl.watches, call.xs, '@releaseDomain'));
    return this.#watch !== undefined;
  }

  /** Its next shutdown is news again. The watch stays as it is: a new one's first event would find the old shutdown. */
  renew(domid: number): void {
    for (const waited of this.#waitedFor) if (waited.domid === domid) waited.isShutdownReported = false;
  }

  /** No more news of this one; with the last one goes the watch. */
  *drop(domid: number): Actor {
    this.#waitedFor = this.#waitedFor.filter((waited) => waited.domid !== domid);
    const watch = this.#watch;
    if (this.#waitedFor.length > 0 || watch === undefined) return;
    this.#watch = undefined;
    yield* this.#call.locked(() => watch.deregister());
  }

  /** The next news. */
  *next(): Actor<DomainEvent> {
    for (;;) {
      const event = this.#found.shift();
      if (event !== undefined) return event;
      while (this.#watch?.hasEvents !== true) yield PARK;
      yield* this.#call.enter();
      while (this.#watch?.take() !== undefined) this.#scan();
      this.#call.leave();
    }
  }

  #scan(): void {
    this.scans++;
    const { domctl } = this.#call.xl.os.hyper;
    let todo = this.#waitedFor;
    while (todo.length > 0) {
      const first = todo[0]?.domid ?? 0;
      const list = domctl.getDomainInfoList(first, todo.length > 1 ? BATCH : 1);
      const got = list.ok ? list.value : [];
      const last = got[got.length - 1]?.domid;
      const covered = last === undefined ? todo : todo.filter(({ domid }) => domid <= last);
      for (const waited of covered) {
        const info = got.find(({ domid }) => domid === waited.domid);
        if (info === undefined || (info.flags & XEN_DOMINF_dying) !== 0) this.#report(waited.domid);
        else if ((info.flags & XEN_DOMINF_shutdown) !== 0 && !waited.isShutdownReported) {
          waited.isShutdownReported = true;
          const code = (info.flags >>> XEN_DOMINF_shutdownshift) & 0xff;
          this.#found.push({ kind: 'shutdown', domid: waited.domid, code });
        }
      }
      // One entry beyond the only one that is waited for says that this one is missing.
      if (covered.length === 0) this.#report(first);
      todo = todo.slice(Math.max(1, covered.length));
    }
  }

  #report(domid: number): void {
    this.#waitedFor = this.#waitedFor.filter((waited) => waited.domid !== domid);
    this.#found.push({ kind: 'death', domid });
  }
}

/**
 * Tells a long operation that its domain's nodes are gone, so that it can give up (TS-14). Events wake the operation's actor,
 * which then asks `look`. Source: libxl__domaindeathcheck_start in tools/libs/light/libxl_event.c.
 */
export class DomainDeathCheck {
  readonly #call: Call;
  readonly #path: string;
  readonly #watch: ProcessWatch;

  private constructor(call: Call, path: string, watch: ProcessWatch) {
    this.#call = call;
    this.#path = path;
    this.#watch = watch;
  }

  /** The caller has the lock. `undefined`: the store refused the watch. */
  static *start(call: Call, domid: number): Actor<DomainDeathCheck | undefined> {
    const path = `/local/domain/${domid}`;
    const watch = yield* ProcessWatch.register(call.xl.watches, call.xs, path);
    return watch === undefined ? undefined : new DomainDeathCheck(call, path, watch);
  }

  get hasEvents(): boolean {
    return this.#watch.hasEvents;
  }

  /** Look at what has come. True: the domain's home is no more. The caller has the lock. */
  *look(): Actor<boolean> {
    while (this.#watch.take() !== undefined) {
      const reply = yield* this.#call.xs.read(this.#path);
      if (reply.error === 'ENOENT') return true;
    }
    return false;
  }

  stop(): Actor {
    return this.#watch.deregister();
  }
}
