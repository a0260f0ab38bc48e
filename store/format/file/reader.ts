import { type CursorFailure, type FormatFailure, keptOctets, Reader } from '../schema/cursor.ts';
import type { Knobs } from '../schema/knobs.ts';
import type { AnyRecord, DecodedFile, Format, FormatFile, FormatRecord, Framing } from './format.ts';
import { countsPad, headerOffset, type Plan, planOf, RECORD_HEADER_BYTES, unknownRecord, upTo8 } from './plan.ts';

/** Bit 31: a reader that does not know the type may skip the record. */
const OPTIONAL_TYPE = 0x80000000;
const UNREAD: CursorFailure = { offset: 0, path: '', reason: 'cannot be read' };

/** A header that was read. */
export interface HeaderRead {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly byteOrder: 'little' | 'big';
  /** 0 when the format has none. */
  readonly version: number;
}

/** A piece of a file behind its header. */
export interface FilePart {
  readonly header: HeaderRead;
  /** Number of its first record, and where in the file that stands. */
  readonly index: number;
  readonly offset: number;
  /** It ends with a record, and is not the last piece. */
  readonly isWhole: boolean;
}

export interface ReadOptions {
  /** Where no header announces it; little by default. */
  readonly byteOrder?: 'little' | 'big';
  /** The octets are a piece of a file; where they end is no mistake if it is whole. */
  readonly part?: FilePart;
}

/**
 * Walks the records of a file of any format. Decoded octets are windows on the file, which must therefore not change
 * while they are in use. Advances by 8 + up(len, 8), so that `len` may include the padding, as the daemons write it, or
 * not, as the document has it.
 */
export class FileReader<R extends FormatRecord = FormatRecord> {
  readonly header: HeaderRead | undefined;
  failure: FormatFailure | undefined = undefined;
  /** Of the record that `next` returned last, or failed in: number, first octet, its `len` if it has one. */
  index = -1;
  offset = 0;
  len: number | undefined = undefined;
  /** First octet of its body, of what follows its content, and its layout. */
  body = 0;
  content = 0;
  layout: AnyRecord<R> | undefined = undefined;
  ended = false;
  readonly octets: Uint8Array;
  readonly #plan: Plan<R>;
  readonly #reader: Reader;
  /** Offset of `octets` in the file. */
  readonly #base: number;
  readonly #isPart: boolean;

  constructor(plan: Plan<R>, octets: Uint8Array, { byteOrder = 'little', part }: ReadOptions = {}) {
    this.#plan = plan;
    this.octets = octets;
    this.#reader = new Reader(octets);
    this.#base = part?.offset ?? 0;
    this.#isPart = part?.isWhole ?? false;
    this.#reader.littleEndian = (part?.header.byteOrder ?? byteOrder) === 'little';
    if (part !== undefined) this.index = part.index - 1;
    this.header = part?.header ?? this.#header();
  }

  get knobs(): Knobs {
    return this.#plan.knobs;
  }

  get framing(): Framing {
    return this.#plan.framing;
  }

  /** Offset of the next record. */
  get pos(): number {
    return this.#base + this.#reader.pos;
  }

