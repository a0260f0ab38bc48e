import { type AnyRecord, type Format, knobsOf, readerKnobs, recordsOf } from '../file/format.ts';
import type { Knobs } from '../schema/knobs.ts';
import { compareFields, type FieldsDiff } from './fields.ts';

/** A format as it writes and as it reads. */
export interface Side {
  readonly format: Format;
  readonly writes: Knobs;
  readonly reads: Knobs;
  /** What its writer writes. */
  readonly records: readonly AnyRecord[];
}

export function sideOf(format: Format): Side {
  const writes = knobsOf(format);
  return { format, writes, reads: readerKnobs(format), records: recordsOf(format, writes) };
}

/** Two records that stand for each other, and how their layouts differ. */
export interface RecordPair {
  readonly old: AnyRecord;
  readonly fresh: AnyRecord;
  readonly diff: FieldsDiff;
}

/** Two formats side by side. */
export interface Both {
  readonly old: Side;
  readonly fresh: Side;
  readonly pairs: readonly RecordPair[];
}

/** Records of the same name stand for each other, then those of the same number whose fields are the same. */
export function bothOf(oldFormat: Format, newFormat: Format): Both {
  const [old, fresh] = [sideOf(oldFormat), sideOf(newFormat)];
  const pairs: RecordPair[] = [];
  const pair = (a: AnyRecord, b: AnyRecord) =>
    pairs.push({ old: a, fresh: b, diff: compareFields(a.fields, b.fields) });
  for (const one of old.records) {
    const other = fresh.records.find(({ name }) => name === one.name);
    if (other !== undefined) pair(one, other);
  }
  for (const one of old.records) {
    if (pairs.some((known) => known.old === one)) continue;
    const other = fresh.records.find(({ type }) => type === one.type);
    if (other === undefined || pairs.some((known) => known.fresh === other)) continue;
    if (compareFields(one.fields, other.fields).changes.length === 0) pair(one, other);
  }
  return { old, fresh, pairs };
}
