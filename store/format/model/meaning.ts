import type { RecordSchema } from '../codec/compile.ts';
import { choicesOf, type Format, type FormatRecord, type Meaning } from '../file/format.ts';
import { allFormats } from '../formats.ts';
import { STATE_ROWS, type StateRow } from './carriage.ts';
import type { ConnectionState, DaemonState, DomainState, NodeState, TouchedNode, TransactionState } from './state.ts';

// Records of kinds that no format here has: a format's module says with `meanings` what they are made of, and what a state has
// of them.

type Growing<T> = { -readonly [K in keyof T]: GrowingValue<T[K]> };
type GrowingValue<V> = V extends readonly (infer X)[] ? X[] : V;

/** A state that is being read: all that the other records say is there. What is found may be changed. */
export interface Reading {
  /** By the number that the file gives it. */
  readonly connection: (connId: number) => Growing<ConnectionState> | undefined;
  /** Its `events` are there, and empty, if records of the format carry them. */
  readonly transaction: (connId: number, txId: number) => Growing<TransactionState> | undefined;
  /** A committed node. */
  readonly node: (path: string) => Growing<NodeState> | undefined;
  /** A node as a transaction sees it. */
  readonly touched: (connId: number, txId: number, path: string) => Growing<TouchedNode> | undefined;
  readonly domain: (domid: number) => Growing<DomainState> | undefined;
}

/** A state that is being written, without what the format cannot carry. */
export interface Writing {
  readonly state: DaemonState;
  /** The number that its CONNECTION_DATA has. */
  readonly connId: (connection: ConnectionState) => number;
}

/**
 * What records of a new kind mean.
 * @param schema the record, as the format lists it
 * @param said.carries rows of the state that are no loss any more (`STATE_ROWS`)
 * @param said.encode the fields of one record each, in any order; no field, no record
 * @param said.decode called for each record, in the order of the file, when all others have been read
 */
export function meaning<V extends FormatRecord>(
  schema: RecordSchema<V>,
  said: {
    readonly carries: readonly StateRow[];
    readonly encode: (at: Writing) => readonly Omit<V, 'kind' | 'tail'>[];
    readonly decode: (record: V, at: Reading) => void;
  },
): Meaning {
  return { kind: schema.name, ...said };
}

/** A meaning as this room calls it; `formatFault` has seen that the parts are there. */
export interface Spoken {
  readonly kind: string;
  readonly carries: readonly StateRow[];
  readonly encode: (at: Writing) => readonly object[];
  readonly decode: (record: object, at: Reading) => void;
}

/** The meanings of a format. */
export function meaningsOf(format: Format): readonly Spoken[] {
  return (format.meanings ?? []) as readonly object[] as readonly Spoken[];
}

function kindsOf(format: Format): readonly string[] {
  return format.records.flatMap((one) => choicesOf(one)).map(({ name }) => name);
}

/** Kinds of records of which nothing here knows what they say. */
export function meaningless(format: Format): readonly string[] {
  const known = new Set([...allFormats().flatMap(kindsOf), ...meaningsOf(format).map(({ kind }) => kind)]);
  return [...new Set(kindsOf(format))].filter((kind) => !known.has(kind));
}

/** Why a format's meanings cannot be used, in half a sentence; `undefined` = they can. */
export function meaningsFault(format: Format): string | undefined {
  const { meanings = [] } = format;
  const kinds = new Set(kindsOf(format));
  for (const { kind, carries } of meanings) {
    if (!kinds.has(kind)) return `it says what ${kind} means, which is none of its records`;
    const odd = carries.find((row) => !(row in STATE_ROWS));
    if (odd !== undefined) return `${kind} carries ${odd}, which is no row of the state`;
  }
  if (meanings.length > 0 && !kinds.has('CONNECTION_DATA')) return 'meanings need connections that have numbers';
  return undefined;
}

/** What a meaning of somebody's own has thrown. */
export class MeaningFault extends Error {
  readonly kind: string;

  constructor(kind: string, what: 'encode' | 'decode', error: unknown) {
    super(`its ${what} has failed: ${error instanceof Error ? error.message : String(error)}`);
    this.kind = kind;
  }
}
