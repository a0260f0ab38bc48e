import type { FormatRecord } from '../file/format.ts';
import type { Fields } from '../schema/schema.ts';
import { derivedFields } from '../schema/sizes.ts';
import { escapeOctets } from '../schema/text.ts';
import { isInside } from './witness.ts';

/** One value of a record: `perms[1].domid`. */
interface Leaf {
  /** Without the numbers of list entries. */
  readonly path: string;
  readonly indexes: readonly number[];
  readonly text: string;
  readonly isEmpty: boolean;
}

/** What became of one value. Paths are those of the layout that wrote it or reads it. */
export interface Difference {
  readonly how: 'misread' | 'lost' | 'made up';
  readonly written?: string;
  readonly read?: string;
  readonly text: string;
  /** Of what is lost or made up: where, and what it is. */
  readonly place?: string;
  readonly value?: string;
}

/** All values of a record, padding left out. */
function leavesOf(fields: Fields, values: Readonly<Record<string, unknown>>): Leaf[] {
  const found: Leaf[] = [];
  walk(fields, values, '', [], found);
  return found;
}

function walk(
  fields: Fields,
  values: Readonly<Record<string, unknown>>,
  prefix: string,
  indexes: readonly number[],
  found: Leaf[],
): void {
  const derived = derivedFields(fields);
  const push = (path: string, value: unknown, at = indexes, more = '') =>
    found.push({ path, indexes: at, text: textOf(value) + more, isEmpty: isEmpty(value) });
  for (const [name, field] of Object.entries(fields)) {
    const value = values[name];
    const path = prefix + name;
    switch (field.what) {
      case 'table':
        for (const list of Object.keys(field.lists))
          for (const [i, entry] of (
            (values[list] ?? []) as readonly { readonly name: unknown; readonly value: unknown }[]
          ).entries()) {
            push(`${prefix}${list}.name`, entry.name, [...indexes, i]);
            push(`${prefix}${list}.value`, entry.value, [...indexes, i]);
          }
        break;
      case 'list':
        for (const [i, entry] of ((value ?? []) as readonly Readonly<Record<string, unknown>>[]).entries())
          walk(field.of, entry, `${path}[].`, [...indexes, i], found);
        break;
      case 'variant': {
        const { kind, ...inner } = value as { readonly kind: string };
        found.push({ path: `${path}.${kind}`, indexes, text: '(the alternative)', isEmpty: false });
        const one = field.cases[kind];
        if (one !== undefined) walk(one.fields, inner, `${path}.${kind}.`, indexes, found);
        break;
      }
      case 'letter': {
        const octet = values[`${name}Octet`];
        push(path, value, indexes, octet === undefined ? '' : ` (octet ${octet})`);
        break;
      }
      case 'reserved':
      case 'align':
      case 'flags':
      case 'constant':
      case 'magic':
        break;
      default:
        if (value !== undefined && !derived.has(name)) push(path, value);
    }
  }
}

function textOf(value: unknown): string {
  return value instanceof Uint8Array ? escapeOctets(value, 24) : String(value);
}

function isEmpty(value: unknown): boolean {
  return value === 0 || value === 0n || value === undefined || (value instanceof Uint8Array && value.length === 0);
}

function keyOf(path: string, indexes: readonly number[]): string {
  return `${path} ${indexes.join('.')}`;
}

function shown({ path, indexes }: Leaf): string {
  let i = 0;
  const text = path.replaceAll('[]', () => `[${indexes[i++] ?? 0}]`);
  // The entries of a table have no brackets in their paths.
  return i < indexes.length ? text.replace(/\.(name|value)$/, `[${indexes[i]}].$1`) : text;
}

/**
 * What of a record is not read as it was written.
 * @param same paths of values that mean the same: written to read
 */
export function differencesOf(
  written: { readonly fields: Fields; readonly record: FormatRecord },
  read: { readonly fields: Fields; readonly record: FormatRecord },
  same: ReadonlyMap<string, string>,
): Difference[] {
  const [before, after] = [written, read].map(({ fields, record }) =>
    leavesOf(fields, record as unknown as Readonly<Record<string, unknown>>),
  ) as [Leaf[], Leaf[]];
  const there = new Map(after.map((leaf) => [keyOf(leaf.path, leaf.indexes), leaf]));
  const found: Difference[] = [];
  for (const leaf of before) {
    const path = same.get(leaf.path);
    const other = path === undefined ? undefined : there.get(keyOf(path, leaf.indexes));
    if (other !== undefined) {
      there.delete(keyOf(other.path, other.indexes));
      if (other.text !== leaf.text)
        found.push({
          how: 'misread',
          written: leaf.path,
          read: other.path,
          text: `${shown(leaf)} written ${leaf.text}, read ${other.text}`,
        });
    } else if (!leaf.isEmpty)
      found.push({
        how: 'lost',
        written: leaf.path,
        text: `${shown(leaf)} ${leaf.text} is lost`,
        place: shown(leaf),
        value: leaf.text,
      });
  }
  for (const leaf of there.values())
    if (!leaf.isEmpty)
      found.push({
        how: 'made up',
        read: leaf.path,
        text: `${shown(leaf)} read ${leaf.text}, never written`,
        place: shown(leaf),
        value: leaf.text,
      });
  return found;
}

/** Whether a difference shows at this place of the layout that wrote, or of the one that reads. */
export function isAt(difference: Difference, written: string | undefined, read: string | undefined): boolean {
  const touches = (path: string | undefined, place: string | undefined) =>
    place !== undefined && (isInside(path, place) || isInside(place, path ?? '\0'));
  return touches(difference.written, written) || touches(difference.read, read);
}
