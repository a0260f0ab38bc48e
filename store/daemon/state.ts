import { countedLength, homeOf, PathCache, resolvePath } from '../protocol/path.ts';
import { ALL_RIGHTS, DOMID_ANY, type Perm, rightsOf } from '../protocol/perms.ts';
import { type Node, nodeSize, ownerOf } from '../tree/node.ts';
import { PersistentMap } from '../tree/persistent-map.ts';
import { type Compat, type CompatName, compat } from './compat.ts';
import { Connection, type Delayed, type OutMessage, type Outstanding, type RingLink } from './connection.ts';
import { Domains } from './domains.ts';
import { evaluateLiveUpdate, type LiveUpdateSession } from './live-update-session.ts';
import type { Platform, Stream } from './platform.ts';
import { type Account, DEFAULT_QUOTAS, newAccount, type QuotaName, type Quotas } from './quota.ts';
import { WriteRate } from './rate.ts';
import type { WatchIndex as Index } from './watch.ts';
import { WatchIndex } from './watch.ts';

/** What happens to transactions that are open when a live update is asked for. */
export type StorePolicy = 'daemon' | 'carry';

export interface StoreOptions {
  readonly compat: CompatName;
  readonly policy: StorePolicy;
  readonly privDomid: number;
  readonly storeDomid: number;
  /** 0 = events never expire (option -w watch-event). */
  readonly watchEventSeconds: number;
  /** The write rate limit (store.md 10.3). Off, guests may hammer: for stress, not for comparison with a real daemon. */
  readonly limitsWrites: boolean;
  /** Keep a dead domain's nodes, for the privileged domain (option -K). */
  readonly keepOrphans: boolean;
}

export const DEFAULT_OPTIONS: StoreOptions = {
  compat: '4.22',
  policy: 'daemon',
  privDomid: 0,
  storeDomid: 0,
  watchEventSeconds: 20,
  limitsWrites: true,
  keepOrphans: false,
};

/** Everything that the daemon knows. The tree is one immutable value: a reference to it is a consistent image. */
export class DaemonState {
  readonly platform: Platform;
  readonly options: StoreOptions;
  readonly compat: Compat;
  /** Nodes by absolute name; the special nodes are in it too, outside of everybody's child list. */
  tree: PersistentMap<Node> = PersistentMap.empty();
  /** 4.17 keeps the special names' permissions beside the tree. */
  readonly specialPerms = new Map<string, readonly Perm[]>();
  generation = 0;
  readonly watchIndex: Index = new WatchIndex();
  readonly domains: Domains;
  readonly rate = new WriteRate();
  readonly quotas: Quotas = { ...DEFAULT_QUOTAS };
  liveUpdate: LiveUpdateSession | undefined = undefined;
  /** Switches of CONTROL log that are on. */
  readonly logSwitches = new Set(['obj', 'io']);
  /** In list order, which is the order of their serials. */
  readonly #connections = new Map<number, Connection>();
  readonly #rings = new Map<number, Connection>();
  readonly #withDelayed = new Set<Connection>();
  readonly #withDeadlines = new Set<Connection>();
  #serial = 0;
  #watchOrder = 0;
  #openTransactions = 0;
  /** The request being processed, if its sender is accountable for the events that it causes. */
  currentRequest: Outstanding | undefined = undefined;
  /** Writes and deletions of the request being processed, outside of transactions. */
  currentWrites = 0;
  /** Told whenever something was queued on a connection. */
  onOutput: (conn: Connection) => void = () => {};
  /** Told when a connection that policy kept from being read may be read again. */
  onInputAllowed: (conn: Connection) => void = () => {};
  /** Told of a connection whose RELEASE waits for its turn, then `finishRelease`; without it nothing is put off. */
  onReleased: ((conn: Connection) => void) | undefined = undefined;
  /** Told when a guest stored to its ring's indexes. */
  onTouched: (conn: Connection) => void = () => {};

  constructor(platform: Platform, options: StoreOptions) {
    this.platform = platform;
    this.options = options;
    this.compat = compat(options.compat);
    this.domains = new Domains(this);
  }

  // Connections -----------------------------------------------------------------------------------------------------

