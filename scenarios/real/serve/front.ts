import type { Socket } from 'node:net';
import { octets } from '../../../guests/index.ts';
import type { Machine, UnixSocket } from '../../../sim/index.ts';
import type { ConnectionData } from '../../../store/format/index.ts';
import { HEADER_BYTES, payloadLength } from '../../../store/protocol/wire.ts';
import { handleOf } from './handle.ts';
import { send } from './send.ts';

/** How long a client whose kernel buffer is full is left alone, in ms. */
const FULL_MS = 5;

/** One client: its socket, and the simulated one that the store has in its place. */
interface Client {
  readonly socket: Socket;
  readonly end: UnixSocket;
  readonly fd: number;
  /** Came from the client; the simulated socket has no room for it yet. */
  readonly waiting: Uint8Array[];
  /** Taken from the store; the kernel has no room for it yet. */
  unsent: Uint8Array;
  /** Where in a message the stream stands that has left. */
  readonly sent: Boundary;
}

/** Follows a stream of messages: how many octets of the one under way are still to come. */
class Boundary {
  readonly #header = new Uint8Array(HEADER_BYTES);
  #used = 0;
  #rest: number;

  constructor(rest: number) {
    this.#rest = rest;
  }

  pass(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#rest > 0) {
        const count = Math.min(this.#rest, bytes.length - at);
        this.#rest -= count;
        at += count;
        continue;
      }
      this.#header[this.#used++] = bytes[at++] as number;
      if (this.#used < HEADER_BYTES) continue;
      this.#rest = payloadLength(this.#header);
      this.#used = 0;
    }
  }

