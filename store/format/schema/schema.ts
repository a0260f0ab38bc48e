import type { IntType } from './cursor.ts';

/**
 * The layout language. A record's layout is one value: an ordered list of named fields. From it come the codec in
 * both directions (compile.ts), the annotated walk (rows.ts) and descriptions (describe.ts).
 *
 * A field that another one names as its length, count or tag is derived: it does not appear in the decoded value, is
 * computed when written and checked when read. Fields that formats declare to be zero appear in the decoded value
 * only when they are not, so that the garbage of a real daemon is written back as it was.
 */
export type Field =
  | IntField<IntType>
  | ConstantField
  | MagicField
  | FlagsField
  | ReservedField
  | AlignField
  | LetterField<string>
  | OctetsField<string>
  | CStringField<string>
  | TerminatedField
  | RestField
  | ListField<string, Fields>
  | TableField<Readonly<Record<string, string>>>
  | VariantField<string, Cases>
  | OptionalField<IntType>;

/** Fields in the order of the bytes. Names must be identifiers (never integer-like: those would move to the front). */
export type Fields = { readonly [name: string]: Field };
/** The alternatives of a variant: `kind` of the decoded value to its tag and fields. */
export type Cases = { readonly [kind: string]: { readonly tag: number; readonly fields: Fields } };

interface Noted {
  /** One sentence for documentation. */
  readonly note?: string;
  /** Means something from this version of the image on; in earlier ones written zero and ignored when read. */
  readonly since?: number;
  /** What the document calls it, where that is another name. */
  readonly called?: string;
}

/** A number, or a bigint for u64. */
export interface IntField<T extends IntType> extends Noted {
  readonly what: 'int';
  readonly type: T;
  /** Smallest value allowed; smaller ones are failures both ways. */
  readonly min?: number;
  /** Byte order where it is not the one that the image announces. */
  readonly order?: 'big' | 'little';
}
/** A number that is always the same; anything else read is a failure. Not in the decoded value. */
export interface ConstantField extends Noted {
  readonly what: 'constant';
  readonly type: Exclude<IntType, 'u64'>;
  readonly value: number;
}
/** Octets that are always the same; anything else read is a failure. Not in the decoded value. */
export interface MagicField extends Noted {
  readonly what: 'magic';
  readonly octets: readonly number[];
}
/** Presence bits of `optional` parts. Decoded: the remaining bits, only when non-zero. */
export interface FlagsField extends Noted {
  readonly what: 'flags';
  readonly type: 'u8' | 'u16' | 'u32';
}
/** `bytes` octets without meaning. Decoded only when non-zero: a number for 1, 2 and 4 octets, else octets. */
export interface ReservedField extends Noted {
  readonly what: 'reserved';
  readonly bytes: number;
}
/** Zeroes up to a multiple of `to`, counted from the start of the body. Decoded (octets) only when non-zero. */
export interface AlignField extends Noted {
  readonly what: 'align';
  readonly to: 2 | 4 | 8;
}
/** One octet that stands for a letter. An unknown octet reads as `otherwise` and is kept as `<name>Octet`. */
export interface LetterField<L extends string> extends Noted {
  readonly what: 'letter';
  readonly letters: readonly L[];
  readonly otherwise: L;
}
/** `length` octets. Decoded: a window on the input, or a common empty one. */
export interface OctetsField<R extends string> extends Noted {
  readonly what: 'octets';
  readonly length: R;
}
/** `length` octets of which the last is NUL. Decoded without it. */
export interface CStringField<R extends string> extends Noted {
  readonly what: 'cstring';
  /** Counts the NUL, unless `uncounted`. */
  readonly length: R;
  /** The NUL is stored behind the `length` octets. */
  readonly uncounted?: boolean;
}
/** Octets up to a NUL, which no length tells. Decoded without it. */
export interface TerminatedField extends Noted {
  readonly what: 'terminated';
}
/** All octets up to the end of the body. */
export interface RestField extends Noted {
  readonly what: 'rest';
}
/** `count` times the same fields. */
export interface ListField<R extends string, F extends Fields> extends Noted {
  readonly what: 'list';
  readonly count: R;
  readonly of: F;
}
/**
 * Several lists of (name, value) stored by columns: first the u32 values of all lists, then all names, each ending in
 * NUL. `lists` maps the name of a list in the decoded value to its count field. An empty name is a failure: it could
 * not be told from padding.
 */
export interface TableField<L extends Readonly<Record<string, string>>> extends Noted {
  readonly what: 'table';
  readonly lists: L;
}
/** One of several layouts, told by the tag field `on`. Decoded: an object with the literal `kind`. */
export interface VariantField<R extends string, C extends Cases> extends Noted {
  readonly what: 'variant';
  readonly on: R;
  readonly cases: C;
}
/** A trailing integer that is there when `bit` of `flags` is set and the variant `when` (if any) is of that kind. */
export interface OptionalField<T extends IntType> extends Noted {
  readonly what: 'optional';
  readonly flags: string;
  readonly bit: number;
  readonly when?: { readonly variant: string; readonly kind: string };
  /** Zeroes before it, as `align`; kept as `<name>Pad` when not zero. */
  readonly align: 1 | 2 | 4 | 8;
  readonly of: T;
}

/** Names of the fields that others refer to, and which are therefore derived. */
type Derived<F extends Fields> = {
  [K in keyof F]: F[K] extends { readonly length: infer R }
    ? R
    : F[K] extends { readonly count: infer R }
      ? R
      : F[K] extends { readonly on: infer R }
        ? R
        : F[K] extends { readonly lists: infer L }
          ? L[keyof L]
          : never;
}[keyof F];

