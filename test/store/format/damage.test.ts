import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  annotateFile,
  decodeImage,
  encodeImage,
  extend,
  formatFailure,
  type StateRecord,
  v1,
  v2,
} from '../../../store/format/index.ts';
import {
  arbitraryImage,
  concat,
  END,
  header,
  hex,
  image,
  imageOf,
  node,
  o,
  readRecords,
  ring,
  stream,
  streams,
  toHex,
  unwrap,
  vector,
} from './support.ts';

const HEADER = -1;

/** Bytes that must not decode: why, the image, and where the failure is. */
const MUST_NOT_DECODE: readonly (readonly [
  why: string,
  bytes: Uint8Array,
  failure: { offset: number; record: number; name?: string; path: string; reason?: string },
])[] = [
  ['nothing at all', o(''), { offset: 0, record: HEADER, name: 'header', path: 'ident' }],
  ['half an ident', o('xens'), { offset: 0, record: HEADER, path: 'ident' }],
  ['another ident', concat(o('xenstorD'), header(1).subarray(8), END), { offset: 7, record: HEADER, path: 'ident' }],
  ['a header that stops in the version', header(1).subarray(0, 11), { offset: 8, record: HEADER, path: 'version' }],
  ['a header that stops in the flags', header(1).subarray(0, 15), { offset: 12, record: HEADER, path: 'flags' }],
  [
    'version 0',
    concat(header(0), END),
    { offset: 8, record: HEADER, path: 'version', reason: 'is 0, expected 1 or 2' },
  ],
  [
    'version 3',
    concat(header(3), END),
    { offset: 8, record: HEADER, path: 'version', reason: 'is 3, expected 1 or 2' },
  ],
  ['a version in little endian', concat(header(0x01000000), END), { offset: 8, record: HEADER, path: 'version' }],
  ['a reserved flag', concat(header(1, 2), END), { offset: 12, record: HEADER, path: 'flags' }],
  [
    'a reserved flag beside byte order',
    concat(header(1, 0x80000001), END),
    { offset: 12, record: HEADER, path: 'flags' },
  ],
  [
    'no record, not even END',
    header(1),
    { offset: 16, record: 0, name: '', path: '', reason: 'the file ends without END' },
  ],
  [
    'no END behind a record',
    concat(header(1), hex('04000000 08000000 01000000 02000000')),
    { offset: 32, record: 1, path: '', reason: 'the file ends without END' },
  ],
  ['half a record header', concat(header(1), hex('0000')), { offset: 16, record: 0, path: 'type' }],
  [
    'a record header without len',
    concat(header(1), hex('00000000')),
    { offset: 20, record: 0, name: 'END', path: 'len' },
  ],
  [
    'a len beyond the image',
    imageOf(1, hex('04000000 18000000 01000000 02000000')),
    { offset: 20, record: 0, name: 'TRANSACTION_DATA', path: 'len' },
  ],
  ['the largest len', imageOf(1, hex('09000000 ffffffff')), { offset: 20, record: 0, name: 'type 9', path: 'len' }],
  ['padding beyond the image', concat(header(1), hex('09000000 01000000 61')), { offset: 20, record: 0, path: 'len' }],
  [
    'a record of known type without a body',
    imageOf(1, hex('01000000 00000000')),
    { offset: 24, record: 0, path: 'socketFd' },
  ],
  [
    'a body that stops in a field',
    imageOf(1, hex('01000000 04000000 04000000 00000000')),
    { offset: 28, record: 0, path: 'evtchnFd' },
  ],
  [
    'conn-id 0',
    imageOf(1, hex('02000000 18000000 00000000 00000000 0500f47f 2a000000 00000000 00000000')),
    { offset: 24, record: 0, name: 'CONNECTION_DATA', path: 'connId', reason: 'is 0, less than 1' },
  ],
  [
    'a reserved conn-type',
    imageOf(1, hex('02000000 18000000 01000000 02000000 0500f47f 2a000000 00000000 00000000')),
    { offset: 32, record: 0, path: 'conn', reason: 'connType is 2, which is not defined' },
  ],
  [
    'input beyond len',
    imageOf(1, hex('02000000 18000000 01000000 00000000 0500f47f 2a000000 01000000 00000000')),
    { offset: 48, record: 0, path: 'inData', reason: 'wants 1 octets, 0 left' },
  ],
  [
    'output beyond len',
    imageOf(1, hex('02000000 20000000 01000000 00000000 0500f47f 2a000000 02000000 ffffffff 0000000000000000')),
    { offset: 50, record: 0, path: 'outData', reason: 'wants 4294967295 octets, 6 left' },
  ],
  [
    'a unique id that was announced and is not there',
    imageOf(2, hex('02000000 18000000 01000000 00000100 0500f47f 2a000000 00000000 00000000')),
    { offset: 48, record: 0, path: 'uniqueId' },
  ],
  [
    'padding of a unique id beyond len',
    imageOf(2, hex('02000000 19000000 01000000 00000100 0500f47f 2a000000 01000000 00000000 6100000000000000')),
    { offset: 49, record: 0, path: 'uniqueIdPad' },
  ],
  [
    'a watch path beyond len',
    imageOf(1, hex('03000000 10000000 01000000 0900 0100 2f00 00 0000000000')),
    { offset: 32, record: 0, path: 'wpath' },
  ],
  [
    'a token beyond len',
    imageOf(1, hex('03000000 10000000 01000000 0200 0700 2f00 00 0000000000')),
    { offset: 34, record: 0, path: 'token' },
  ],
  [
    'a watch path without room for its NUL',
    imageOf(1, hex('03000000 10000000 01000000 0000 0100 2f00 00 0000000000')),
    { offset: 32, record: 0, path: 'wpath' },
  ],
  [
    'a token that does not end in NUL',
    imageOf(1, hex('03000000 10000000 01000000 0200 0100 2f00 74 0000000000')),
    { offset: 34, record: 0, path: 'token', reason: 'does not end in NUL' },
  ],
  [
    'more permissions than the record holds',
    imageOf(1, hex('05000000 18000000 00000000 00000000 0200 0000 0000 0300 6e000000 2f00 0000')),
    { offset: 40, record: 0, path: 'perms', reason: 'wants 12 octets, 8 left' },
  ],
  [
    'a value beyond len',
    imageOf(1, hex('05000000 18000000 00000000 00000000 0200 0300 0000 0100 6e000000 2f00 0000')),
    { offset: 46, record: 0, path: 'value', reason: 'wants 3 octets, 2 left' },
  ],
  [
    'fewer quota names than values',
    imageOf(2, hex('07000000 18000000 0500 0200 00000000 01000000 02000000 6e6f64657300 0000')),
    { offset: 46, record: 0, name: 'DOMAIN_DATA', path: 'quotas[1].name', reason: 'is empty' },
  ],
  [
    'a quota name that does not end',
    imageOf(2, hex('06000000 10000000 0100 0000 01000000 6e6f6465 736e6f64')),
    { offset: 32, record: 0, path: 'domainQuotas[0].name', reason: 'does not end in NUL' },
  ],
  [
    'more quotas than the record can hold',
    imageOf(2, hex('06000000 08000000 ffff ffff 01000000')),
    { offset: 28, record: 0, path: 'quotas' },
  ],
  [
    'the second of two records',
    imageOf(1, hex('04000000 08000000 01000000 02000000'), hex('01000000 00000000')),
    { offset: 40, record: 1, name: 'GLOBAL_DATA', path: 'socketFd' },
  ],
];

