import { refuse } from '../protocol/wire.ts';
import type { Connection } from './connection.ts';
import type { Connections } from './connections.ts';
import type { DeadNodes } from './dead-nodes.ts';
import type { DomainRecord } from './domain-record.ts';
import type { DomainRecords } from './domain-records.ts';
import type { Platform } from './platform.ts';
import { RELEASE_DOMAIN, type SpecialNodes } from './special-nodes.ts';
import type { DaemonState } from './state.ts';
import type { Wakes } from './wakes.ts';
import type { Watches } from './watches.ts';

type Known = Pick<DaemonState, 'compat' | 'options' | 'connections' | 'rate'>;

/** How the daemon lets go of domains (store.md 8.2, 8.6). */
export class DomainEnds {
  readonly #state: Known;
  readonly #platform: Pick<Platform, 'unbindPort'>;
  readonly #records: DomainRecords;
  readonly #watches: Watches;
  readonly #connections: Connections;
  readonly #special: SpecialNodes;
  readonly #nodes: DeadNodes;
  readonly #wakes: Wakes;

  constructor(
    state: Known,
    platform: Pick<Platform, 'unbindPort'>,
    parts: {
      readonly records: DomainRecords;
      readonly watches: Watches;
      readonly connections: Connections;
      readonly special: SpecialNodes;
      readonly nodes: DeadNodes;
    },
    wakes: Wakes,
  ) {
    this.#state = state;
    this.#platform = platform;
    this.#records = parts.records;
    this.#watches = parts.watches;
    this.#connections = parts.connections;
    this.#special = parts.special;
    this.#nodes = parts.nodes;
    this.#wakes = wakes;
  }

  /** RELEASE. Errors: EINVAL, ENOENT. */
  release(domid: number, requester: Connection): void {
    this.refuseVital(domid);
    const conn = this.connected(domid);
    if (this.#state.compat.releaseDropsWatches) this.#watches.drop(conn);
    // The loop holds on to the neighbour of whom it serves: its end comes with its own turn.
    if (this.#state.connections.isNext(requester, conn) && this.#wakes.released(conn)) conn.isReleased = true;
    else this.#letGo(conn);
  }

  /** The turn of a connection with `isReleased` has come, and one last request of it was processed. */
  finishRelease(conn: Connection): void {
    conn.isReleased = false;
    if (!conn.isClosed) this.#letGo(conn);
  }

  /** Let go of a connection: of one that is somebody's target, only that tie is cut. */
  #letGo(conn: Connection): void {
    if (conn.ties.length > 0) conn.ties.shift();
    else if (conn.record !== undefined) this.destroy(conn.record);
  }

  /** RELEASE and RESUME are not for the domains that the host cannot do without. Errors: EINVAL. */
  refuseVital(domid: number): void {
    const { compat, options } = this.#state;
    const { privDomid, storeDomid } = options;
    if (compat.strictDomids ? domid === privDomid || domid === storeDomid : domid === 0) refuse('EINVAL');
  }

  /** The connection of an introduced domain. Errors: ENOENT; EINVAL dead, and kept as a target. */
  connected(domid: number): Connection {
    const record = this.#records.record(domid);
    const conn = this.#state.connections.ringOf(domid);
    if (record?.introduced !== true || conn === undefined) refuse('ENOENT');
    return record.isDetached ? refuse('EINVAL') : conn;
  }

  /** An introduced domain has died; one that is another's target stays, detached. False: it was detached before. */
  end(record: DomainRecord): boolean {
    if (record.isDetached) return false;
    const conn = this.#state.connections.ringOf(record.domid);
    if (conn === undefined || conn.ties.length === 0) this.destroy(record);
    else record.isDetached = true;
    return true;
  }

  /** Everything of the domain goes, in the daemon's order. */
  destroy(record: DomainRecord): void {
    const { domid, introduced } = record;
    const conn = introduced ? this.#state.connections.ringOf(domid) : undefined;
    if (conn !== undefined) {
      this.#connections.drop(conn);
      this.#untie(conn);
    }
    this.#nodes.removeOf(domid);
    this.#special.strip(domid);
    this.#records.remove(record);
    if (!introduced) return;
    if (conn?.link.kind === 'ring') {
      if (conn.link.port !== 0) this.#platform.unbindPort(conn.link.port);
      conn.link.page?.unmap();
    }
    this.#special.fire(RELEASE_DOMAIN, domid);
    if (record.credit !== undefined) this.#state.rate.destroy(record.credit);
  }

  /** A connection goes: what it was tied to, and only waited for that, goes first. */
  #untie(conn: Connection): void {
    for (const other of [...this.#state.connections]) {
      if (!other.ties.includes(conn)) continue;
      for (let at = other.ties.indexOf(conn); at >= 0; at = other.ties.indexOf(conn)) other.ties.splice(at, 1);
      if (other.ties.length === 0 && other.record?.isDetached === true) this.destroy(other.record);
    }
  }
}
