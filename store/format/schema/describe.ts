import type { Field, Fields, Layout } from './schema.ts';
import { derivedFields, fieldsBytes, fixedBytes } from './sizes.ts';

/** One line of a layout's description. */
export interface FieldDescription {
  /** `perms[].domid`, `conn.ring.port`. */
  readonly path: string;
  /** `u16`, `octets[pathLen]`, `list[permCount]`, ... */
  readonly type: string;
  /** Offset from the body's start, while all before it is of fixed size. */
  readonly offset: number | undefined;
  readonly bytes: number | undefined;
  /** What this field is the length, count or tag of. */
  readonly describes: string | undefined;
  readonly note: string;
}

/** A layout as data, for documentation. */
export interface Description {
  readonly name: string;
  readonly type: number;
  readonly note: string;
  /** Body size when it is always the same. */
  readonly bytes: number | undefined;
  readonly fields: readonly FieldDescription[];
}

/** Describe a layout field by field, in the order of the bytes. */
export function describe(layout: Layout): Description {
  const rows: FieldDescription[] = [];
  describeFields(layout.fields, '', 0, rows);
  return {
    name: layout.name,
    type: layout.type,
    note: layout.note,
    bytes: fieldsBytes(layout.fields),
    fields: rows,
  };
}

function describeFields(fields: Fields, prefix: string, start: number | undefined, rows: FieldDescription[]): void {
  const derived = derivedFields(fields);
  let offset = start;
  for (const [name, field] of Object.entries(fields)) {
    const bytes = fixedBytes(field);
    const path = prefix + name;
    rows.push({ path, type: typeText(field), offset, bytes, describes: derived.get(name), note: field.note ?? '' });
    if (field.what === 'list') describeFields(field.of, `${path}[].`, 0, rows);
    if (field.what === 'variant')
      for (const [kind, one] of Object.entries(field.cases))
        describeFields(one.fields, `${path}.${kind}.`, offset, rows);
    offset = offset === undefined || bytes === undefined ? undefined : offset + bytes;
  }
}

/** `"xenstore"`, or the octets where they are no text. */
export function magicText(octets: readonly number[]): string {
  return octets.every((octet) => octet >= 0x20 && octet < 0x7f)
    ? JSON.stringify(String.fromCharCode(...octets))
    : `octets ${octets.map((octet) => octet.toString(16).padStart(2, '0')).join(' ')}`;
}

function typeText(field: Field): string {
  switch (field.what) {
    case 'int': {
      const type = field.order === undefined ? field.type : `${field.type} ${field.order} endian`;
      return field.min === undefined ? type : `${type} >= ${field.min}`;
    }
    case 'magic':
      return magicText(field.octets);
    case 'constant':
      return `${field.type} = ${field.value}`;
    case 'flags':
      return `${field.type} flags`;
    case 'reserved':
      return `reserved(${field.bytes})`;
    case 'align':
      return `pad(${field.to})`;
    case 'letter':
      return `letter ${field.letters.join('')}`;
    case 'octets':
      return `octets[${field.length}]`;
    case 'cstring':
      return field.uncounted ? `octets[${field.length}], then NUL` : `octets[${field.length}] with NUL`;
    case 'terminated':
      return 'octets up to NUL';
    case 'rest':
      return 'octets to the end';
    case 'list':
      return `list[${field.count}]`;
    case 'table':
      return `u32[${Object.values(field.lists).join('+')}], then as many names with NUL`;
    case 'variant':
      return `one of ${Object.entries(field.cases)
        .map(([kind, one]) => `${kind} (${field.on} ${one.tag})`)
        .join(', ')}`;
    case 'optional':
      return `${field.align > 1 ? `pad(${field.align}), ` : ''}${field.of} if ${field.flags} bit ${field.bit}${
        field.when === undefined ? '' : ` and ${field.when.variant} is ${field.when.kind}`
      }`;
  }
}
