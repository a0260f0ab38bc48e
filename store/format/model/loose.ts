import { PERM_LETTERS, PERM_STALE } from '../generations/records.ts';
import type { Assumption } from './losses.ts';
import type { AclEntry } from './state.ts';

/** A record of any format: fields that a format does not have are absent when read, and ignored when written. */
export interface LooseRecord {
  readonly kind: string;
  readonly [field: string]: unknown;
}

export interface RecordsOfState {
  readonly records: readonly LooseRecord[];
  /** What the format wants and the state does not know. */
  readonly assumptions: readonly Assumption[];
}

const NOTHING = new Uint8Array(0);

type Fields = { readonly [field: string]: unknown };

/** A number, or undefined where the format has none of that name. */
export function maybeNumber(record: Fields, field: string): number | undefined {
  const value = record[field];
  return typeof value === 'number' ? value : undefined;
}

/** A number; 0 where there is none. */
export function num(record: Fields, field: string): number {
  return maybeNumber(record, field) ?? 0;
}

/** Octets; none where there are none. */
export function octets(record: Fields, field: string): Uint8Array {
  const value = record[field];
  return value instanceof Uint8Array ? value : NOTHING;
}

/** Objects in a list. */
export function list(record: Fields, field: string): readonly Fields[] {
  const value = record[field];
  return Array.isArray(value) ? value : [];
}

/** The entries of a record's `perms`. */
export function aclOf(record: Fields): AclEntry[] {
  return list(record, 'perms').map((perm) => ({
    letter: PERM_LETTERS.find((letter) => letter === perm.letter) ?? 'n',
    domid: num(perm, 'domid'),
    stale: (num(perm, 'flags') & PERM_STALE) !== 0,
  }));
}

export function permsOf(acl: readonly AclEntry[]): readonly Fields[] {
  return acl.map(({ letter, domid, stale }) => ({ letter, domid, flags: stale ? PERM_STALE : 0 }));
}
