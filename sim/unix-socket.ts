import { OctetQueue } from './octet-queue.ts';
import type { Trace } from './trace.ts';

/** What a Linux socket buffer takes before a writer would block. Source: net.core.wmem_default. */
export const SOCKET_BUFFER_BYTES = 212_992;

/** Told of each octet that crosses an end, and of its close. `bytes`: the caller's, of which `count` from `at` on moved. */
export type SocketObserver = (what: 'write' | 'read' | 'close', bytes: Uint8Array, at: number, count: number) => void;

const NO_OCTETS = new Uint8Array(0);

/** One end of a connected AF_UNIX stream socket between two programs of one domain. */
export class UnixSocket {
  readonly fd: number;
  readonly #incoming = new OctetQueue(SOCKET_BUFFER_BYTES);
  #peer: UnixSocket | undefined;
  #sentFin = false;
  #closed = false;
  /** Called when something changed for this end: octets came, room came, or the peer went. */
  onReady: (() => void) | undefined = undefined;
  observer: SocketObserver | undefined = undefined;

  private constructor(fd: number) {
    this.fd = fd;
  }

  /** Two connected ends. */
  static pair(fdA: number, fdB: number): [UnixSocket, UnixSocket] {
    const a = new UnixSocket(fdA);
    const b = new UnixSocket(fdB);
    a.#peer = b;
    b.#peer = a;
    return [a, b];
  }

  get peer(): UnixSocket | undefined {
    return this.#peer;
  }

  readable(): number {
    return this.#incoming.length;
  }

  /** The peer sends no more and everything was read. */
  atEof(): boolean {
    return this.#incoming.length === 0 && (this.#peer === undefined || this.#peer.#closed || this.#peer.#sentFin);
  }

  /** The peer has closed altogether. */
  hungUp(): boolean {
    return this.#peer === undefined || this.#peer.#closed;
  }

  writable(): number {
    return this.hungUp() || this.#peer === undefined ? 0 : this.#peer.#incoming.room;
  }

  read(into: Uint8Array, at: number, max: number): number {
    const count = this.#incoming.pull(into, at, max);
    if (count === 0) return 0;
    this.observer?.('read', into, at, count);
    this.#peer?.onReady?.();
    return count;
  }

  /** Takes what there is room for; 0 when the peer is gone (EPIPE is the caller's to notice with `hungUp`). */
  write(from: Uint8Array, at: number, max: number): number {
    const count = Math.min(max, this.writable());
    if (count === 0) return 0;
    const peer = this.#peer;
    if (peer === undefined) return 0;
    peer.#incoming.push(from, at, count);
    this.observer?.('write', from, at, count);
    peer.onReady?.();
    return count;
  }

  /** shutdown(SHUT_WR): the peer reads to the end, and may still answer. */
  finish(): void {
    this.#sentFin = true;
    this.#peer?.onReady?.();
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.observer?.('close', NO_OCTETS, 0, 0);
    this.#peer?.onReady?.();
  }
}

/** A listening socket: connections wait here until the server accepts them, in order. */
export class Listener {
  readonly #waiting: UnixSocket[] = [];
  readonly #trace: Trace | undefined;
  #nextFd: number;
  /** Called when a connection waits. */
  onConnect: (() => void) | undefined = undefined;

  /** @param firstFd number of the first accepted socket; a program's first free descriptor.
   *  @param trace gets what crosses the sockets, if given. */
  constructor(firstFd: number, trace?: Trace) {
    this.#nextFd = firstFd;
    this.#trace = trace;
  }

  /** A client's connect(2): its own end; the server's waits to be accepted. `by`: the program, for the trace. */
  connect(by = ''): UnixSocket {
    const fd = this.#nextFd++;
    const [client, server] = UnixSocket.pair(-1, fd);
    const trace = this.#trace;
    if (trace !== undefined) {
      trace.socket('client', 'connect', fd, by, NO_OCTETS, 0, 0);
      client.observer = (what, bytes, at, count) => trace.socket('client', what, fd, by, bytes, at, count);
      server.observer = (what, bytes, at, count) => trace.socket('server', what, fd, by, bytes, at, count);
    }
    this.#waiting.push(server);
    this.onConnect?.();
    return client;
  }

  /** The server closes it and opens it anew under the same name: who waits is turned away. */
  reopen(): void {
    for (const server of this.#waiting.splice(0)) server.close();
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  accept(): UnixSocket | undefined {
    const server = this.#waiting.shift();
    if (server !== undefined) this.#trace?.socket('server', 'accept', server.fd, '', NO_OCTETS, 0, 0);
    return server;
  }
}
