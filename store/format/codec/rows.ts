import { type Dialect, schemasByType, v2 } from '../dialect.ts';
import { unknownRecord } from '../generations/records.ts';
import { type DecodeOptions, decodeHeader, IMAGE_HEADER_BYTES, RECORD_HEADER_BYTES } from '../image.ts';
import { type CursorFailure, type FormatFailure, INT_BYTES, type IntType, Reader } from '../schema/cursor.ts';
import type { Field, Fields, Layout } from '../schema/schema.ts';

/** One field of a decoded piece of bytes. Rows come in the order of the bytes, without gaps or overlap. */
export interface Row {
  readonly offset: number;
  /** Octets; 0 for an empty string. */
  readonly length: number;
  /** `perms[0].domid`. */
  readonly path: string;
  /** The number, or the octets: those on the wire, NUL included. */
  readonly value: number | bigint | Uint8Array;
  readonly note: string;
}

/** Rows up to the failure, if there is one. */
export interface RowsResult {
  readonly rows: readonly Row[];
  readonly failure?: CursorFailure;
}

export interface RowsOptions {
  readonly littleEndian?: boolean;
  /** Where the body starts and ends; all of `bytes` by default. */
  readonly start?: number;
  readonly end?: number;
}

/** Annotate one body, field by field, by interpreting its layout. */
export function rows(layout: Pick<Layout, 'fields'>, bytes: Uint8Array, options: RowsOptions = {}): RowsResult {
  const { littleEndian = true, start = 0, end = bytes.length } = options;
  const reader = new Reader(bytes);
  reader.littleEndian = littleEndian;
  reader.pos = start;
  reader.base = start;
  reader.end = Math.min(end, bytes.length);
  const walk = new Walk(reader);
  walk.fields(layout.fields, '');
  return reader.failure === undefined ? { rows: walk.rows } : { rows: walk.rows, failure: reader.failure };
}

class Walk {
  readonly rows: Row[] = [];
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  /** False = failure. */
  fields(fields: Fields, prefix: string): boolean {
    const numbers = new Map<string, number>();
    for (const [name, field] of Object.entries(fields))
      if (!this.#field(fields, name, field, prefix, numbers)) return false;
    return true;
  }

  #int(type: IntType, path: string, note: string): number | bigint | undefined {
    const offset = this.#reader.pos;
    const value = this.#reader.int(type, path);
    if (value !== undefined) this.rows.push({ offset, length: INT_BYTES[type], path, value, note });
    return value;
  }

  #ordered<T>(order: 'big' | 'little' | undefined, read: () => T): T {
    const own = this.#reader.littleEndian;
    if (order !== undefined) this.#reader.littleEndian = order === 'little';
    const value = read();
    this.#reader.littleEndian = own;
    return value;
  }

  #octets(length: number, path: string, note: string, isShownEmpty = true): Uint8Array | undefined {
    const offset = this.#reader.pos;
    const value = this.#reader.window(length, path);
    if (value !== undefined && (length > 0 || isShownEmpty)) this.rows.push({ offset, length, path, value, note });
    return value;
  }

  #fail(path: string, reason: string): false {
    this.#reader.fail(this.#reader.pos, path, reason);
    return false;
  }

  #field(fields: Fields, name: string, field: Field, prefix: string, numbers: Map<string, number>): boolean {
    const path = prefix + name;
    const text = field.note ?? '';
    const number = (of: string) => numbers.get(of) ?? 0;
    switch (field.what) {
      case 'int':
      case 'flags':
      case 'constant': {
        const value = this.#ordered(field.what === 'int' ? field.order : undefined, () =>
          this.#int(field.type, path, text),
        );
        if (value === undefined) return false;
        if (typeof value === 'number') numbers.set(name, value);
        if (field.what === 'int' && field.min !== undefined && value < field.min)
          return this.#fail(path, `is ${value}, less than ${field.min}`);
        if (field.what === 'constant' && value !== field.value)
          return this.#fail(path, `is ${value}, must be ${field.value}`);
        return true;
      }
      case 'letter':
        return this.#int('u8', path, text) !== undefined;
      case 'reserved':
        return this.#octets(field.bytes, path, text) !== undefined;
      case 'magic': {
        const value = this.#octets(field.octets.length, path, text);
        if (value === undefined) return false;
        return field.octets.every((octet, i) => value[i] === octet) || this.#fail(path, 'is not the expected octets');
      }
      case 'align':
        return this.#align(field.to, path, text);
      case 'octets':
        return this.#octets(number(field.length), path, text) !== undefined;
      case 'cstring': {
        const value = this.#octets(number(field.length) + (field.uncounted ? 1 : 0), path, text);
        if (value === undefined) return false;
        return value.at(-1) === 0 || this.#fail(path, 'does not end in NUL');
      }
      case 'terminated': {
        const { bytes, pos, end } = this.#reader;
        const nul = bytes.subarray(pos, end).indexOf(0);
        return nul < 0 ? this.#fail(path, 'does not end in NUL') : this.#octets(nul + 1, path, text) !== undefined;
      }
      case 'rest':
        return this.#octets(this.#reader.end - this.#reader.pos, path, text) !== undefined;
      case 'list':
        for (let i = 0; i < number(field.count); i++) if (!this.fields(field.of, `${path}[${i}].`)) return false;
        return true;
      case 'table':
        return this.#table(field.lists, prefix, text, number);
      case 'variant': {
        const tag = number(field.on);
        for (const [kind, one] of Object.entries(field.cases))
          if (one.tag === tag) return this.fields(one.fields, `${path}.${kind}.`);
        return this.#fail(path, `${field.on} is ${tag}, which is not defined`);
      }
      case 'optional': {
        const variant = field.when === undefined ? undefined : fields[field.when.variant];
        const isInForce =
          variant?.what !== 'variant' || number(variant.on) === variant.cases[field.when?.kind ?? '']?.tag;
        if (!isInForce || ((number(field.flags) >>> field.bit) & 1) === 0) return true;
        return this.#align(field.align, `${path}Pad`, '') && this.#int(field.of, path, text) !== undefined;
      }
    }
  }

  #align(to: number, path: string, text: string): boolean {
    const { pos, base } = this.#reader;
    return this.#octets(-(pos - base) & (to - 1), path, text, false) !== undefined;
  }

  #table(
    lists: Readonly<Record<string, string>>,
    prefix: string,
    text: string,
    number: (of: string) => number,
  ): boolean {
    for (const [listName, count] of Object.entries(lists))
      for (let i = 0; i < number(count); i++)
        if (this.#int('u32', `${prefix}${listName}[${i}].value`, text) === undefined) return false;
    for (const [listName, count] of Object.entries(lists))
      for (let i = 0; i < number(count); i++) {
        const { bytes, pos, end } = this.#reader;
        const path = `${prefix}${listName}[${i}].name`;
        const nul = bytes.subarray(pos, end).indexOf(0);
        if (nul < 0) return this.#fail(path, 'does not end in NUL');
        if (nul === 0) return this.#fail(path, 'is empty');
        this.#octets(nul + 1, path, text);
      }
    return true;
  }
}

