import {
  CONNECTION,
  EVTCHN_PORT,
  REQ_CONS,
  REQ_PROD,
  RSP_CONS,
  RSP_PROD,
  SERVER_FEATURES,
  XENSTORE_CONNECTED,
  XENSTORE_RECONNECT,
} from '../../sim/index.ts';
import { type ErrorName, refuse, wireErrno } from '../protocol/wire.ts';
import type { Connection } from './connection.ts';
import type { Connections } from './connections.ts';
import type { DomainEnds } from './domain-ends.ts';
import type { DomainRecord } from './domain-record.ts';
import type { DomainRecords } from './domain-records.ts';
import type { Platform } from './platform.ts';
import { INTRODUCE_DOMAIN, type SpecialNodes } from './special-nodes.ts';
import type { DaemonState } from './state.ts';
import type { Wakes } from './wakes.ts';

type Known = Pick<DaemonState, 'compat' | 'options' | 'connections' | 'rate'>;

/** How domains get their rings (store.md 2.4, 2.5). */
export class Introductions {
  readonly #state: Known;
  readonly #platform: Platform;
  readonly #records: DomainRecords;
  readonly #connections: Connections;
  readonly #special: SpecialNodes;
  readonly #ends: DomainEnds;
  readonly #wakes: Wakes;

  constructor(
    state: Known,
    platform: Platform,
    records: DomainRecords,
    connections: Connections,
    special: SpecialNodes,
    ends: DomainEnds,
    wakes: Wakes,
  ) {
    this.#state = state;
    this.#platform = platform;
    this.#records = records;
    this.#connections = connections;
    this.#special = special;
    this.#ends = ends;
    this.#wakes = wakes;
  }

