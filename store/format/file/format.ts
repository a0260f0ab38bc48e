import type { RecordSchema } from '../codec/compile.ts';
import type { FormatFailure, Reader, Writer } from '../schema/cursor.ts';
import { DEFAULT_KNOBS, type Knobs } from '../schema/knobs.ts';
import type { Rule } from '../schema/rules.ts';
import type { Layout } from '../schema/schema.ts';

/** What follows the content of a record when it is not what a daemon writes, i.e. zeroes counted by `len`. */
export interface RecordTail {
  /** Octets between the end of the content and the end that `len` tells. */
  readonly slack: Uint8Array;
  /** Octets between that end and the next multiple of 8. */
  readonly pad: Uint8Array;
}

/** A decoded record of any format: `kind` is its layout's name, the other properties are its fields. */
export interface FormatRecord {
  readonly kind: string;
  /** Only where it differs from zeroes up to a multiple of 8, all counted by `len`. */
  readonly tail?: RecordTail;
}

/** A layout with its codec, whatever its record. */
export interface AnyRecord<R extends FormatRecord = FormatRecord> extends Layout {
  decode(reader: Reader): R | undefined;
  encode(writer: Writer, value: never): boolean;
}

/** One of several values, told by a knob; `undefined` = the format has none then. */
export interface Chosen<T> {
  readonly knob: keyof Knobs;
  readonly choices: Readonly<Record<string, T | undefined>>;
}

/** One of several values, told by a knob: `chosen('g1StoredNul', { false: plain, true: stored })`. */
export function chosen<T>(knob: keyof Knobs, choices: Readonly<Record<string, T | undefined>>): Chosen<T> {
  return { knob, choices };
}

/** The header of a file. Its layout is read in the byte order that it announces. */
export interface HeaderRule {
  readonly layout: AnyRecord;
  /** Names the field that tells the version, if one does. */
  readonly version?: string;
  /** Names the field and the bit that mean: big endian from here on. The other bits of the field must be zero. */
  readonly byteOrder?: { readonly field: string; readonly bit: number };
}

/**
 * How a record is told from the next one. `typed`: a header of type and length, then padding to a multiple of 8.
 * `bare`: the body begins with its type and ends where its layout does. `wrapped`: a bare body inside a typed record
 * whose type is always `type`.
 */
export type Framing =
  | { readonly how: 'typed' }
  | { readonly how: 'bare' }
  | { readonly how: 'wrapped'; readonly type: number };

/** Records of one stage come before those of the next; inside a stage, as they come. */
export interface Stage {
  readonly of: readonly string[];
  /** NODE_DATA only: the committed nodes with an @name, the other committed ones, or the pending ones. */
  readonly nodes?: 'special' | 'tree' | 'pending';
}

/**
 * What records of a kind of one's own say of a daemon's state, which is a word of the conversion between formats and not of
 * files: made by `meaning` there.
 */
export interface Meaning {
  /** Kind of the records. */
  readonly kind: string;
  /** Rows of the state that they carry. */
  readonly carries: readonly string[];
  readonly encode: (at: never) => readonly object[];
  readonly decode: (record: never, at: never) => void;
}

/** A format as a value: from it come decoding, encoding, annotation, validation, generation and documentation. */
export interface Format {
  /** `G4.1`, `C-4.22`. */
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly title: string;
  /** Where the facts come from: a document, a commit, a release. */
  readonly source: string;
  readonly status: 'draft' | 'document' | 'daemon' | 'prototype' | 'own';
  readonly note: string;
  /** Paragraphs about what it is for, which come first in its specification. */
  readonly about?: readonly string[];
  /** For a daemon: the generation whose bytes it speaks. */
  readonly generation?: string;
  readonly header?: HeaderRule;
  /** Versions read; the first is written unless told otherwise. Empty = the format has none. */
  readonly versions: readonly number[];
  readonly framing: Framing | Chosen<Framing>;
  readonly records: readonly (AnyRecord | Chosen<AnyRecord>)[];
  /** The record that ends a file; absent = the end of the file does. */
  readonly end?: string;
  readonly rules: readonly Rule[];
  /** Of records whose kinds no format here has; without one they are read and written, and mean nothing. */
  readonly meanings?: readonly Meaning[];
  /** The order in which its daemon writes; for a document, an order that it allows. */
  readonly order: readonly Stage[];
  /** Where its choices, as written, differ from the defaults. */
  readonly knobs: Partial<Knobs>;
  /** Where its reader differs from `knobs`: what a daemon of this kind does with a file. */
  readonly reads?: Partial<Knobs>;
}

