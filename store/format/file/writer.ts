import { type CursorFailure, type FormatFailure, type FormatResult, Writer } from '../schema/cursor.ts';
import type { Knobs } from '../schema/knobs.ts';
import type { AnyRecord, EncodedFile, Format, FormatFile, FormatRecord, RecordTail } from './format.ts';
import { countsPad, headerOffset, type Plan, planOf, RECORD_HEADER_BYTES, unknownRecord, upTo8 } from './plan.ts';

const NOTHING = new Uint8Array(0);
/** With a sink: how much is written before it gets it. */
const PIECE_BYTES = 1 << 20;

export interface WriteOptions {
  /** Fields of the header; the version is the format's own by default. */
  readonly header?: Readonly<Record<string, unknown>>;
  /** Little by default. */
  readonly byteOrder?: 'little' | 'big';
  /** Octets to make room for at first, when the size can be guessed. */
  readonly capacity?: number;
  /** Takes the file piece by piece as it is written, so that it is never held as a whole; a piece is good until the next. */
  readonly sink?: (piece: Uint8Array) => void;
}

/**
 * Writes a file of any format record by record, into one growing buffer or piece by piece into a sink. A record that
 * fails leaves no octets behind.
 */
export class FileWriter<R extends FormatRecord = FormatRecord> {
  readonly #plan: Plan<R>;
  readonly #writer: Writer;
  readonly #sink: ((piece: Uint8Array) => void) | undefined;
  /** Records accepted so far. */
  count = 0;
  #ended = false;
  /** Why nothing can be written: the header does not fit. */
  #failure: FormatFailure | undefined;
  /** Octets that the sink has got. */
  #gone = 0;

  constructor(plan: Plan<R>, options: WriteOptions = {}) {
    const { byteOrder = 'little', sink } = options;
    this.#plan = plan;
    this.#sink = sink;
    this.#writer = new Writer(options.capacity ?? (sink === undefined ? undefined : 2 * PIECE_BYTES));
    this.#writer.littleEndian = byteOrder === 'little';
    const failure = this.#header(options.header ?? {}, byteOrder);
    this.#failure = failure && { ...failure, record: -1, name: 'header' };
  }

  /** Offset at which the next record will start: the size so far. */
  get offset(): number {
    return this.#gone + this.#writer.pos;
  }

  #header(told: Readonly<Record<string, unknown>>, byteOrder: 'little' | 'big'): CursorFailure | undefined {
    const { format } = this.#plan;
    const { header, versions } = format;
    if (header === undefined) return undefined;
    const fields: Record<string, unknown> = { ...told, kind: header.layout.name };
    if (header.byteOrder !== undefined)
      fields[header.byteOrder.field] = byteOrder === 'big' ? 1 << header.byteOrder.bit : 0;
    if (header.version !== undefined) {
      const version = fields[header.version] ?? versions[0];
      fields[header.version] = version;
      const offset = headerOffset(format, header.version);
      if (!versions.some((one) => one === version))
        return { offset, path: header.version, reason: `${format.name} has no version ${String(version)}` };
    }
    return header.layout.encode(this.#writer, fields as never) ? undefined : this.#cut();
  }

