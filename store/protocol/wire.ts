import { copyOctets } from '../../sim/index.ts';
import { octetsOf, textOf } from './octets.ts';

/** Sizes. Source: xen/include/public/io/xs_wire.h. */
export const HEADER_BYTES = 16;
export const PAYLOAD_MAX = 4096;

/** Message types by name. Source: xen/include/public/io/xs_wire.h. */
export const XS = {
  CONTROL: 0,
  DIRECTORY: 1,
  READ: 2,
  GET_PERMS: 3,
  WATCH: 4,
  UNWATCH: 5,
  TRANSACTION_START: 6,
  TRANSACTION_END: 7,
  INTRODUCE: 8,
  RELEASE: 9,
  GET_DOMAIN_PATH: 10,
  WRITE: 11,
  MKDIR: 12,
  RM: 13,
  SET_PERMS: 14,
  WATCH_EVENT: 15,
  ERROR: 16,
  IS_DOMAIN_INTRODUCED: 17,
  RESUME: 18,
  SET_TARGET: 19,
  RESET_WATCHES: 21,
  DIRECTORY_PART: 22,
  GET_FEATURE: 23,
  SET_FEATURE: 24,
  GET_QUOTA: 25,
  SET_QUOTA: 26,
} as const;
export type OpName = keyof typeof XS;

/** The number's name, for people; unknown numbers as digits. */
export function opName(type: number): string {
  for (const [name, number] of Object.entries(XS)) if (number === type) return name;
  return String(type);
}

/** Error names that a reply can carry; any other errno goes out as the first. Source: xs_wire.h, xsd_errors. */
export const ERROR_NAMES = [
  'EINVAL', 'EACCES', 'EEXIST', 'EISDIR', 'ENOENT', 'ENOMEM', 'ENOSPC', 'EIO',
  'ENOTEMPTY', 'ENOSYS', 'EROFS', 'EBUSY', 'EAGAIN', 'EISCONN', 'E2BIG', 'EPERM',
] as const; // biome-ignore format: in the order of the table
export type ErrorName = (typeof ERROR_NAMES)[number];

/**
 * A request that fails: thrown by the code below an operation, caught in processMessage only. Not an Error: refusals are ordinary
 * traffic, and nobody reads their stack.
 */
export class StoreError {
  readonly errno: ErrorName;
  constructor(errno: ErrorName) {
    this.errno = errno;
  }
}

const STORE_ERRORS = new Map(ERROR_NAMES.map((name) => [name, new StoreError(name)]));

/** An errno of the host as the reply names it. */
export function wireErrno(errno: string): ErrorName {
  return (ERROR_NAMES as readonly string[]).includes(errno) ? (errno as ErrorName) : 'EINVAL';
}

export function refuse(errno: ErrorName): never {
  throw STORE_ERRORS.get(errno);
}

// Messages -----------------------------------------------------------------------------------------------------------

/** One message, whole. `payload` is the holder's own: a copy, never a window. */
export interface Message {
  readonly type: number;
  readonly reqId: number;
  readonly txId: number;
  readonly payload: Uint8Array;
}

/** A header, u32 little-endian: type, req_id, tx_id, len. Whether `length` octets follow is the caller's business. */
export function header(type: number, reqId: number, txId: number, length: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  putHeader(bytes, type, reqId, txId, length);
  return bytes;
}

/** Header and payload of one message. */
export function message(type: number, reqId: number, txId: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + payload.length);
  putHeader(bytes, type, reqId, txId, payload.length);
  copyOctets(payload, 0, bytes, HEADER_BYTES, payload.length);
  return bytes;
}

/** The message type in the header at `at`. */
export function messageType(bytes: Uint8Array, at = 0): number {
  return get32(bytes, at);
}

/** Octets of payload that the header at `at` announces. */
export function payloadLength(bytes: Uint8Array, at = 0): number {
  return get32(bytes, at + 12);
}

