import type { RecordSchema } from '../codec/compile.ts';
import { type FormatFailure, keptOctets, type Reader, type Writer } from '../schema/cursor.ts';

/** Octets behind a record that should be zero, where they are not. */
export interface Padded {
  readonly pad?: Uint8Array;
}

/** A record of a type that the layer does not know. */
export interface UnknownRecord {
  readonly kind: 'UNKNOWN';
  readonly type: number;
  readonly body: Uint8Array;
}

type AnySchema = RecordSchema<{ readonly kind: string }>;

/** The records of one layer: u32 type, u32 length without padding, body, zeroes up to a multiple of 8. */
export class Layer<V extends { readonly kind: string }> {
  readonly name: string;
  readonly #byType = new Map<number, AnySchema>();
  readonly #byKind = new Map<string, AnySchema>();

  constructor(name: string, schemas: readonly RecordSchema<V>[]) {
    this.name = name;
    for (const schema of schemas as unknown as readonly AnySchema[]) {
      this.#byType.set(schema.type, schema);
      this.#byKind.set(schema.name, schema);
    }
  }

  /** A header of fixed layout in front of the records. */
  header<H>(reader: Reader, schema: Pick<RecordSchema<H>, 'decode' | 'name'>): H | FormatFailure {
    reader.base = reader.pos;
    reader.end = reader.bytes.length;
    return schema.decode(reader) ?? this.#failure(reader, -1, schema.name);
  }

  /** The next record; leaves the reader behind its padding, whose alignment counts from `start`. */
  read(reader: Reader, start: number, index: number): ((V | UnknownRecord) & Padded) | FormatFailure {
    const all = reader.bytes.length;
    reader.end = all;
    const type = reader.int('u32', 'type');
    const length = reader.int('u32', 'length');
    if (typeof type !== 'number' || typeof length !== 'number') return this.#failure(reader, index, '');
    const from = reader.pos;
    const schema = this.#byType.get(type);
    const name = schema?.name ?? '';
    if (length > all - from)
      return this.#failure(reader, index, name, from - 4, 'length', `is ${length}, ${all - from} octets left`);
    reader.base = from;
    reader.end = from + length;
    let value: { readonly kind: string };
    if (schema === undefined)
      value = { kind: 'UNKNOWN', type, body: reader.bytes.subarray(from, reader.end) } as UnknownRecord;
    else {
      const decoded = schema.decode(reader);
      if (decoded === undefined) return this.#failure(reader, index, name);
      if (reader.pos !== reader.end)
        return this.#failure(
          reader,
          index,
          name,
          reader.pos,
          '',
          `${reader.end - reader.pos} octets more than the record has`,
        );
      value = decoded;
    }
    const padEnd = Math.min(all, from + length + (-(from + length - start) & 7));
    const pad = keptOctets(reader.bytes, from + length, padEnd);
    reader.pos = padEnd;
    return (pad === undefined ? value : { ...value, pad }) as (V | UnknownRecord) & Padded;
  }

  /** False = writer.failure. */
  write(writer: Writer, start: number, value: (V | UnknownRecord) & Padded): boolean {
    const at = writer.pos;
    const schema = this.#byKind.get(value.kind);
    const unknown = value.kind === 'UNKNOWN' ? (value as UnknownRecord) : undefined;
    if (schema === undefined && unknown === undefined) {
      writer.fail(at, 'type', `'${value.kind}' is no record of ${this.name}`);
      return false;
    }
    if (!writer.u32(schema?.type ?? unknown!.type) || !writer.u32(0)) return false;
    writer.base = writer.pos;
    const from = writer.pos;
    if (!(schema === undefined ? writer.octets(unknown!.body) : schema.encode(writer, value))) return false;
    const length = writer.pos - from;
    writer.view.setUint32(at + 4, length, writer.littleEndian);
    return value.pad === undefined ? writer.zeroes(-(writer.pos - start) & 7) : writer.octets(value.pad);
  }

  #failure(reader: Reader, record: number, name: string, offset = 0, path = '', reason = ''): FormatFailure {
    const own = reason === '' ? reader.failure : undefined;
    return {
      record,
      name: name || this.name,
      offset: own?.offset ?? offset,
      path: own?.path ?? path,
      reason: own?.reason ?? reason,
    };
  }
}

export function isFailure(value: object): value is FormatFailure {
  return 'reason' in value && 'offset' in value;
}