  /** Appends one record. Returns the failure, or undefined. Errors: values that do not fit, records after the end. */
  append(record: R): FormatFailure | undefined {
    if (this.#failure !== undefined) return this.#failure;
    const writer = this.#writer;
    if (writer.pos >= PIECE_BYTES && this.#sink !== undefined) this.#flush();
    const at = writer.pos;
    const { framing, byKind, end } = this.#plan;
    const layout = byKind.get(record.kind);
    let failure: CursorFailure | undefined;
    if (this.#ended) failure = { offset: at, path: '', reason: `comes after ${end?.name}` };
    else if (layout === undefined && (record.kind !== 'UNKNOWN' || framing.how === 'bare'))
      failure = { offset: at, path: 'kind', reason: 'is not a record of this format' };
    else failure = this.#record(record, layout, at);
    if (failure !== undefined) {
      writer.failure = undefined;
      writer.pos = at;
      return { ...failure, offset: this.#gone + failure.offset, record: this.count, name: String(record.kind) };
    }
    this.count++;
    this.#ended = layout !== undefined && layout === end;
    return undefined;
  }

  /** The finished file: a window on the writer's buffer, so write no more; with a sink, nothing. Errors: no end. */
  finish(trailing?: Uint8Array): FormatResult<Uint8Array> {
    const { format, knobs } = this.#plan;
    const writer = this.#writer;
    const fail = ({ offset, path, reason }: CursorFailure): FormatResult<Uint8Array> => ({
      ok: false,
      failure: { offset: this.#gone + offset, record: this.count, name: '', path, reason },
    });
    if (this.#failure !== undefined) return { ok: false, failure: this.#failure };
    if (!this.#ended && format.end !== undefined && knobs.missingEnd !== 'accept')
      return fail({ offset: writer.pos, path: '', reason: `the file ends without ${format.end}` });
    if (trailing !== undefined && !writer.octets(trailing)) return fail(this.#cut());
    if (this.#sink === undefined) return { ok: true, value: writer.bytes.subarray(0, writer.pos) };
    this.#flush();
    return { ok: true, value: NOTHING };
  }

  #flush(): void {
    const writer = this.#writer;
    this.#sink?.(writer.bytes.subarray(0, writer.pos));
    this.#gone += writer.pos;
    writer.pos = 0;
  }

  #record(record: R, layout: AnyRecord<R> | undefined, at: number): CursorFailure | undefined {
    const writer = this.#writer;
    const { framing } = this.#plan;
    if (framing.how === 'bare') {
      writer.base = at;
      return layout?.encode(writer, record as never) ? undefined : this.#cut();
    }
    const body = at + RECORD_HEADER_BYTES;
    if (!writer.room(at, RECORD_HEADER_BYTES)) return this.#cut();
    writer.pos = body;
    writer.base = body;
    const type = layout === undefined ? this.#unknownType(record, at) : layout.type;
    if (typeof type !== 'number') return type;
    if (!(layout ?? unknownRecord).encode(writer, record as never)) return this.#cut();
    const failure = this.#tail(record, layout, at);
    if (failure !== undefined) return failure;
    writer.view.setUint32(at, framing.how === 'wrapped' ? framing.type : type, writer.littleEndian);
    return undefined;
  }

  /** The number of an unknown record's type, which must be unknown indeed. */
  #unknownType(record: R, at: number): number | CursorFailure {
    const { type } = record as { type?: unknown };
    if (typeof type !== 'number' || type >>> 0 !== type)
      return { offset: at, path: 'type', reason: 'does not fit u32' };
    const known = this.#plan.byType.get(type);
    return known === undefined ? type : { offset: at, path: 'type', reason: `${type} is ${known.name}` };
  }

  /** Writes what follows the content, and `len`. Kept padding of another length than is needed becomes zeroes. */
  #tail(record: R, layout: AnyRecord<R> | undefined, at: number): CursorFailure | undefined {
    const writer = this.#writer;
    const { knobs } = this.#plan;
    const body = at + RECORD_HEADER_BYTES;
    const content = writer.pos - body;
    const tail: RecordTail | undefined = record.tail;
    if (tail === undefined) {
      const pad = -content & 7;
      if (pad > 0 && countsPad(this.#plan, layout) && !writer.zeroes(pad)) return this.#cut();
    } else {
      if (!(tail.slack instanceof Uint8Array))
        return { offset: writer.pos, path: 'tail.slack', reason: 'is not octets' };
      if (!(tail.pad instanceof Uint8Array)) return { offset: writer.pos, path: 'tail.pad', reason: 'is not octets' };
      if (!writer.octets(tail.slack)) return this.#cut();
    }
    const unwritten = layout?.unwritten;
    const len = unwritten === undefined ? writer.pos - body : upTo8(content + unwritten);
    if (len > 0xffffffff) return { offset: at + 4, path: 'len', reason: 'does not fit u32' };
    const pad = knobs.advance === 'exact' ? 0 : -(writer.pos - body) & 7;
    if (pad > 0 && !(tail?.pad.length === pad ? writer.octets(tail.pad) : writer.zeroes(pad))) return this.#cut();
    writer.view.setUint32(at + 4, len, writer.littleEndian);
    return undefined;
  }

  /** Why a value does not fit. */
  #cut(): CursorFailure {
    return this.#writer.failure ?? { offset: this.#writer.pos, path: '', reason: 'cannot be held' };
  }
}

/**
 * Encode a file; records are written in the order given.
 * Errors: values that do not fit their fields, kinds that the format does not have, versions that it does not have,
 * END missing or not last.
 */
export function encodeFile(format: Format, file: FormatFile, knobs: Partial<Knobs> = {}): EncodedFile {
  const { header, byteOrder, records, trailing } = file;
  const capacity = 256 + records.length * 64;
  const writer = new FileWriter(planOf(format, knobs), { header, byteOrder, capacity });
  for (const record of records) {
    const failure = writer.append(record);
    if (failure !== undefined) return { ok: false, failure };
  }
  const finished = writer.finish(trailing);
  return finished.ok ? { ok: true, octets: finished.value } : finished;
}
