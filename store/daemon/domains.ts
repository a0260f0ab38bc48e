import {
  CONNECTION,
  DOMID_ANY,
  DOMID_FIRST_RESERVED,
  EVTCHN_PORT,
  FEATURE_DOMID_ANY,
  FEATURE_ERROR,
  FEATURE_WATCHDEPTH,
  REQ_CONS,
  REQ_PROD,
  RSP_CONS,
  RSP_PROD,
  SERVER_FEATURES,
  XENSTORE_CONNECTED,
  XENSTORE_RECONNECT,
} from '../../sim/index.ts';
import { childOf, parentOf } from '../protocol/path.ts';
import type { Perm } from '../protocol/perms.ts';
import { type ErrorName, refuse, wireErrno } from '../protocol/wire.ts';
import { type Node, ownerOf } from '../tree/node.ts';
import { View } from '../tree/view.ts';
import type { Connection } from './connection.ts';
import type { DomainState } from './platform.ts';
import { type Account, newAccount, type Quotas } from './quota.ts';
import type { Credit } from './rate.ts';
import { fireSpecial, SPECIAL_NODES } from './special.ts';
import type { DaemonState } from './state.ts';

/** Features offered: ERROR, WATCHDEPTH, DOMID_ANY. Source: domain.c, XENSTORE_FEATURES. */
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

/** Domain records, introduction, release, and what the hypervisor says of them (store.md 8). */
export class Domains {
  readonly #state: DaemonState;
  readonly #records = new Map<number, DomainRecord>();
  /** Accounts of domids without a record: sockets of a store domain, owners that are gone. */
  readonly #loose = new Map<number, Account>();

  constructor(state: DaemonState) {
    this.#state = state;
  }

  record(domid: number): DomainRecord | undefined {
    return this.#records.get(domid);
  }

  /** In order of making. */
  records(): Iterable<DomainRecord> {
    return this.#records.values();
  }

  account(domid: number): Account {
    const record = this.#records.get(domid);
    if (record !== undefined) return record.account;
    let account = this.#loose.get(domid);
    if (account === undefined) {
      account = newAccount();
      this.#loose.set(domid, account);
    }
    return account;
  }

  countNodes(owner: number, delta: number): void {
    const account = this.account(owner);
    account.nodes = Math.max(0, account.nodes + delta);
    this.#state.noteMax(owner, account, 'nodes', account.nodes);
  }