describe('bytes that must not decode', () => {
  it.each(MUST_NOT_DECODE)('%s', (_why, bytes, failure) => {
    expect(decodeImage(bytes)).toMatchObject({ ok: false, failure });
    const steps = [...readRecords(bytes)];
    expect(steps.at(-1)).toMatchObject({ ok: false, failure });
  });

  it('a version the dialect does not read, or that was not asked for', () => {
    const bytes = stream('c-4.22-empty.bin');
    expect(decodeImage(bytes, v1)).toMatchObject({
      failure: { path: 'version', reason: 'is 2, expected 1' },
    });
    const only1 = { ...v2, format: extend(v2.format, { name: 'v2 under version 1', versions: [1] }) };
    expect(decodeImage(bytes, only1)).toMatchObject({ failure: { path: 'version', reason: 'is 2, expected 1' } });
    expect(decodeImage(concat(header(7), END), v2)).toMatchObject({ failure: { path: 'version' } });
  });

  it('a failure reads as one line', () => {
    const decoded = decodeImage(
      imageOf(2, hex('07000000 18000000 0500 0200 00000000 01000000 02000000 6e6f64657300 0000')),
    );
    expect(decoded.ok ? '' : formatFailure(decoded.failure)).toBe(
      'offset 46 (0x2e), record 0 DOMAIN_DATA, quotas[1].name: is empty',
    );
    const old = decodeImage(concat(header(3), END));
    expect(old.ok ? '' : formatFailure(old.failure)).toBe('offset 8 (0x8), header, version: is 3, expected 1 or 2');
  });
});

