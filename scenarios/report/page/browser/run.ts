import { octetsIn, unpacked } from '../columns.ts';
import { KIND, type PageData } from '../layout.ts';

/** A message as it is in its stream. Source: xen/include/public/io/xs_wire.h, xsd_sockmsg. */
export interface Message {
  readonly type: number;
  readonly reqId: number;
  readonly txId: number;
  readonly len: number;
  /** What of its payload is there. */
  readonly payload: Uint8Array;
}

export const HEADER_OCTETS = 16;

/** The data of the page with its columns and octets as numbers; links are records, -1 where there is none. */
export class Run {
  readonly data: PageData;
  readonly count: number;
  readonly kind: Float64Array;
  readonly lane: Float64Array;
  readonly conn: Float64Array;
  readonly seq: Float64Array;
  /** Virtual ns. */
  readonly time: Float64Array;
  readonly place: Float64Array;
  readonly size: Float64Array;
  readonly actor: Float64Array;
  readonly served: Float64Array;
  readonly reply: Float64Array;
  readonly asked: Float64Array;
  readonly written: Float64Array;
  readonly cause: Float64Array;
  /** Of a move: octets in that direction after it. */
  readonly fill: Float64Array;
  /** By connection: its moves and its end, in order. */
  readonly movesOf: number[][];
  readonly #streams: { req?: Uint8Array; rsp?: Uint8Array }[] = [];
  readonly #odd = new Map<number, string>();
  readonly #names: ReadonlyMap<number, string>;

  constructor(data: PageData) {
    const { count, columns } = data;
    this.data = data;
    this.count = count;
    this.kind = unpacked(columns.kind, count);
    this.lane = unpacked(columns.lane, count);
    this.conn = unpacked(columns.conn, count);
    this.seq = unpacked(columns.seq, count);
    this.time = unpacked(columns.ns, count);
    for (let i = 1; i < count; i++) this.time[i] = this.time[i]! + this.time[i - 1]!;
    this.place = unpacked(columns.place, count);
    this.size = unpacked(columns.size, count);
    this.actor = unpacked(columns.actor, count);
    const link = (text: string, sign: 1 | -1) => {
      const far = unpacked(text, count);
      for (let i = 0; i < count; i++) far[i] = far[i] === 0 ? -1 : i + sign * far[i]!;
      return far;
    };
    this.served = link(columns.served, 1);
    this.reply = link(columns.reply, 1);
    this.asked = link(columns.asked, -1);
    this.written = link(columns.written, -1);
    this.cause = link(columns.cause, -1);
    for (const [at, octets] of data.odd) this.#odd.set(at, octets);
    this.#names = new Map(data.operations);
    this.movesOf = data.conns.map(() => []);
    this.fill = new Float64Array(count);
    const inRequests = new Float64Array(data.conns.length);
    const inResponses = new Float64Array(data.conns.length);
    for (let i = 0; i < count; i++) {
      const kind = this.kind[i]!;
      const conn = this.conn[i]! - 1;
      if (this.endsConn(i)) {
        inRequests[conn] = 0;
        inResponses[conn] = 0;
        this.movesOf[conn]?.push(i);
      }
      if (kind < KIND.putReq || kind > KIND.tookRsp) continue;
      const ring = kind === KIND.putReq || kind === KIND.tookReq ? inRequests : inResponses;
      const isPut = kind === KIND.putReq || kind === KIND.putRsp;
      ring[conn] = Math.max(0, ring[conn]! + (isPut ? this.size[i]! : -this.size[i]!));
      this.fill[i] = ring[conn]!;
      this.movesOf[conn]?.push(i);
    }
  }

  isMessage(at: number): boolean {
    return this.kind[at]! >= KIND.sent;
  }

  /** Whether it is the end of its connection: what is left in the ring or socket nobody takes. */
  endsConn(at: number): boolean {
    return this.kind[at] === KIND.other && this.conn[at]! > 0 && this.size[at] === 1;
  }

  operation(type: number): string {
    return this.#names.get(type) ?? `type ${type}`;
  }

  /** All octets of a direction of a connection. */
  stream(conn: number, dir: 'req' | 'rsp'): Uint8Array {
    this.#streams[conn] ??= {};
    const streams = this.#streams[conn]!;
    streams[dir] ??= octetsIn(this.data.conns[conn]?.[dir] ?? '');
    return streams[dir];
  }

  dirOf(at: number): 'req' | 'rsp' {
    const kind = this.kind[at]!;
    return kind === KIND.putReq || kind === KIND.tookReq || kind === KIND.sent ? 'req' : 'rsp';
  }

  /** Octets of a move, or of a whole message. */
  octets(at: number): Uint8Array {
    const odd = this.#odd.get(at);
    if (odd !== undefined) return octetsIn(odd);
    const conn = this.conn[at]! - 1;
    if (conn < 0 || this.kind[at] === KIND.other) return new Uint8Array(0);
    const stream = this.stream(conn, this.dirOf(at));
    const place = this.place[at]!;
    if (this.isMessage(at)) return stream.subarray(Math.max(0, place - this.size[at]! - HEADER_OCTETS), place);
    return stream.subarray(place, place + this.size[at]!);
  }

  message(at: number): Message {
    return messageAt(this.octets(at), 0)!;
  }

  laneName(at: number): string {
    return this.data.lanes[this.lane[at]!]?.name ?? '';
  }

  /** Who did it: of a message the program as far as it is known, else the connection. */
  whoAt(at: number): string {
    const sent = this.kind[at] === KIND.got ? this.asked[at]! : at;
    if (sent >= 0 && this.kind[sent] === KIND.sent) return this.data.actors[this.actor[sent]!] ?? '';
    return this.connName(at);
  }

  connName(at: number): string {
    return this.data.conns[this.conn[at]! - 1]?.name ?? '';
  }

  /** The last record up to a moment, of which `find` tells where it is. */
  lastUpTo(value: number, of: (at: number) => number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (of(middle) <= value) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}

/** `undefined`: of its header not all is there. */
export function messageAt(bytes: Uint8Array, at: number): Message | undefined {
  if (at + HEADER_OCTETS > bytes.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, HEADER_OCTETS);
  const [type, reqId, txId, len] = [0, 4, 8, 12].map((field) => view.getUint32(field, true)) as [
    number,
    number,
    number,
    number,
  ];
  return { type, reqId, txId, len, payload: bytes.subarray(at + HEADER_OCTETS, at + HEADER_OCTETS + len) };
}