  /** Octets of `next` that belong to the message under way. */
  restOf(next: Uint8Array): number {
    if (this.#used === 0) return this.#rest;
    const header = this.#header.slice();
    header.set(next.subarray(0, HEADER_BYTES - this.#used), this.#used);
    return HEADER_BYTES - this.#used + payloadLength(header);
  }
}

export interface FrontOptions {
  readonly machine: Machine;
  /** Wall clock in ns since some start; drives the store's virtual time, so that its time-outs are real ones. */
  readonly nowNs: () => number;
  readonly log: (line: string) => void;
  /** Called once, when something went wrong that no client has done: nothing is served any more. */
  readonly failed: (error: unknown) => void;
}

/**
 * Clients on real sockets before a simulated store. A client that does not read is not served further; one that vanishes is
 * seen to hang up. What is sent is written at once, so that it is known to the octet what has left.
 */
export class Front {
  readonly #options: FrontOptions;
  readonly #clients = new Map<Socket, Client>();
  readonly #chunk = new Uint8Array(65_536);
  readonly #startNs: number;
  #timer: NodeJS.Timeout | undefined;
  #hasFailed = false;
  #isEnding = false;
  /** Octets that kernels have taken, of all clients. */
  #delivered = 0;

  constructor(options: FrontOptions) {
    this.#options = options;
    this.#startNs = options.nowNs();
  }

  /**
   * Serve a connected socket as the peer of `end`.
   * @param restLength octets of a message that the store will send first, of which the beginning has left before.
   */
  attach(socket: Socket, end: UnixSocket, restLength = 0): void {
    const client: Client = {
      socket,
      end,
      fd: handleOf(socket).fd,
      waiting: [],
      unsent: new Uint8Array(0),
      sent: new Boundary(restLength),
    };
    this.#clients.set(socket, client);
    socket.on('data', (data: Buffer) => {
      if (this.#isEnding) return;
      client.waiting.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      this.#feed(client);
    });
    socket.on('end', () => {
      end.finish();
      this.run();
    });
    socket.on('error', (error) => this.#options.log(`client: ${error.message}`));
    socket.on('close', () => {
      end.close();
      client.waiting.length = 0;
      this.#clients.delete(socket);
      this.run();
    });
  }

  /** Let the simulated machine catch up with the wall clock, and a little beyond: it is idle as soon as all is served. */
  run(): void {
    if (this.#hasFailed) return;
    try {
      this.#run();
    } catch (error) {
      this.#hasFailed = true;
      this.#options.failed(error);
    }
  }

  #run(): void {
    const { machine, nowNs } = this.#options;
    const { scheduler } = machine;
    // Work is not limited by the clock: whatever can be done now is done now; only waits last as long as they say.
    while (scheduler.runNext(Math.max(scheduler.nowNs + 1_000_000, nowNs() - this.#startNs)));
    let isFull = false;
    for (const client of this.#clients.values()) isFull = !this.#deliver(client) || isFull;
    const next = scheduler.nextNs;
    const waitMs =
      next === undefined ? Infinity : Math.max(1, Math.ceil((next - (nowNs() - this.#startNs)) / 1_000_000));
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    const ms = isFull ? Math.min(waitMs, FULL_MS) : waitMs;
    this.#timer = ms === Infinity ? undefined : setTimeout(() => this.run(), ms);
  }

  /** Hand to the store what came; a client whose input finds no room is not read meanwhile. */
  #feed(client: Client): void {
    const { socket, end, waiting } = client;
    const put = () => {
      for (let bytes = waiting[0]; bytes !== undefined; bytes = waiting[0]) {
        const taken = end.write(bytes, 0, bytes.length);
        if (taken < bytes.length) {
          waiting[0] = bytes.subarray(taken);
          return;
        }
        waiting.shift();
      }
    };
    put();
    this.run();
    put();
    if (end.hungUp()) waiting.length = 0; // nobody will read it
    if (this.#isEnding) return;
    if (waiting.length === 0) socket.resume();
    else {
      socket.pause();
      setTimeout(() => this.#feed(client), FULL_MS);
    }
  }

  /** Move what the store has written to the kernel; false: there is more, but no room. */
  #deliver(client: Client): boolean {
    const { socket, end } = client;
    for (;;) {
      if (client.unsent.length === 0) {
        const count = end.read(this.#chunk, 0, this.#chunk.length);
        if (count === 0) break;
        client.unsent = this.#chunk.slice(0, count);
      }
      if (socket.destroyed) return true; // its descriptor may be another's by now
      const count = send(client.fd, client.unsent);
      if (count === 'gone') {
        socket.destroy();
        return true;
      }
      client.sent.pass(client.unsent.subarray(0, count));
      this.#delivered += count;
      client.unsent = client.unsent.subarray(count);
      if (client.unsent.length > 0) return false;
    }
    if (end.hungUp() && !socket.writableEnded) socket.end();
    return true;
  }

  /**
   * The record of the store's socket `fd`, with what lies between the store and the client added; the client's descriptor.
   * `undefined`: it has gone.
   */
  gather(fd: number, record: ConnectionData): { readonly fd: number; readonly record: ConnectionData } | undefined {
    for (const client of this.#clients.values()) {
      const { end, socket, waiting } = client;
      const store = end.peer;
      if (store?.fd !== fd) continue;
      const unsent = new Uint8Array(end.readable());
      end.read(unsent, 0, unsent.length);
      client.unsent = octets(client.unsent, unsent);
      const unread = new Uint8Array(store.readable());
      store.read(unread, 0, unread.length);
      end.write(unread, 0, unread.length); // it stays, should the successor fail
      for (let more: Buffer | null = socket.read(); more !== null; more = socket.read())
        waiting.push(new Uint8Array(more));
      const outData = octets(client.unsent, record.outData);
      const outRespLen = client.sent.restOf(outData);
      return {
        fd: client.fd,
        record: { ...record, inData: octets(record.inData, unread, ...waiting), outData, outRespLen },
      };
    }
    return undefined;
  }

  /** The C daemon reads sockets in blocking mode: it takes EAGAIN for the end (readfd in xenstored_core.c). */
  setBlocking(blocking: boolean): void {
    for (const socket of this.#clients.keys()) handleOf(socket).setBlocking(blocking);
  }

  /** Read nothing more, and let out what the store has for its clients, as far as they take it within `graceMs`. */
  async drain(graceMs: number): Promise<void> {
    this.#isEnding = true;
    for (const { socket, waiting } of this.#clients.values()) {
      socket.pause();
      waiting.length = 0;
    }
    const isLeft = ({ unsent, end }: Client) => unsent.length > 0 || end.readable() > 0;
    for (let ms = 0; ms < graceMs; ms += FULL_MS) {
      // 1. The store fills a socket in the middle of a reply. 2. The kernel takes all of that. 3. Nothing is left here, but the store has
      // room again, and has the rest.
      let before: number;
      do {
        before = this.#delivered;
        this.run();
      } while (this.#delivered > before);
      if (this.#hasFailed || ![...this.#clients.values()].some(isLeft)) return;
      await new Promise((resolve) => setTimeout(resolve, FULL_MS));
    }
  }

  close(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    for (const socket of this.#clients.keys()) socket.destroy();
  }
}