const long = (length: number) => new Uint8Array(length).fill(0x61);

/** Values that must not encode: why, the record, where, and a part of the reason. */
const MUST_NOT_ENCODE: readonly (readonly [why: string, record: StateRecord, path: string, reason: string])[] = [
  ['a value longer than its u16', { ...node('/a'), value: long(65536) }, 'value', 'do not fit valueLen (u16)'],
  [
    'a path that leaves no room for its NUL',
    { ...node('/a'), path: long(65535) },
    'path',
    '65536 octets with the NUL do not fit',
  ],
  [
    'a token longer than its u16',
    { kind: 'WATCH_DATA', connId: 1, wpath: o('a'), token: long(65535) },
    'token',
    'tokenLen',
  ],
  ['input longer than its u16', ring(1, 5, { inData: long(65536) }), 'inData', 'do not fit inDataLen (u16)'],
  [
    'too many permissions',
    node('/a', '', new Array(65536).fill({ letter: 'n', flags: 0, domid: 0 })),
    'perms',
    '65536 entries do not fit',
  ],
  [
    'too many quotas',
    { kind: 'DOMAIN_DATA', domid: 0, features: 0, quotas: new Array(65536).fill({ name: o('a'), value: 0 }) },
    'quotas',
    '65536 entries do not fit',
  ],
  [
    'a domid of 17 bits',
    node('/a', '', [{ letter: 'n', flags: 0, domid: 0x10000 }]),
    'perms[0].domid',
    'does not fit u16',
  ],
  ['a negative domid', { kind: 'DOMAIN_DATA', domid: -1, features: 0, quotas: [] }, 'domid', '-1 does not fit u16'],
  [
    'permission flags of 9 bits',
    node('/a', '', [{ letter: 'n', flags: 256, domid: 0 }]),
    'perms[0].flags',
    'does not fit u8',
  ],
  [
    'a letter that does not exist',
    node('/a', '', [{ letter: 'x' as 'n', flags: 0, domid: 0 }]),
    'perms[0].letter',
    'rwbn',
  ],
  [
    'a raw letter that means another',
    node('/a', '', [{ letter: 'n', letterOctet: 0x72, flags: 0, domid: 0 }]),
    'perms[0].letterOctet',
    'contradicts',
  ],
  [
    'a raw letter beside one that is known',
    node('/a', '', [{ letter: 'w', letterOctet: 0x78, flags: 0, domid: 0 }]),
    'perms[0].letterOctet',
    'contradicts',
  ],
  ['conn-id 0', ring(0, 5), 'connId', 'less than 1'],
  ['a conn-id of 33 bits', ring(2 ** 32, 5), 'connId', 'does not fit u32'],
  ['a conn-id between two', ring(1.5, 5), 'connId', '1.5 does not fit u32'],
  ['a conn-id that is no number', ring(Number.NaN, 5), 'connId', 'NaN does not fit u32'],
  [
    'a port that is a bigint',
    ring(1, 5, { conn: { kind: 'ring', domid: 0, targetDomid: 0, port: 1n as never } }),
    'conn.ring.port',
    'u32',
  ],
  ['a descriptor beyond i32', { kind: 'GLOBAL_DATA', socketFd: 2 ** 31, evtchnFd: 0 }, 'socketFd', 'does not fit i32'],
  [
    'a descriptor below i32',
    { kind: 'GLOBAL_DATA', socketFd: 0, evtchnFd: -(2 ** 31) - 1 },
    'evtchnFd',
    'does not fit i32',
  ],
  ['a unique id of 65 bits', ring(1, 5, { uniqueId: 2n ** 64n }), 'uniqueId', 'does not fit u64'],
  ['a negative unique id', ring(1, 5, { uniqueId: -1n }), 'uniqueId', 'does not fit u64'],
  ['a unique id that is a number', ring(1, 5, { uniqueId: 5 as never }), 'uniqueId', 'does not fit u64'],
  [
    'a unique id of a socket',
    ring(1, 5, { uniqueId: 1n, conn: { kind: 'socket', fd: 3 } }),
    'uniqueId',
    'needs conn to be ring',
  ],
  ['a presence bit without its part', ring(1, 5, { fields: 1 }), 'fields', 'is told by uniqueId'],
  ['fields of 17 bits', ring(1, 5, { fields: 0x10000 }), 'fields', 'does not fit u16'],
  [
    'a connection of no known kind',
    ring(1, 5, { conn: { kind: 'pipe' } as never }),
    'conn.kind',
    'one of ring, socket',
  ],
  ['a connection without one', ring(1, 5, { conn: undefined as never }), 'conn', 'is not an object'],
  [
    'a depth of 17 bits',
    { kind: 'WATCH_DATA_EXTENDED', connId: 1, depth: 65536, wpath: o('a'), token: o('') },
    'depth',
    'u16',
  ],
  [
    'a quota name with a NUL',
    { kind: 'DOMAIN_DATA', domid: 0, features: 0, quotas: [{ name: o('a\0'), value: 0 }] },
    'quotas[0].name',
    'NUL',
  ],
  [
    'an empty quota name',
    { kind: 'DOMAIN_DATA', domid: 0, features: 0, quotas: [{ name: o(''), value: 0 }] },
    'quotas[0].name',
    'empty',
  ],
  ['a string in place of octets', { ...node('/a'), value: 'text' as never }, 'value', 'is not octets'],
  ['octets in place of a list', { ...node('/a'), perms: o('n') as never }, 'perms', 'is not a list'],
  ['a hole in a list', node('/a', '', [undefined as never]), 'perms[0]', 'is not an object'],
  ['an unknown type that is known', { kind: 'UNKNOWN', type: 5, body: o('') }, 'type', '5 is NODE_DATA'],
  ['an unknown type of 33 bits', { kind: 'UNKNOWN', type: 2 ** 32, body: o('') }, 'type', 'does not fit u32'],
  ['a kind that does not exist', { kind: 'NOTHING' } as never, 'kind', 'is not a record of this format'],
];

