import { INT_BYTES } from './cursor.ts';
import type { Field, Fields } from './schema.ts';

/** Size in octets of a field that is always the same size; `undefined` for the others. */
export function fixedBytes(field: Field): number | undefined {
  switch (field.what) {
    case 'int':
    case 'constant':
    case 'flags':
      return INT_BYTES[field.type];
    case 'letter':
      return 1;
    case 'magic':
      return field.octets.length;
    case 'reserved':
      return field.bytes;
    case 'variant': {
      const sizes = new Set(Object.values(field.cases).map((one) => fieldsBytes(one.fields)));
      return sizes.size === 1 ? [...sizes][0] : undefined;
    }
    case 'align':
    case 'octets':
    case 'cstring':
    case 'terminated':
    case 'rest':
    case 'list':
    case 'table':
    case 'optional':
      return undefined;
  }
}

/** Size of fields that are all of fixed size; `undefined` if one is not. */
export function fieldsBytes(fields: Fields): number | undefined {
  let sum = 0;
  for (const field of Object.values(fields)) {
    const size = fixedBytes(field);
    if (size === undefined) return undefined;
    sum += size;
  }
  return sum;
}

/** Fewest octets that the fields can take: what bounds a count before anything is allocated for it. */
export function leastBytes(fields: Fields): number {
  let sum = 0;
  for (const field of Object.values(fields))
    sum += fixedBytes(field) ?? (field.what === 'cstring' || field.what === 'terminated' ? 1 : 0);
  return sum;
}

/** Which field tells the length, count or tag of which other: derived field to the name of what it describes. */
export function derivedFields(fields: Fields): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [name, field] of Object.entries(fields)) {
    if (field.what === 'octets' || field.what === 'cstring') found.set(field.length, name);
    else if (field.what === 'list') found.set(field.count, name);
    else if (field.what === 'variant') found.set(field.on, name);
    else if (field.what === 'table')
      for (const [listName, count] of Object.entries(field.lists)) found.set(count, listName);
  }
  return found;
}
