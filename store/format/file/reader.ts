import { type RecordTail, unknownRecord } from '../generations/records.ts';
import { type CursorFailure, type FormatFailure, keptOctets, Reader, Writer } from '../schema/cursor.ts';
import type { Knobs } from '../schema/knobs.ts';
import { fixedBytes } from '../schema/sizes.ts';
import {
  type AnyRecord,
  type DecodedFile,
  type EncodedFile,
  type Format,
  type FormatFile,
  type FormatRecord,
  type Framing,
  knobsOf,
  pick,
  recordsOf,
} from './format.ts';

const RECORD_HEADER_BYTES = 8;
/** Bit 31: a reader that does not know the type may skip the record. */
const OPTIONAL_TYPE = 0x80000000;
const NOTHING = new Uint8Array(0);
const CUT: CursorFailure = { offset: 0, path: '', reason: 'cannot be held' };

function upTo8(n: number): number {
  return n + (-n & 7);
}

/** What the format and the knobs come to: computed once for a file. */
interface Plan {
  readonly format: Format;
  readonly knobs: Knobs;
  readonly framing: Framing;
  readonly byType: ReadonlyMap<number, AnyRecord>;
  readonly byKind: ReadonlyMap<string, AnyRecord>;
}

function planOf(format: Format, given: Partial<Knobs>): Plan {
  const knobs = knobsOf(format, given);
  const records = recordsOf(format, knobs);
  return {
    format,
    knobs,
    framing: pick(format.framing, knobs) ?? { how: 'bare' },
    byType: new Map(records.map((one) => [one.type, one])),
    byKind: new Map(records.map((one) => [one.name, one])),
  };
}

/** A header that was read. */
export interface HeaderRead {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly byteOrder: 'little' | 'big';
  /** 0 when the format has none. */
  readonly version: number;
  /** Octets that it takes. */
  readonly bytes: number;
}

/** Walks the records of a file of any format. Decoded octets are windows on the file. */
export class FileReader {
  readonly header: HeaderRead | undefined;
  failure: FormatFailure | undefined = undefined;
  /** Of the record that `next` returned last, or failed in: number, first octet, its `len` if it has one. */
  index = -1;
  offset = 0;
  len: number | undefined = undefined;
  /** First octet of its body, of what follows its content, and its layout. */
  body = 0;
  content = 0;
  layout: AnyRecord | undefined = undefined;
  ended = false;
  readonly octets: Uint8Array;
  readonly knobs: Knobs;
  readonly framing: Framing;
  readonly #plan: Plan;
  readonly #reader: Reader;

  /** @param byteOrder where no header announces it */
  constructor(format: Format, octets: Uint8Array, knobs: Partial<Knobs> = {}, byteOrder: 'little' | 'big' = 'little') {
    this.#plan = planOf(format, knobs);
    this.knobs = this.#plan.knobs;
    this.framing = this.#plan.framing;
    this.octets = octets;
    this.#reader = new Reader(octets);
    this.#reader.littleEndian = byteOrder === 'little';
    this.header = this.#header();
  }

  /** Offset of the next record. */
  get pos(): number {
    return this.#reader.pos;
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
    if (header === undefined) return { fields: {}, byteOrder: native(), version: 0, bytes: 0 };
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
      if (others !== 0) return fail(this.#place(field), field, `unknown bits in 0x${flags.toString(16)}`);
      reader.littleEndian = !isBig;
      found = read();
    }
    if (found === undefined) {
      const { offset, path, reason } = reader.failure ?? CUT;
      return fail(offset, path, reason);
    }
    if (knobs.byteOrders !== 'both' && knobs.byteOrders !== native())
      return fail(
        this.#place(header.byteOrder?.field ?? ''),
        header.byteOrder?.field ?? '',
        `is ${native()} endian, the reader takes ${knobs.byteOrders} endian only`,
      );
    const { kind: _, ...fields }: Record<string, unknown> = found;
    const version = header.version === undefined ? 0 : Number(fields[header.version]);
    if (header.version !== undefined && !format.versions.includes(version))
      return fail(
        this.#place(header.version),
        header.version,
        `is ${version}, expected ${format.versions.toSorted((a, b) => a - b).join(' or ')}`,
      );
    if (header.byteOrder !== undefined) delete fields[header.byteOrder.field];
    return { fields, byteOrder: native(), version, bytes: reader.pos };
  }

