import {
  type Actor,
  type Frame,
  type Port,
  REQ_AT,
  REQ_CONS,
  REQ_PROD,
  RING_BYTES,
  RSP_AT,
  RSP_CONS,
  RSP_PROD,
  readableChunk,
  used,
  writableChunk,
} from '../../sim/index.ts';
import { MessageReader } from '../../store/protocol/message-reader.ts';
import { octetsOf, textOf } from '../../store/protocol/octets.ts';
import { header, type Message, XS } from '../../store/protocol/wire.ts';
import type { GuestOs } from '../kernel/index.ts';

/** One request as octets; the header may lie about the length. */
export function requestOctets(type: number, reqId: number, txId: number, payload: string, len?: number): Uint8Array {
  return octetsOf(header(type, reqId, txId, len ?? payload.length), payload);
}

/** The ring page in the hands of a guest that keeps no rule: any store, any time. What it is asked to do honestly, it does. */
export class RawRing {
  readonly #os: GuestOs;
  page: Frame;
  readonly port: Port;
  readonly #incoming = new MessageReader('believed');

  constructor(os: GuestOs, page: Frame, port: Port) {
    this.#os = os;
    this.page = page;
    this.port = port;
  }

  load(offset: number): number {
    return this.page.load32(offset);
  }

  store(offset: number, value: number): void {
    this.page.store32(offset, value >>> 0, true);
  }

  /** Store a word octet by octet, lowest first, with others in between: each state of the word can be seen (INJ-R4). */
  *storeTorn(offset: number, value: number, betweenNs: number): Actor {
    for (let i = 0; i < 4; i++) {
      const mask = (0xff << (8 * i)) >>> 0;
      this.store(offset, (this.load(offset) & ~mask) | (value & mask));
      this.signal();
      yield betweenNs;
    }
  }

  signal(): void {
    this.#os.hyper.send(this.port);
  }

  /** Octets of requests that the store has not consumed. */
  get unread(): number {
    return used(this.load(REQ_PROD), this.load(REQ_CONS));
  }

  /** Put octets in, as many as there is room for, in pieces of at most `piece`. @returns how many went in. */
  *put(bytes: Uint8Array, patienceNs: number, piece = RING_BYTES, isSilent = false): Actor<number> {
    let at = 0;
    let waitedNs = 0;
    while (at < bytes.length) {
      const prod = this.load(REQ_PROD);
      const room = Math.min(piece, bytes.length - at, writableChunk(prod, this.load(REQ_CONS)));
      if (room <= 0 || this.unread > RING_BYTES) {
        if (waitedNs >= patienceNs) return at;
        const pauseNs = pauseAfter(waitedNs);
        waitedNs += pauseNs;
        yield pauseNs;
        continue;
      }
      this.page.bytes.set(bytes.subarray(at, at + room), REQ_AT + (prod & (RING_BYTES - 1)));
      this.store(REQ_PROD, prod + room);
      at += room;
      if (!isSilent) this.signal();
      yield 100;
    }
    return at;
  }

  /** Consume what is there; the next whole message, if there is one. */
  take(): Message | undefined {
    for (;;) {
      const cons = this.load(RSP_CONS);
      const prod = this.load(RSP_PROD);
      const n = used(prod, cons) > RING_BYTES ? 0 : readableChunk(prod, cons);
      if (n === 0) break;
      const at = RSP_AT + (cons & (RING_BYTES - 1));
      this.#incoming.push(this.page.bytes, at, n);
      this.store(RSP_CONS, cons + n);
      this.signal();
    }
    return this.#incoming.shift();
  }
}

/** What a reply says, for comparison: the errno of an error, else its payload; `^` stands for NUL. */
export function said(reply: Message | undefined): string {
  if (reply === undefined) return 'nothing';
  const text = textOf(reply.payload).replaceAll('\0', '^');
  return reply.type === XS.ERROR ? text.slice(0, -1) : text;
}

/** Looks get rarer with time, so that waiting for seconds costs little. */
export function pauseAfter(waitedNs: number): number {
  return Math.min(1_000_000, 5_000 + Math.floor(waitedNs / 4));
}
