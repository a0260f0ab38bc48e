import { HEADER_BYTES, PAYLOAD_MAX, payloadLength } from '../../../store/protocol/wire.ts';

/** A message, or what there is of one, with the record in which its first octet came. */
export interface Assembled {
  readonly octets: Uint8Array;
  readonly begunSeq: number;
  readonly begunNs: number;
  /** Where in its stream it begins. */
  readonly at: number;
  /** It is not whole: the rest never came, or its header announces more than a message may have. */
  readonly isCut: boolean;
}

/** Octets that a record of a history moved. */
export interface Moved {
  readonly seq: number;
  readonly timeNs: number;
  /** Position in the stream. */
  readonly from: number;
  readonly bytes: Uint8Array;
}

/** Makes messages of one direction of a connection, of octets that come in any pieces. */
export class Assembly {
  #held: Uint8Array = new Uint8Array(0);
  #at = 0;
  #begunSeq = 0;
  #begunNs = 0;
  /** A header made no sense: where the next message begins nobody can tell. */
  #isLost = false;

  /** Messages whose last octet is among these. Errors: none; one that is too long comes as far as it is there, and none after it. */
  *push({ seq, timeNs, from, bytes }: Moved): Generator<Assembled> {
    if (this.#isLost) return;
    if (this.#held.length === 0) this.#begin(from, seq, timeNs);
    this.#held = joined(this.#held, bytes);
    while (this.#held.length >= HEADER_BYTES) {
      const length = payloadLength(this.#held);
      if (length > PAYLOAD_MAX) {
        yield* this.end();
        this.#isLost = true;
        return;
      }
      const end = HEADER_BYTES + length;
      if (this.#held.length < end) return;
      yield this.#take(end, false);
      this.#begin(this.#at + end, seq, timeNs);
    }
  }

  /** No more octets come: what is held is all that there is of its message. */
  *end(): Generator<Assembled> {
    if (this.#held.length > 0) yield this.#take(this.#held.length, true);
  }

  #take(count: number, isCut: boolean): Assembled {
    const octets = this.#held.subarray(0, count);
    this.#held = this.#held.subarray(count);
    return { octets, begunSeq: this.#begunSeq, begunNs: this.#begunNs, at: this.#at, isCut };
  }

  #begin(at: number, seq: number, timeNs: number): void {
    this.#at = at;
    this.#begunSeq = seq;
    this.#begunNs = timeNs;
  }
}

/** Both in one array of their own. */
export function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