/** A row of an image: which record it belongs to. */
export interface ImageRow extends Row {
  /** -1 = image header, and the number of records for what comes after END. */
  readonly record: number;
  readonly name: string;
}

export interface ImageRowsResult {
  readonly rows: readonly ImageRow[];
  readonly failure?: FormatFailure;
}

/**
 * Annotate a whole image: header, record headers, bodies, slack, padding, trailing octets. A record whose body cannot
 * be read becomes rows up to there, and the walk goes on with the next one, as long as `len` can be followed; the
 * first failure is returned. The rows of an image without failure cover each of its octets once.
 */
export function imageRows(bytes: Uint8Array, options: DecodeOptions = {}): ImageRowsResult {
  const dialect: Dialect = options.dialect ?? v2;
  const header = decodeHeader(bytes, options);
  if (!header.ok) return { rows: [], failure: header.failure };
  const littleEndian = !header.value.bigEndian;
  const byType = schemasByType(dialect);
  const found: ImageRow[] = [];
  let failure: FormatFailure | undefined;
  const add = (record: number, name: string, result: RowsResult) => {
    for (const row of result.rows) found.push({ ...row, record, name });
    if (result.failure !== undefined) failure ??= { ...result.failure, record, name };
  };
  const piece = (record: number, name: string, path: string, from: number, to: number) => {
    if (to > from)
      add(record, name, {
        rows: [{ offset: from, length: to - from, path, value: bytes.subarray(from, to), note: '' }],
      });
  };
  add(-1, 'header', rows(IMAGE_HEADER, bytes, { littleEndian: false, end: IMAGE_HEADER_BYTES }));
  let pos = IMAGE_HEADER_BYTES;
  for (let record = 0; ; record++) {
    const body = pos + RECORD_HEADER_BYTES;
    const head = rows(RECORD_HEADER, bytes, { littleEndian, start: pos, end: body });
    const type = head.rows[0]?.value;
    const schema = typeof type === 'number' ? byType[type] : undefined;
    const name = schema?.name ?? (type === undefined ? '' : `type ${type}`);
    add(record, name, head);
    const len = head.rows[1]?.value;
    if (typeof len !== 'number') break;
    const end = body + len;
    const after = end + (-len & 7);
    if (after > bytes.length) {
      failure ??= {
        offset: pos + 4,
        record,
        name,
        path: 'len',
        reason: `is ${len}, ${bytes.length - body} octets left for body and padding`,
      };
      piece(record, name, 'unread', body, bytes.length);
      break;
    }
    const inner = rows(schema ?? unknownRecord, bytes, { littleEndian, start: body, end });
    add(record, name, inner);
    const last = inner.rows.at(-1);
    const content = last === undefined ? body : last.offset + last.length;
    piece(record, name, inner.failure === undefined ? 'slack' : 'unread', content, end);
    piece(record, name, 'pad', end, after);
    pos = after;
    if (type === 0) {
      piece(record + 1, 'trailing', '', pos, bytes.length);
      break;
    }
  }
  return failure === undefined ? { rows: found } : { rows: found, failure };
}

/** The image header, always big endian. */
export const IMAGE_HEADER: Pick<Layout, 'fields'> = {
  fields: {
    ident: { what: 'reserved', bytes: 8, note: '"xenstore"' },
    version: { what: 'int', type: 'u32', note: 'Big endian.' },
    flags: { what: 'int', type: 'u32', note: 'Big endian; bit 0: all that follows is big endian.' },
  },
};

/** The header of each record. */
export const RECORD_HEADER: Pick<Layout, 'fields'> = {
  fields: {
    type: { what: 'int', type: 'u32' },
    len: { what: 'int', type: 'u32', note: 'Of the body; the daemons count the padding, the document does not.' },
  },
};
