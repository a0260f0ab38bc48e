import { type AnySchema, type Dialect, schemasByKind, schemasByType, v2 } from './dialect.ts';
import { IMAGE_BYTE_ORDER, imageHeaderFields } from './generations/image.ts';
import type { RecordTail, StateRecord, UnknownRecord } from './generations/records.ts';
import { type FormatFailure, type FormatResult, keptOctets, Reader, Writer } from './schema/cursor.ts';
import { fieldsBytes } from './schema/sizes.ts';

/** A state image. The last record is END. */
export interface StateImage {
  readonly version: number;
  readonly bigEndian: boolean;
  readonly records: readonly StateRecord[];
  /** Octets after END, which daemons do not look at; absent when there are none. */
  readonly trailing?: Uint8Array;
}

export interface ImageHeader {
  readonly version: number;
  readonly bigEndian: boolean;
}

/** `xenstore`. */
export const IMAGE_IDENT: readonly number[] = imageHeaderFields.ident.octets;
export const IMAGE_HEADER_BYTES = fieldsBytes(imageHeaderFields) ?? 0;
export const RECORD_HEADER_BYTES = 8;
/** Bit of the header's flags: everything after the header is big endian. */
export const IMAGE_BIG_ENDIAN = 1 << IMAGE_BYTE_ORDER.bit;

export interface DecodeOptions {
  /** How to read the records; v2 by default, which also reads what 4.15 and later wrote under version 1. */
  readonly dialect?: Dialect;
  /** Accept only this version; all that the dialect reads by default. */
  readonly version?: number;
}

/** One record and where it stands. */
export interface RecordAt {
  readonly index: number;
  /** Offset of the record header. */
  readonly offset: number;
  /** `len` of the record header. */
  readonly len: number;
  readonly record: StateRecord;
}

function up8(n: number): number {
  return n + (-n & 7);
}

/**
 * Decode the 16-octet image header, which is big endian whatever it announces.
 * Errors: truncated, wrong ident, version not read by the dialect, flags other than bit 0.
 * Source: docs/designs/xenstore-migration.md, image header.
 */
export function decodeHeader(bytes: Uint8Array, options: DecodeOptions = {}): FormatResult<ImageHeader> {
  const fail = (offset: number, path: string, reason: string): FormatResult<ImageHeader> => ({
    ok: false,
    failure: { offset, record: -1, name: 'header', path, reason },
  });
  for (const [i, octet] of IMAGE_IDENT.entries()) {
    if (i >= bytes.length) return fail(0, 'ident', `wants 8 octets, ${bytes.length} left`);
    if (bytes[i] !== octet) return fail(i, 'ident', 'is not "xenstore"');
  }
  const reader = new Reader(bytes);
  reader.littleEndian = false;
  reader.pos = IMAGE_IDENT.length;
  const version = reader.int('u32', 'version');
  const flags = reader.int('u32', 'flags');
  if (typeof version !== 'number' || typeof flags !== 'number') {
    const { offset, path, reason } = reader.failure ?? { offset: 0, path: '', reason: '' };
    return fail(offset, path, reason);
  }
  const { dialect = v2 } = options;
  const versions = options.version === undefined ? dialect.versions : [options.version];
  if (!versions.includes(version) || !dialect.versions.includes(version))
    return fail(8, 'version', `is ${version}, expected ${[...versions].sort((a, b) => a - b).join(' or ')}`);
  if ((flags & ~IMAGE_BIG_ENDIAN) !== 0) return fail(12, 'flags', `unknown bits in 0x${flags.toString(16)}`);
  return { ok: true, value: { version, bigEndian: (flags & IMAGE_BIG_ENDIAN) !== 0 } };
}

/**
 * Walks the records of an image. Decoded octets are windows on `bytes`, which must therefore not change while they
 * are in use. Advances by 8 + up(len, 8), so that `len` may include the padding, as the daemons write it, or not, as
 * the document has it.
 */
export class RecordReader {
  readonly header: ImageHeader | undefined;
  failure: FormatFailure | undefined;
  /** Number, offset and `len` of the record that `next` returned last. */
  index = -1;
  offset = 0;
  len = 0;
  /** END was read: `pos` is the offset behind it. */
  ended = false;
  readonly #reader: Reader;
  readonly #byType: readonly (AnySchema | undefined)[];
  readonly #limit: number;
  /** Offset of `bytes` in the image. */
  readonly #base: number;
  readonly #isPart: boolean;