type IntValue<T extends IntType> = T extends 'u64' ? bigint : number;

type Required<X> =
  X extends IntField<infer T>
    ? IntValue<T>
    : X extends LetterField<infer L>
      ? L
      : X extends { readonly what: 'octets' | 'cstring' | 'terminated' | 'rest' }
        ? Uint8Array
        : X extends ListField<string, infer F>
          ? readonly ValueOf<F>[]
          : X extends VariantField<string, infer C>
            ? { [K in keyof C & string]: { readonly kind: K } & ValueOf<C[K]['fields']> }[keyof C & string]
            : never;

type Maybe<X> = X extends { readonly what: 'flags' }
  ? number
  : X extends { readonly what: 'reserved'; readonly bytes: infer N }
    ? N extends 1 | 2 | 4
      ? number
      : Uint8Array
    : X extends { readonly what: 'align' }
      ? Uint8Array
      : X extends OptionalField<infer T>
        ? IntValue<T>
        : never;

type TableEntry = { readonly name: Uint8Array; readonly value: number };
type Spread<F extends Fields> = {
  readonly [K in {
    [N in keyof F]: F[N] extends TableField<infer L> ? keyof L : never;
  }[keyof F]]: readonly TableEntry[];
};

/** Decoded form of a list of fields. */
export type ValueOf<F extends Fields> = {
  readonly [K in keyof F as K extends Derived<F> ? never : [Required<F[K]>] extends [never] ? never : K]: Required<
    F[K]
  >;
} & { readonly [K in keyof F as [Maybe<F[K]>] extends [never] ? never : K]?: Maybe<F[K]> } & {
  readonly [K in keyof F & string as F[K] extends { readonly what: 'letter' } ? `${K}Octet` : never]?: number;
} & {
  readonly [K in keyof F & string as F[K] extends { readonly what: 'optional' } ? `${K}Pad` : never]?: Uint8Array;
} & Spread<F>;

/** The layout of a record type: its name, its number and its body. */
export interface Layout {
  readonly name: string;
  /** Number of the type in the record header. */
  readonly type: number;
  readonly fields: Fields;
  readonly note: string;
  /** Version of the image from which on the record belongs to it. */
  readonly since?: number;
  /** So many octets are counted by the record header's length although the writer leaves them out. */
  readonly unwritten?: number;
}

export const u8: IntField<'u8'> = { what: 'int', type: 'u8' };
export const u16: IntField<'u16'> = { what: 'int', type: 'u16' };
export const u32: IntField<'u32'> = { what: 'int', type: 'u32' };
export const u64: IntField<'u64'> = { what: 'int', type: 'u64' };
export const i32: IntField<'i32'> = { what: 'int', type: 'i32' };
export const rest: RestField = { what: 'rest' };
export const terminated: TerminatedField = { what: 'terminated' };

/** The same field with a sentence of documentation. */
export function note<X extends Field>(field: X, text: string): X {
  return { ...field, note: text };
}
/** The same field, which the document calls by another name. */
export function called<X extends Field>(name: string, field: X): X {
  return { ...field, called: name };
}
export function atLeast<T extends 'u8' | 'u16' | 'u32' | 'i32'>(min: number, field: IntField<T>): IntField<T> {
  return { ...field, min };
}
/** The same integer in a byte order of its own, whatever the image announces. */
export function bigEndian<T extends IntType>(field: IntField<T>): IntField<T> {
  return { ...field, order: 'big' };
}
export function littleEndian<T extends IntType>(field: IntField<T>): IntField<T> {
  return { ...field, order: 'little' };
}
/** The same field or record, which belongs to the image from `version` on only. */
export function since<X extends Field | Layout>(version: number, what: X): X {
  return { ...what, since: version };
}
/** The octets of an ASCII text, always the same. */
export function magic(text: string): MagicField {
  return { what: 'magic', octets: Array.from(text, (one) => one.charCodeAt(0)) };
}
export function constant(type: ConstantField['type'], value: number): ConstantField {
  return { what: 'constant', type, value };
}
export function flags(type: FlagsField['type']): FlagsField {
  return { what: 'flags', type };
}
export function reserved<const N extends number>(bytes: N): ReservedField & { readonly bytes: N } {
  return { what: 'reserved', bytes };
}
export function align(to: AlignField['to']): AlignField {
  return { what: 'align', to };
}
export function letter<const L extends string>(letters: readonly L[], otherwise: NoInfer<L>): LetterField<L> {
  return { what: 'letter', letters, otherwise };
}
export function octets<const R extends string>(of: { readonly length: R }): OctetsField<R> {
  return { what: 'octets', length: of.length };
}
export function cstring<const R extends string>(of: { readonly length: R }): CStringField<R> {
  return { what: 'cstring', length: of.length };
}
/** `length` octets and a NUL that `length` does not count. */
export function nulString<const R extends string>(of: { readonly length: R }): CStringField<R> {
  return { what: 'cstring', length: of.length, uncounted: true };
}
export function list<const R extends string, F extends Fields>(of: { readonly count: R }, fields: F): ListField<R, F> {
  return { what: 'list', count: of.count, of: fields };
}
export function table<const L extends Readonly<Record<string, string>>>(lists: L): TableField<L> {
  return { what: 'table', lists };
}
export function variant<const R extends string, C extends Cases>(of: { readonly on: R }, cases: C): VariantField<R, C> {
  return { what: 'variant', on: of.on, cases };
}
export function optional<T extends IntType>(
  when: Pick<OptionalField<T>, 'flags' | 'bit' | 'when' | 'align'>,
  of: IntField<T>,
): OptionalField<T> {
  return { what: 'optional', ...when, of: of.type };
}
