import type { HistoryRecord } from './history.ts';
import { HEADER_OCTETS, octetsOf, type Pieces, PutIn } from './put-in.ts';

/** What a record of a log is. `kept`: anything that is kept as the object that it is. */
export const Code = { kept: 0, putReq: 1, putRsp: 2, tookReq: 3, tookRsp: 4, sent: 5, got: 6 } as const;
type MoveCode = typeof Code.putReq | typeof Code.putRsp | typeof Code.tookReq | typeof Code.tookRsp;

type Move = Extract<HistoryRecord, { readonly kind: 'publish' | 'consume' }>;
type Message = Extract<HistoryRecord, { readonly kind: 'sent' | 'got' }>;

/** A request or reply as a client's library tells it. */
export interface Told {
  readonly conn: number;
  /** Who sends, '' of what was got. */
  readonly actor: string;
  readonly end: number;
  readonly type: number;
  readonly reqId: number;
  readonly txId: number;
  readonly payload: Uint8Array;
}

/**
 * The records of a history, in columns. Nearly all of them are moves of octets and messages of clients, and what these say
 * nearly always is what was put into the stream before: so each octet is there once, and a record is 29 octets of numbers. What
 * is otherwise (octets that changed on their way, gaps, messages that are not in the stream) is kept as it is, as all that is rare.
 * Passes over a whole history read the columns; `at` makes the record of any place, equal to what was added.
 */
export class RecordLog {
  length = 0;
  /** What each record is; the columns are longer than the log. */
  codes = new Uint8Array(FIRST);
  conns = new Uint32Array(FIRST);
  times = new Float64Array(FIRST);
  /** Of a move where it begins, of a message where it ends, in its stream; of what is kept its place in `kept`. */
  places = new Float64Array(FIRST);
  /** Octets moved, or of the payload. */
  counts = new Uint32Array(FIRST);
  /** Of what was sent its actor, as a number of `actors`. */
  #whos = new Uint32Array(FIRST);
  /** What is kept as an object, in order: facts of the hypervisor and the store, and moves and messages that are odd. */
  readonly kept: HistoryRecord[] = [];
  readonly actors: string[] = [];
  readonly #actorIds = new Map<string, number>();
  readonly #streams: { readonly req: PutIn; readonly rsp: PutIn }[] = [];
  #all: HistoryRecord[] = [];

  /** Errors: none; what makes no sense is kept as it is. */
  static of(records: readonly HistoryRecord[]): RecordLog {
    const log = new RecordLog();
    for (const record of records) log.add(record);
    return log;
  }

  /** What was put into both directions of a connection. */
  streams(conn: number): { readonly req: PutIn; readonly rsp: PutIn } {
    let streams = this.#streams[conn];
    if (streams === undefined) {
      streams = { req: new PutIn(), rsp: new PutIn() };
      this.#streams[conn] = streams;
    }
    return streams;
  }