  get connections(): Iterable<Connection> {
    return this.#connections.values();
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Whether `next` comes right after `conn` in the list. */
  isNext(conn: Connection, next: Connection): boolean {
    let before: Connection | undefined;
    for (const c of this.#connections.values()) {
      if (c === next) return before === conn;
      before = c;
    }
    return false;
  }

  /** The end of a domain that was put off to its own turn: events come now. */
  finishRelease(conn: Connection): void {
    this.domains.finishRelease(conn);
  }

  ringOf(domid: number): Connection | undefined {
    return this.#rings.get(domid);
  }

  addRing(domid: number, page: RingLink['page'], port: number): Connection {
    const record = this.domains.record(domid);
    const { privDomid } = this.options;
    const conn = new Connection(
      ++this.#serial,
      domid,
      { kind: 'ring', page, port },
      {
        isUnprivileged: domid !== privDomid && (this.compat.privBySocketDomid || domid !== 0),
        limits: (this.compat.quotaPerDomain ? record?.quotas : undefined) ?? this.quotas,
        homeDomid: domid,
        record,
      },
    );
    this.#connections.set(conn.serial, conn);
    this.#rings.set(domid, conn);
    return conn;
  }

  addSocket(stream: Stream): Connection {
    const { storeDomid, privDomid } = this.options;
    const own = this.compat.privBySocketDomid ? storeDomid : 0;
    const conn = new Connection(
      ++this.#serial,
      storeDomid,
      { kind: 'socket', stream },
      {
        isUnprivileged: this.compat.privBySocketDomid && storeDomid !== privDomid,
        limits: this.quotas,
        homeDomid: own,
        record: undefined,
      },
    );
    this.#connections.set(conn.serial, conn);
    return conn;
  }

  isUnprivileged(conn: Connection): boolean {
    return conn.isUnprivileged;
  }

  /** Unprivileged and on a ring: the ones that quotas are for. */
  isLimited(conn: Connection): boolean {
    return conn.isLimited;
  }

  /** A socket's end: everything queued on it is gone. */
  closeConnection(conn: Connection): void {
    if (conn.isClosed) return;
    this.forget(conn);
    this.dropConnection(conn);
    if (conn.link.kind === 'socket') conn.link.stream.close();
    if (this.liveUpdate?.owner !== conn) return;
    this.liveUpdate = undefined; // the session ends with the connection that began it
    this.liveUpdateEnded();
  }

  /** Leave the list; watches, transactions and buffers have been dropped. */
  dropConnection(conn: Connection): void {
    conn.isClosed = true;
    this.#connections.delete(conn.serial);
    if (this.#rings.get(conn.domid) === conn) this.#rings.delete(conn.domid);
    if (conn.link.kind === 'socket') return; // nobody's target
    for (const other of this.#connections.values()) if (other.target === conn) other.target = undefined;
  }

  /** Drop watches, transactions, queued output and partial input. */
  forget(conn: Connection): void {
    this.dropWatches(conn);
    this.dropTransactions(conn);
    for (const out of conn.out.splice(0)) this.#left(conn, out);
    conn.eventKeys.clear();
    conn.headerUsed = 0;
    conn.body = undefined;
    conn.bodyUsed = 0;
    conn.delayed = [];
    conn.blocked = undefined;
    this.#withDelayed.delete(conn);
    this.#withDeadlines.delete(conn);
  }

  dropWatches(conn: Connection): void {
    for (const watch of conn.watches.splice(0)) {
      this.watchIndex.remove(watch);
      this.count(conn, 'watches', -1);
      this.chargeTo(conn, -(watch.path.length + watch.token.length));
    }
  }

  dropTransactions(conn: Connection): void {
    for (const tx of conn.transactions.values()) {
      this.chargeTo(conn, -tx.memory);
      this.transactionEnded(conn);
    }
    conn.transactions.clear();
  }

  /** A guest broke the ring protocol: never read or written again (store.md 2.6). */
  ignoreConnection(conn: Connection, word: number): void {
    if (conn.link.kind !== 'ring') return;
    conn.isIgnored = true;
    const features = conn.record?.features ?? 0;
    if (this.compat.errorWordAlways || (features & 2) !== 0) conn.link.page?.store32(2072, word);
    this.forget(conn);
  }

  nextWatchOrder(): number {
    return ++this.#watchOrder;
  }

  // Transactions ----------------------------------------------------------------------------------------------------

  get openTransactions(): number {
    return this.#openTransactions;
  }

  transactionStarted(conn: Connection): void {
    this.#openTransactions++;
    this.count(conn, 'transactions', 1);
    if (conn.transactions.size === 1) conn.txSinceSecond = this.platform.wallSecond();
  }

  transactionEnded(conn: Connection): void {
    this.#openTransactions--;
    this.count(conn, 'transactions', -1);
  }

  // Permissions -----------------------------------------------------------------------------------------------------

  /** Rights of a connection by an entry list that belongs to a node of this generation. */
  rights(conn: Connection, perms: readonly Perm[], generation: number): number {
    if (!conn.isUnprivileged) return ALL_RIGHTS;
    const target = conn.target === undefined ? -1 : conn.target.domid;
    return rightsOf(perms, conn.domid, target, this.compat.domidAny, generation, this);
  }

  isCurrent(perm: Perm, generation: number): boolean {
    if (this.compat.domidAny && perm.domid === DOMID_ANY) return true;
    const record = this.domains.record(perm.domid);
    return record !== undefined && record.stamp <= generation;
  }

  // Paths -----------------------------------------------------------------------------------------------------------

  readonly #paths = new PathCache();

  /** The name that a path in a payload means to a connection (store.md 3.1); undefined: EINVAL. `special`: `@` may begin it. */
  nameIn(conn: Connection, payload: Uint8Array, from: number, to: number, special: boolean): string | undefined {
    const known = this.#paths.find(payload, from, to, conn.homeDomid);
    if (known.name === undefined || (known.isSpecial && !special)) return undefined;
    return this.#isTooLong(conn, known.counted) ? undefined : known.name;
  }

  /** The same for a path as text; special ones are allowed. */
  nameOf(conn: Connection, path: string): string | undefined {
    const name = resolvePath(path, conn.homeDomid);
    return name === undefined || this.#isTooLong(conn, countedLength(name)) ? undefined : name;
  }

  #isTooLong(conn: Connection, counted: number): boolean {
    if (this.compat.pathLimitForAll) return counted > this.quotas['path-max'] && this.quotas['path-max'] !== 0;
    return conn.record !== undefined && this.exceeds(conn, 'path-max', counted);
  }

  homeOf(conn: Connection): string {
    return homeOf(conn.homeDomid);
  }

  // The live tree ---------------------------------------------------------------------------------------------------

  liveNode(name: string): Node | undefined {
    return this.tree.get(name);
  }

  /** Write a node live with a new generation, charged to its owner. `node` may carry any generation. */
  putNode({ path, value, perms, children, childOctets }: Omit<Node, 'generation'>): Node {
    const written: Node = { path, value, perms, children, childOctets, generation: ++this.generation };
    this.store(written, this.tree.get(path));
    return written;
  }

  /** Put a node that has its generation where `old` was, and settle who pays for it. */
  store(node: Node, old: Node | undefined): void {
    if (old !== undefined) this.charge(ownerOf(old), -(nodeSize(old, this.compat) + old.path.length));
    this.charge(ownerOf(node), nodeSize(node, this.compat) + node.path.length);
    this.tree = this.tree.set(node.path, node);
  }

  /** Take a node away. Whether that counts as a generation is the caller's to know. */
  erase(node: Node): void {
    this.charge(ownerOf(node), -(nodeSize(node, this.compat) + node.path.length));
    this.tree = this.tree.delete(node.path);
  }

  // Accounting ------------------------------------------------------------------------------------------------------

  /** The largest values seen with any unprivileged domain, also with those that are gone. */
  readonly max: Record<QuotaName, number> = newAccount().max;

  account(domid: number): Account {
    return this.domains.account(domid);
  }

  accountOf(conn: Connection): Account {
    return conn.record?.account ?? this.domains.account(conn.domid);
  }

  /** The quota values that apply to a domain. */
  limits(domid: number): Readonly<Quotas> {
    return (this.compat.quotaPerDomain ? this.domains.record(domid)?.quotas : undefined) ?? this.quotas;
  }

  /** Octets of memory that a domain holds from now on. */
  charge(domid: number, octets: number): void {
    this.#charge(this.domains.account(domid), domid !== this.options.privDomid, octets);
  }

  chargeTo(conn: Connection, octets: number): void {
    this.#charge(this.accountOf(conn), conn.domid !== this.options.privDomid, octets);
  }

  #charge(account: Account, isUnprivileged: boolean, octets: number): void {
    const memory = account.memory + octets;
    account.memory = Math.max(0, memory);
    if (memory <= account.max.memory) return;
    account.max.memory = memory;
    if (isUnprivileged && memory > this.max.memory) this.max.memory = memory;
  }

  /** Count one more, or one less, of something that a connection has. */
  count(conn: Connection, name: 'watches' | 'transactions' | 'outstanding', delta: 1 | -1): void {
    if (conn.record === undefined && !this.compat.countsSockets) return;
    const account = this.accountOf(conn);
    const value = Math.max(0, account[name] + delta);
    account[name] = value;
    this.noteMax(conn.domid, account, name, value);
  }

  noteMax(domid: number, account: Account, name: QuotaName, value: number): void {
    if (value > account.max[name]) account.max[name] = value;
    if (value > this.max[name] && domid !== this.options.privDomid) this.max[name] = value;
  }

  /** Whether the connection's domain may not hold so much more. */
  memoryExceeded(conn: Connection, octets: number): boolean {
    if (!conn.isLimited) return false;
    const limit = conn.limits.memory;
    return limit > 0 && this.accountOf(conn).memory + octets >= limit;
  }

  /**
   * Whether `value` of something is more than a limited connection may have; if not, it is noted as seen.
   * Source: domain.c, domain_max_chk.
   */
  exceeds(conn: Connection, name: QuotaName, value: number): boolean {
    if (conn.isLimited) {
      const limit = conn.limits[name];
      if (limit !== 0 && (this.compat.reachable.has(name) ? value > limit : value >= limit)) return true;
    }
    if (conn.record !== undefined) this.noteMax(conn.domid, conn.record.account, name, value);
    return false;
  }

  /** A limited connection pays for writes while any transaction is open. */
  payForWrites(conn: Connection, writes: number): void {
    if (!this.options.limitsWrites || this.#openTransactions === 0 || !conn.isLimited) return;
    const credit = conn.record?.credit;
    if (credit !== undefined) this.rate.debit(credit, writes, this.platform.nowMs());
  }

  // What the main loop asks -------------------------------------------------------------------------------------------

  /** Whether policy lets the connection be read: credit, outstanding requests, memory, a blocked request. */
  canRead(conn: Connection): boolean {
    if (conn.blocked !== undefined) return false;
    const { record, limits } = conn;
    if (!conn.isLimited || record === undefined) return true;
    if (limits.outstanding > 0 && record.account.outstanding >= limits.outstanding) return false;
    if (limits.memory > 0 && record.account.memory >= limits.memory) return false;
    if (record.credit !== undefined && !this.rate.allowed(record.credit, this.platform.nowMs())) {
      this.#waitingForCredit.add(conn);
      return false;
    }
    return true;
  }

  readonly #waitingForCredit = new Set<Connection>();

  /** Somebody is not read until the write rate limit allows it: time alone will change that. */
  get waitsForCredit(): boolean {
    return this.#waitingForCredit.size > 0;
  }

  /** A message has left completely. */
  outputWritten(conn: Connection, out: OutMessage): void {
    this.#left(conn, out);
    // Memory was given back, or a request is done: what waited for it may go on.
    if (conn.isLimited) this.onInputAllowed(conn);
  }

  #left(conn: Connection, out: OutMessage): void {
    if (out.eventKey !== '') conn.eventKeys.delete(out.eventKey);
    this.chargeTo(conn, -out.bytes.length);
    if (out.cause !== undefined) this.release(out.cause);
    else if (out.kind === 'reply' && !conn.isLimited) this.count(conn, 'outstanding', -1);
  }

  /** One of the messages that keep a request outstanding is gone. */
  release(cause: Outstanding): void {
    if (--cause.pending > 0 || cause.conn.isClosed) return;
    this.count(cause.conn, 'outstanding', -1);
    this.onInputAllowed(cause.conn);
  }

  /** Nothing has to be dropped before this time: deadlines are looked at only then, however many wait. */
  #firstDeadlineMs = Number.POSITIVE_INFINITY;

  noteDeadline(conn: Connection, deadlineMs: number): void {
    this.#withDeadlines.add(conn);
    if (deadlineMs < this.#firstDeadlineMs) this.#firstDeadlineMs = deadlineMs;
  }

  /** Drop events whose time is up and of which no octet was written (store.md 10.4). */
  expireEvents(nowMs: number): void {
    if (nowMs >= this.#firstDeadlineMs) this.#expire(nowMs);
    if (this.#waitingForCredit.size === 0) return;
    for (const conn of [...this.#waitingForCredit]) {
      const credit = this.domains.record(conn.domid)?.credit;
      if (conn.isClosed || credit === undefined || this.rate.allowed(credit, nowMs)) {
        this.#waitingForCredit.delete(conn);
        if (!conn.isClosed) this.onInputAllowed(conn);
      }
    }
  }

  #expire(nowMs: number): void {
    this.#firstDeadlineMs = Number.POSITIVE_INFINITY;
    for (const conn of this.#withDeadlines) {
      let earliest = 0;
      for (let i = 0; i < conn.out.length; i++) {
        const out = conn.out[i] as OutMessage;
        if (out.deadlineMs === 0 || out.sent > 0) continue;
        if (out.deadlineMs > nowMs) {
          earliest = earliest === 0 ? out.deadlineMs : Math.min(earliest, out.deadlineMs);
          break; // queued in order: the rest is later still
        }
        conn.out.splice(i--, 1);
        this.#left(conn, out);
        if (conn.isLimited) this.onInputAllowed(conn); // its memory may have been what stopped it
      }
      if (earliest === 0) this.#withDeadlines.delete(conn);
      else if (earliest < this.#firstDeadlineMs) this.#firstDeadlineMs = earliest;
    }
  }

  /** When the loop must run again although nothing happens; monotonic ms. */
  nextDeadlineMs(): number | undefined {
    let next = this.#withDelayed.size > 0 ? this.platform.nowMs() + 1_000 : Number.POSITIVE_INFINITY;
    next = Math.min(next, this.#firstDeadlineMs);
    for (const conn of this.#waitingForCredit) {
      const credit = this.domains.record(conn.domid)?.credit;
      if (credit !== undefined) next = Math.min(next, this.platform.nowMs() + Math.max(1, this.rate.waitMs(credit)));
    }
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  // Requests that were put aside ----------------------------------------------------------------------------------------

  delay(conn: Connection, delayed: Delayed): void {
    conn.delayed.unshift(delayed);
    this.#withDelayed.add(conn);
  }

  /** The update was aborted or has failed: what was blocked by it may be read again. */
  liveUpdateEnded(): void {
    for (const conn of this.#connections.values()) {
      if (conn.blocked === undefined) continue;
      this.delay(conn, { message: conn.blocked, kind: 'restored' });
      conn.blocked = undefined;
      this.onInputAllowed(conn);
    }
  }

  hasDelayed(): boolean {
    return this.#withDelayed.size > 0;
  }

  /**
   * Call each delayed request once, newest first, in connection order (store.md 0.4, step 5).
   * @param execute runs a request that need not wait any longer.
   * @returns `live-update` when the update is to be carried out now.
   */
  runDelayed(execute: (conn: Connection, delayed: Delayed) => void): 'live-update' | undefined {
    for (const conn of [...this.#withDelayed].sort((a, b) => a.serial - b.serial)) {
      for (const delayed of conn.delayed.slice()) {
        if (!conn.delayed.includes(delayed)) continue;
        if (delayed.kind === 'live-update') {
          const verdict = evaluateLiveUpdate(this.liveUpdate, {
            carriesTransactions: this.options.policy === 'carry',
            openTransactions: this.#openTransactions,
            connections: this.#connections.values(),
            nowSecond: this.platform.wallSecond(),
          });
          if (verdict === 'wait') continue;
          if (verdict === 'go') return 'live-update';
        } else if (delayed.kind === 'transaction-start' && this.liveUpdate !== undefined) continue;
        conn.delayed = conn.delayed.filter((d) => d !== delayed);
        execute(conn, delayed);
      }
      if (conn.delayed.length === 0) this.#withDelayed.delete(conn);
    }
    return undefined;
  }

  /** The end of this instance: nothing of it can be reached or used any more. */
  scrap(): void {
    for (const conn of this.#connections.values()) {
      conn.isClosed = true;
      conn.out.length = 0;
      conn.watches.length = 0;
      conn.transactions.clear();
      conn.delayed = [];
      conn.target = undefined;
    }
    this.#connections.clear();
    this.#rings.clear();
    this.#withDelayed.clear();
    this.#withDeadlines.clear();
    this.tree = PersistentMap.empty();
    this.liveUpdate = undefined;
    this.onOutput = () => {};
    this.onInputAllowed = () => {};
    this.onTouched = () => {};
  }

  checkDomains(): void {
    this.domains.checkChanged();
  }
}