  /** Offset of a field of the header, which is of fixed size. */
  #place(name: string): number {
    return headerOffset(this.#plan.format, name);
  }

  /** The next record; `undefined` = the end, or `failure` is set. */
  next(): FormatRecord | undefined {
    if (this.failure !== undefined || this.ended) return undefined;
    const reader = this.#reader;
    const { format, knobs, framing } = this.#plan;
    const at = reader.pos;
    const limit = this.octets.length;
    this.index++;
    this.offset = at;
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
    if (framing.how === 'bare') return this.#self(type);
    if (framing.how === 'wrapped' && type !== framing.type)
      return this.#fail(`type ${type}`, at, 'type', `is ${type}, must be ${framing.type}`);
    const name = this.#plan.byType.get(type)?.name ?? `type ${type}`;
    if (at + RECORD_HEADER_BYTES > limit) return this.#short(name, at + 4, 'len', 4);
    const len = reader.view.getUint32(at + 4, reader.littleEndian);
    const body = at + RECORD_HEADER_BYTES;
    this.len = len;
    this.body = body;
    this.content = body;
    if (framing.how === 'wrapped') {
      if (len < 4 || body + 4 > limit) return this.#fail(name, at + 4, 'len', `is ${len}, too little for a type`);
      type = reader.view.getUint32(body, reader.littleEndian);
    }
    const layout = this.#plan.byType.get(type);
    this.layout = layout;
    return this.#typed(type, layout, len);
  }

  #typed(type: number, layout: AnyRecord | undefined, len: number): FormatRecord | undefined {
    const reader = this.#reader;
    const { format, knobs } = this.#plan;
    const { body } = this;
    const name = layout?.name ?? `type ${type}`;
    const limit = this.octets.length;
    const isBroken = layout?.unwritten !== undefined;
    let end = body + len;
    let after = body + (knobs.advance === 'exact' ? len : upTo8(len));
    if (after > limit && !isBroken)
      return this.#fail(name, body - 4, 'len', `is ${len}, ${limit - body} octets left for body and padding`);
    if (len === 0 && name !== format.end && knobs.zeroLengthRecord === 'fatal')
      return this.#fail(name, body - 4, 'len', 'is 0, which this reader takes for a read error');
    const isFatal = knobs.unknownRecord === 'fatal' || (knobs.unknownRecord !== 'warn' && type < OPTIONAL_TYPE);
    if (layout === undefined && isFatal) return this.#fail(name, body - 8, 'type', 'is not defined');
    reader.pos = body;
    reader.base = body;
    reader.end = isBroken ? limit : end;
    const record = this.#body(type, layout);
    if (record === undefined) return undefined;
    this.content = reader.pos;
    if (layout?.unwritten !== undefined) {
      const declared = upTo8(reader.pos - body + layout.unwritten);
      if (len !== declared) return this.#fail(name, body - 4, 'len', `is ${len}, this writer declares ${declared}`);
      end = body + upTo8(reader.pos - body);
      after = end;
      if (after > limit) return this.#short(name, reader.pos, 'pad', after - reader.pos);
    }
    reader.pos = after;
    this.ended = layout?.name === format.end && format.end !== undefined;
    return this.#withTail(record, end, after);
  }

  #self(type: number): FormatRecord | undefined {
    const reader = this.#reader;
    const layout = this.#plan.byType.get(type);
    if (layout === undefined)
      return this.#fail(`type ${type}`, this.offset, 'type', 'is not defined, and no length tells where it ends');
    this.layout = layout;
    reader.base = reader.pos;
    const record = this.#body(type, layout);
    this.content = reader.pos;
    return record;
  }

  #body(type: number, layout: AnyRecord | undefined): FormatRecord | undefined {
    const reader = this.#reader;
    if (layout === undefined) {
      const record = unknownRecord.decode(reader);
      return record === undefined ? undefined : ({ ...record, type } as FormatRecord);
    }
    const record = layout.decode(reader);
    if (record !== undefined) return record;
    const { offset, path, reason } = reader.failure ?? CUT;
    return this.#fail(layout.name, offset, path, reason);
  }

  /** Keeps what follows the content unless a writer with these knobs would write the same. */
  #withTail(record: FormatRecord, end: number, after: number): FormatRecord {
    const { content, octets, body } = this;
    const size = content - body;
    const wanted = countsPad(this.#plan, record) ? upTo8(size) : size;
    if (end - body === wanted && keptOctets(octets, content, after) === undefined) return record;
    return { ...record, tail: { slack: octets.subarray(content, end), pad: octets.subarray(end, after) } };
  }

  #short(name: string, offset: number, path: string, wanted: number): undefined {
    return this.#fail(name, offset, path, `wants ${wanted} octets, ${this.octets.length - offset} left`);
  }

  #fail(name: string, offset: number, path: string, reason: string): undefined {
    this.failure = { offset, record: this.index, name, path, reason };
    return undefined;
  }
}

