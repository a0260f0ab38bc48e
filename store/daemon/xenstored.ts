import { type Actor, type Listener, PARK, XENSTORE_ERROR_PROTO, XENSTORE_ERROR_RINGIDX } from '../../sim/index.ts';
import { HEADER_BYTES, messageOf, PAYLOAD_MAX, payloadLength } from '../protocol/wire.ts';
import type { Connection, OutMessage } from './connection.ts';
import { DAEMON_COSTS } from './costs.ts';
import { Daemon } from './daemon.ts';
import { processDelayed, processMessage } from './operations/process-message.ts';
import { BAD_INDEX, moveInSteps, readRing, ringHasRequest, ringHasRoom, writeRing } from './ring-io.ts';
import { ServiceOrder } from './service-order.ts';
import type { SimPlatform } from './sim-platform.ts';
import type { DaemonState } from './state.ts';

const { passNs: PASS_NS, messageNs: MESSAGE_NS, pieceNs: PIECE_NS, writeNs: WRITE_NS } = DAEMON_COSTS;

const NOTHING = new Uint8Array(0);

/**
 * The daemon's main loop (store.md 0.4): one pass serves at most one message in and one message out of each connection, in
 * list order. It gives way between connections and never inside a request, as the single-threaded daemon does.
 * Source: tools/xenstored/core.c, main.
 */
export class Xenstored {
  readonly state: DaemonState;
  readonly daemon: Daemon;
  readonly #platform: SimPlatform;
  readonly #listener: Listener | undefined;
  readonly #order = new ServiceOrder();
  /** In poll(2): stores to ring pages are not noticed until something else ends it (XSR-9). */
  #asleep = false;
  readonly #touched: Connection[] = [];
  /** Counts passes: a socket gets POLLOUT only if it had output before this pass polled. */
  #pass = 1;
  #wakeAtMs = 0;

  constructor(state: DaemonState, platform: SimPlatform, listener: Listener | undefined) {
    this.state = state;
    this.#platform = platform;
    this.#listener = listener;
    this.daemon = new Daemon(state, platform, {
      outputQueued: (conn) => {
        if (conn.out.length === 1) conn.queuedInPass = this.#pass;
        this.#order.add(conn);
      },
      inputAllowed: (conn) => this.#order.add(conn),
      released: (conn) => {
        this.#order.add(conn);
        return true;
      },
      touched: (conn) => this.#touch(conn),
    });
    if (listener !== undefined) listener.onConnect = () => platform.task?.wake();
    for (const conn of state.connections) if (conn.link.kind === 'socket') this.#watchSocket(conn);
    this.lookAtAll();
  }

  /** Whatever has happened to the connections that there are: look once (EVT-34). */
  lookAtAll(): void {
    for (const conn of this.state.connections) this.#order.addLater(conn);
  }

