import type { IntType } from '../schema/cursor.ts';
import type { Fields, LetterField, OptionalField, VariantField } from '../schema/schema.ts';
import { fixedBytes } from '../schema/sizes.ts';

// What the two compilers share.

/** Collects the lines of a function. */
export class Emitter {
  readonly lines: string[] = [];
  /** Values that the code refers to as K[n]; the first is a helper function. */
  readonly constants: unknown[];
  #names = 0;

  constructor(helper: (...args: never[]) => unknown) {
    this.constants = [helper];
  }

  emit(...lines: string[]): void {
    this.lines.push(...lines);
  }

  fresh(): string {
    return `x${this.#names++}`;
  }

  constant(value: unknown): string {
    return `K[${this.constants.push(value) - 1}]`;
  }
}

/** The byte order as an expression: the image's own, unless the field has one. */
export function orderOf(order: 'big' | 'little' | undefined): string {
  return order === undefined ? 'le' : String(order === 'little');
}

/** Where a field is, as an expression: `prefix` is '' or an expression for all that comes before the name. */
export function pathOf(prefix: string, name: string): string {
  return prefix === '' ? JSON.stringify(name) : `${prefix} + ${JSON.stringify(name)}`;
}

/** The name itself, if it can stand in source text. */
export function identifier(name: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw new Error(`layout: ${JSON.stringify(name)} is not an identifier`);
  return name;
}

/** What must be there, unless the layout makes no sense. */
export function need<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`layout: ${what}`);
  return value;
}

/** Splits fields into runs of fixed size, which need one bounds check, and single fields. */
export function runsOf(fields: Fields): { readonly names: string[]; readonly bytes: number }[] {
  const runs: { names: string[]; bytes: number; open: boolean }[] = [];
  for (const [name, field] of Object.entries(fields)) {
    // What tells one file from another is looked at before it is too short for what follows.
    const size = field.what === 'variant' || field.what === 'magic' ? undefined : fixedBytes(field);
    const last = runs.at(-1);
    if (size === undefined) runs.push({ names: [name], bytes: 0, open: false });
    else if (last?.open) {
      last.names.push(name);
      last.bytes += size;
    } else runs.push({ names: [name], bytes: size, open: true });
  }
  return runs;
}

/** The bits of a flags field that announce optional parts, and the condition under which each is in force. */
export function optionalsOf(fields: Fields, flagsName: string): { name: string; field: OptionalField<IntType> }[] {
  const found: { name: string; field: OptionalField<IntType> }[] = [];
  for (const [name, field] of Object.entries(fields))
    if (field.what === 'optional' && field.flags === flagsName) found.push({ name, field });
  return found;
}

/** The variant of that name. */
export function variantOf(fields: Fields, name: string): VariantField<string, never> {
  const field = fields[name];
  if (field?.what !== 'variant') throw new Error(`layout: ${name} is no variant`);
  return field as VariantField<string, never>;
}

/** Letters and the octets that they are. */
export function lettersOf(field: LetterField<string>): (readonly [letter: string, octet: number])[] {
  return field.letters.map((letter) => [letter, letter.charCodeAt(0)]);
}

/** Reserved fields that are read as one integer. */
export const RESERVED_INTS: Readonly<Record<number, IntType | undefined>> = { 1: 'u8', 2: 'u16', 4: 'u32' };

/** Mask of the presence bit. */
export function bitOf(field: OptionalField<IntType>): number {
  return (1 << field.bit) >>> 0;
}