/** Whether `len` counts the padding of this record. An unknown record has no content to tell from padding. */
function countsPad(plan: Plan, record: FormatRecord): boolean {
  return plan.framing.how === 'typed' && plan.knobs.lenIncludesPad && record.kind !== 'UNKNOWN';
}

/** Offset of a header field. */
export function headerOffset(format: Format, name: string): number {
  let at = 0;
  for (const [field, { size }] of headerFields(format)) {
    if (field === name) return at;
    at += size;
  }
  return 0;
}

function headerFields(format: Format): (readonly [string, { readonly size: number }])[] {
  return Object.entries(format.header?.layout.fields ?? {}).map(([name, field]) => [
    name,
    { size: fixedBytes(field) ?? 0 },
  ]);
}

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
  const reader = new FileReader(format, octets, knobs, byteOrder);
  const records: FormatRecord[] = [];
  for (let record = reader.next(); record !== undefined; record = reader.next()) records.push(record);
  const { failure, header } = reader;
  if (failure !== undefined || header === undefined) return { ok: false, failure: failure ?? NO_HEADER };
  const file: FormatFile = { header: header.fields, byteOrder: header.byteOrder, records };
  return { ok: true, file: reader.pos === octets.length ? file : { ...file, trailing: octets.subarray(reader.pos) } };
}

const NO_HEADER: FormatFailure = { offset: 0, record: -1, name: 'header', path: '', reason: 'cannot be read' };

/**
 * Encode a file; records are written in the order given.
 * Errors: values that do not fit their fields, kinds that the format does not have, versions that it does not have,
 * END missing or not last.
 */
export function encodeFile(format: Format, file: FormatFile, knobs: Partial<Knobs> = {}): EncodedFile {
  return new FileWriter(planOf(format, knobs), file).write();
}

class FileWriter {
  readonly #plan: Plan;
  readonly #file: FormatFile;
  readonly #writer: Writer;
  #index = -1;
  #name = 'header';

  constructor(plan: Plan, file: FormatFile) {
    this.#plan = plan;
    this.#file = file;
    this.#writer = new Writer(256 + file.records.length * 64);
    this.#writer.littleEndian = file.byteOrder === 'little';
  }