describe('values that must not encode', () => {
  it.each(MUST_NOT_ENCODE)('%s', (_why, record, path, reason) => {
    const encoded = encodeImage(image(2, node('/'), record));
    expect(encoded).toMatchObject({ ok: false, failure: { record: 1, path, reason: expect.stringContaining(reason) } });
  });

  it('the largest values that fit do encode', () => {
    const value = image(
      2,
      { ...node('/a'), path: long(65534), value: long(65535) },
      ring(0xffffffff, 0xffff, { inData: long(65535) }),
    );
    expect(unwrap(decodeImage(unwrap(encodeImage(value))))).toEqual(value);
  });

  it('records that the dialect does not have', () => {
    const quota = image(1, { kind: 'GLOBAL_QUOTA_DATA', domainQuotas: [], globalQuotas: [] });
    expect(encodeImage(quota, v1)).toMatchObject({ failure: { record: 0, name: 'GLOBAL_QUOTA_DATA', path: 'kind' } });
    expect(encodeImage(quota, v2).ok).toBe(true); // 4.22 writes it into version 1 images too
  });

  it('versions that the dialect does not have', () => {
    expect(encodeImage(image(2), v1)).toMatchObject({ failure: { record: HEADER, path: 'version' } });
    expect(encodeImage(image(3), v2)).toMatchObject({ failure: { record: HEADER, path: 'version' } });
  });

  it('END missing, or not last', () => {
    const bare = { version: 2, bigEndian: false };
    expect(encodeImage({ ...bare, records: [] })).toMatchObject({ failure: { reason: 'the file ends without END' } });
    expect(encodeImage({ ...bare, records: [{ kind: 'END' }, { kind: 'END' }] })).toMatchObject({
      failure: { record: 1, reason: 'comes after END' },
    });
  });
});

