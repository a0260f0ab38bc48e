import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { imageHeaderFields } from '../../../store/format/generations/image.ts';
import { PERM_LETTERS } from '../../../store/format/generations/records.ts';
import {
  type ConnectionData,
  type Dialect,
  FileReader,
  type FormatResult,
  octetsOf,
  type Perm,
  type StateImage,
  type StateRecord,
  v2,
} from '../../../store/format/index.ts';

const VECTORS = new URL('../../vectors/', import.meta.url);

/** The octets of a hex text; white space is ignored. */
export function hex(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, '');
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}

/** Octets as hex, four to a group: what a failing comparison should show. */
export function toHex(octets: Uint8Array): string {
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, '0'))
    .join('')
    .replace(/.{8}/g, '$& ')
    .trim();
}

export interface Vector {
  readonly name: string;
  readonly whole: boolean;
  readonly bytes: Uint8Array;
}

interface VectorFile {
  readonly vectors: readonly { readonly name: string; readonly whole: boolean; readonly hex: readonly string[] }[];
}

export const vectors: readonly Vector[] = (
  JSON.parse(readFileSync(new URL('state-image.json', VECTORS), 'utf8')) as VectorFile
).vectors.map((one) => ({ name: one.name, whole: one.whole, bytes: hex(one.hex.join('')) }));

export function vector(name: string): Uint8Array {
  const found = vectors.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no vector ${name}`);
  return found.bytes;
}

/** The recorded binary streams, by name. */
export const streams: readonly { readonly name: string; readonly bytes: Uint8Array }[] = readdirSync(
  new URL('streams/', VECTORS),
)
  .filter((name) => name.endsWith('.bin'))
  .sort()
  .map((name) => ({ name, bytes: new Uint8Array(readFileSync(new URL(`streams/${name}`, VECTORS))) }));

export function stream(name: string): Uint8Array {
  const found = streams.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no stream ${name}`);
  return found.bytes;
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** An image header. */
export function header(version: number, flags = 0): Uint8Array {
  return concat(Uint8Array.from(imageHeaderFields.ident.octets), be32(version), be32(flags));
}

export const END = hex('00000000 00000000');

function be32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/** A little-endian image of these records, given as octets, and END. */
export function imageOf(version: number, ...records: readonly Uint8Array[]): Uint8Array {
  return concat(header(version), ...records, END);
}

/** An image of these records and END. */
export function image(version: number, ...records: readonly StateRecord[]): StateImage {
  return { version, bigEndian: false, records: [...records, { kind: 'END' }] };
}

export function unwrap<T>(result: FormatResult<T>): T {
  if (!result.ok) throw new Error(JSON.stringify(result.failure));
  return result.value;
}

/** Each record and where it stands; then why there are no more, if that is a failure. */
export function readRecords(
  bytes: Uint8Array,
  dialect: Dialect = v2,
): FormatResult<{ readonly offset: number; readonly len: number; readonly record: StateRecord }>[] {
  const reader = new FileReader(dialect, bytes);
  const steps: ReturnType<typeof readRecords> = [];
  for (let record = reader.next(); record !== undefined; record = reader.next())
    steps.push({ ok: true, value: { offset: reader.offset, len: reader.len ?? 0, record } });
  return reader.failure === undefined ? steps : [...steps, { ok: false, failure: reader.failure }];
}

export const o = octetsOf;

/** A committed node without children, owned by domain 0. */
export function node(path: string, value = '', perms: readonly Perm[] = [{ letter: 'n', flags: 0, domid: 0 }]) {
  return { kind: 'NODE_DATA', connId: 0, txId: 0, access: 0, perms, path: o(path), value: o(value) } as const;
}

export function ring(connId: number, domid: number, more: Partial<ConnectionData> = {}): ConnectionData {
  return {
    kind: 'CONNECTION_DATA',
    connId,
    conn: { kind: 'ring', domid, targetDomid: 0x7ff4, port: 100 + domid },
    inData: o(''),
    outRespLen: 0,
    outData: o(''),
    ...more,
  };
}

// ------------------------------------------------------------------------------------------- arbitrary images

const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.oneof(
  fc.integer({ min: 0, max: 0xffffffff }),
  fc.constantFrom(0, 1, 0x7fffffff, 0x80000000, 0xffffffff),
);
const i32 = fc.integer({ min: -0x80000000, max: 0x7fffffff });
const octets = (maxLength: number) => fc.uint8Array({ minLength: 0, maxLength });
const name = fc.uint8Array({ minLength: 1, maxLength: 12 }).map((value) => value.map((octet) => octet || 1));

