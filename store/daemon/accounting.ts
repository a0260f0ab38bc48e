import type { NodeAccounts } from '../tree/ground.ts';
import type { Charges } from '../tree/live-tree.ts';
import type { Connection } from './connection.ts';
import { Account, QUOTA, type QuotaName, type Quotas } from './quota.ts';
import type { DaemonState } from './state.ts';

type Known = Pick<DaemonState, 'compat' | 'options' | 'connections' | 'records' | 'loose' | 'quotas' | 'max'>;

/** What domains have of the things that are counted, and whether they may have more (store.md 6). */
export class Accounting implements Charges, NodeAccounts<Connection> {
  readonly #state: Known;

  constructor(state: Known) {
    this.#state = state;
  }

  account(domid: number): Account {
    const { records, loose } = this.#state;
    const record = records.get(domid);
    if (record !== undefined) return record.account;
    let account = loose.get(domid);
    if (account === undefined) {
      account = new Account();
      loose.set(domid, account);
    }
    return account;
  }

  accountOf(conn: Connection): Account {
    return conn.record?.account ?? this.account(conn.domid);
  }

  /** The quota values that apply to a domain. */
  #limits(domid: number): Readonly<Quotas> {
    const { compat, records, quotas } = this.#state;
    return (compat.quotaPerDomain ? records.get(domid)?.quotas : undefined) ?? quotas;
  }

  // Memory ----------------------------------------------------------------------------------------------------------

  /** Octets of memory that a domain holds from now on. */
  charge(domid: number, octets: number): void {
    this.#charge(this.account(domid), domid, octets);
  }

  chargeTo(conn: Connection, octets: number): void {
    this.#charge(this.accountOf(conn), conn.domid, octets);
  }

  #charge(account: Account, domid: number, octets: number): void {
    const { memory } = account;
    const next = Math.max(0, memory + octets);
    account.now[QUOTA.memory] = next;
    this.#noteMax(domid, account, QUOTA.memory, Math.max(memory, next)); // also of a decrease: maxima may just have been reset
  }

  /** Whether the connection's domain may not hold so much more. */
  memoryExceeded(conn: Connection, octets: number): boolean {
    if (!conn.isLimited) return false;
    const limit = conn.limits.memory;
    return limit > 0 && this.accountOf(conn).memory + octets >= limit;
  }

  nodeMemoryExceeded(conn: Connection, owner: number, octets: number): boolean {
    const { compat, connections, options, quotas, records } = this.#state;
    if (compat.quotaPerDomain) {
      // What the owner holds, by what the writer may: of one whom no quota binds nothing is asked (4.22).
      if (!conn.isLimited || conn.isIgnored) return false;
      const limit = conn.limits.memory;
      return limit > 0 && this.account(owner).memory + octets >= limit;
    }
    // Whoever writes: the quota is the owner's (4.17).
    if (owner === 0 || owner === options.privDomid || !records.has(owner)) return false;
    if (connections.ringOf(owner)?.isIgnored === true) return false;
    return quotas.memory > 0 && this.account(owner).memory + octets >= quotas.memory;
  }

  // Counts ----------------------------------------------------------------------------------------------------------

  /** Count one more, or one less, of something that a connection has. */
  count(conn: Connection, name: 'watches' | 'transactions' | 'outstanding', delta: 1 | -1): void {
    if (conn.record === undefined && !this.#state.compat.countsSockets) return;
    const account = this.accountOf(conn);
    const quota = QUOTA[name];
    const value = Math.max(0, (account.now[quota] as number) + delta);
    account.now[quota] = value;
    this.#noteMax(conn.domid, account, quota, value);
  }

  countNodes(owner: number, more: number): void {
    const account = this.account(owner);
    account.now[QUOTA.nodes] = Math.max(0, account.nodes + more);
    this.#noteMax(owner, account, QUOTA.nodes, account.nodes);
  }

  noteNodes(owner: number, more: number): void {
    const account = this.account(owner);
    this.#noteMax(owner, account, QUOTA.nodes, account.nodes + more);
  }

  /** @param quota a place in QUOTA. */
  #noteMax(domid: number, account: Account, quota: number, value: number): void {
    if (value > (account.max[quota] as number)) account.max[quota] = value;
    const { max, options } = this.#state;
    if (value > (max[quota] as number) && domid !== options.privDomid) max[quota] = value;
  }

  /**
   * Whether `value` of something is more than a limited connection may have; if not, it is noted as seen.
   * Source: domain.c, domain_max_chk.
   */
  exceeds(conn: Connection, name: QuotaName, value: number): boolean {
    if (conn.isLimited) {
      const limit = conn.limits[name];
      if (limit !== 0 && (this.#state.compat.reachable.has(name) ? value > limit : value >= limit)) return true;
    }
    if (conn.record !== undefined) this.#noteMax(conn.domid, conn.record.account, QUOTA[name], value);
    return false;
  }

  nodesExceeded(conn: Connection, more: number): boolean {
    if (!conn.isLimited) return false;
    const limit = conn.limits.nodes;
    return limit > 0 && this.accountOf(conn).nodes + more >= limit;
  }

  ownerExceeds(owner: number, more: number): boolean {
    if (owner === this.#state.options.privDomid) return false;
    const limit = this.#limits(owner).nodes;
    return limit > 0 && this.account(owner).nodes + more >= limit;
  }
}
