import type { Format } from './file/format.ts';
import { type Plan, planOf } from './file/plan.ts';
import { FileReader } from './file/reader.ts';
import { FileWriter } from './file/writer.ts';
import { g32 } from './generations/g3-2.ts';
import { g41 } from './generations/g4-1.ts';
import type { StateRecord } from './generations/records.ts';
import type { FormatResult } from './schema/cursor.ts';

// Versions 1 and 2 of the state image are G3.2 and G4.1, which have just the records of `StateRecord`: nothing else is
// special about them. Files of a million records go through `FileReader`, `FileWriter` and `recordsInPieces`.

/** A format as the store reads and writes it. The version word alone does not tell: G3.0, G3.1 and G3.2 all say 1. */
export interface Dialect extends Plan<StateRecord> {
  readonly name: string;
  /** Version written by default. */
  readonly version: number;
}

function dialectOf(name: string, version: number, format: Format): Dialect {
  return { ...(planOf(format) as object as Plan<StateRecord>), name, version };
}

/** Version 1, as the C daemons of 4.15 to 4.20 have it. */
export const v1: Dialect = dialectOf('v1', 1, g32);

/** Version 2, as the C daemon of 4.22 has it, but WATCH_DATA_EXTENDED as documented. Also read under version 1. */
export const v2: Dialect = dialectOf('v2', 2, g41);

/** A state image. The last record is END. */
export interface StateImage {
  readonly version: number;
  readonly bigEndian: boolean;
  readonly records: readonly StateRecord[];
  /** Octets after END, which daemons do not look at; absent when there are none. */
  readonly trailing?: Uint8Array;
}

/** `decodeFile` of these two formats. The dialect is v2 by default, which also reads what 4.15 and later wrote. */
export function decodeImage(bytes: Uint8Array, dialect: Dialect = v2): FormatResult<StateImage> {
  const reader = new FileReader(dialect, bytes);
  const records: StateRecord[] = [];
  for (let record = reader.next(); record !== undefined; record = reader.next()) records.push(record);
  if (reader.failure !== undefined) return { ok: false, failure: reader.failure };
  const { version = 0, byteOrder } = reader.header ?? {};
  const image: StateImage = { version, bigEndian: byteOrder === 'big', records };
  return { ok: true, value: reader.pos === bytes.length ? image : { ...image, trailing: bytes.subarray(reader.pos) } };
}

/** `encodeFile` of these two formats. */
export function encodeImage(image: StateImage, dialect: Dialect = v2): FormatResult<Uint8Array> {
  const { version, bigEndian, records, trailing } = image;
  const byteOrder = bigEndian ? 'big' : 'little';
  const writer = new FileWriter(dialect, { header: { version }, byteOrder, capacity: 64 + records.length * 64 });
  for (const record of records) {
    const failure = writer.append(record);
    if (failure !== undefined) return { ok: false, failure };
  }
  return writer.finish(trailing);
}
