import type { RecordSchema } from '../codec/compile.ts';
import { type FormatFailure, Reader } from '../schema/cursor.ts';
import { domainHeader, type LibxcRecord, type LibxlRecord, libxcHeader, libxlHeader } from './layouts.ts';
import { libxcLayer } from './libxc.ts';
import { libxlLayer } from './libxl.ts';
import { isFailure, type Layer, type Padded, type UnknownRecord } from './stream.ts';

/** Longest body that a reader takes in; a longer one is refused before any of it is. Source: REC_LENGTH_MAX in xg_sr_stream_format.h. */
export const RECORD_BYTES_MAX = 128 << 20;
const FRAME_BYTES = 8;
const FIRST_BYTES = 4096;
/** Room that is made at once for a record: a whole batch of pages. What one says of its length beyond that is believed only as it
 *  arrives. */
const ROOM_BYTES = 5 << 20;
const BIG_ENDIAN = 1;

/** One thing that has arrived whole. `offset`: where it begins in the stream; `octets`: with header and padding. */
export type Arrived<H, V> = { readonly offset: number; readonly octets: number } & (
  | { readonly header: H; readonly record?: undefined }
  | { readonly record: (V | UnknownRecord) & Padded; readonly header?: undefined }
);

interface HeaderPart {
  readonly schema: Pick<RecordSchema<object>, 'decode' | 'name'>;
  readonly bytes: number;
  /** Whatever the stream's own order is. */
  readonly isBigEndian: boolean;
}

/**
 * A stream as it comes: takes any number of octets up to what it wants, gives each header and record when its last octet is
 * there, and never wants an octet that lies behind END. It holds one record at a time.
 */
export class ArrivingStream<H extends { readonly kind: string }, V extends { readonly kind: string }> {
  readonly #layer: Layer<V>;
  readonly #headers: readonly HeaderPart[];
  #headersDone = 0;
  #records = 0;
  /** Where the present piece begins. */
  #offset = 0;
  #buffer = new Uint8Array(FIRST_BYTES);
  #have = 0;
  #wanted: number;
  #isLittleEndian = true;
  #isOver = false;

  constructor(layer: Layer<V>, headers: readonly HeaderPart[]) {
    this.#layer = layer;
    this.#headers = headers;
    this.#wanted = headers[0]?.bytes ?? FRAME_BYTES;
  }

  /** Octets that are still to come before the next thing is whole, or its length is known; 0: END has come, or a failure. */
  get wants(): number {
    return this.#isOver ? 0 : this.#wanted - this.#have;
  }

  /** Octets taken so far. */
  get taken(): number {
    return this.#offset + this.#have;
  }