  /** After a restore: no record is younger than this generation. */
  limitStamps(generation: number): void {
    for (const record of this.#records.values()) record.stamp = Math.min(record.stamp, generation);
  }

  isIntroduced(domid: number): boolean {
    return this.#records.get(domid)?.introduced === true;
  }

  /** The record, made if there is none; nobody is asked whether the domain exists. */
  make(domid: number): DomainRecord {
    const there = this.#records.get(domid);
    if (there !== undefined) return there;
    const record: DomainRecord = {
      domid,
      introduced: false,
      uniqueId: 0n,
      stamp: this.#state.generation,
      features: SERVER_FEATURES_OFFERED,
      isShutdown: false,
      isDetached: false,
      quotas: { ...this.#state.quotas },
      account: this.#loose.get(domid) ?? newAccount(),
      credit: undefined,
    };
    this.#loose.delete(domid);
    this.#records.set(domid, record);
    return record;
  }

  /** The record of a domain that is named in a request: made if the hypervisor knows the domain. */
  findOrMake(domid: number): DomainRecord | undefined {
    const there = this.#records.get(domid);
    if (there !== undefined && there.uniqueId !== 0n) return there;
    const info = domid < DOMID_FIRST_RESERVED ? this.#state.platform.domainState(domid) : undefined;
    if (info === undefined) return there;
    const record = there ?? this.make(domid);
    record.uniqueId = info.uniqueId;
    return record;
  }

  // INTRODUCE (store.md 2.4, 2.5) -----------------------------------------------------------------------------------

  /** Errors: what mapping or binding gives. */
  introduce(domid: number, remotePort: number): void {
    const state = this.#state;
    const known = this.#records.get(domid);
    if (known?.introduced === true) {
      const conn = state.ringOf(domid);
      if (conn === undefined) return;
      if (conn.link.kind === 'ring') {
        state.platform.unbindPort(conn.link.port);
        const port = state.platform.bindPort(domid, remotePort);
        conn.link.port = port.ok ? port.value : 0; // a failing bind still answers OK
      }
      this.#reset(conn);
      return;
    }
    const record = known ?? this.make(domid);
    this.#adopt(record);
    const conn = this.#connect(record, remotePort);
    if (typeof conn === 'string') {
      if (known === undefined) this.#records.delete(domid);
      refuse(conn);
    }
    if (domid !== state.options.privDomid) fireSpecial(state, '@introduceDomain', domid);
    this.#reset(conn);
  }

  /**
   * The record may be of a domain that had the id before, was never introduced, and whose end was not noticed. The daemon keeps
   * its unique id, and lets go of the new domain at the next look. One that carries transactions learns the new id instead.
   * Source of the defect: tools/xenstored/domain.c, introduce_domain and do_check_domain.
   */
  #adopt(record: DomainRecord): void {
    const { platform, options } = this.#state;
    if (options.policy === 'daemon' || record.uniqueId === 0n) return;
    const info = platform.domainState(record.domid);
    if (info !== undefined) record.uniqueId = info.uniqueId;
  }

  #connect(record: DomainRecord, remotePort: number): Connection | ErrorName {
    const state = this.#state;
    const { domid } = record;
    let made: Connection | undefined;
    const page = state.platform.mapRing(domid, () => made !== undefined && state.onTouched(made));
    if (!page.ok) return wireErrno(page.errno);
    const inPage = state.compat.ringFeatures ? page.value.load32(EVTCHN_PORT) : 0;
    record.credit = state.rate.introduce(state.platform.nowMs());
    const port = state.platform.bindPort(domid, inPage !== 0 ? inPage : remotePort);
    if (!port.ok) {
      page.value.unmap(); // the rate limiter's count of domains stays one too high, as in the daemon
      return wireErrno(port.errno);
    }
    made = state.addRing(domid, page.value, port.value);
    record.introduced = true;
    record.isShutdown = false;
    if (state.compat.ringFeatures) page.value.store32(SERVER_FEATURES, record.features);
    return made;
  }

  /** The first ring, of the privileged domain, at a fresh start; indexes are as its kernel left them. */
  connectPrivileged(remotePort: number): void {
    const record = this.make(this.#state.options.privDomid);
    const conn = this.#connect(record, remotePort);
    if (typeof conn === 'string') throw new Error(`assertion: the privileged domain's ring: ${conn}`);
  }

  /** The ring of the domain in which the store itself runs, where that is not the privileged one: introduced at a fresh start,
   *  as every domain that is there already. Source: tools/xenstored/domain.c, init_domains. */
  connectOwn(ownPort: number): void {
    const { storeDomid } = this.#state.options;
    this.findOrMake(storeDomid);
    this.introduce(storeDomid, ownPort);
  }

  #reset(conn: Connection): void {
    if (conn.link.kind !== 'ring' || conn.link.page === undefined) return;
    this.#state.forget(conn);
    const { page, port } = conn.link;
    for (const word of [REQ_PROD, REQ_CONS, RSP_PROD, RSP_CONS]) page.store32(word, 0);
    if (page.load32(CONNECTION) !== XENSTORE_RECONNECT) return;
    page.store32(CONNECTION, XENSTORE_CONNECTED);
    this.#state.platform.notify(port);
  }

  // The end of a domain (store.md 8.2, 8.6) ---------------------------------------------------------------------------

  /** RELEASE. Errors: EINVAL, ENOENT. */
  release(domid: number, requester: Connection): void {
    const state = this.#state;
    this.refuseVital(domid);
    const conn = this.connected(domid);
    if (state.compat.releaseDropsWatches) state.dropWatches(conn);
    if (state.onReleased !== undefined && state.isNext(requester, conn)) {
      // The loop holds on to the neighbour of whom it serves: its end comes with its own turn.
      conn.isReleased = true;
      state.onReleased(conn);
    } else this.#let(conn);
  }