  /** Serve until the state asks for a live update, which is the caller's to carry out. */
  *run(): Actor {
    const { changes, delayed, ends } = this.daemon;
    for (;;) {
      if (!this.#hasWork()) {
        this.#asleep = true;
        const ms = this.daemon.nextDeadlineMs();
        if (ms !== undefined) this.#wakeAt(ms);
        yield PARK;
        this.#asleep = false;
        for (const conn of this.#touched.splice(0)) this.#order.addLater(conn);
      }
      this.daemon.timePassed(this.#platform.nowMs());
      this.#pass++;
      if (this.#listener !== undefined && this.#listener.waiting > 0) this.#accept(this.#listener);
      const port = this.#platform.nextPort();
      if (port?.isDomainException === true) {
        changes.checkChanged();
        yield MESSAGE_NS;
      } else yield PASS_NS;
      this.#order.begin();
      for (let conn = this.#order.next(); conn !== undefined; conn = this.#order.next()) {
        if (conn.isClosed || (conn.isIgnored && !conn.isReleased)) continue;
        const { movesInSteps } = this.#platform;
        const spent = conn.isIgnored ? 0 : movesInSteps ? yield* this.#inputInSteps(conn) : this.#input(conn);
        if (spent > 0) yield spent;
        if (conn.isReleased) {
          // Its neighbour before it in the list has released it: this was its last request (store.md 8.2).
          ends.finishRelease(conn);
          yield PIECE_NS;
          continue;
        }
        if (!conn.isClosed && (movesInSteps ? yield* this.#outputInSteps(conn) : this.#output(conn))) yield WRITE_NS;
        this.daemon.throttle.lookAgain();
        this.#again(conn);
      }
      if (delayed.isAny && delayed.run((conn, request) => processDelayed(this.daemon, conn, request)) === 'live-update')
        return;
      this.daemon.throttle.lookAgain();
    }
  }

  #hasWork(): boolean {
    return !this.#order.isEmpty || this.#platform.hasReadyPort || (this.#listener?.waiting ?? 0) > 0;
  }

  #wakeAt(ms: number): void {
    if (this.#wakeAtMs > this.#platform.nowMs() && this.#wakeAtMs <= ms) return; // it wakes before that, and looks again
    this.#wakeAtMs = ms;
    this.#platform.wakeAtMs(ms);
  }

  /** The guest stored to an index word: level work, seen before the next poll and not earlier. */
  #touch(conn: Connection): void {
    if (this.#asleep) this.#touched.push(conn);
    else this.#order.addLater(conn);
  }

  #accept(listener: Listener): void {
    const stream = listener.accept();
    if (stream === undefined) return;
    const conn = this.daemon.connections.addSocket(stream);
    this.#watchSocket(conn);
    if (stream.readable() > 0 || stream.hungUp()) this.#order.addLater(conn);
  }

  #watchSocket(conn: Connection): void {
    if (conn.link.kind !== 'socket') return;
    conn.link.stream.onReady = () => {
      this.#order.addLater(conn);
      if (this.#asleep) this.#platform.task?.wake();
    };
  }

  /** Note what is left to do for a connection after its turn. */
  #again(conn: Connection): void {
    if (conn.isClosed || conn.isIgnored) return;
    const { link } = conn;
    if (link.kind === 'ring') {
      if (link.page === undefined) return;
      const reads = ringHasRequest(link.page) && this.daemon.throttle.canRead(conn);
      if (reads || (conn.out.length > 0 && ringHasRoom(link.page))) this.#order.addLater(conn);
    } else if (link.stream.readable() > 0 || link.stream.atEof() || (conn.out.length > 0 && link.stream.writable() > 0))
      this.#order.addLater(conn);
  }

  // Input ---------------------------------------------------------------------------------------------------------

  /** Read at most one message, or a piece of one; process it when complete. @returns ns spent. */
  #input(conn: Connection): number {
    const ended = this.#refuseInput(conn) ?? this.#unblock(conn);
    if (ended !== undefined) return ended;
    if (conn.body === undefined) {
      const spent = this.#gotHeader(conn, this.#read(conn, conn.header, conn.headerUsed, HEADER_BYTES));
      if (spent !== undefined) return spent;
    }
    return this.#gotBody(conn, this.#read(conn, conn.body ?? NOTHING, conn.bodyUsed, conn.body?.length ?? 0));
  }

  /** The same, with others running between any two accesses to the ring. */
  *#inputInSteps(conn: Connection): Actor<number> {
    const ended = this.#refuseInput(conn) ?? this.#unblock(conn);
    if (ended !== undefined) return ended;
    if (conn.body === undefined) {
      const got = yield* this.#readInSteps(conn, conn.header, conn.headerUsed, HEADER_BYTES);
      const spent = this.#gotHeader(conn, got);
      if (spent !== undefined) return spent;
    }
    const { body = NOTHING } = conn;
    return this.#gotBody(conn, yield* this.#readInSteps(conn, body, conn.bodyUsed, body.length));
  }

