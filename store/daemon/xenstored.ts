import { type Actor, type Listener, PARK, type Program } from '../../sim/index.ts';
import type { Connection } from './connection.ts';
import { ConnectionReader } from './connection-reader.ts';
import { ConnectionWriter } from './connection-writer.ts';
import { MESSAGE_NS, PASS_NS, PIECE_NS, WRITE_NS } from './costs.ts';
import { Daemon } from './daemon.ts';
import { processDelayed } from './operations/process-message.ts';
import { ringHasRequest, ringHasRoom } from './ring-io.ts';
import { ServiceOrder } from './service-order.ts';
import type { SimPlatform } from './sim-platform.ts';
import type { DaemonState } from './state.ts';

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
  readonly #reader: ConnectionReader;
  readonly #writer: ConnectionWriter;
  /** In poll(2): stores to ring pages are not noticed until something else ends it (XSR-9). */
  #asleep = false;
  readonly #touched: Connection[] = [];
  /** Counts passes. */
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
    this.#reader = new ConnectionReader(this.daemon, platform);
    this.#writer = new ConnectionWriter(this.daemon, platform);
    if (listener !== undefined) listener.onConnect = () => platform.task?.wake();
    for (const conn of state.connections) if (conn.link.kind === 'socket') this.#watchSocket(conn);
    this.lookAtAll();
  }

  /** Whatever has happened to the connections that there are: look once (EVT-34). */
  lookAtAll(): void {
    for (const conn of this.state.connections) this.#order.addLater(conn);
  }

  /** Serve until the state asks for a live update; then `update` goes on in its place. */
  *run(update: () => Program): Actor<Program> {
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
        const inSteps = this.#platform.movesInSteps;
        const spent = conn.isIgnored ? 0 : inSteps ? yield* this.#reader.inputInSteps(conn) : this.#reader.input(conn);
        if (spent > 0) yield spent;
        if (conn.isReleased) {
          // Its neighbour before it in the list has released it: this was its last request (store.md 8.2).
          ends.finishRelease(conn);
          yield PIECE_NS;
          continue;
        }
        if (!conn.isClosed) {
          const pass = this.#pass;
          if (inSteps ? yield* this.#writer.outputInSteps(conn, pass) : this.#writer.output(conn, pass)) yield WRITE_NS;
        }
        this.daemon.throttle.lookAgain();
        this.#again(conn);
      }
      if (delayed.isAny && delayed.run((conn, request) => processDelayed(this.daemon, conn, request)) === 'live-update')
        return update();
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
    if (conn.isClosed || conn.isIgnored || conn.moving === 'frozen') return;
    const { link } = conn;
    if (link.kind === 'ring') {
      if (link.page === undefined) return;
      const reads = ringHasRequest(link.page) && this.daemon.throttle.canRead(conn);
      if (reads || (conn.out.length > 0 && ringHasRoom(link.page))) this.#order.addLater(conn);
    } else if (link.stream.readable() > 0 || link.stream.atEof() || (conn.out.length > 0 && link.stream.writable() > 0))
      this.#order.addLater(conn);
  }
}
