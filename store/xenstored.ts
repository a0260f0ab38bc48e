import { type Actor, type Listener, PARK } from '../sim/index.ts';
import type { Connection, Message, OutMessage } from './connection.ts';
import { processMessage, runDelayed } from './ops.ts';
import { BAD_INDEX, readRing, ringHasRequest, ringHasRoom, writeRing } from './ring-io.ts';
import type { SimHost } from './sim-host.ts';
import type { DaemonState } from './state.ts';
import { Turns } from './turns.ts';
import { get32, HEADER_BYTES, PAYLOAD_MAX } from './wire.ts';

/** Error words of the ring page. Source: xen/include/public/io/xs_wire.h. */
const ERROR_RINGIDX = 2;
const ERROR_PROTO = 3;

/** Virtual time of the daemon's work. */
const PASS_NS = 200;
const MESSAGE_NS = 900;
const PIECE_NS = 150;
const WRITE_NS = 350;

/**
 * The daemon's main loop (store.md 0.4): one pass serves at most one message in and one message out of each connection, in
 * list order. It gives way between connections and never inside a request, as the single-threaded daemon does.
 * Source: tools/xenstored/core.c, main.
 */
export class Xenstored {
  readonly state: DaemonState;
  readonly #host: SimHost;
  readonly #listener: Listener | undefined;
  readonly #turns = new Turns();
  /** In poll(2): stores to ring pages are not noticed until something else ends it (XSR-9). */
  #asleep = false;
  readonly #touched: Connection[] = [];
  /** Counts passes: a socket gets POLLOUT only if it had output before this pass polled. */
  #pass = 1;
  #wakeAtMs = 0;

  constructor(state: DaemonState, host: SimHost, listener: Listener | undefined) {
    this.state = state;
    this.#host = host;
    this.#listener = listener;
    state.onOutput = (conn) => {
      if (conn.out.length === 1) conn.queuedInPass = this.#pass;
      this.#turns.add(conn);
    };
    state.onInputAllowed = (conn) => this.#turns.add(conn);
    state.onReleased = (conn) => this.#turns.add(conn);
    state.onTouched = (conn) => this.#touch(conn);
    if (listener !== undefined) listener.onConnect = () => host.task?.wake();
    for (const conn of state.connections) {
      if (conn.link.kind === 'socket') this.#watchSocket(conn);
      this.#turns.addLater(conn); // whatever happened before: look once (EVT-34)
    }
  }