  /** Take `octets`, no more than are wanted. `undefined`: more has to come. */
  take(octets: Uint8Array): Arrived<H, V> | FormatFailure | undefined {
    this.#keep(octets);
    if (this.#have < this.#wanted) return undefined;
    const header = this.#headers[this.#headersDone];
    if (header !== undefined) return this.#header(header);
    if (this.#wanted === FRAME_BYTES) {
      const length = this.#view.getUint32(4, this.#isLittleEndian);
      if (length > RECORD_BYTES_MAX) return this.#refuse(length);
      if (length > 0) {
        this.#wanted = FRAME_BYTES + length + (-length & 7);
        return undefined;
      }
    }
    return this.#record();
  }

  /** Nothing more comes: where that leaves the reader. */
  endedEarly(): FormatFailure {
    this.#isOver = true;
    const header = this.#headers[this.#headersDone];
    const reader = new Reader(this.#buffer.subarray(0, this.#have));
    const at = this.#have < FRAME_BYTES && header === undefined ? this.#have : 0;
    const found = header === undefined ? this.#layer.read(reader, 0, this.#records) : this.#decode(header, reader);
    if (isFailure(found)) return this.#moved(found);
    const reason = `wants ${this.#wanted - this.#have} octets of padding more`; // of the last record alone it is missing
    return {
      offset: this.#offset + Math.max(at, this.#have),
      record: this.#records,
      name: found.kind,
      path: '',
      reason,
    };
  }

  get #view(): DataView {
    return new DataView(this.#buffer.buffer);
  }

  #keep(octets: Uint8Array): void {
    const needed = this.#have + octets.length;
    if (needed > this.#wanted) throw new Error(`assertion: ${octets.length} octets where ${this.wants} are wanted`);
    if (needed > this.#buffer.length) {
      const grown = new Uint8Array(Math.min(this.#wanted, Math.max(needed, this.#buffer.length * 2, ROOM_BYTES)));
      grown.set(this.#buffer.subarray(0, this.#have));
      this.#buffer = grown;
    }
    this.#buffer.set(octets, this.#have);
    this.#have = needed;
  }

  #decode(part: HeaderPart, reader: Reader): { readonly kind: string } | FormatFailure {
    reader.littleEndian = !part.isBigEndian && this.#isLittleEndian;
    return this.#layer.header(reader, part.schema) as { readonly kind: string } | FormatFailure;
  }

  #header(part: HeaderPart): Arrived<H, V> | FormatFailure {
    const header = this.#decode(part, new Reader(this.#buffer.subarray(0, this.#have)));
    if (isFailure(header)) return this.#failed(header);
    if ('options' in header) this.#isLittleEndian = (Number(header.options) & BIG_ENDIAN) === 0;
    this.#headersDone++;
    const arrived = { offset: this.#offset, octets: this.#have, header: header as unknown as H };
    this.#next(this.#headers[this.#headersDone]?.bytes ?? FRAME_BYTES);
    return arrived;
  }

  #record(): Arrived<H, V> | FormatFailure {
    const reader = new Reader(this.#buffer.subarray(0, this.#have));
    reader.littleEndian = this.#isLittleEndian;
    const record = this.#layer.read(reader, 0, this.#records);
    if (isFailure(record)) return this.#failed(record);
    this.#records++;
    const arrived = { offset: this.#offset, octets: this.#have, record };
    this.#isOver = record.kind === 'END';
    this.#next(FRAME_BYTES);
    return arrived;
  }

  /** What has arrived belongs to whoever has it; the next piece gets a room of its own. */
  #next(wanted: number): void {
    this.#offset += this.#have;
    this.#have = 0;
    this.#wanted = wanted;
    this.#buffer = new Uint8Array(Math.max(wanted, FRAME_BYTES));
  }

  #refuse(length: number): FormatFailure {
    const reason = `is ${length}, at most ${RECORD_BYTES_MAX}`;
    return this.#failed({ offset: 4, record: this.#records, name: this.#layer.name, path: 'length', reason });
  }

  #failed(failure: FormatFailure): FormatFailure {
    this.#isOver = true;
    return this.#moved(failure);
  }

  #moved(failure: FormatFailure): FormatFailure {
    return { ...failure, offset: this.#offset + failure.offset };
  }
}

type HeaderOf<S> = S extends RecordSchema<infer V> ? V : never;

/** A libxl stream from its first octet; what stands behind LIBXC_CONTEXT is for another to take. */
export function arrivingLibxl(): ArrivingStream<HeaderOf<typeof libxlHeader>, LibxlRecord> {
  return new ArrivingStream(libxlLayer, [{ schema: libxlHeader, bytes: 16, isBigEndian: true }]);
}

/** A libxc image from its first octet: two headers, then records. */
export function arrivingLibxc(): ArrivingStream<
  HeaderOf<typeof libxcHeader> | HeaderOf<typeof domainHeader>,
  LibxcRecord
> {
  return new ArrivingStream(libxcLayer, [
    { schema: libxcHeader, bytes: 24, isBigEndian: true },
    { schema: domainHeader, bytes: 16, isBigEndian: false },
  ]);
}
