import type { RecordSchema } from './compile.ts';
import {
  connectionData,
  connectionDataV1,
  domainData,
  end,
  globalData,
  globalQuotaData,
  type KnownRecord,
  nodeData,
  type StateRecord,
  transactionData,
  watchData,
  watchDataExtended,
} from './records.ts';

/** The schema of one of the records. */
export type StateSchema = {
  [K in KnownRecord['kind']]: RecordSchema<Extract<KnownRecord, { readonly kind: K }>>;
}[KnownRecord['kind']];

/** What a daemon writes and reads. The version word alone does not tell: G3.0, G3.1 and G3.2 all say 1. */
export interface Dialect {
  readonly name: string;
  /** Name of the generation in the history of the format, and of the daemons that speak it. */
  readonly generation: string;
  readonly daemon: string;
  /** Version written by default. */
  readonly version: number;
  /** Versions read, and also written when asked for. */
  readonly versions: readonly number[];
  readonly records: readonly StateSchema[];
  /** Place of a record among the others: records are written in ascending order, equal ones as they come. */
  readonly rank: (record: StateRecord) => number;
}

const V1_RECORDS: readonly StateSchema[] = [end, globalData, connectionDataV1, watchData, transactionData, nodeData];

function isSpecial(path: Uint8Array): boolean {
  return path[0] === 0x40; // '@'
}

function rankOf(record: StateRecord, specialNodes: number): number {
  switch (record.kind) {
    case 'GLOBAL_DATA':
      return 0;
    case 'GLOBAL_QUOTA_DATA':
      return 1;
    case 'CONNECTION_DATA':
    case 'WATCH_DATA':
    case 'WATCH_DATA_EXTENDED':
    case 'TRANSACTION_DATA':
      return 2; // each connection with its own watches behind it, as they come
    case 'NODE_DATA':
      if (record.connId !== 0) return 6;
      return isSpecial(record.path) ? specialNodes : 4;
    case 'DOMAIN_DATA':
      return 7;
    case 'UNKNOWN':
      return 8;
    case 'END':
      return 9;
  }
}

/** Version 1 as the C daemons of 4.16 and 4.17 write it: special nodes before the tree. */
export const v1: Dialect = {
  name: 'v1',
  generation: 'G3.2',
  daemon: 'C-4.16',
  version: 1,
  versions: [1],
  records: V1_RECORDS,
  rank: (record) => rankOf(record, 3),
};

/** Version 2 as the C daemon of 4.22 writes it, special nodes after the tree; WATCH_DATA_EXTENDED as documented. */
export const v2: Dialect = {
  name: 'v2',
  generation: 'G4.1',
  daemon: 'C-4.22',
  version: 2,
  versions: [2, 1],
  records: [
    end,
    globalData,
    connectionData,
    watchData,
    transactionData,
    nodeData,
    globalQuotaData,
    domainData,
    watchDataExtended,
  ],
  rank: (record) => rankOf(record, 5),
};

/** The records in the order in which the dialect's daemon writes them; a new array, stable. */
export function inDialectOrder(records: readonly StateRecord[], dialect: Dialect): StateRecord[] {
  return records.toSorted((a, b) => dialect.rank(a) - dialect.rank(b));
}

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