  write(): EncodedFile {
    const { format, knobs } = this.#plan;
    const writer = this.#writer;
    let failure = this.#header();
    if (failure !== undefined) return { ok: false, failure };
    let isEnded = false;
    for (const [index, record] of this.#file.records.entries()) {
      this.#index = index;
      this.#name = String(record.kind);
      if (isEnded) return { ok: false, failure: this.#at(writer.pos, '', `comes after ${format.end}`) };
      failure = this.#record(record);
      if (failure !== undefined) return { ok: false, failure };
      isEnded = format.end !== undefined && record.kind === format.end;
    }
    this.#index = this.#file.records.length;
    this.#name = '';
    if (!isEnded && format.end !== undefined && knobs.missingEnd !== 'accept')
      return { ok: false, failure: this.#at(writer.pos, '', `the file ends without ${format.end}`) };
    const { trailing } = this.#file;
    if (trailing !== undefined && !writer.octets(trailing)) return { ok: false, failure: this.#kept() };
    return { ok: true, octets: writer.bytes.subarray(0, writer.pos) };
  }

  #header(): FormatFailure | undefined {
    const { header, versions } = this.#plan.format;
    if (header === undefined) return undefined;
    const fields: Record<string, unknown> = { ...this.#file.header, kind: header.layout.name };
    if (header.byteOrder !== undefined)
      fields[header.byteOrder.field] = this.#file.byteOrder === 'big' ? 1 << header.byteOrder.bit : 0;
    if (header.version !== undefined) {
      fields[header.version] ??= versions[0];
      if (!versions.some((one) => one === fields[header.version ?? '']))
        return this.#at(
          headerOffset(this.#plan.format, header.version),
          header.version,
          `${this.#plan.format.name} has no version ${String(fields[header.version])}`,
        );
    }
    return header.layout.encode(this.#writer, fields as never) ? undefined : this.#kept();
  }

  #record(record: FormatRecord): FormatFailure | undefined {
    const writer = this.#writer;
    const { framing, byKind } = this.#plan;
    const at = writer.pos;
    const layout = record.kind === 'UNKNOWN' ? undefined : byKind.get(record.kind);
    if (layout === undefined && (record.kind !== 'UNKNOWN' || framing.how === 'bare'))
      return this.#at(at, 'kind', 'is not a record of this format');
    if (framing.how === 'bare') {
      writer.base = at;
      return layout?.encode(writer, record as never) ? undefined : this.#kept();
    }
    const body = at + RECORD_HEADER_BYTES;
    if (!writer.room(at, RECORD_HEADER_BYTES)) return this.#kept();
    writer.pos = body;
    writer.base = body;
    let { type } = record as { type?: unknown };
    if (layout === undefined) {
      if (typeof type !== 'number' || type >>> 0 !== type) return this.#at(at, 'type', 'does not fit u32');
      const known = this.#plan.byType.get(type);
      if (known !== undefined) return this.#at(at, 'type', `${type} is ${known.name}`);
      if (!unknownRecord.encode(writer, record as never)) return this.#kept();
    } else {
      type = layout.type;
      if (!layout.encode(writer, record as never)) return this.#kept();
    }
    const failure = this.#tail(record, layout, at);
    if (failure !== undefined) return failure;
    writer.view.setUint32(at, framing.how === 'wrapped' ? framing.type : Number(type), writer.littleEndian);
    return undefined;
  }

  /** Writes what follows the content, and `len`. Kept padding of another length than is needed becomes zeroes. */
  #tail(record: FormatRecord, layout: AnyRecord | undefined, at: number): FormatFailure | undefined {
    const writer = this.#writer;
    const { knobs } = this.#plan;
    const body = at + RECORD_HEADER_BYTES;
    const content = writer.pos - body;
    const tail: RecordTail | undefined = record.tail;
    const isPadCounted = countsPad(this.#plan, record);
    if (tail === undefined) {
      if (isPadCounted && !writer.zeroes(-content & 7)) return this.#kept();
    } else {
      if (!(tail.slack instanceof Uint8Array)) return this.#at(writer.pos, 'tail.slack', 'is not octets');
      if (!(tail.pad instanceof Uint8Array)) return this.#at(writer.pos, 'tail.pad', 'is not octets');
      if (!writer.octets(tail.slack)) return this.#kept();
    }
    const unwritten = layout?.unwritten;
    const len = unwritten === undefined ? writer.pos - body : upTo8(content + unwritten);
    if (len > 0xffffffff) return this.#at(at + 4, 'len', 'does not fit u32');
    const pad = knobs.advance === 'exact' ? 0 : -(writer.pos - body) & 7;
    const kept = tail?.pad ?? NOTHING;
    if (!(kept.length === pad ? writer.octets(kept) : writer.zeroes(pad))) return this.#kept();
    writer.view.setUint32(at + 4, len, writer.littleEndian);
    return undefined;
  }

  #kept(): FormatFailure {
    const { offset, path, reason } = this.#writer.failure ?? CUT;
    return this.#at(offset, path, reason);
  }

  #at(offset: number, path: string, reason: string): FormatFailure {
    return { offset, record: this.#index, name: this.#name, path, reason };
  }
}