  /** INTRODUCE. Errors: what mapping or binding gives. */
  introduce(domid: number, remotePort: number): void {
    const known = this.#records.record(domid);
    if (known?.introduced === true) {
      const conn = this.#state.connections.ringOf(domid);
      if (conn === undefined) return;
      if (conn.link.kind === 'ring') {
        this.#platform.unbindPort(conn.link.port);
        const port = this.#platform.bindPort(domid, remotePort, true);
        conn.link.port = port.ok ? port.value : 0; // a failing bind still answers OK
      }
      this.#reset(conn);
      return;
    }
    const record = known ?? this.#records.make(domid);
    this.#learnIdentity(record);
    const conn = this.#connect(record, remotePort);
    if (typeof conn === 'string') {
      // A record that was made for this ends as that of any domain: nodes and entries that name it go, too.
      if (known === undefined) this.#ends.destroy(record);
      refuse(conn);
    }
    if (domid !== this.#state.options.privDomid) this.#special.fire(INTRODUCE_DOMAIN, domid);
    this.#reset(conn);
  }

  /**
   * The record may be of a domain that had the id before, was never introduced, and whose end was not noticed. The daemon keeps
   * its unique id, and lets go of the new domain at the next look. One that carries transactions learns the new id instead.
   * Source of the defect: tools/xenstored/domain.c, introduce_domain and do_check_domain.
   */
  #learnIdentity(record: DomainRecord): void {
    if (this.#state.options.policy === 'daemon' || record.uniqueId === 0n) return;
    const info = this.#platform.domainState(record.domid);
    if (info !== undefined) record.uniqueId = info.uniqueId;
  }

  #connect(record: DomainRecord, remotePort: number): Connection | ErrorName {
    const { compat, rate } = this.#state;
    const { domid } = record;
    let made: Connection | undefined;
    const page = this.#platform.mapRing(domid, () => made !== undefined && this.#wakes.touched(made));
    if (!page.ok) return wireErrno(page.errno);
    const inPage = compat.ringFeatures ? page.value.load32(EVTCHN_PORT) : 0;
    record.credit = rate.introduce(this.#platform.nowMs());
    const port = this.#platform.bindPort(domid, inPage !== 0 ? inPage : remotePort);
    if (!port.ok) {
      page.value.unmap(); // the rate limiter's count of domains stays one too high, as in the daemon
      return wireErrno(port.errno);
    }
    made = this.#connections.addRing(domid, page.value, port.value);
    record.introduced = true;
    record.isShutdown = false;
    if (compat.ringFeatures) page.value.store32(SERVER_FEATURES, record.features);
    return made;
  }

  /**
   * A domain has come from another host and goes on with its ring: that is mapped and bound, and not a word of it is changed
   * (NC-3, NC-15). The connection is frozen. @returns why the hypervisor does not let the daemon. The domain must not be
   * introduced.
   */
  adopt(domid: number, remotePort: number): Connection | string {
    const info = this.#platform.domainState(domid);
    if (info === undefined) return 'ESRCH';
    let made: Connection | undefined;
    const page = this.#platform.mapRing(domid, () => made !== undefined && this.#wakes.touched(made));
    if (!page.ok) return page.errno;
    const port = this.#platform.bindPort(domid, remotePort);
    if (!port.ok) {
      page.value.unmap();
      return port.errno;
    }
    const record = this.#records.make(domid);
    record.credit = this.#state.rate.introduce(this.#platform.nowMs());
    record.uniqueId = info.uniqueId;
    record.introduced = true;
    record.isShutdown = false;
    made = this.#connections.addRing(domid, page.value, port.value);
    made.moving = 'frozen';
    return made;
  }

  /** NF7: let go of a frozen connection's page, which is marked dirty by that alone (GNT-13): what the daemon has put into it goes
   *  along with the last pages. */
  letGo({ link, moving }: Connection): void {
    if (link.kind !== 'ring' || moving !== 'frozen') return;
    link.page?.unmap();
    link.page = undefined;
  }

  /** Its page again, where it was let go of. False: it cannot be had any more. */
  takeAgain(conn: Connection): boolean {
    const { link, domid } = conn;
    if (link.kind !== 'ring' || link.page !== undefined) return true;
    const page = this.#platform.mapRing(domid, () => this.#wakes.touched(conn));
    if (page.ok) link.page = page.value;
    return page.ok;
  }

  /** It came to nothing after all: as if it had never been there. */
  abandon(conn: Connection): void {
    const { record, link } = conn;
    this.#connections.drop(conn);
    if (link.kind === 'ring') {
      link.page?.unmap();
      this.#platform.unbindPort(link.port);
    }
    if (record === undefined) return;
    if (record.credit !== undefined) this.#state.rate.destroy(record.credit);
    record.introduced = false;
    record.credit = undefined;
  }

  /** Whoever waits for domains is told of one that is complete. */
  announce(domid: number): void {
    this.#special.fire(INTRODUCE_DOMAIN, domid);
  }

  /** The first ring, of the privileged domain, at a fresh start; indexes are as its kernel left them. */
  connectPrivileged(remotePort: number): void {
    const record = this.#records.make(this.#state.options.privDomid);
    const conn = this.#connect(record, remotePort);
    if (typeof conn === 'string') throw new Error(`assertion: the privileged domain's ring: ${conn}`);
  }

  /** The ring of the domain in which the store itself runs, where that is not the privileged one: introduced at a fresh start,
   *  as every domain that is there already. Source: tools/xenstored/domain.c, init_domains. */
  connectOwn(ownPort: number): void {
    const { storeDomid } = this.#state.options;
    this.#records.findOrMake(storeDomid);
    this.introduce(storeDomid, ownPort);
  }

  #reset(conn: Connection): void {
    if (conn.link.kind !== 'ring' || conn.link.page === undefined) return;
    this.#connections.forget(conn);
    const { page, port } = conn.link;
    for (const word of [REQ_PROD, REQ_CONS, RSP_PROD, RSP_CONS]) page.store32(word, 0);
    if (page.load32(CONNECTION) !== XENSTORE_RECONNECT) return;
    page.store32(CONNECTION, XENSTORE_CONNECTED);
    this.#platform.notify(port);
  }
}