/** A decoded file. Decoding and encoding it again gives the octets that were read. */
export interface FormatFile {
  /** Fields of the header without the byte order's bit; empty when there is no header. */
  readonly header: Readonly<Record<string, unknown>>;
  readonly byteOrder: 'little' | 'big';
  readonly records: readonly FormatRecord[];
  /** Octets behind the last record; absent when there are none. */
  readonly trailing?: Uint8Array;
}

export type DecodedFile =
  | { readonly ok: true; readonly file: FormatFile }
  | { readonly ok: false; readonly failure: FormatFailure };
export type EncodedFile =
  | { readonly ok: true; readonly octets: Uint8Array }
  | { readonly ok: false; readonly failure: FormatFailure };

/** Whether the value stands for a choice. */
function isChosen<T extends object>(value: T | Chosen<T>): value is Chosen<T> {
  return 'knob' in value;
}

/** The value that the knobs choose. */
export function pick<T extends object>(value: T | Chosen<T>, knobs: Knobs): T | undefined {
  return isChosen(value) ? value.choices[String(knobs[value.knob])] : value;
}

/** All values that some choice can give. */
export function choicesOf<T extends object>(value: T | Chosen<T>): readonly T[] {
  return isChosen(value) ? Object.values(value.choices).filter((one) => one !== undefined) : [value];
}

/** The format's knobs with the caller's over them. */
export function knobsOf(format: Format, knobs: Partial<Knobs> = {}): Knobs {
  return { ...DEFAULT_KNOBS, ...format.knobs, ...knobs };
}

/** The knobs of the format's own reader. */
export function readerKnobs(format: Format, knobs: Partial<Knobs> = {}): Knobs {
  return knobsOf(format, { ...format.reads, ...knobs });
}

/** The records of a format under these knobs. */
export function recordsOf(format: Format, knobs: Knobs): readonly AnyRecord[] {
  return format.records.flatMap((one) => pick(one, knobs) ?? []);
}

/** What a new format has instead of, or besides, those of the format it builds on. */
export type Changes = Omit<Partial<Format>, 'records' | 'rules'> & {
  readonly name: string;
  /** Replace those of the same name; others are added. */
  readonly records?: Format['records'];
  /** Names of records that the new format does not have. */
  readonly without?: readonly string[];
  /** Replace those of the same name; others are added. */
  readonly rules?: readonly Rule[];
};

/** A format that is another one but for these changes. */
export function extend(base: Format, changes: Changes): Format {
  const { records = [], rules = [], without = [], ...others } = changes;
  const nameOf = (one: AnyRecord | Chosen<AnyRecord>) => choicesOf(one)[0]?.name ?? '';
  const replaced = new Set([...records.map(nameOf), ...without]);
  const newRules = new Set(rules.map((one) => one.rule));
  const { aliases: _, generation: __, ...kept } = base;
  return {
    ...kept,
    status: 'own',
    ...others,
    knobs: { ...base.knobs, ...changes.knobs },
    records: [...base.records.filter((one) => !replaced.has(nameOf(one))), ...records],
    rules: [...base.rules.filter((one) => !newRules.has(one.rule)), ...rules],
  };
}

/** A header's rule; `layout` is a record that is never numbered. */
export function headerRule<V extends FormatRecord>(
  layout: RecordSchema<V>,
  told: Omit<HeaderRule, 'layout'> = {},
): HeaderRule {
  return { layout, ...told };
}

/** Whether a record has its place in the stage. */
export function isOfStage(record: FormatRecord, stage: Stage): boolean {
  if (!stage.of.includes(record.kind)) return false;
  if (stage.nodes === undefined) return true;
  const { connId, path } = record as { connId?: unknown; path?: unknown };
  if (connId !== 0) return stage.nodes === 'pending';
  const isSpecial = path instanceof Uint8Array && path[0] === 0x40;
  return stage.nodes === (isSpecial ? 'special' : 'tree');
}

/** The records in the order of the format's stages, those of one stage as they come; what has no stage comes last but the end. */
export function inFormatOrder(format: Format, records: readonly FormatRecord[]): FormatRecord[] {
  const rank = (record: FormatRecord) => {
    if (record.kind === format.end) return format.order.length + 1;
    const found = format.order.findIndex((stage) => isOfStage(record, stage));
    return found < 0 ? format.order.length : found;
  };
  return records.toSorted((a, b) => rank(a) - rank(b));
}