  add(record: HistoryRecord): void {
    if (record.seq === this.length && this.#fold(record)) return;
    this.#keep(record);
  }

  /** A move of octets, from position `from` of its stream on. */
  move(kind: Move['kind'], conn: number, dir: Move['dir'], timeNs: number, from: number, pieces: Pieces): void {
    if (this.#foldMove(kind, conn, dir, timeNs, from, pieces)) return;
    const { count } = pieces;
    this.#keep({ seq: this.length, timeNs, kind, conn, dir, from, to: from + count, bytes: octetsOf(pieces) });
  }

  sent(timeNs: number, told: Told): void {
    if (this.#foldMessage(Code.sent, timeNs, told, told.actor)) return;
    this.#keep({ seq: this.length, timeNs, kind: 'sent', ...told });
  }

  got(timeNs: number, told: Told): void {
    if (this.#foldMessage(Code.got, timeNs, told, '')) return;
    const { actor: _, ...got } = told;
    this.#keep({ seq: this.length, timeNs, kind: 'got', ...got });
  }

  at(index: number): HistoryRecord | undefined {
    const seq = index < 0 ? this.length + index : index;
    if (seq < 0 || seq >= this.length) return undefined;
    const code = this.codes[seq] as number;
    if (code === Code.kept) return this.keptAt(seq);
    const timeNs = this.times[seq] as number;
    const conn = this.conns[seq] as number;
    if (code === Code.sent || code === Code.got) return this.#message(seq, timeNs, conn, code);
    const from = this.places[seq] as number;
    const to = from + (this.counts[seq] as number);
    const dir = code === Code.putReq || code === Code.tookReq ? 'req' : 'rsp';
    const kind = code === Code.putReq || code === Code.putRsp ? 'publish' : 'consume';
    return { seq, timeNs, kind, conn, dir, from, to, bytes: this.streams(conn)[dir].window(from, to) };
  }

  /** Every record as an object: for short histories, and for whoever looks at all of each record. */
  all(): readonly HistoryRecord[] {
    if (this.#all.length !== this.length)
      this.#all = Array.from({ length: this.length }, (_, seq) => this.at(seq) as HistoryRecord);
    return this.#all;
  }

  /** Whether a client says of a message that it was sent (`sent`), or came (`got`); `undefined`: it is no such record. */
  messageAt(seq: number): 'sent' | 'got' | undefined {
    const code = this.codes[seq] as number;
    if (code === Code.sent) return 'sent';
    if (code === Code.got) return 'got';
    if (code !== Code.kept) return undefined;
    const { kind } = this.keptAt(seq) as HistoryRecord;
    return kind === 'sent' || kind === 'got' ? kind : undefined;
  }

  /** Its type; this and the following of a record of a message only. */
  typeOf(seq: number): number {
    return this.codes[seq] === Code.kept ? this.#odd(seq).type : this.#header(seq, 0);
  }

  reqIdOf(seq: number): number {
    return this.codes[seq] === Code.kept ? this.#odd(seq).reqId : this.#header(seq, 4);
  }

  txIdOf(seq: number): number {
    return this.codes[seq] === Code.kept ? this.#odd(seq).txId : this.#header(seq, 8);
  }

  /** Who sent it; '' of what was got. */
  actorOf(seq: number): string {
    if (this.codes[seq] !== Code.kept) return this.actors[this.#whos[seq] as number] as string;
    const odd = this.#odd(seq);
    return odd.kind === 'sent' ? odd.actor : '';
  }

  /** Shared. */
  payloadOf(seq: number): Uint8Array {
    if (this.codes[seq] === Code.kept) return this.#odd(seq).payload;
    const end = this.places[seq] as number;
    return this.#streamOf(seq).window(end - (this.counts[seq] as number), end);
  }

  /** A record that is kept as an object; `undefined`: it is in the columns. */
  keptAt(seq: number): HistoryRecord | undefined {
    return this.codes[seq] === Code.kept ? this.kept[this.places[seq] as number] : undefined;
  }

  #odd(seq: number): Message {
    const record = this.keptAt(seq);
    if (record?.kind !== 'sent' && record?.kind !== 'got') throw new Error(`assertion: record ${seq} is of no message`);
    return record;
  }

  #streamOf(seq: number): PutIn {
    const { req, rsp } = this.streams(this.conns[seq] as number);
    return this.codes[seq] === Code.sent ? req : rsp;
  }

  #header(seq: number, offset: number): number {
    const start = (this.places[seq] as number) - (this.counts[seq] as number) - HEADER_OCTETS;
    return this.#streamOf(seq).u32(start + offset);
  }

  #message(seq: number, timeNs: number, conn: number, code: number): HistoryRecord {
    const end = this.places[seq] as number;
    const type = this.typeOf(seq);
    const reqId = this.reqIdOf(seq);
    const txId = this.txIdOf(seq);
    const payload = this.payloadOf(seq);
    if (code === Code.got) return { seq, timeNs, kind: 'got', conn, end, type, reqId, txId, payload };
    const actor = this.actorOf(seq);
    return { seq, timeNs, kind: 'sent', conn, actor, end, type, reqId, txId, payload };
  }

  #keep(record: HistoryRecord): void {
    this.#next(Code.kept, 'conn' in record ? record.conn : 0, record.timeNs, this.kept.length, 0);
    this.kept.push(record);
  }

  #fold(record: HistoryRecord): boolean {
    switch (record.kind) {
      case 'publish':
      case 'consume': {
        const { kind, conn, dir, timeNs, from, to, bytes } = record;
        const count = bytes.length;
        return (
          to - from === count &&
          this.#foldMove(kind, conn, dir, timeNs, from, { bytes, at: 0, first: count, rest: 0, count })
        );
      }
      case 'sent':
        return this.#foldMessage(Code.sent, record.timeNs, record, record.actor);
      case 'got':
        return this.#foldMessage(Code.got, record.timeNs, record, '');
      default:
        return false;
    }
  }

  /** What is put in goes on where the stream ends; what is taken out is in it. */
  #foldMove(kind: Move['kind'], conn: number, dir: Move['dir'], timeNs: number, from: number, pieces: Pieces): boolean {
    const { count } = pieces;
    const stream = this.streams(conn)[dir];
    if (count === 0) return false;
    let code: MoveCode;
    if (kind === 'publish') {
      if (from !== stream.end) return false;
      stream.append(pieces);
      code = dir === 'req' ? Code.putReq : Code.putRsp;
    } else {
      if (!stream.has(from, pieces)) return false;
      code = dir === 'req' ? Code.tookReq : Code.tookRsp;
    }
    this.#next(code, conn, timeNs, from, count);
    return true;
  }

  #foldMessage(
    code: typeof Code.sent | typeof Code.got,
    timeNs: number,
    { conn, end, type, reqId, txId, payload }: Omit<Message, 'seq' | 'timeNs' | 'kind'>,
    actor: string,
  ): boolean {
    const { req, rsp } = this.streams(conn);
    if (!(code === Code.sent ? req : rsp).hasMessage(end, type, reqId, txId, payload)) return false;
    const seq = this.#next(code, conn, timeNs, end, payload.length);
    this.#whos[seq] = this.#actorId(actor);
    return true;
  }

  #actorId(actor: string): number {
    let id = this.#actorIds.get(actor);
    if (id === undefined) {
      id = this.actors.length;
      this.actors.push(actor);
      this.#actorIds.set(actor, id);
    }
    return id;
  }

  #next(code: number, conn: number, timeNs: number, place: number, count: number): number {
    const seq = this.length++;
    if (seq === this.codes.length) this.#grow(seq * 2);
    this.codes[seq] = code;
    this.conns[seq] = conn;
    this.times[seq] = timeNs;
    this.places[seq] = place;
    this.counts[seq] = count;
    return seq;
  }

  #grow(room: number): void {
    const grow = <T extends Uint8Array | Uint32Array | Float64Array>(column: T, grown: T): T => {
      grown.set(column);
      return grown;
    };
    this.codes = grow(this.codes, new Uint8Array(room));
    this.conns = grow(this.conns, new Uint32Array(room));
    this.times = grow(this.times, new Float64Array(room));
    this.places = grow(this.places, new Float64Array(room));
    this.counts = grow(this.counts, new Uint32Array(room));
    this.#whos = grow(this.#whos, new Uint32Array(room));
  }
}

const FIRST = 1024;
