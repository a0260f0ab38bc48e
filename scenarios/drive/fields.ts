import { DOMID_FIRST_RESERVED } from '../../sim/index.ts';

/** The fields of a script's line, and what each may hold. Whatever is wrong is thrown as `NotUnderstood`, its field first. */
export type Fields = Readonly<Record<string, unknown>>;

/** Turned into the reason of a refusal at the one door of the parser. */
export class NotUnderstood extends Error {}

export function notUnderstood(reason: string): never {
  throw new NotUnderstood(reason);
}

export function shown(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value);
}

export function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isU32(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff;
}

export function domidIn(fields: Fields, key: string): number {
  const value = fields[key];
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < DOMID_FIRST_RESERVED) return value;
  notUnderstood(`${key}: a domid is a whole number from 0 to ${DOMID_FIRST_RESERVED - 1}, not ${shown(value)}`);
}

export function nameIn(fields: Fields, key: string): string {
  const value = fields[key];
  if (typeof value === 'string' && value !== '') return value;
  notUnderstood(`${key}: must be a string that is not empty, not ${shown(value)}`);
}

export function u32In(fields: Fields, key: string): number {
  const value = fields[key];
  return isU32(value) ? value : notUnderstood(`${key}: must be a number of 32 bits, not ${shown(value)}`);
}

export function truthIn(fields: Fields, key: string): boolean | undefined {
  const value = fields[key];
  if (value === undefined || value === true || value === false) return value;
  notUnderstood(`${key}: must be true or false, not ${shown(value)}`);
}

/** A count, from `least` on. */
export function countIn(fields: Fields, key: string, least: number): number {
  const value = fields[key];
  if (isU32(value) && value >= least) return value;
  notUnderstood(`${key}: must be a whole number from ${least}, not ${shown(value)}`);
}

export function wordIn<T extends string>(fields: Fields, key: string, words: readonly T[]): T {
  const value = fields[key];
  return (
    words.find((word) => word === value) ??
    notUnderstood(`${key}: must be one of ${words.join(', ')}, not ${shown(value)}`)
  );
}

/** One code point an octet. */
export function octetsIn(fields: Fields, key: string): Uint8Array {
  const value = fields[key];
  if (typeof value !== 'string') notUnderstood(`${key}: must be a string of octets, not ${shown(value)}`);
  const octets = new Uint8Array(value.length);
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i);
    if (unit > 0xff) notUnderstood(`${key}: U+${unit.toString(16).toUpperCase().padStart(4, '0')} at ${i} is no octet`);
    octets[i] = unit;
  }
  return octets;
}