/** What may come of damaged bytes: a failure inside them, or an image that encodes to the same bytes again. */
function survives(bytes: Uint8Array): 'failure' | 'image' {
  const decoded = decodeImage(bytes);
  const rows = annotateFile(v2.format, bytes);
  expect(rows.failure === undefined).toBe(decoded.ok);
  if (!decoded.ok) {
    expect(decoded.failure.offset).toBeGreaterThanOrEqual(0);
    expect(decoded.failure.offset).toBeLessThanOrEqual(bytes.length);
    return 'failure';
  }
  const encoded = encodeImage(decoded.value);
  if (!encoded.ok || toHex(encoded.value) !== toHex(bytes)) expect(toHex(unwrap(encoded))).toBe(toHex(bytes));
  return 'image';
}

describe('damage', () => {
  it.each(streams)('$name cut at every octet is a failure', ({ bytes }) => {
    for (let length = 0; length < bytes.length; length++) {
      const decoded = decodeImage(bytes.subarray(0, length));
      if (decoded.ok || decoded.failure.offset > length) expect(length).toBe('a failure inside what is left');
    }
  });

  it.each(['c-4.17-empty.bin', 'c-4.22-empty.bin', 'c-4.17-watches.bin'])(
    '%s with any one bit changed is a failure or an image that re-encodes identically',
    (name) => {
      const bytes = stream(name).slice();
      const seen = { failure: 0, image: 0 };
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        seen[survives(bytes)]++;
        bytes[bit >> 3]! ^= 1 << (bit & 7);
      }
      expect(seen.failure).toBeGreaterThan(100);
      expect(seen.image).toBeGreaterThan(100);
    },
  );

  it('G4.1-FULL with any one octet replaced is a failure or an image that re-encodes identically', () => {
    const bytes = vector('G4.1-FULL').slice();
    for (let at = 0; at < bytes.length; at++) {
      const before = bytes[at]!;
      for (const octet of [0, 1, 0x7f, 0x80, 0xff]) {
        bytes[at] = octet;
        survives(bytes);
      }
      bytes[at] = before;
    }
  });

  it('random records behind a good header', () => {
    const type = fc.integer({ min: 0, max: 10 });
    const junk = fc.record({ type, body: fc.uint8Array({ maxLength: 64 }), small: fc.boolean() });
    fc.assert(
      fc.property(fc.array(junk, { maxLength: 5 }), (records) => {
        const parts = records.map(({ type, body, small }) => {
          const part = new Uint8Array(8 + body.length + (-body.length & 7));
          part.set([type, 0, 0, 0, body.length]);
          // Small numbers make lengths that lead somewhere.
          part.set(small ? body.map((octet) => octet & 3) : body, 8);
          return part;
        });
        survives(imageOf(2, ...parts));
      }),
      { numRuns: 3000, seed: 1 },
    );
  });

  it('pure noise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        expect(survives(noise)).toBe('failure');
        survives(concat(header(2), noise));
      }),
      { numRuns: 2000, seed: 2 },
    );
  });
});

describe('laws', () => {
  it.each([
    [1, v1],
    [2, v2],
  ] as const)(
    'decode is the inverse of encode for every image of version %i, in either byte order',
    (version, dialect) => {
      fc.assert(
        fc.property(arbitraryImage(version), (value) => {
          const bytes = unwrap(encodeImage(value, dialect));
          const decoded = unwrap(decodeImage(bytes, dialect));
          expect(decoded).toEqual(value);
          expect(toHex(unwrap(encodeImage(decoded, dialect)))).toBe(toHex(bytes));
        }),
        { numRuns: 1500, seed: 3 },
      );
    },
  );

  it('both byte orders hold the same records', () => {
    fc.assert(
      fc.property(arbitraryImage(2), (value) => {
        const other = { ...value, bigEndian: !value.bigEndian };
        const [a, b] = [unwrap(encodeImage(value)), unwrap(encodeImage(other))];
        expect(a.length).toBe(b.length);
        expect(unwrap(decodeImage(b)).records).toEqual(unwrap(decodeImage(a)).records);
      }),
      { numRuns: 300, seed: 4 },
    );
  });

  it('every record starts at a multiple of 8', () => {
    fc.assert(
      fc.property(arbitraryImage(2), (value) => {
        for (const step of readRecords(unwrap(encodeImage(value)))) expect(unwrap(step).offset & 7).toBe(0);
      }),
      { numRuns: 300, seed: 5 },
    );
  });
});
