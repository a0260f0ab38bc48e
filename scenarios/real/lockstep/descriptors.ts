import type { Listener, UnixSocket } from '../../../sim/index.ts';
import { KIND, POLL } from './calls.ts';

/** Descriptors of a daemon that stand for something of the simulation: its listening socket, its clients, its event file. */
export class Descriptors {
  readonly #listener: Listener | undefined;
  readonly #wake: () => void;
  readonly #clients = new Map<number, UnixSocket>();
  #listening: number | undefined;
  /** Descriptor of the event channel file. */
  events: number | undefined;

  /** @param wake called when a client comes, or something has come for one. */
  constructor(listener: Listener | undefined, wake: () => void) {
    this.#listener = listener;
    this.#wake = wake;
  }

  listen(fd: number): void {
    this.#listening = fd;
    if (this.#listener !== undefined) this.#listener.onConnect = this.#wake;
  }

  /** The daemon has accepted who waits longest. */
  accept(fd: number): void {
    const socket = this.#listener?.accept();
    if (socket === undefined) throw new Error('assertion: nobody waits to be accepted');
    this.adopt(fd, socket);
  }

  /** A client that is connected already. */
  adopt(fd: number, socket: UnixSocket): void {
    socket.onReady = this.#wake;
    this.#clients.set(fd, socket);
  }

  client(fd: number): UnixSocket | undefined {
    return this.#clients.get(fd);
  }

  get clients(): ReadonlyMap<number, UnixSocket> {
    return this.#clients;
  }

  get waiting(): number {
    return this.#listening === undefined ? 0 : (this.#listener?.waiting ?? 0);
  }

  close(fd: number): void {
    const client = this.#clients.get(fd);
    if (client !== undefined) {
      client.onReady = undefined;
      client.close();
      this.#clients.delete(fd);
    } else if (fd === this.#listening) {
      this.#listening = undefined;
      this.#listener?.reopen(); // who waits there is turned away
    } else if (fd === this.events) this.events = undefined;
  }

  /** The process is no more: who waits, or comes later, is turned away. */
  end(): void {
    for (const fd of [...this.#clients.keys()]) this.close(fd);
    const listener = this.#listener;
    if (listener === undefined) return;
    this.#listening = undefined;
    listener.onConnect = () => listener.reopen(); // ECONNREFUSED
    listener.reopen();
  }

  /** What poll(2) says of it, of `wanted` and of what is always told. `hasEvents`: the event channel file can be read. */
  poll(fd: number, wanted: number, hasEvents: boolean): number {
    if (fd === this.events) return hasEvents ? wanted & POLL.in : 0;
    if (fd === this.#listening) return this.waiting > 0 ? wanted & POLL.in : 0;
    const client = this.#clients.get(fd);
    if (client === undefined) return POLL.nval;
    const isGone = client.hungUp();
    return (
      (client.readable() > 0 || client.atEof() ? wanted & POLL.in : 0) |
      (isGone || client.writable() > 0 ? wanted & POLL.out : 0) |
      (isGone ? POLL.hup : 0)
    );
  }

  /** What a new image of the process finds open: descriptor and KIND of each. */
  all(): (readonly [fd: number, kind: number])[] {
    const found: (readonly [number, number])[] = [...this.#clients.keys()].map((fd) => [fd, KIND.socket]);
    if (this.#listening !== undefined) found.push([this.#listening, KIND.listener]);
    if (this.events !== undefined) found.push([this.events, KIND.events]);
    return found.sort((a, b) => a[0] - b[0]);
  }
}