  /** Serve until the state asks for a live update, which is the caller's to carry out. */
  *run(): Actor {
    for (;;) {
      if (!this.#hasWork()) {
        this.#asleep = true;
        const ms = this.state.nextDeadlineMs();
        if (ms !== undefined) this.#wakeAt(ms);
        yield PARK;
        this.#asleep = false;
        for (const conn of this.#touched.splice(0)) this.#turns.addLater(conn);
      }
      this.state.expireEvents(this.#host.nowMs());
      this.#pass++;
      if (this.#listener !== undefined && this.#listener.waiting > 0) this.#accept(this.#listener);
      const port = this.#host.nextPort();
      if (port?.isDomainException === true) {
        this.state.checkDomains();
        yield MESSAGE_NS;
      } else yield PASS_NS;
      this.#turns.begin();
      for (let conn = this.#turns.next(); conn !== undefined; conn = this.#turns.next()) {
        if (conn.isClosed || (conn.isIgnored && !conn.isReleased)) continue;
        const spent = conn.isIgnored ? 0 : this.#input(conn);
        if (spent > 0) yield spent;
        if (conn.isReleased) {
          // Its neighbour before it in the list has released it: this was its last request (store.md 8.2).
          this.state.finishRelease(conn);
          yield PIECE_NS;
          continue;
        }
        if (!conn.isClosed && this.#output(conn)) yield WRITE_NS;
        this.#again(conn);
      }
      if (this.state.hasDelayed()) {
        if (this.state.runDelayed((conn, delayed) => runDelayed(this.state, conn, delayed)) === 'live-update') return;
      }
    }
  }

  #hasWork(): boolean {
    return !this.#turns.isEmpty || this.#host.hasReadyPort || (this.#listener?.waiting ?? 0) > 0;
  }

  #wakeAt(ms: number): void {
    if (ms <= this.#wakeAtMs && this.#wakeAtMs > this.#host.nowMs()) return;
    this.#wakeAtMs = ms;
    this.#host.wakeAtMs(ms);
  }

  /** The guest stored to an index word: level work, seen before the next poll and not earlier. */
  #touch(conn: Connection): void {
    if (this.#asleep) this.#touched.push(conn);
    else this.#turns.addLater(conn);
  }

  #accept(listener: Listener): void {
    const stream = listener.accept();
    if (stream === undefined) return;
    const conn = this.state.addSocket(stream);
    this.#watchSocket(conn);
    if (stream.readable() > 0 || stream.hungUp()) this.#turns.addLater(conn);
  }

  #watchSocket(conn: Connection): void {
    if (conn.link.kind !== 'socket') return;
    conn.link.stream.onReady = () => {
      this.#turns.addLater(conn);
      if (this.#asleep) this.#host.task?.wake();
    };
  }

  /** Note what is left to do for a connection after its turn. */
  #again(conn: Connection): void {
    if (conn.isClosed || conn.isIgnored) return;
    const { link } = conn;
    if (link.kind === 'ring') {
      if (link.page === undefined) return;
      const reads = ringHasRequest(link.page) && this.state.canRead(conn);
      if (reads || (conn.out.length > 0 && ringHasRoom(link.page))) this.#turns.addLater(conn);
    } else if (link.stream.readable() > 0 || link.stream.atEof() || (conn.out.length > 0 && link.stream.writable() > 0))
      this.#turns.addLater(conn);
  }

  // Input ---------------------------------------------------------------------------------------------------------

  /** Read at most one message, or a piece of one; process it when complete. @returns ns spent. */
  #input(conn: Connection): number {
    const { link } = conn;
    if (link.kind === 'ring') {
      if (link.page === undefined || !ringHasRequest(link.page) || !this.state.canRead(conn)) return 0;
    } else {
      if (link.stream.hungUp()) {
        // Seen by poll as a hang-up: what is unread is never read, what is queued may still go.
        this.state.closeConnection(conn);
        return PIECE_NS;
      }
      if (link.stream.readable() === 0) {
        if (!link.stream.atEof()) return 0;
        this.state.closeConnection(conn);
        return PIECE_NS;
      }
      if (!this.state.canRead(conn)) return 0;
    }
    if (conn.body === undefined) {
      const got = this.#read(conn, conn.header, conn.headerUsed, HEADER_BYTES - conn.headerUsed);
      if (got === BAD_INDEX) return this.#bad(conn, ERROR_RINGIDX);
      conn.headerUsed += got;
      if (conn.headerUsed < HEADER_BYTES) return PIECE_NS;
      const len = get32(conn.header, 12);
      if (len > PAYLOAD_MAX) return this.#bad(conn, ERROR_PROTO);
      conn.body = new Uint8Array(len);
      conn.bodyUsed = 0;
    }
    // Called for an empty body too: the guest is notified once more, as by the real daemon.
    const got = this.#read(conn, conn.body, conn.bodyUsed, conn.body.length - conn.bodyUsed);
    if (got === BAD_INDEX) return this.#bad(conn, ERROR_RINGIDX);
    conn.bodyUsed += got;
    if (conn.bodyUsed < conn.body.length) return PIECE_NS;
    const { header } = conn;
    const message: Message = {
      type: get32(header, 0),
      reqId: get32(header, 4),
      txId: get32(header, 8),
      payload: conn.body,
    };
    conn.body = undefined;
    conn.bodyUsed = 0;
    conn.headerUsed = 0;
    processMessage(this.state, conn, message);
    return MESSAGE_NS;
  }

  #read(conn: Connection, into: Uint8Array, at: number, max: number): number {
    const { link } = conn;
    if (link.kind === 'socket') return link.stream.read(into, at, max);
    if (link.page === undefined) return 0;
    const got = readRing(link.page, into, at, max);
    if (got !== BAD_INDEX) this.#host.notify(link.port);
    return got;
  }

  // Output --------------------------------------------------------------------------------------------------------

  /** Write at most one message, or a piece of one. @returns whether anything was tried. */
  #output(conn: Connection): boolean {
    const message = conn.out[0];
    if (message === undefined) return false;
    const { link } = conn;
    if (link.kind === 'ring') {
      if (link.page === undefined || !ringHasRoom(link.page)) return false;
    } else if (conn.queuedInPass >= this.#pass || link.stream.writable() === 0) return false;
    const { bytes } = message;
    if (message.kind !== 'restored' && message.sent < HEADER_BYTES) {
      if (!this.#write(conn, message, HEADER_BYTES - message.sent)) return true;
      if (message.sent < HEADER_BYTES) return true;
      if (link.kind === 'socket' && bytes.length > HEADER_BYTES) return true; // the body goes in the next pass
    }
    if (!this.#write(conn, message, bytes.length - message.sent)) return true;
    if (message.sent < bytes.length) return true;
    conn.out.shift();
    this.state.outputWritten(conn, message);
    return true;
  }

  /** One chunk; false if the connection was given up. */
  #write(conn: Connection, message: OutMessage, max: number): boolean {
    const { link } = conn;
    if (link.kind === 'socket') {
      message.sent += link.stream.write(message.bytes, message.sent, max);
      return true;
    }
    if (link.page === undefined) return false;
    const put = writeRing(link.page, message.bytes, message.sent, max);
    if (put === BAD_INDEX) {
      this.#bad(conn, ERROR_RINGIDX);
      return false;
    }
    message.sent += put;
    this.#host.notify(link.port);
    return true;
  }

  /** A ring is ignored from now on, a socket closed with everything queued on it. */
  #bad(conn: Connection, word: number): number {
    if (conn.link.kind === 'ring') this.state.ignoreConnection(conn, word);
    else this.state.closeConnection(conn);
    return PIECE_NS;
  }
}
