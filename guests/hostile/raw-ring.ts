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
import { octetsOf, textOf } from '../../store/protocol/octets.ts';
import { HEADER_BYTES, PAYLOAD_MAX, XS } from '../../store/protocol/wire.ts';
import type { GuestOs } from '../kernel/os.ts';

/** A reply or event, with nothing taken for granted. */
export interface RawMessage {
  readonly type: number;
  readonly reqId: number;
  readonly txId: number;
  readonly payload: string;
}

/** One request as octets; the header may lie about the length. */
export function requestOctets(type: number, reqId: number, txId: number, payload: string, len?: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  for (const [i, word] of [type, reqId, txId, len ?? payload.length].entries()) view.setUint32(4 * i, word, true);
  bytes.set(octetsOf(payload), HEADER_BYTES);
  return bytes;
}

/** The ring page in the hands of a guest that keeps no rule: any store, any time. What it is asked to do honestly, it does. */
export class RawRing {
  readonly #os: GuestOs;
  page: Frame;
  readonly port: Port;
  #text = '';

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
  take(): RawMessage | undefined {
    for (;;) {
      const cons = this.load(RSP_CONS);
      const prod = this.load(RSP_PROD);
      const n = used(prod, cons) > RING_BYTES ? 0 : readableChunk(prod, cons);
      if (n === 0) break;
      const at = RSP_AT + (cons & (RING_BYTES - 1));
      this.#text += textOf(this.page.bytes, at, at + n);
      this.store(RSP_CONS, cons + n);
      this.signal();
    }
    if (this.#text.length < HEADER_BYTES) return undefined;
    const header = new DataView(octetsOf(this.#text.slice(0, HEADER_BYTES)).buffer);
    const len = Math.min(PAYLOAD_MAX, header.getUint32(12, true));
    if (this.#text.length < HEADER_BYTES + len) return undefined;
    const payload = this.#text.slice(HEADER_BYTES, HEADER_BYTES + len);
    this.#text = this.#text.slice(HEADER_BYTES + len);
    return {
      type: header.getUint32(0, true),
      reqId: header.getUint32(4, true),
      txId: header.getUint32(8, true),
      payload,
    };
  }
}

/** What a reply says, for comparison: the errno of an error, else its payload; `^` stands for NUL. */
export function said(reply: RawMessage | undefined): string {
  if (reply === undefined) return 'nothing';
  const text = reply.payload.replaceAll('\0', '^');
  return reply.type === XS.ERROR ? text.slice(0, -1) : text;
}

/** Looks get rarer with time, so that waiting for seconds costs little. */
export function pauseAfter(waitedNs: number): number {
  return Math.min(1_000_000, 5_000 + Math.floor(waitedNs / 4));
}
