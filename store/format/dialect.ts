import type { RecordSchema } from './codec/compile.ts';
import { type Format, knobsOf, recordsOf } from './file/format.ts';
import { g32 } from './generations/g3-2.ts';
import { g41 } from './generations/g4-1.ts';
import type { KnownRecord } from './generations/records.ts';

/** The schema of one of the records. */
export type StateSchema = {
  [K in KnownRecord['kind']]: RecordSchema<Extract<KnownRecord, { readonly kind: K }>>;
}[KnownRecord['kind']];

/**
 * A format as the store reads and writes it, with the types of its records: what `RecordReader` and `ImageWriter` go by.
 * The version word alone does not tell: G3.0, G3.1 and G3.2 all say 1.
 */
export interface Dialect {
  readonly name: string;
  /** Name of the generation in the history of the format. */
  readonly generation: string;
  /** Version written by default. */
  readonly version: number;
  /** Versions read, and also written when asked for. */
  readonly versions: readonly number[];
  readonly records: readonly StateSchema[];
}

/** Records of other kinds than those of `KnownRecord` have no type here: only these two formats have just those. */
function dialectOf(name: string, format: Format): Dialect {
  const [version = 0] = format.versions;
  const records = recordsOf(format, knobsOf(format)) as readonly object[] as readonly StateSchema[];
  return { name, generation: format.name, version, versions: format.versions, records };
}

/** Version 1, as the C daemons of 4.15 to 4.20 have it. */
export const v1: Dialect = dialectOf('v1', g32);

/** Version 2, as the C daemon of 4.22 has it, but WATCH_DATA_EXTENDED as documented. */
export const v2: Dialect = dialectOf('v2', g41);

/** A record schema whatever its record: the caller vouches for the kind. */
export type AnySchema = RecordSchema<KnownRecord>;

/** The dialect's schemas by the number in the record header. */
export function schemasByType(dialect: Dialect): readonly (AnySchema | undefined)[] {
  const found: (AnySchema | undefined)[] = [];
  for (const schema of dialect.records) found[schema.type] = schema as unknown as AnySchema;
  return found;
}

/** The dialect's schemas by the `kind` of the decoded value. */
export function schemasByKind(dialect: Dialect): ReadonlyMap<string, AnySchema> {
  return new Map(dialect.records.map((schema) => [schema.name, schema as unknown as AnySchema]));
}
