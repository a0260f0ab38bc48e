import { HEADER_BYTES, message, XS } from '../../store/protocol/wire.ts';
import type { Thread } from '../kernel/index.ts';
import type { ClientHabits } from './habits.ts';
import type { Reply } from './link.ts';

/** Slots of a mini-os. Source: mini-os xenbus.c, NR_REQS. */
const SLOTS = 32;

/** One request of a caller, until it is answered. */
export interface Request {
  readonly me: Thread;
  /** How many its caller had made before, those that are left out among them. */
  readonly number: number;
  readonly type: number;
  /** As the caller knows it. */
  readonly txId: number;
  /** As it goes out. */
  readonly wireTxId: number;
  readonly payload: Uint8Array;
  readonly sinceNs: number;
  /** Given when the request is written; -1 before. */
  reqId: number;
  reply: Reply | undefined;
}

/** A request on its way into the ring. */
export interface Outgoing {
  readonly request: Request;
  readonly bytes: Uint8Array;
  /** Offsets at which a piece ends that is copied by itself. */
  readonly ends: readonly number[];
}

/** Requests in the order in which they came, their ids, and which of them a reply is for. */
export class Requests {
  readonly #habits: ClientHabits;
  readonly #queue: Request[] = [];
  /** Written, not answered: by id, or in order where all ids are the same. */
  readonly #byId = new Map<number, Request>();
  readonly #inOrder: Request[] = [];
  #next = 0;

  constructor(habits: ClientHabits) {
    this.#habits = habits;
  }

  /** Requests that wait to be written. */
  get queued(): number {
    return this.#queue.length;
  }

  /** Requests that were begun to be written and wait for their reply. */
  get outstanding(): number {
    return this.#byId.size + this.#inOrder.length;
  }

  push(request: Request): void {
    this.#queue.push(request);
  }

  /** The next one to be written, if one more may be outstanding. */
  shift(): Outgoing | undefined {
    if (this.#queue.length === 0 || this.outstanding >= this.#habits.maxInFlight) return undefined;
    const request = this.#queue.shift() as Request;
    const { type, wireTxId, payload } = request;
    request.reqId = this.#newId();
    if (this.#habits.ids === 'zero') this.#inOrder.push(request);
    else this.#byId.set(request.reqId, request);
    const bytes = message(type, request.reqId, wireTxId, payload);
    return { request, bytes, ends: this.#habits.writes === 'segments' ? segmentEnds(type, payload) : [bytes.length] };
  }

  /** Whose reply this is; it is no longer outstanding. `undefined`: nobody's. */
  match(reqId: number): Request | undefined {
    if (this.#habits.ids === 'zero') return this.#inOrder.shift(); // LXO-1: whatever its id
    const request = this.#byId.get(reqId);
    if (request !== undefined) this.#byId.delete(reqId);
    return request;
  }

  /** It could not be sent. */
  forget(request: Request): void {
    const at = this.#inOrder.indexOf(request);
    if (at >= 0) this.#inOrder.splice(at, 1);
    else this.#byId.delete(request.reqId);
  }

  /** All of them are given up. */
  abandon(): Request[] {
    const all = [...this.#byId.values(), ...this.#inOrder, ...this.#queue];
    this.#byId.clear();
    this.#inOrder.length = 0;
    this.#queue.length = 0;
    return all;
  }

  #newId(): number {
    switch (this.#habits.ids) {
      case 'zero':
        return 0;
      case 'counter32': {
        const id = this.#next;
        this.#next = (id + 1) >>> 0;
        return id;
      }
      case 'counter16':
        return this.#free(0x1_0000);
      case 'slot':
        return this.#free(SLOTS);
    }
  }

  /** The next number below `count` that no outstanding request has. */
  #free(count: number): number {
    while (this.#byId.has(this.#next)) this.#next = (this.#next + 1) % count;
    const id = this.#next;
    this.#next = (id + 1) % count;
    return id;
  }
}

/** LX-5: the header and each string or value that the caller put together are copied one by one. */
function segmentEnds(type: number, payload: Uint8Array): readonly number[] {
  const all = HEADER_BYTES + payload.length;
  const isPair = type === XS.WRITE || type === XS.WATCH || type === XS.UNWATCH;
  const cut = isPair ? payload.indexOf(0) + 1 : 0;
  return cut === 0 || cut === payload.length ? [HEADER_BYTES, all] : [HEADER_BYTES, HEADER_BYTES + cut, all];
}