  /** The turn of a connection with `isReleased` has come, and one last request of it was processed. */
  finishRelease(conn: Connection): void {
    conn.isReleased = false;
    if (!conn.isClosed) this.#let(conn);
  }

  /** Let go of a connection: of one that is somebody's target, only that tie is cut. */
  #let(conn: Connection): void {
    if (conn.ties.length > 0) conn.ties.shift();
    else if (conn.record !== undefined) this.destroy(conn.record);
  }

  /** RELEASE and RESUME are not for the domains that the host cannot do without. Errors: EINVAL. */
  refuseVital(domid: number): void {
    const { privDomid, storeDomid } = this.#state.options;
    if (this.#state.compat.strictDomids ? domid === privDomid || domid === storeDomid : domid === 0) refuse('EINVAL');
  }

  /** The connection of an introduced domain. Errors: ENOENT; EINVAL dead, and kept as a target. */
  connected(domid: number): Connection {
    const record = this.#records.get(domid);
    const conn = this.#state.ringOf(domid);
    if (record?.introduced !== true || conn === undefined) refuse('ENOENT');
    return record.isDetached ? refuse('EINVAL') : conn;
  }

  /** SET_TARGET: `conn` gets the rights of `target`, which stays for as long as `conn` does. */
  tie(conn: Connection, target: Connection): void {
    conn.target = target;
    target.ties.unshift(conn);
  }

  /** A connection goes: what it was tied to, and only waited for that, goes first. */
  #untie(conn: Connection): void {
    for (const other of [...this.#state.connections]) {
      if (!other.ties.includes(conn)) continue;
      for (let at = other.ties.indexOf(conn); at >= 0; at = other.ties.indexOf(conn)) other.ties.splice(at, 1);
      if (other.ties.length === 0 && other.record?.isDetached === true) this.destroy(other.record);
    }
  }

  /** Everything of the domain goes, in the daemon's order. */
  destroy(record: DomainRecord): void {
    const state = this.#state;
    const { domid, introduced } = record;
    const conn = introduced ? state.ringOf(domid) : undefined;
    if (conn !== undefined) {
      state.forget(conn);
      state.dropConnection(conn);
      this.#untie(conn);
    }
    this.#removeNodes(domid);
    this.#records.delete(domid);
    if (record.account.nodes !== 0 || record.account.memory !== 0) this.#loose.set(domid, record.account);
    if (!introduced) return;
    if (conn?.link.kind === 'ring') {
      if (conn.link.port !== 0) state.platform.unbindPort(conn.link.port);
      conn.link.page?.unmap();
    }
    fireSpecial(state, '@releaseDomain', domid);
    if (record.credit !== undefined) state.rate.destroy(record.credit);
  }

  /** Orphans go with their subtrees, pre-order; other nodes lose the domain's entries (store.md 8.6, step 2). */
  #removeNodes(domid: number): void {
    const state = this.#state;
    const { compat, options } = state;
    if (!compat.stripsDeadEntries && this.account(domid).nodes <= 0) return this.#stripSpecialPerms(domid);
    const view = new View(state, undefined, undefined);
    const visit = (node: Node) => {
      const isOrphan = ownerOf(node) === domid;
      if (isOrphan && !options.keepOrphans) {
        const isRoot = node.path === '/' || node.path.startsWith('@');
        return view.removeTree(node, isRoot ? undefined : state.liveNode(parentOf(node.path)));
      }
      if (isOrphan) {
        this.countNodes(domid, -1);
        this.countNodes(options.privDomid, 1);
      }
      const isStripped = compat.stripsDeadEntries && node.perms.some((p, i) => i > 0 && p.domid === domid);
      if (isOrphan || isStripped) {
        const owner: Perm = isOrphan
          ? { ...(node.perms[0] as Perm), domid: options.privDomid }
          : (node.perms[0] as Perm);
        const others = node.perms.slice(1).filter((p) => !compat.stripsDeadEntries || p.domid !== domid);
        state.store({ ...node, perms: [owner, ...others] }, node); // neither a new generation nor an event
      }
      for (const base of node.children) {
        const child = state.liveNode(childOf(node.path, base));
        if (child !== undefined) visit(child);
      }
    };
    for (const name of ['/', ...SPECIAL_NODES]) {
      const node = state.liveNode(name);
      if (node !== undefined) visit(node);
    }
    view.applyCounts();
    this.#stripSpecialPerms(domid);
  }

  #stripSpecialPerms(domid: number): void {
    for (const [name, perms] of this.#state.specialPerms)
      this.#state.specialPerms.set(
        name,
        perms.filter((p, i) => i === 0 || p.domid !== domid),
      );
  }

  // What the hypervisor says (store.md 8.7) -----------------------------------------------------------------------------

  /** VIRQ_DOM_EXC: drain the bitmap (4.22) or look at every record (4.17). */
  checkChanged(): void {
    const { compat, platform } = this.#state;
    if (compat.dyingIsDeath) return this.#checkAll417();
    const changed: { domid: number; info: DomainState | undefined }[] = [];
    for (let next = platform.popChangedDomain(); next !== undefined; next = platform.popChangedDomain())
      changed.push({ domid: next.domid, info: next.state });
    let notify = false;
    for (const { domid, info } of changed) notify = this.#check(domid, info, notify);
    if (notify) fireSpecial(this.#state, '@releaseDomain', undefined);
  }

  /** After a live update: the VIRQ may have been missed. */
  checkEvery(): void {
    if (this.#state.compat.dyingIsDeath) return this.#checkAll417();
    let notify = false;
    for (const domid of [...this.#records.keys()].sort((a, b) => a - b))
      notify = this.#check(domid, this.#state.platform.domainState(domid), notify);
    if (notify) fireSpecial(this.#state, '@releaseDomain', undefined);
  }

  #check(domid: number, info: DomainState | undefined, notify: boolean): boolean {
    const record = this.#records.get(domid);
    if (record === undefined) return notify;
    let gone = info === undefined;
    if (info !== undefined) {
      if (record.uniqueId === 0n) record.uniqueId = info.uniqueId;
      else if (record.uniqueId !== info.uniqueId) gone = true;
    }
    if (!record.introduced) {
      if (gone) this.destroy(record);
      return notify;
    }
    let told = notify;
    if (!gone && info?.shutdown === true && !record.isShutdown) {
      record.isShutdown = true;
      fireSpecial(this.#state, '@releaseDomain', domid, 'domid-only');
      told = true;
    }
    if (!gone && info?.dead !== true) return told;
    return this.#end(record) ? false : told; // the destruction fired the plain form
  }

  /** An introduced domain has died; one that is another's target stays, detached. False: it was detached before. */
  #end(record: DomainRecord): boolean {
    if (record.isDetached) return false;
    const conn = this.#state.ringOf(record.domid);
    if (conn === undefined || conn.ties.length === 0) this.destroy(record);
    else record.isDetached = true;
    return true;
  }

  /** The newest record first, and from the start again after each removal. */
  #checkAll417(): void {
    let notify = false;
    again: for (;;) {
      for (const record of [...this.#records.values()].reverse()) {
        const info = this.#state.platform.domainState(record.domid);
        if (!record.introduced) {
          if (info !== undefined) continue;
          this.destroy(record);
          continue again;
        }
        if (info?.shutdown === true && !record.isShutdown) {
          record.isShutdown = true;
          notify = true;
        }
        if (info !== undefined && !info.dying && !info.dead) continue;
        if (!this.#end(record)) continue;
        notify = false;
        continue again;
      }
      break;
    }
    if (notify) fireSpecial(this.#state, '@releaseDomain', undefined);
  }

  /** SET_PERMS names domains: which of the entries mean nobody (store.md 3.4). Errors: ENOENT for the owner. */
  markStale(perms: readonly Perm[], knowsAny: boolean): readonly Perm[] {
    return perms.map((perm, i) => {
      if (knowsAny && perm.domid === DOMID_ANY) return perm;
      if (this.#records.has(perm.domid) || this.findOrMake(perm.domid) !== undefined) return perm;
      return i === 0 ? refuse('ENOENT') : { ...perm, stale: true };
    });
  }
}
