import { octets } from '../../guests/index.ts';
import {
  type Domain,
  type Frame,
  type Machine,
  type Port,
  REQ_AT,
  REQ_CONS,
  REQ_PROD,
  RING_BYTES,
  RSP_AT,
  RSP_CONS,
  RSP_PROD,
  readableChunk,
  type UnixSocket,
  used,
  writableChunk,
} from '../../sim/index.ts';

/** A script's end of one connection: octets in, octets out. */
export interface Link {
  /** Put in as many octets from `at` on as there is room for; the count. */
  send(bytes: Uint8Array, at: number): number;
  /** Take out what is there, `max` octets at the most. */
  receive(max?: number): Uint8Array;
  /** The store has closed it, and everything it sent was taken out. */
  isClosed(): boolean;
  close(): void;
}

/** The guest's side of a xenstore ring, which sends an event after everything it does. */
export class RingEnd implements Link {
  readonly #machine: Machine;
  readonly #domain: Domain;
  readonly #ring: Frame;
  readonly #port: Port;

  constructor(machine: Machine, domain: Domain, ring: Frame, port: Port) {
    this.#machine = machine;
    this.#domain = domain;
    this.#ring = ring;
    this.#port = port;
  }

  send(bytes: Uint8Array, at: number): number {
    let done = 0;
    for (;;) {
      const prod = this.#ring.load32(REQ_PROD);
      const cons = this.#ring.load32(REQ_CONS);
      if (used(prod, cons) > RING_BYTES) break;
      const count = Math.min(writableChunk(prod, cons), bytes.length - at - done);
      if (count <= 0) break;
      this.#ring.bytes.set(bytes.subarray(at + done, at + done + count), REQ_AT + (prod & (RING_BYTES - 1)));
      this.#ring.store32(REQ_PROD, (prod + count) >>> 0, true);
      done += count;
    }
    if (done > 0) this.#notify();
    return done;
  }

  receive(max = Number.POSITIVE_INFINITY): Uint8Array {
    const pieces: Uint8Array[] = [];
    for (let left = max; ; ) {
      const prod = this.#ring.load32(RSP_PROD);
      const cons = this.#ring.load32(RSP_CONS);
      const count = used(prod, cons) > RING_BYTES ? 0 : Math.min(readableChunk(prod, cons), left);
      if (count === 0) break;
      const at = RSP_AT + (cons & (RING_BYTES - 1));
      pieces.push(this.#ring.bytes.slice(at, at + count));
      this.#ring.store32(RSP_CONS, (cons + count) >>> 0, true);
      left -= count;
    }
    if (pieces.length > 0) this.#notify();
    return octets(...pieces);
  }

  #notify(): void {
    if (this.#domain.ports.get(this.#port) !== undefined) this.#machine.send(this.#domain, this.#port);
  }

  /** Write a word of the page, whatever it is for. */
  setWord(at: number, value: number): void {
    this.#ring.store32(at, value, true);
    this.#notify();
  }

  readonly wordAt = (at: number): number => this.#ring.load32(at);

  isClosed(): boolean {
    return false;
  }

  close(): void {}
}

/** The client's side of a socket connection. */
export class SocketEnd implements Link {
  readonly #socket: UnixSocket;

  constructor(socket: UnixSocket) {
    this.#socket = socket;
  }

  send(bytes: Uint8Array, at: number): number {
    return this.#socket.write(bytes, at, bytes.length - at);
  }

  receive(max = Number.POSITIVE_INFINITY): Uint8Array {
    const bytes = new Uint8Array(Math.min(this.#socket.readable(), max));
    this.#socket.read(bytes, 0, bytes.length);
    return bytes;
  }

  isClosed(): boolean {
    return this.#socket.hungUp() && this.#socket.readable() === 0;
  }

  close(): void {
    this.#socket.close();
  }
}
