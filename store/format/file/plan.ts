import { record } from '../codec/compile.ts';
import type { Knobs } from '../schema/knobs.ts';
import { rest } from '../schema/schema.ts';
import { fieldsBytes, fixedBytes } from '../schema/sizes.ts';
import { type AnyRecord, type Format, type FormatRecord, type Framing, knobsOf, pick, recordsOf } from './format.ts';

/** Octets of type and length before a body that is not bare. */
export const RECORD_HEADER_BYTES = 8;

/**
 * What a format and its knobs come to: made once, and good for any number of files. `R` is what its records are known to
 * be, by whoever knows the format.
 */
export interface Plan<R extends FormatRecord = FormatRecord> {
  readonly format: Format;
  readonly knobs: Knobs;
  readonly framing: Framing;
  readonly byType: ReadonlyMap<number, AnyRecord<R>>;
  readonly byKind: ReadonlyMap<string, AnyRecord<R>>;
  /** The record that ends a file, if one does. */
  readonly end: AnyRecord<R> | undefined;
  /** Octets of the header, which are the same for each file; 0 when there is none. */
  readonly headerBytes: number;
}

export function planOf(format: Format, given: Partial<Knobs> = {}): Plan {
  const knobs = knobsOf(format, given);
  const records = recordsOf(format, knobs);
  const byKind = new Map(records.map((one) => [one.name, one]));
  return {
    format,
    knobs,
    framing: pick(format.framing, knobs) ?? { how: 'bare' },
    byType: new Map(records.map((one) => [one.type, one])),
    byKind,
    end: format.end === undefined ? undefined : byKind.get(format.end),
    headerBytes: fieldsBytes(format.header?.layout.fields ?? {}) ?? 0,
  };
}

/** A record whose type is not known; -1 is no type. */
export const unknownRecord = record('UNKNOWN', -1, { body: rest });

/** Whether `len` counts the padding of this record. An unknown record has no content to tell from padding. */
export function countsPad(plan: Plan, layout: AnyRecord | undefined): boolean {
  return layout !== undefined && plan.framing.how === 'typed' && plan.knobs.lenIncludesPad;
}

/** Offset of a header field. */
export function headerOffset(format: Format, name: string): number {
  let at = 0;
  for (const [field, layout] of Object.entries(format.header?.layout.fields ?? {})) {
    if (field === name) return at;
    at += fixedBytes(layout) ?? 0;
  }
  return 0;
}

export function upTo8(n: number): number {
  return n + (-n & 7);
}