/** Where the message ends that begins at `at`; `undefined`: not all of it is there. */
export function messageEnd(bytes: Uint8Array, at: number): number | undefined {
  if (at + HEADER_BYTES > bytes.length) return undefined;
  const end = at + HEADER_BYTES + payloadLength(bytes, at);
  return end > bytes.length ? undefined : end;
}

/** The message of the header at `at`, with the payload that came with it. */
export function messageOf(bytes: Uint8Array, at: number, payload: Uint8Array): Message {
  return { type: get32(bytes, at), reqId: get32(bytes, at + 4), txId: get32(bytes, at + 8), payload };
}

/** A little-endian u32. Without a DataView: that would need the array's buffer, which small arrays do not have yet. */
function get32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  );
}

function putHeader(bytes: Uint8Array, type: number, reqId: number, txId: number, length: number): void {
  put32(bytes, 0, type);
  put32(bytes, 4, reqId);
  put32(bytes, 8, txId);
  put32(bytes, 12, length);
}

function put32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

// Payloads (store.md 1.7) ---------------------------------------------------------------------------------------------

/** Exactly one string: its first NUL is the last octet. Source: core.c, onearg. */
export function oneString(payload: Uint8Array): string | undefined {
  const end = payload.length - 1;
  return end >= 0 && payload.indexOf(0) === end ? textOf(payload, 0, end) : undefined;
}

/** NUL-terminated strings from the start; octets after the last NUL are not one. At most `max` are built, all are counted. */
export function strings(
  payload: Uint8Array,
  max: number,
): { readonly texts: readonly string[]; readonly count: number } {
  const texts: string[] = [];
  let count = 0;
  let from = 0;
  for (let at = payload.indexOf(0); at >= 0; at = payload.indexOf(0, from)) {
    if (count < max) texts.push(textOf(payload, from, at));
    count++;
    from = at + 1;
  }
  return { texts, count };
}

const DOMID_TEXT = /^[ \t\n\v\f\r]*([+-]?)([0-9]*)$/;

/** A domid as strtoul(3) reads it, nothing after it, at most 65535. The empty string is 0. Source: core.c, parse_domid. */
export function strictDomid(s: string): number {
  const m = DOMID_TEXT.exec(s);
  if (m === null) refuse('EINVAL');
  const digits = m[2] ?? '';
  if (digits === '' && s !== '') refuse('EINVAL'); // strtoul takes nothing, and its end is the beginning
  let n = BigInt(digits === '' ? 0 : digits);
  const max = 0xffff_ffff_ffff_ffffn;
  if (n > max) n = max;
  else if (m[1] === '-') n = (max + 1n - n) & max;
  if (n > 65535n) refuse('EINVAL');
  return Number(n);
}

const INT_TEXT = /^[ \t\n\v\f\r]*([+-]?)([0-9]+)/;

/** atoi(3): what is not a number is 0; clamped to 64 bits, then cut to 32, signed. */
export function atoi(s: string): number {
  const m = INT_TEXT.exec(s);
  if (m === null) return 0;
  let n = BigInt(m[2] ?? '0');
  if (m[1] === '-') n = -n;
  const max = 0x7fff_ffff_ffff_ffffn;
  if (n > max) n = max;
  if (n < -max - 1n) n = -max - 1n;
  return Number(BigInt.asIntN(32, n));
}

/** strtol(3) with base 0 and nothing after it; undefined where it takes nothing. Cut to 32 bits, unsigned. */
export function strtolBase0(s: string): number | undefined {
  const m = /^[ \t\n\v\f\r]*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$/.exec(s);
  if (m === null) return undefined;
  const digits = m[2] ?? '0';
  const n = /^0[xX]/.test(digits)
    ? BigInt(digits)
    : digits.length > 1 && digits.startsWith('0')
      ? BigInt(`0o${digits.slice(1)}`)
      : BigInt(digits);
  const max = 0x7fff_ffff_ffff_ffffn;
  let signed = m[1] === '-' ? -n : n;
  if (signed > max) signed = max;
  if (signed < -max - 1n) signed = -max - 1n;
  return Number(BigInt.asUintN(32, signed));
}

/** The answer of an operation that has nothing to say. */
export const OK = octetsOf('OK\0');