  #header(): HeaderRead | undefined {
    const reader = this.#reader;
    const { format, knobs } = this.#plan;
    const { header } = format;
    const native = () => (reader.littleEndian ? 'little' : 'big');
    const fail = (offset: number, path: string, reason: string): undefined => {
      this.failure = { offset, record: -1, name: 'header', path, reason };
      return undefined;
    };
    if (header === undefined) return { fields: {}, byteOrder: native(), version: 0 };
    const read = () => {
      reader.pos = 0;
      return header.layout.decode(reader) as Readonly<Record<string, unknown>> | undefined;
    };
    let found = read();
    const flags = found?.[header.byteOrder?.field ?? ''];
    if (found !== undefined && header.byteOrder !== undefined && typeof flags === 'number') {
      const { field, bit } = header.byteOrder;
      const isBig = ((flags >>> bit) & 1) !== 0;
      const others = (flags & ~(1 << bit)) >>> 0;
      if (others !== 0) return fail(headerOffset(format, field), field, `unknown bits in 0x${flags.toString(16)}`);
      reader.littleEndian = !isBig;
      found = read();
    }
    if (found === undefined) {
      const { offset, path, reason } = reader.failure ?? UNREAD;
      return fail(offset, path, reason);
    }
    if (knobs.byteOrders !== 'both' && knobs.byteOrders !== native()) {
      const field = header.byteOrder?.field ?? '';
      const reason = `is ${native()} endian, the reader takes ${knobs.byteOrders} endian only`;
      return fail(headerOffset(format, field), field, reason);
    }
    const { kind: _, ...fields }: Record<string, unknown> = found;
    const version = header.version === undefined ? 0 : Number(fields[header.version]);
    if (header.version !== undefined && !format.versions.includes(version)) {
      const expected = format.versions.toSorted((a, b) => a - b).join(' or ');
      return fail(headerOffset(format, header.version), header.version, `is ${version}, expected ${expected}`);
    }
    if (header.byteOrder !== undefined) delete fields[header.byteOrder.field];
    return { fields, byteOrder: native(), version };
  }

  /** The next record; `undefined` = the end, or `failure` is set. */
  next(): R | undefined {
    if (this.failure !== undefined || this.ended) return undefined;
    const reader = this.#reader;
    const { format, knobs, framing, byType } = this.#plan;
    const at = reader.pos;
    const limit = this.octets.length;
    if (at === limit && this.#isPart) return undefined;
    this.index++;
    this.offset = this.#base + at;
    this.body = at;
    this.content = at;
    this.len = undefined;
    this.layout = undefined;
    reader.end = limit;
    if (at === limit && (format.end === undefined || knobs.missingEnd === 'accept')) {
      this.ended = true;
      return undefined;
    }
    if (at === limit) return this.#fail('', at, '', `the file ends without ${format.end}`);
    if (at + 4 > limit) return this.#short('', at, 'type', 4);
    let type = reader.view.getUint32(at, reader.littleEndian);
    if (framing.how === 'bare') return this.#bare(type);
    if (framing.how === 'wrapped' && type !== framing.type)
      return this.#fail(`type ${type}`, at, 'type', `is ${type}, must be ${framing.type}`);
    let layout = byType.get(type);
    if (at + RECORD_HEADER_BYTES > limit) return this.#short(nameOf(type, layout), at + 4, 'len', 4);
    const len = reader.view.getUint32(at + 4, reader.littleEndian);
    const body = at + RECORD_HEADER_BYTES;
    this.len = len;
    this.body = body;
    this.content = body;
    if (framing.how === 'wrapped') {
      if (len < 4 || body + 4 > limit)
        return this.#fail(nameOf(type, layout), at + 4, 'len', `is ${len}, too little for a type`);
      type = reader.view.getUint32(body, reader.littleEndian);
      layout = byType.get(type);
    }
    this.layout = layout;
    return this.#framed(type, layout, len);
  }

  /** A record that begins with its length. */
  #framed(type: number, layout: AnyRecord<R> | undefined, len: number): R | undefined {
    const reader = this.#reader;
    const { knobs, end: last } = this.#plan;
    const { body } = this;
    const limit = this.octets.length;
    const unwritten = layout?.unwritten;
    let end = body + len;
    let after = body + (knobs.advance === 'exact' ? len : upTo8(len));
    if (after > limit && unwritten === undefined)
      return this.#badLen(type, layout, `is ${len}, ${limit - body} octets left for body and padding`);
    if (len === 0 && knobs.zeroLengthRecord === 'fatal' && (layout === undefined || layout !== last))
      return this.#badLen(type, layout, 'is 0, which this reader takes for a read error');
    if (layout === undefined && knobs.unknownRecord !== 'warn')
      if (knobs.unknownRecord === 'fatal' || type < OPTIONAL_TYPE)
        return this.#fail(nameOf(type, layout), body - 8, 'type', 'is not defined');
    reader.pos = body;
    reader.base = body;
    reader.end = unwritten === undefined ? end : limit;
    const record = this.#body(type, layout);
    if (record === undefined) return undefined;
    const content = reader.pos;
    this.content = content;
    if (unwritten !== undefined) {
      const declared = upTo8(content - body + unwritten);
      if (len !== declared) return this.#badLen(type, layout, `is ${len}, this writer declares ${declared}`);
      end = body + upTo8(content - body);
      after = end;
      if (after > limit) return this.#short(nameOf(type, layout), content, 'pad', after - content);
    }
    reader.pos = after;
    this.ended = layout !== undefined && layout === last;
    return content === after ? record : this.#withTail(record, end, after);
  }

  /** A record that ends where its layout does. */
  #bare(type: number): R | undefined {
    const reader = this.#reader;
    const layout = this.#plan.byType.get(type);
    if (layout === undefined)
      return this.#fail(`type ${type}`, reader.pos, 'type', 'is not defined, and no length tells where it ends');
    this.layout = layout;
    reader.base = reader.pos;
    const record = this.#body(type, layout);
    this.content = reader.pos;
    return record;
  }

  #body(type: number, layout: AnyRecord<R> | undefined): R | undefined {
    const reader = this.#reader;
    // Whoever knows what the records are knows of the unknown ones, too.
    if (layout === undefined) return { ...unknownRecord.decode(reader), type } as object as R;
    const record = layout.decode(reader);
    if (record !== undefined) return record;
    const { offset, path, reason } = reader.failure ?? UNREAD;
    return this.#fail(layout.name, offset, path, reason);
  }

  /** Keeps what follows the content unless a writer with these knobs would write the same. */
  #withTail(record: R, end: number, after: number): R {
    const { content, octets, body } = this;
    const size = content - body;
    const wanted = countsPad(this.#plan, this.layout) ? upTo8(size) : size;
    if (end - body === wanted && keptOctets(octets, content, after) === undefined) return record;
    return { ...record, tail: { slack: octets.subarray(content, end), pad: octets.subarray(end, after) } };
  }

  #badLen(type: number, layout: AnyRecord<R> | undefined, reason: string): undefined {
    return this.#fail(nameOf(type, layout), this.body - 4, 'len', reason);
  }

  #short(name: string, offset: number, path: string, wanted: number): undefined {
    return this.#fail(name, offset, path, `wants ${wanted} octets, ${this.octets.length - offset} left`);
  }

  #fail(name: string, offset: number, path: string, reason: string): undefined {
    this.failure = { offset: this.#base + offset, record: this.index, name, path, reason };
    return undefined;
  }
}

function nameOf(type: number, layout: AnyRecord | undefined): string {
  return layout?.name ?? `type ${type}`;
}

const NO_HEADER: FormatFailure = { ...UNREAD, record: -1, name: 'header' };

/**
 * Decode a file of the format; its octets are windows on `octets`.
 * Errors: whatever the layouts, the framing and the reader's knobs do not allow; what records mean among each other
 * is for `validateFile`.
 * @param byteOrder of a format whose files do not announce it
 */
export function decodeFile(
  format: Format,
  octets: Uint8Array,
  knobs: Partial<Knobs> = {},
  byteOrder: 'little' | 'big' = 'little',
): DecodedFile {
  const reader = new FileReader(planOf(format, knobs), octets, { byteOrder });
  const records: FormatRecord[] = [];
  for (let record = reader.next(); record !== undefined; record = reader.next()) records.push(record);
  const { failure, header } = reader;
  if (failure !== undefined || header === undefined) return { ok: false, failure: failure ?? NO_HEADER };
  const file: FormatFile = { header: header.fields, byteOrder: header.byteOrder, records };
  return { ok: true, file: reader.pos === octets.length ? file : { ...file, trailing: octets.subarray(reader.pos) } };
}
