import { ERROR, FEATURE_ERROR } from '../../sim/index.ts';
import { Connection, type RingLink } from './connection.ts';
import type { DelayedRequests } from './delayed.ts';
import type { Output } from './output.ts';
import type { Stream } from './platform.ts';
import type { DaemonState } from './state.ts';
import type { TraceFile } from './trace-file.ts';
import type { Transactions } from './transactions.ts';
import type { Watches } from './watches.ts';

type Known = Pick<DaemonState, 'compat' | 'options' | 'connections' | 'records' | 'quotas' | 'liveUpdate'>;

/** How connections come and go, and with them everything that was theirs. */
export class Connections {
  readonly #state: Known;
  readonly #output: Output;
  readonly #watches: Watches;
  readonly #transactions: Transactions;
  readonly #delayed: DelayedRequests;
  readonly #trace: TraceFile;

  constructor(
    state: Known,
    output: Output,
    watches: Watches,
    transactions: Transactions,
    delayed: DelayedRequests,
    trace: TraceFile,
  ) {
    this.#state = state;
    this.#output = output;
    this.#watches = watches;
    this.#transactions = transactions;
    this.#delayed = delayed;
    this.#trace = trace;
  }

  addRing(domid: number, page: RingLink['page'], port: number): Connection {
    const { compat, options, connections, records, quotas } = this.#state;
    const record = records.get(domid);
    const conn = new Connection(
      connections.nextSerial(),
      domid,
      { kind: 'ring', page, port },
      {
        isUnprivileged: domid !== options.privDomid && (compat.privBySocketDomid || domid !== 0),
        limits: (compat.quotaPerDomain ? record?.quotas : undefined) ?? quotas,
        homeDomid: domid,
        record,
      },
    );
    connections.add(conn);
    this.#trace.came('connection', conn.serial);
    return conn;
  }

  addSocket(stream: Stream): Connection {
    const { compat, options, connections, quotas } = this.#state;
    const { storeDomid, privDomid } = options;
    const conn = new Connection(
      connections.nextSerial(),
      storeDomid,
      { kind: 'socket', stream },
      {
        isUnprivileged: compat.privBySocketDomid && storeDomid !== privDomid,
        limits: quotas,
        homeDomid: compat.privBySocketDomid ? storeDomid : 0,
        record: undefined,
      },
    );
    connections.add(conn);
    this.#trace.came('connection', conn.serial);
    return conn;
  }

  /** Drop watches, transactions, queued output, and requests that were put aside or have come in part. */
  forget(conn: Connection): void {
    this.#watches.drop(conn);
    this.#transactions.drop(conn);
    this.#output.drop(conn);
    conn.headerUsed = 0;
    conn.body = undefined;
    conn.bodyUsed = 0;
    this.#delayed.drop(conn);
  }

  /** Forget it and take it out of the list. */
  drop(conn: Connection): void {
    this.forget(conn);
    conn.isClosed = true;
    this.#state.connections.remove(conn);
    this.#trace.went('connection', conn.serial);
    if (conn.link.kind === 'socket') return; // nobody's target
    for (const other of this.#state.connections) if (other.target === conn) other.target = undefined;
  }

  /** A socket's end: everything queued on it is gone. */
  close(conn: Connection): void {
    if (conn.isClosed) return;
    this.drop(conn);
    if (conn.link.kind === 'socket') conn.link.stream.close();
    if (this.#state.liveUpdate?.owner === conn) this.#delayed.endSession(); // with the connection that began it
  }

  /** The protocol is broken: a ring is ignored from now on, a socket closed with everything queued on it. */
  giveUp(conn: Connection, word: number): void {
    if (conn.link.kind === 'ring') this.ignore(conn, word);
    else this.close(conn);
  }

  /** A guest broke the ring protocol: never read or written again (store.md 2.6). */
  ignore(conn: Connection, word: number): void {
    if (conn.link.kind !== 'ring') return;
    this.#trace.ignored(conn, word);
    conn.isIgnored = true;
    const features = conn.record?.features ?? 0;
    if (this.#state.compat.errorWordAlways || (features & FEATURE_ERROR) !== 0) conn.link.page?.store32(ERROR, word);
    this.forget(conn);
  }
}