const perm: fc.Arbitrary<Perm> = fc.oneof(
  fc.record({ letter: fc.constantFrom(...PERM_LETTERS), flags: fc.integer({ min: 0, max: 255 }), domid: u16 }),
  fc.record({
    letter: fc.constant('n' as const),
    letterOctet: fc.integer({ min: 0, max: 96 }),
    flags: fc.constantFrom(0, 1),
    domid: u16,
  }),
);
const quotas = fc.array(fc.record({ name, value: u32 }), { maxLength: 4 });
const connectionRest = {
  connId: u32.map((id) => id || 1),
  inData: octets(60),
  outRespLen: u16,
  outData: octets(100),
};
const ringSpec = fc.record({ kind: fc.constant('ring' as const), domid: u16, targetDomid: u16, port: u32 });
const socketSpec = fc.record(
  { kind: fc.constant('socket' as const), fd: i32, pad: fc.integer({ min: 1, max: 0xffffffff }) },
  { requiredKeys: ['kind', 'fd'] },
);
const watch = { connId: u32, wpath: octets(40), token: octets(40) };

const V1 = [
  fc.record({ kind: fc.constant('GLOBAL_DATA' as const), socketFd: i32, evtchnFd: i32 }),
  fc.record(
    {
      kind: fc.constant('CONNECTION_DATA' as const),
      conn: fc.oneof(ringSpec, socketSpec),
      ...connectionRest,
    },
    { noNullPrototype: true },
  ),
  fc.record({ kind: fc.constant('WATCH_DATA' as const), ...watch }),
  fc.record({ kind: fc.constant('TRANSACTION_DATA' as const), connId: u32, txId: u32.map((id) => id || 1) }),
  fc.record({
    kind: fc.constant('NODE_DATA' as const),
    connId: u32,
    txId: u32,
    access: u16,
    perms: fc.array(perm, { maxLength: 6 }),
    path: octets(60),
    value: octets(80),
  }),
  fc.record({
    kind: fc.constant('UNKNOWN' as const),
    type: fc.integer({ min: 9, max: 0xffffffff }),
    body: octets(40),
  }),
] as const;

const V2 = [
  ...V1,
  fc.record(
    {
      kind: fc.constant('CONNECTION_DATA' as const),
      conn: ringSpec,
      uniqueId: fc.bigInt({ min: 0n, max: 0xffffffffffffffffn }),
      fields: u16.map((bits) => bits & 0xfffe || 2),
      ...connectionRest,
    },
    { requiredKeys: ['kind', 'conn', 'connId', 'inData', 'outRespLen', 'outData'] },
  ),
  fc.record({
    kind: fc.constant('CONNECTION_DATA' as const),
    conn: socketSpec,
    fields: u16.map((bits) => bits || 1),
    ...connectionRest,
  }),
  fc.record({ kind: fc.constant('GLOBAL_QUOTA_DATA' as const), domainQuotas: quotas, globalQuotas: quotas }),
  fc.record({ kind: fc.constant('DOMAIN_DATA' as const), domid: u16, features: u32, quotas }),
  fc.record(
    {
      kind: fc.constant('WATCH_DATA_EXTENDED' as const),
      depth: u16,
      pad: fc.integer({ min: 1, max: 0xffff }),
      ...watch,
    },
    { requiredKeys: ['kind', 'depth', 'connId', 'wpath', 'token'] },
  ),
] as const;

const recordsOf = (version: 1 | 2): fc.Arbitrary<StateRecord[]> =>
  fc.array(fc.oneof(...((version === 1 ? V1 : V2) as readonly fc.Arbitrary<StateRecord>[])), { maxLength: 12 });

/** Images that the codec of that version can hold, whatever they mean. */
export function arbitraryImage(version: 1 | 2): fc.Arbitrary<StateImage> {
  return fc
    .record(
      {
        version: fc.constant(version),
        bigEndian: fc.boolean(),
        records: recordsOf(version).map((records): StateRecord[] => [...records, { kind: 'END' }]),
        trailing: fc.uint8Array({ minLength: 1, maxLength: 20 }),
      },
      { requiredKeys: ['version', 'bigEndian', 'records'] },
    )
    .map((value) => value);
}