  /** Why nothing is read now, as ns spent on it; `undefined`: the connection is to be read. */
  #refuseInput(conn: Connection): number | undefined {
    const { link } = conn;
    if (link.kind === 'ring')
      return link.page !== undefined && ringHasRequest(link.page) && this.daemon.throttle.canRead(conn) ? undefined : 0;
    // Seen by poll as a hang-up: what is unread is never read, what is queued may still go.
    if (link.stream.hungUp() || (link.stream.readable() === 0 && link.stream.atEof())) {
      this.daemon.connections.close(conn);
      return PIECE_NS;
    }
    return link.stream.readable() > 0 && this.daemon.throttle.canRead(conn) ? undefined : 0;
  }

  /**
   * A message that was blocked is there in full: nothing of it is read, and it is processed. As in the daemon that happens when
   * the connection is to be read, so not before its guest has sent something else. @returns ns spent, if there was one.
   */
  #unblock(conn: Connection): number | undefined {
    const { blocked } = conn;
    if (blocked === undefined) return undefined;
    if (this.#read(conn, NOTHING, 0, 0) === BAD_INDEX) return this.#bad(conn, XENSTORE_ERROR_RINGIDX);
    conn.blocked = undefined;
    processMessage(this.daemon, conn, blocked);
    return MESSAGE_NS;
  }

  /** Octets of the header have come. @returns ns spent, if that was all; `undefined`: go on with the body. */
  #gotHeader(conn: Connection, got: number): number | undefined {
    if (got === BAD_INDEX) return this.#bad(conn, XENSTORE_ERROR_RINGIDX);
    conn.headerUsed += got;
    if (conn.headerUsed < HEADER_BYTES) return PIECE_NS;
    const len = payloadLength(conn.header);
    if (len > PAYLOAD_MAX) return this.#bad(conn, XENSTORE_ERROR_PROTO);
    conn.body = new Uint8Array(len);
    conn.bodyUsed = 0;
    return undefined; // an empty body is read too: the guest is notified once more, as by the real daemon
  }

  /** Octets of the body have come. @returns ns spent. */
  #gotBody(conn: Connection, got: number): number {
    const { header, body } = conn;
    if (body === undefined) throw new Error('assertion: a body without a header');
    if (got === BAD_INDEX) return this.#bad(conn, XENSTORE_ERROR_RINGIDX);
    conn.bodyUsed += got;
    if (conn.bodyUsed < body.length) return PIECE_NS;
    const message = messageOf(header, 0, body);
    conn.body = undefined;
    conn.bodyUsed = 0;
    conn.headerUsed = 0;
    processMessage(this.daemon, conn, message);
    return MESSAGE_NS;
  }

  /** Fill `into` from `at` to `end`, as far as one piece goes. */
  #read(conn: Connection, into: Uint8Array, at: number, end: number): number {
    const { link } = conn;
    if (link.kind === 'socket') return link.stream.read(into, at, end - at);
    if (link.page === undefined) return 0;
    const got = readRing(link.page, into, at, end - at);
    if (got !== BAD_INDEX) this.#platform.notify(link.port);
    return got;
  }

  *#readInSteps(conn: Connection, into: Uint8Array, at: number, end: number): Actor<number> {
    const { link } = conn;
    if (link.kind === 'socket' || link.page === undefined) return this.#read(conn, into, at, end);
    const got = yield* moveInSteps('read', link.page, into, at, end - at);
    if (got !== BAD_INDEX) this.#platform.notify(link.port);
    return got;
  }

  // Output --------------------------------------------------------------------------------------------------------

  /** Write at most one message, or a piece of one. @returns whether anything was tried. */
  #output(conn: Connection): boolean {
    const message = this.#nextOutput(conn);
    if (message === undefined) return false;
    const { sent } = message;
    const rest = this.#headerEnd(message);
    if (rest === undefined || this.#wrote(conn, message, this.#write(conn, message, rest), rest)) {
      const put = this.#write(conn, message, message.bytes.length);
      if (this.#wrote(conn, message, put, message.bytes.length)) this.#left(conn, message, sent);
    }
    if (sent === 0 && message.sent < message.bytes.length) this.daemon.trace.output(conn, message, 'start');
    return true;
  }

  /** The same, with others running between any two accesses to the ring. */
  *#outputInSteps(conn: Connection): Actor<boolean> {
    const message = this.#nextOutput(conn);
    if (message === undefined) return false;
    const { sent } = message;
    const rest = this.#headerEnd(message);
    if (rest === undefined || this.#wrote(conn, message, yield* this.#writeInSteps(conn, message, rest), rest)) {
      const put = yield* this.#writeInSteps(conn, message, message.bytes.length);
      if (this.#wrote(conn, message, put, message.bytes.length)) this.#left(conn, message, sent);
    }
    if (sent === 0 && message.sent < message.bytes.length) this.daemon.trace.output(conn, message, 'start');
    return true;
  }

  #nextOutput(conn: Connection): OutMessage | undefined {
    const { link } = conn;
    if (link.kind === 'ring') return link.page !== undefined && ringHasRoom(link.page) ? conn.out[0] : undefined;
    return conn.queuedInPass < this.#pass && link.stream.writable() > 0 ? conn.out[0] : undefined;
  }

  /** Where the header ends, if it is still to be written. */
  #headerEnd(message: OutMessage): number | undefined {
    return message.kind !== 'restored' && message.sent < HEADER_BYTES ? HEADER_BYTES : undefined;
  }

  /** Note what was written. @returns whether the message is written up to `end`, and its next part may go now. */
  #wrote(conn: Connection, message: OutMessage, put: number, end: number): boolean {
    if (put === BAD_INDEX) {
      this.#bad(conn, XENSTORE_ERROR_RINGIDX);
      return false;
    }
    message.sent += put;
    if (message.sent < end) return false;
    return conn.link.kind === 'ring' || end === message.bytes.length; // a socket's body goes in the next pass
  }

  /** All of it is written; before this turn `sent` octets were. */
  #left(conn: Connection, message: OutMessage, sent: number): void {
    conn.out.shift();
    this.daemon.trace.output(conn, message, sent === 0 ? 'all' : 'end');
    this.daemon.output.written(conn, message);
  }

  /** Write from where the message stands up to `end`, as far as one piece goes. */
  #write(conn: Connection, { bytes, sent }: OutMessage, end: number): number {
    const { link } = conn;
    if (link.kind === 'socket') return link.stream.write(bytes, sent, end - sent);
    if (link.page === undefined) return 0;
    const put = writeRing(link.page, bytes, sent, end - sent);
    if (put !== BAD_INDEX) this.#platform.notify(link.port);
    return put;
  }

  *#writeInSteps(conn: Connection, message: OutMessage, end: number): Actor<number> {
    const { link } = conn;
    if (link.kind === 'socket' || link.page === undefined) return this.#write(conn, message, end);
    const put = yield* moveInSteps('write', link.page, message.bytes, message.sent, end - message.sent);
    if (put !== BAD_INDEX) this.#platform.notify(link.port);
    return put;
  }

  /** A ring is ignored from now on, a socket closed with everything queued on it. */
  #bad(conn: Connection, word: number): number {
    if (conn.link.kind === 'ring') this.daemon.connections.ignore(conn, word);
    else this.daemon.connections.close(conn);
    return PIECE_NS;
  }
}
