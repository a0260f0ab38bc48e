import { type Row, rows } from '../codec/rows.ts';
import type { FormatFailure } from '../schema/cursor.ts';
import type { Knobs } from '../schema/knobs.ts';
import type { Format } from './format.ts';
import { planOf } from './plan.ts';
import { FileReader } from './reader.ts';

/** Some octets of a file and what they are. */
export interface FileRow {
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** `perms[0].domid`; `slack`, `pad`, `unread`, `trailing`. */
  readonly path: string;
  /** The number they make, if they make one. */
  readonly value?: number | bigint;
  readonly meaning: string;
  /** Number of the record, -1 = the file's header; and the name of its type. */
  readonly record: number;
  readonly name: string;
}

export interface Annotation {
  readonly rows: readonly FileRow[];
  readonly failure?: FormatFailure;
}

const RECORD_HEADER = {
  fields: {
    type: { what: 'int', type: 'u32', note: 'Type of the record.' },
    len: { what: 'int', type: 'u32', note: 'Of the body; the daemons count the padding, the document does not.' },
  },
} as const;

/** Rows one at a time; returns why the file cannot be read to its end. */
export type FileRows = Generator<FileRow, FormatFailure | undefined, void>;

/** Explain a file: rows in the order of the octets, each octet in exactly one, whatever the file is. */
export function annotateFile(
  format: Format,
  octets: Uint8Array,
  knobs: Partial<Knobs> = {},
  byteOrder: 'little' | 'big' = 'little',
): Annotation {
  return collected(fileRows(format, octets, knobs, byteOrder));
}

/** All rows, for files that are not large. */
export function collected(each: FileRows): Annotation {
  const rows: FileRow[] = [];
  for (let next = each.next(); ; next = each.next()) {
    if (next.done) return next.value === undefined ? { rows } : { rows, failure: next.value };
    rows.push(next.value);
  }
}

/** The same, one row at a time, so that a large file can be explained in little memory. */
export function* fileRows(
  format: Format,
  octets: Uint8Array,
  knobs: Partial<Knobs> = {},
  byteOrder: 'little' | 'big' = 'little',
): FileRows {
  const plan = planOf(format, knobs);
  const reader = new FileReader(plan, octets, { byteOrder });
  let told = 0;
  const add = function* (row: Row, record: number, name: string): Generator<FileRow, void, void> {
    if (row.length === 0) return;
    const { offset, path, value, note } = row;
    const bytes = octets.subarray(offset, offset + row.length);
    const number = typeof value === 'object' ? {} : { value };
    told = offset + bytes.length;
    yield { offset, bytes, path, ...number, meaning: note, record, name };
  };
  const piece = (path: string, from: number, to: number, record: number, name: string, note: string) =>
    add({ offset: from, length: to - from, path, value: octets.subarray(from, to), note }, record, name);
  const littleEndian = (reader.header?.byteOrder ?? byteOrder) === 'little';
  if (reader.header !== undefined && format.header !== undefined)
    for (const row of rows(format.header.layout, octets, { littleEndian, end: plan.headerBytes }).rows)
      yield* add(row, -1, 'header');
  while (!reader.ended && reader.failure === undefined) {
    const from = reader.pos;
    const record = reader.next();
    if (record === undefined && reader.failure === undefined) break;
    const { body, layout, index, failure } = reader;
    const name = layout?.name ?? (record === undefined ? '' : `type ${(record as { type?: number }).type ?? ''}`);
    if (body > from)
      for (const row of rows(RECORD_HEADER, octets, { littleEndian, start: from, end: body }).rows)
        yield* add(row, index, name);
    if (record === undefined) {
      // A body that cannot be read is explained up to where it fails.
      const end = reader.len === undefined || layout?.unwritten !== undefined ? octets.length : body + reader.len;
      if (layout !== undefined && failure !== undefined)
        for (const row of rows(layout, octets, { littleEndian, start: body, end }).rows) yield* add(row, index, name);
      break;
    }
    if (layout !== undefined)
      for (const row of rows(layout, octets, { littleEndian, start: body, end: reader.content }).rows)
        yield* add(row, index, name);
    const declared = layout?.unwritten === undefined && reader.len !== undefined ? body + reader.len : reader.pos;
    const content = layout === undefined ? body : reader.content;
    if (layout === undefined) yield* piece('body', body, declared, index, name, 'A type that is not known: skipped.');
    else yield* piece('slack', content, declared, index, name, 'Counted by len, not part of any field.');
    yield* piece('pad', declared, reader.pos, index, name, 'Up to a multiple of 8.');
  }
  const { failure } = reader;
  const [path, note] =
    failure === undefined ? ['trailing', 'Behind the end: no reader looks at it.'] : ['unread', failure.reason];
  yield* piece(
    path,
    told,
    octets.length,
    reader.index + (failure === undefined ? 1 : 0),
    failure?.name ?? 'trailing',
    note,
  );
  return failure;
}
