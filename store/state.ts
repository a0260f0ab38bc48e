import { type Compat, type CompatName, compat } from './compat.ts';
import { Connection, type Delayed, type OutMessage, type Outstanding, type RingLink } from './connection.ts';
import { Domains } from './domains.ts';
import type { Host, Stream } from './host.ts';
import { evaluateLiveUpdate, type LiveUpdateSession } from './live-update-session.ts';
import { homeOf, type PathContext } from './path.ts';
import { ALL_RIGHTS, DOMID_ANY, type Perm, rightsOf } from './perms.ts';
import { PersistentMap } from './persistent-map.ts';
import { type Account, DEFAULT_QUOTAS, type QuotaName, type Quotas } from './quota.ts';
import { WriteRate } from './rate.ts';
import { type Node, nodeSize, ownerOf } from './tree.ts';
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
  readonly host: Host;
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
  /** Told when a guest stored to its ring's indexes. */
  onTouched: (conn: Connection) => void = () => {};

  constructor(host: Host, options: StoreOptions) {
    this.host = host;
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

  ringOf(domid: number): Connection | undefined {
    return this.#rings.get(domid);
  }

  addRing(domid: number, page: RingLink['page'], port: number): Connection {
    const conn = new Connection(++this.#serial, domid, { kind: 'ring', page, port });
    this.#connections.set(conn.serial, conn);
    this.#rings.set(domid, conn);
    return conn;
  }

  addSocket(stream: Stream): Connection {
    const conn = new Connection(++this.#serial, this.options.storeDomid, { kind: 'socket', stream });
    this.#connections.set(conn.serial, conn);
    return conn;
  }

  isUnprivileged(conn: Connection): boolean {
    const { privDomid } = this.options;
    if (this.compat.privBySocketDomid) return conn.domid !== privDomid;
    return conn.link.kind === 'ring' && conn.domid !== 0 && conn.domid !== privDomid;
  }

  /** Unprivileged and on a ring: the ones that quotas are for. */
  isLimited(conn: Connection): boolean {
    return conn.link.kind === 'ring' && this.isUnprivileged(conn);
  }

  /** A socket's end: everything queued on it is gone. */
  closeConnection(conn: Connection): void {
    if (conn.isClosed) return;
    this.forget(conn);
    this.dropConnection(conn);
    if (conn.link.kind === 'socket') conn.link.stream.close();
    if (this.liveUpdate?.owner === conn) this.liveUpdate = undefined;
  }

  /** Leave the list; watches, transactions and buffers have been dropped. */
  dropConnection(conn: Connection): void {
    conn.isClosed = true;
    this.#connections.delete(conn.serial);
    if (this.#rings.get(conn.domid) === conn) this.#rings.delete(conn.domid);
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
      this.account(conn.domid).watches--;
      this.charge(conn.domid, -(watch.path.length + watch.token.length));
    }
  }

  dropTransactions(conn: Connection): void {
    for (const tx of conn.transactions.values()) {
      this.charge(conn.domid, -tx.memory);
      this.transactionEnded(conn);
    }
    conn.transactions.clear();
  }

  /** A guest broke the ring protocol: never read or written again (store.md 2.6). */
  ignoreConnection(conn: Connection, word: number): void {
    if (conn.link.kind !== 'ring') return;
    conn.isIgnored = true;
    const features = this.domains.record(conn.domid)?.features ?? 0;
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
    const account = this.account(conn.domid);
    account.transactions++;
    account.max.transactions = Math.max(account.max.transactions, account.transactions);
    if (conn.transactions.size === 1) conn.txSinceMs = this.host.nowMs();
  }

  transactionEnded(conn: Connection): void {
    this.#openTransactions--;
    this.account(conn.domid).transactions--;
  }

  // Permissions -----------------------------------------------------------------------------------------------------

  /** Rights of a connection by an entry list that belongs to a node of this generation. */
  rights(conn: Connection, perms: readonly Perm[], generation: number): number {
    if (!this.isUnprivileged(conn)) return ALL_RIGHTS;
    return rightsOf(perms, conn.domid, conn.target?.domid ?? -1, this.compat, (perm) =>
      this.isCurrent(perm, generation),
    );
  }

  isCurrent(perm: Perm, generation: number): boolean {
    if (this.compat.domidAny && perm.domid === DOMID_ANY) return true;
    const record = this.domains.record(perm.domid);
    return record !== undefined && record.stamp <= generation;
  }

  pathContext(conn: Connection): PathContext {
    const limited = this.compat.pathLimitForAll || this.isLimited(conn);
    return {
      compat: this.compat,
      homeDomid: conn.link.kind === 'ring' ? conn.domid : this.compat.privBySocketDomid ? this.options.storeDomid : 0,
      pathMax: limited ? this.limits(conn.domid)['path-max'] : 0,
    };
  }

  homeOf(conn: Connection): string {
    return homeOf(this.pathContext(conn).homeDomid);
  }

  // The live tree ---------------------------------------------------------------------------------------------------

  liveNode(name: string): Node | undefined {
    return this.tree.get(name);
  }

  /** Write a node live: a new generation, charged to its owner. `node` may carry any generation. */
  putNode(node: Omit<Node, 'generation'>): Node {
    const written: Node = { ...node, generation: ++this.generation };
    const old = this.tree.get(node.path);
    if (old !== undefined) this.charge(ownerOf(old), -(nodeSize(old, this.compat) + old.path.length));
    this.charge(ownerOf(written), nodeSize(written, this.compat) + written.path.length);
    this.tree = this.tree.set(node.path, written);
    return written;
  }

  /** Take a node out. It consumes a generation or not: that is its caller's rule (store.md 3.7). */
  removeNode(node: Node): void {
    this.charge(ownerOf(node), -(nodeSize(node, this.compat) + node.path.length));
    this.tree = this.tree.delete(node.path);
  }

  // Accounting ------------------------------------------------------------------------------------------------------

  account(domid: number): Account {
    return this.domains.account(domid);
  }

  /** The quota values that apply to a domain. */
  limits(domid: number): Readonly<Quotas> {
    return (this.compat.quotaPerDomain ? this.domains.record(domid)?.quotas : undefined) ?? this.quotas;
  }

  charge(domid: number, octets: number): void {
    const account = this.account(domid);
    account.memory += octets;
    if (account.memory > account.max.memory) account.max.memory = account.memory;
  }

  /** Whether the connection's domain may not hold so much more. */
  memoryExceeded(conn: Connection, octets: number): boolean {
    const limit = this.limits(conn.domid).memory;
    return this.isLimited(conn) && limit > 0 && this.account(conn.domid).memory + octets >= limit;
  }

  /** `value` more of something than a limited connection may have; 4.22 compares uniformly (store.md 6.1). */
  exceeds(conn: Connection, name: QuotaName, value: number): boolean {
    if (!this.isLimited(conn)) return false;
    const limit = this.limits(conn.domid)[name];
    const account = this.account(conn.domid);
    const over = this.compat.uniformQuota && limit !== 0 ? value >= limit : limit !== 0 && value > limit;
    if (!over && value > account.max[name]) account.max[name] = value;
    return over;
  }

  /** A limited connection pays for writes while any transaction is open. */
  payForWrites(conn: Connection, writes: number): void {
    if (!this.options.limitsWrites || this.#openTransactions === 0 || !this.isLimited(conn)) return;
    const credit = this.domains.record(conn.domid)?.credit;
    if (credit !== undefined) this.rate.debit(credit, writes, this.host.nowMs());
  }

  // What the main loop asks -------------------------------------------------------------------------------------------

  /** Whether policy lets the connection be read: credit, outstanding requests, memory, a blocked request. */
  canRead(conn: Connection): boolean {
    if (conn.blocked !== undefined) return false;
    if (!this.isLimited(conn)) return true;
    const record = this.domains.record(conn.domid);
    if (record === undefined) return true;
    const limits = this.limits(conn.domid);
    if (limits.outstanding > 0 && record.account.outstanding >= limits.outstanding) return false;
    if (limits.memory > 0 && record.account.memory >= limits.memory) return false;
    if (record.credit !== undefined && !this.rate.allowed(record.credit, this.host.nowMs())) {
      this.#waitingForCredit.add(conn);
      return false;
    }
    return true;
  }

  readonly #waitingForCredit = new Set<Connection>();

  /** A message has left completely. */
  outputWritten(conn: Connection, out: OutMessage): void {
    this.#left(conn, out);
    // Memory was given back, or a request is done: what waited for it may go on.
    if (this.isLimited(conn)) this.onInputAllowed(conn);
  }

  #left(conn: Connection, out: OutMessage): void {
    if (out.eventKey !== '') conn.eventKeys.delete(out.eventKey);
    this.charge(conn.domid, -out.bytes.length);
    this.release(out.cause);
  }

  /** One of the messages that keep a request outstanding is gone. */
  release(cause: Outstanding | undefined): void {
    if (cause === undefined || --cause.pending > 0) return;
    this.account(cause.conn.domid).outstanding--;
    if (!cause.conn.isClosed) this.onInputAllowed(cause.conn);
  }

  noteDeadline(conn: Connection): void {
    this.#withDeadlines.add(conn);
  }

  /** Drop events whose time is up and of which no octet was written (store.md 10.4). */
  expireEvents(nowMs: number): void {
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
      }
      if (earliest === 0) this.#withDeadlines.delete(conn);
    }
    for (const conn of [...this.#waitingForCredit]) {
      const credit = this.domains.record(conn.domid)?.credit;
      if (conn.isClosed || credit === undefined || this.rate.allowed(credit, nowMs)) {
        this.#waitingForCredit.delete(conn);
        if (!conn.isClosed) this.onInputAllowed(conn);
      }
    }
  }

  /** When the loop must run again although nothing happens; monotonic ms. */
  nextDeadlineMs(): number | undefined {
    let next = this.#withDelayed.size > 0 ? this.host.nowMs() + 1_000 : Number.POSITIVE_INFINITY;
    for (const conn of this.#withDeadlines) {
      const first = conn.out.find((out) => out.deadlineMs > 0 && out.sent === 0);
      if (first !== undefined) next = Math.min(next, first.deadlineMs);
    }
    for (const conn of this.#waitingForCredit) {
      const credit = this.domains.record(conn.domid)?.credit;
      if (credit !== undefined) next = Math.min(next, this.host.nowMs() + Math.max(1, this.rate.waitMs(credit)));
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
          const verdict = evaluateLiveUpdate(this);
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
