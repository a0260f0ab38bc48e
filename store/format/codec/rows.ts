import { type CursorFailure, INT_BYTES, type IntType, Reader } from '../schema/cursor.ts';
import { magicText } from '../schema/describe.ts';
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
        const { bytes, pos, end } = this.#reader;
        const odd = field.octets.findIndex((octet, i) => pos + i < end && bytes[pos + i] !== octet);
        if (odd < 0) return this.#octets(field.octets.length, path, text) !== undefined;
        this.#reader.fail(pos + odd, path, `is not ${magicText(field.octets)}`);
        return false;
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