  /** @param part `bytes` are whole records from the middle of an image, more of which may follow. */
  constructor(bytes: Uint8Array, options: DecodeOptions = {}, part?: ImagePart) {
    this.#reader = new Reader(bytes);
    if (part === undefined) {
      const header = decodeHeader(bytes, options);
      this.header = header.ok ? header.value : undefined;
      this.failure = header.ok ? undefined : header.failure;
      this.#reader.pos = IMAGE_HEADER_BYTES;
    } else {
      this.header = part.header;
      this.index = part.index - 1;
    }
    this.#base = part?.offset ?? 0;
    this.#isPart = part?.isWhole === true;
    this.#reader.littleEndian = !this.header?.bigEndian;
    this.#limit = bytes.length;
    this.#byType = schemasByType(options.dialect ?? v2);
  }

  /** Offset of the next record header. */
  get pos(): number {
    return this.#base + this.#reader.pos;
  }

  /** The next record, END included; `undefined` = after END, or `failure` is set. */
  next(): StateRecord | undefined {
    if (this.failure !== undefined || this.ended) return undefined;
    const reader = this.#reader;
    const at = reader.pos;
    if (at === this.#limit && this.#isPart) return undefined;
    this.index++;
    this.offset = this.#base + at;
    if (at === this.#limit) return this.#fail('', at, '', 'the image ends without END');
    if (at + 4 > this.#limit) return this.#short('', at, 'type', 4);
    const type = reader.view.getUint32(at, reader.littleEndian);
    const schema = this.#byType[type];
    const name = schema?.name ?? `type ${type}`;
    if (at + RECORD_HEADER_BYTES > this.#limit) return this.#short(name, at + 4, 'len', 4);
    const len = reader.view.getUint32(at + 4, reader.littleEndian);
    const body = at + RECORD_HEADER_BYTES;
    const after = body + up8(len);
    if (after > this.#limit)
      return this.#fail(name, at + 4, 'len', `is ${len}, ${this.#limit - body} octets left for body and padding`);
    this.len = len;
    reader.pos = body;
    reader.base = body;
    reader.end = body + len;
    let record: StateRecord | undefined;
    if (schema === undefined) {
      record = { kind: 'UNKNOWN', type, body: reader.bytes.subarray(body, body + len) };
      reader.pos = body + len;
    } else {
      record = schema.decode(reader);
      if (record === undefined) {
        const { offset, path, reason } = reader.failure ?? { offset: body, path: '', reason: 'cannot be read' };
        return this.#fail(name, offset, path, reason);
      }
    }
    const content = reader.pos;
    if (after !== content) record = this.#withTail(record, content, body + len, after);
    reader.pos = after;
    this.ended = type === 0;
    return record;
  }

  /** Octets behind the content: nothing worth keeping when they are zero and `len` counts just the padding. */
  #withTail(record: StateRecord, content: number, end: number, after: number): StateRecord {
    const { bytes } = this.#reader;
    const isPlain = record.kind === 'UNKNOWN' ? true : end === after && after - content < 8;
    if (isPlain && keptOctets(bytes, content, after) === undefined) return record;
    const tail: RecordTail = { slack: bytes.subarray(content, end), pad: bytes.subarray(end, after) };
    return { ...record, tail };
  }

  #short(name: string, offset: number, path: string, wanted: number): undefined {
    return this.#fail(name, offset, path, `wants ${wanted} octets, ${this.#limit - offset} left`);
  }

  #fail(name: string, offset: number, path: string, reason: string): undefined {
    this.failure = { offset: this.#base + offset, record: this.index, name, path, reason };
    return undefined;
  }
}

/** A piece of an image behind its header. */
export interface ImagePart {
  readonly header: ImageHeader;
  /** Number of its first record, and where in the image that stands. */
  readonly index: number;
  readonly offset: number;
  /** It ends with a record, and is not the last piece. */
  readonly isWhole: boolean;
}

/** Yields the records of an image one at a time, END included, with their offsets; a failure is yielded last. */
export function* readRecords(
  bytes: Uint8Array,
  options: DecodeOptions = {},
): Generator<FormatResult<RecordAt>, void, void> {
  const reader = new RecordReader(bytes, options);
  for (let record = reader.next(); record !== undefined; record = reader.next())
    yield { ok: true, value: { index: reader.index, offset: reader.offset, len: reader.len, record } };
  if (reader.failure !== undefined) yield { ok: false, failure: reader.failure };
}

/**
 * Decode a whole image; its octets are windows on `bytes`.
 * Errors: those of `decodeHeader`, truncation anywhere, inner lengths beyond `len`, values that the record forbids, no
 * END. What a record means among others is for `checkImage`.
 */
export function decodeImage(bytes: Uint8Array, options: DecodeOptions = {}): FormatResult<StateImage> {
  const reader = new RecordReader(bytes, options);
  const records: StateRecord[] = [];
  for (let record = reader.next(); record !== undefined; record = reader.next()) records.push(record);
  if (reader.failure !== undefined) return { ok: false, failure: reader.failure };
  const { version, bigEndian } = reader.header!;
  const image: StateImage = { version, bigEndian, records };
  return { ok: true, value: reader.pos === bytes.length ? image : { ...image, trailing: bytes.subarray(reader.pos) } };
}

export interface WriterOptions {
  /** The dialect's own version by default. */
  readonly version?: number;
  readonly bigEndian?: boolean;
  /** Octets to make room for at first, when the size can be guessed. */
  readonly capacity?: number;
  /** Takes the image piece by piece as it is written, so that it is never held as a whole; a piece is good until the next. */
  readonly sink?: (piece: Uint8Array) => void;
}

/** With a sink: how much is written before it gets it. */
const PIECE_BYTES = 1 << 20;

/**
 * Writes an image record by record, into one growing buffer or piece by piece into a sink. A record that fails leaves no
 * octets behind.
 */
export class ImageWriter {
  readonly #writer: Writer;
  readonly #byKind: ReadonlyMap<string, AnySchema>;
  /** Records accepted so far. */
  count = 0;
  #ended = false;
  #failure: FormatFailure | undefined = undefined;
  readonly #sink: ((piece: Uint8Array) => void) | undefined;
  /** Octets that the sink has got. */
  #gone = 0;

  constructor(dialect: Dialect, options: WriterOptions = {}) {
    const { version = dialect.version, bigEndian = false, sink } = options;
    const { capacity = sink === undefined ? undefined : 2 * PIECE_BYTES } = options;
    this.#sink = sink;
    this.#writer = new Writer(capacity);
    this.#byKind = schemasByKind(dialect);
    if (!dialect.versions.includes(version))
      this.#failure = {
        offset: 8,
        record: -1,
        name: 'header',
        path: 'version',
        reason: `${dialect.name} has no version ${version}`,
      };
    this.#writer.littleEndian = false;
    this.#writer.octets(Uint8Array.from(IMAGE_IDENT));
    this.#writer.u32(version >>> 0);
    this.#writer.u32(bigEndian ? IMAGE_BIG_ENDIAN : 0);
    this.#writer.littleEndian = !bigEndian;
  }

  /** Offset at which the next record will start: the size so far. */
  get offset(): number {
    return this.#gone + this.#writer.pos;
  }

  #flush(): void {
    const writer = this.#writer;
    this.#sink?.(writer.bytes.subarray(0, writer.pos));
    this.#gone += writer.pos;
    writer.pos = 0;
  }

  /** Appends one record. Returns the failure, or undefined. Errors: values that do not fit, records after END. */
  append(record: StateRecord): FormatFailure | undefined {
    if (this.#failure !== undefined) return this.#failure;
    const writer = this.#writer;
    if (writer.pos >= PIECE_BYTES && this.#sink !== undefined) this.#flush();
    const at = writer.pos;
    if (this.#ended) return this.#fail(record, at, '', 'comes after END');
    if (record.kind === 'UNKNOWN') return this.#appendUnknown(record);
    const schema = this.#byKind.get(record.kind);
    if (schema === undefined) return this.#fail(record, at, 'kind', 'is not a record of this dialect');
    const body = at + RECORD_HEADER_BYTES;
    if (!writer.room(at, RECORD_HEADER_BYTES)) return this.#undo(record, at);
    writer.pos = body;
    writer.base = body;
    if (!schema.encode(writer, record)) return this.#undo(record, at);
    const { tail } = record;
    if (tail === undefined) {
      const pad = -(writer.pos - body) & 7;
      if (pad > 0 && !writer.zeroes(pad)) return this.#undo(record, at);
      if (writer.pos - body > 0xffffffff) return this.#tooLong(record, at);
      writer.view.setUint32(at + 4, writer.pos - body, writer.littleEndian);
    } else if (!this.#tail(tail, at)) return this.#undo(record, at);
    writer.view.setUint32(at, schema.type, writer.littleEndian);
    this.count++;
    this.#ended = record.kind === 'END';
    return undefined;
  }

  /** The finished image: a window on the writer's buffer, so write no more; with a sink, nothing. Errors: no END. */
  finish(trailing?: Uint8Array): FormatResult<Uint8Array> {
    const writer = this.#writer;
    const fail = (reason: string): FormatResult<Uint8Array> => ({
      ok: false,
      failure: { offset: this.offset, record: this.count, name: '', path: '', reason },
    });
    if (this.#failure !== undefined) return { ok: false, failure: this.#failure };
    if (!this.#ended) return fail('the image ends without END');
    if (trailing !== undefined && !writer.octets(trailing)) return fail(writer.failure?.reason ?? '');
    if (this.#sink !== undefined) {
      this.#flush();
      return { ok: true, value: NOTHING };
    }
    return { ok: true, value: writer.bytes.subarray(0, writer.pos) };
  }

  /** Writes kept octets behind the content and sets `len`. Padding that no longer has the right length is zeroes. */
  #tail(tail: RecordTail, at: number): boolean {
    const writer = this.#writer;
    const body = at + RECORD_HEADER_BYTES;
    if (!(tail.slack instanceof Uint8Array)) return writer.fail(writer.pos, 'tail.slack', 'is not octets') ?? false;
    if (!(tail.pad instanceof Uint8Array)) return writer.fail(writer.pos, 'tail.pad', 'is not octets') ?? false;
    if (!writer.octets(tail.slack)) return false;
    const len = writer.pos - body;
    const pad = -len & 7;
    if (!(tail.pad.length === pad ? writer.octets(tail.pad) : writer.zeroes(pad))) return false;
    writer.view.setUint32(at + 4, len, writer.littleEndian);
    return true;
  }

  #appendUnknown(record: UnknownRecord): FormatFailure | undefined {
    const writer = this.#writer;
    const at = writer.pos;
    const { type, body } = record;
    if (type >>> 0 !== type) return this.#fail(record, at, 'type', 'does not fit u32');
    for (const schema of this.#byKind.values())
      if (schema.type === type) return this.#fail(record, at, 'type', `${type} is ${schema.name}`);
    if (!(body instanceof Uint8Array)) return this.#fail(record, at, 'body', 'is not octets');
    if (!(writer.u32(type) && writer.u32(0) && writer.octets(body))) return this.#undo(record, at);
    if (!this.#tail({ slack: NOTHING, pad: record.tail?.pad ?? NOTHING }, at)) return this.#undo(record, at);
    this.count++;
    return undefined;
  }

  #undo(record: StateRecord, at: number): FormatFailure {
    const { offset, path, reason } = this.#writer.failure ?? { offset: at, path: '', reason: 'cannot be written' };
    this.#writer.failure = undefined;
    this.#writer.pos = at;
    return this.#fail(record, offset, path, reason);
  }

  #tooLong(record: StateRecord, at: number): FormatFailure {
    this.#writer.pos = at;
    return this.#fail(record, at + 4, 'len', 'does not fit u32');
  }

  #fail(record: StateRecord, offset: number, path: string, reason: string): FormatFailure {
    return { offset: this.#gone + offset, record: this.count, name: record.kind, path, reason };
  }
}

const NOTHING = new Uint8Array(0);

/**
 * Encode an image; records are written in the order given. Errors: a version that the dialect does not have, values
 * that do not fit their fields, records that the dialect does not have, END missing or not last.
 */
export function encodeImage(image: StateImage, dialect: Dialect = v2): FormatResult<Uint8Array> {
  const { version, bigEndian, records, trailing } = image;
  const writer = new ImageWriter(dialect, { version, bigEndian, capacity: 64 + records.length * 64 });
  for (const record of records) {
    const failure = writer.append(record);
    if (failure !== undefined) return { ok: false, failure };
  }
  return writer.finish(trailing);
}
