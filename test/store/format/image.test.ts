import { describe, expect, it } from 'vitest';
import { c416, c422 } from '../../../store/format/dialects/daemons.ts';
import {
  decodeImage,
  encodeImage,
  FileReader,
  FileWriter,
  inFormatOrder,
  type StateRecord,
  v1,
  v2,
} from '../../../store/format/index.ts';
import {
  concat,
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
  vectors,
} from './support.ts';

/** Each record in both forms. Bytes are a whole record: header, body, padding. */
const CODEC: readonly (readonly [why: string, version: number, record: StateRecord, bytes: string])[] = [
  [
    'GLOBAL_DATA, an unused descriptor is -1',
    1,
    { kind: 'GLOBAL_DATA', socketFd: 4, evtchnFd: -1 },
    '01000000 08000000 04000000 ffffffff',
  ],
  [
    'a ring without anything buffered',
    1,
    ring(1, 5, { conn: { kind: 'ring', domid: 5, targetDomid: 0x7ff4, port: 42 } }),
    '02000000 18000000 01000000 00000000 0500f47f 2a000000 00000000 00000000',
  ],
  [
    'a socket with input and output, 3 octets of padding',
    1,
    {
      kind: 'CONNECTION_DATA',
      connId: 2,
      conn: { kind: 'socket', fd: -1 },
      inData: o('ab'),
      outRespLen: 1,
      outData: o('xyz'),
    },
    '02000000 20000000 02000000 01000000 ffffffff 00000000 02000100 03000000 6162 78797a 000000',
  ],
  [
    'fields of a socket announce nothing, not even with bit 0',
    2,
    {
      kind: 'CONNECTION_DATA',
      connId: 2,
      conn: { kind: 'socket', fd: 9 },
      fields: 1,
      inData: o(''),
      outRespLen: 0,
      outData: o(''),
    },
    '02000000 18000000 02000000 01000100 09000000 00000000 00000000 00000000',
  ],
  [
    'a unique id behind padding',
    2,
    ring(3, 1, { uniqueId: 0xf123456789abcdefn, outData: o('a') }),
    '02000000 28000000 03000000 00000100 0100f47f 65000000 00000000 01000000 61 00000000000000 efcdab89674523f1',
  ],
  [
    'a unique id and an unknown bit of fields',
    2,
    ring(3, 1, { uniqueId: 0n, fields: 0x8000 }),
    '02000000 20000000 03000000 00000180 0100f47f 65000000 00000000 00000000 0000000000000000',
  ],
  [
    'WATCH_DATA: both lengths count the NUL',
    1,
    { kind: 'WATCH_DATA', connId: 1, wpath: o('device'), token: o('tok') },
    '03000000 18000000 01000000 0700 0400 64657669636500 746f6b00 0000000000',
  ],
  [
    'an empty token has length 1',
    1,
    { kind: 'WATCH_DATA', connId: 1, wpath: o('/'), token: o('') },
    '03000000 10000000 01000000 0200 0100 2f00 00 0000000000',
  ],
  [
    'TRANSACTION_DATA',
    1,
    { kind: 'TRANSACTION_DATA', connId: 1, txId: 0xffffffff },
    '04000000 08000000 01000000 ffffffff',
  ],
  [
    'NODE_DATA: the path has a NUL, the value has none',
    1,
    node('/foo/bar', 'a\0b', [
      { letter: 'n', flags: 0, domid: 5 },
      { letter: 'r', flags: 1, domid: 9 },
    ]),
    '05000000 28000000 00000000 00000000 0900 0300 0000 0200 6e000500 72010900 2f666f6f2f62617200 610062 00000000',
  ],
  [
    'a node deleted in a transaction',
    1,
    { ...node('/foo/old', '', []), connId: 1, txId: 7 },
    '05000000 20000000 01000000 07000000 0900 0000 0000 0000 2f666f6f2f6f6c6400 00000000000000',
  ],
  [
    'a permission letter that no daemon knows',
    1,
    node('/', '', [{ letter: 'n', letterOctet: 0x78, flags: 0x82, domid: 0 }]),
    '05000000 18000000 00000000 00000000 0200 0000 0000 0100 78820000 2f00 0000',
  ],
  [
    'GLOBAL_QUOTA_DATA: values first, then names, domain quotas before global ones',
    2,
    {
      kind: 'GLOBAL_QUOTA_DATA',
      domainQuotas: [{ name: o('nodes'), value: 1000 }],
      globalQuotas: [{ name: o('g'), value: 0 }],
    },
    '06000000 18000000 0100 0100 e8030000 00000000 6e6f64657300 6700 00000000',
  ],
  [
    'a quota record without quotas',
    2,
    { kind: 'GLOBAL_QUOTA_DATA', domainQuotas: [], globalQuotas: [] },
    '06000000 08000000 00000000 00000000',
  ],
  [
    'DOMAIN_DATA with one quota',
    2,
    { kind: 'DOMAIN_DATA', domid: 5, features: 2, quotas: [{ name: o('nodes'), value: 2000 }] },
    '07000000 18000000 0500 0100 02000000 d0070000 6e6f64657300 000000000000',
  ],
  [
    'WATCH_DATA_EXTENDED with the pad of the document',
    2,
    { kind: 'WATCH_DATA_EXTENDED', connId: 1, depth: 1, wpath: o('/foo'), token: o('tok') },
    '08000000 18000000 01000000 0500 0400 0100 0000 2f666f6f00 746f6b00 000000',
  ],
  [
    'reserved octets that are not zero are kept',
    2,
    { kind: 'WATCH_DATA_EXTENDED', connId: 1, depth: 0xffff, pad: 0xbeef, wpath: o('a'), token: o('') },
    '08000000 10000000 01000000 0200 0100 ffff efbe 6100 00 00',
  ],
  [
    'an unknown type is kept verbatim',
    1,
    { kind: 'UNKNOWN', type: 99, body: o('abc') },
    '63000000 03000000 616263 0000000000',
  ],
  ['an unknown type without a body', 1, { kind: 'UNKNOWN', type: 99, body: o('') }, '63000000 00000000'],
];

describe('each record, four ways', () => {
  for (const [why, version, record, text] of CODEC) {
    const dialect = version === 1 ? v1 : v2;
    const bytes = imageOf(version, hex(text));
    const value = image(version, record);
    it(`encodes ${why}`, () => expect(toHex(unwrap(encodeImage(value, dialect)))).toBe(toHex(bytes)));
    it(`decodes ${why}`, () => expect(unwrap(decodeImage(bytes, dialect))).toEqual(value));
    it(`comes back from bytes: ${why}`, () =>
      expect(unwrap(decodeImage(unwrap(encodeImage(value, dialect)), dialect))).toEqual(value));
    it(`comes back from a value: ${why}`, () =>
      expect(toHex(unwrap(encodeImage(unwrap(decodeImage(bytes, dialect)), dialect)))).toBe(toHex(bytes)));
  }
});

/** Octets that a writer would not write, kept by the reader. */
const KEPT: readonly (readonly [why: string, bytes: string, record: StateRecord])[] = [
  [
    'len without the padding, as the document has it',
    '03000000 13000000 01000000 0700 0400 64657669636500 746f6b00 0000000000',
    {
      kind: 'WATCH_DATA',
      connId: 1,
      wpath: o('device'),
      token: o('tok'),
      tail: { slack: o(''), pad: o('\0\0\0\0\0') },
    },
  ],
  [
    'padding that is not zero, counted by len',
    '03000000 10000000 01000000 0200 0100 2f00 00 0102030405',
    {
      kind: 'WATCH_DATA',
      connId: 1,
      wpath: o('/'),
      token: o(''),
      tail: { slack: o('\x01\x02\x03\x04\x05'), pad: o('') },
    },
  ],
  [
    'padding that is not zero, not counted by len',
    '03000000 0b000000 01000000 0200 0100 2f00 00 0102030405',
    {
      kind: 'WATCH_DATA',
      connId: 1,
      wpath: o('/'),
      token: o(''),
      tail: { slack: o(''), pad: o('\x01\x02\x03\x04\x05') },
    },
  ],
  [
    'more slack than padding needs',
    '04000000 10000000 01000000 02000000 0000000000000000',
    { kind: 'TRANSACTION_DATA', connId: 1, txId: 2, tail: { slack: o('\0\0\0\0\0\0\0\0'), pad: o('') } },
  ],
  [
    'garbage behind the quota names, as the daemon of 4.22 leaves it',
    '07000000 18000000 0500 0100 02000000 d0070000 6e6f64657300 de000000 00ad',
    {
      kind: 'DOMAIN_DATA',
      domid: 5,
      features: 2,
      quotas: [{ name: o('nodes'), value: 2000 }],
      tail: { slack: o('\xde\0\0\0\0\xad'), pad: o('') },
    },
  ],
  [
    'garbage before a unique id',
    '02000000 28000000 03000000 00000100 0100f47f 65000000 00000000 01000000 61 01000000000000 0500000000000000',
    ring(3, 1, { uniqueId: 5n, uniqueIdPad: o('\x01\0\0\0\0\0\0'), outData: o('a') }),
  ],
  [
    'garbage in the pad of a socket',
    '02000000 18000000 02000000 01000000 09000000 efbeadde 00000000 00000000',
    {
      kind: 'CONNECTION_DATA',
      connId: 2,
      conn: { kind: 'socket', fd: 9, pad: 0xdeadbeef },
      inData: o(''),
      outRespLen: 0,
      outData: o(''),
    },
  ],
  [
    'padding of an unknown record',
    '63000000 03000000 616263 0000000001',
    { kind: 'UNKNOWN', type: 99, body: o('abc'), tail: { slack: o(''), pad: o('\0\0\0\0\x01') } },
  ],
];

describe('octets without meaning', () => {
  it.each(KEPT)('%s: read, and written back as they were', (_why, text, record) => {
    const bytes = imageOf(2, hex(text));
    const decoded = unwrap(decodeImage(bytes));
    expect(decoded).toEqual(image(2, record));
    expect(toHex(unwrap(encodeImage(decoded)))).toBe(toHex(bytes));
  });

  it('kept padding is dropped when the content has changed its length', () => {
    const bytes = imageOf(2, hex('03000000 0b000000 01000000 0200 0100 2f00 00 0102030405'));
    const decoded = unwrap(decodeImage(bytes));
    const [first] = decoded.records;
    if (first?.kind !== 'WATCH_DATA') throw new Error('not a watch');
    const changed = unwrap(encodeImage(image(2, { ...first, token: o('t') })));
    expect(toHex(changed)).toBe(toHex(imageOf(2, hex('03000000 0c000000 01000000 0200 0200 2f00 7400 00000000'))));
  });
});

describe('vectors', () => {
  const sound = vectors.filter((one) => !one.name.startsWith('BUG') && one.name !== 'G3.0-FULL');
  it.each(sound)('$name decodes and re-encodes to the same octets', ({ whole, bytes }) => {
    const full = whole ? bytes : imageOf(2, bytes);
    expect(toHex(unwrap(encodeImage(unwrap(decodeImage(full)))))).toBe(toHex(full));
  });

  it('G3.0-FULL says version 1 as well, but its connections are shorter: the dialect has to be told', () => {
    const full = vector('G3.0-FULL');
    expect(decodeImage(full, v1)).toMatchObject({
      ok: false,
      failure: { offset: 0x40, record: 1, name: 'CONNECTION_DATA', path: 'inData' },
    });
    const others = concat(full.subarray(0, 0x20), full.subarray(0x58)); // each `len` without its padding
    const decoded = unwrap(decodeImage(others, v1));
    expect(decoded.records.at(-2)).toMatchObject({ access: 0, perms: [], path: o('/foo/old') });
    expect(toHex(unwrap(encodeImage(decoded, v1)))).toBe(toHex(others));
  });

  it('G3.2-CONN-PARTIAL has half a request and the rest of a reply', () => {
    const { records } = unwrap(decodeImage(imageOf(1, vector('G3.2-CONN-PARTIAL')), v1));
    expect(records[0]).toEqual({
      kind: 'CONNECTION_DATA',
      connId: 1,
      conn: { kind: 'ring', domid: 5, targetDomid: 0x7ff4, port: 42 },
      inData: o('\x02\0\0\0\x09\0\0\0\0\0\0\0\x05\0\0\0na'),
      outRespLen: 3,
      outData: o('ok\0\x0f\0\0\0\0\0\0\0\0\0\0\0\x0b\0\0\0device\0tok\0'),
    });
  });

  it('CAP-4.17 is what a daemon held', () => {
    const { version, records } = unwrap(decodeImage(vector('CAP-4.17'), v1));
    expect(version).toBe(1);
    expect(records).toEqual([
      { kind: 'GLOBAL_DATA', socketFd: 4, evtchnFd: 7 },
      ring(1, 0),
      {
        kind: 'CONNECTION_DATA',
        connId: 2,
        conn: { kind: 'socket', fd: 9 },
        inData: o(''),
        outRespLen: 0,
        outData: o('\0\0\0\0\0\0\0\0\0\0\0\0\x03\0\0\0OK\0'),
      },
      node('@releaseDomain'),
      node('@introduceDomain'),
      node('/'),
      node('/tool'),
      node('/tool/xenstored'),
      node('/foo'),
      node('/foo/bar', 'world'),
      { kind: 'END' },
    ]);
  });

  it('G4.1-FULL has every type but transactions, in the order of the daemon', () => {
    const { records } = unwrap(decodeImage(vector('G4.1-FULL')));
    expect(records.map((record) => record.kind)).toEqual([
      'GLOBAL_DATA',
      'GLOBAL_QUOTA_DATA',
      'CONNECTION_DATA',
      'CONNECTION_DATA',
      'WATCH_DATA',
      'WATCH_DATA_EXTENDED',
      'CONNECTION_DATA',
      'NODE_DATA',
      'NODE_DATA',
      'NODE_DATA',
      'NODE_DATA',
      'NODE_DATA',
      'DOMAIN_DATA',
      'DOMAIN_DATA',
      'END',
    ]);
    expect(records[2]).toMatchObject({ uniqueId: 0x1122334455667788n });
    expect(inFormatOrder(c422, records)).toEqual(records);
  });

  it('the built-in quotas of 4.22', () => {
    const { records } = unwrap(decodeImage(imageOf(2, vector('G4-QUOTA'))));
    const [quota] = records;
    if (quota?.kind !== 'GLOBAL_QUOTA_DATA') throw new Error('not a quota');
    expect(quota.domainQuotas).toHaveLength(10);
    expect(quota.domainQuotas[4]).toEqual({ name: o('soft-memory'), value: 0x200000 });
    expect(quota.globalQuotas).toEqual([]);
  });

  it('BUG-4.22-A: a watch without its depth is read as another watch', () => {
    const { records } = unwrap(decodeImage(imageOf(2, vector('BUG-4.22-A'))));
    expect(records[0]).toMatchObject({ depth: 0x662f, pad: 0x6f6f, wpath: o('\0tok'), token: o('\0\0\0') });
  });

  it('BUG-4.22-B: a watch without its depth swallows the next record header', () => {
    const decoded = decodeImage(imageOf(2, vector('BUG-4.22-B')));
    expect(decoded).toMatchObject({
      ok: false,
      failure: { offset: 48, record: 1, reason: 'the file ends without END' },
    });
  });

  it('an image of the other byte order', () => {
    const decoded = unwrap(decodeImage(vector('BE-GLOBAL')));
    expect(decoded).toEqual({
      version: 1,
      bigEndian: true,
      records: [{ kind: 'GLOBAL_DATA', socketFd: 4, evtchnFd: -1 }, { kind: 'END' }],
    });
    const smallest = vector('MIN-LE').slice();
    smallest[15] = 1;
    expect(unwrap(decodeImage(smallest))).toEqual({ version: 1, bigEndian: true, records: [{ kind: 'END' }] });
  });
});

describe('recorded streams', () => {
  it.each(streams)('$name decodes and re-encodes to the same octets', ({ name, bytes }) => {
    const dialect = name.startsWith('c-4.17') ? v1 : v2;
    const decoded = unwrap(decodeImage(bytes, dialect));
    expect(decoded.version).toBe(dialect.version);
    expect(toHex(unwrap(encodeImage(decoded, dialect)))).toBe(toHex(bytes));
  });

  it.each(streams)('$name needs nothing that only keeps octets', ({ bytes }) => {
    for (const record of unwrap(decodeImage(bytes)).records) {
      expect(record.kind).not.toBe('UNKNOWN');
      expect(Object.keys(record)).not.toEqual(expect.arrayContaining(['tail']));
    }
  });

  it.each(streams)('$name is in the order of its dialect', ({ name, bytes }) => {
    const { records } = unwrap(decodeImage(bytes));
    expect(inFormatOrder(name.startsWith('c-4.17') ? c416 : c422, records)).toEqual(records);
  });

  it('a record of 4.22 that 4.16 does not know stays as it was', () => {
    const { records } = unwrap(decodeImage(stream('c-4.22-empty.bin')));
    const bytes = unwrap(encodeImage({ version: 1, bigEndian: false, records }, v2));
    const old = unwrap(decodeImage(bytes, v1));
    expect(old.records.filter((record) => record.kind === 'UNKNOWN').map((record) => record.type)).toEqual([6, 7]);
    expect(toHex(unwrap(encodeImage(old, v1)))).toBe(toHex(bytes));
  });
});

describe('streaming', () => {
  it.each(streams)('$name record by record is the whole', ({ bytes }) => {
    const whole = unwrap(decodeImage(bytes));
    const steps = [...readRecords(bytes)].map(unwrap);
    expect(steps.map((step) => step.record)).toEqual(whole.records);
    const ends = steps.map((step) => step.offset + 8 + step.len);
    expect(steps.map((step) => step.offset)).toEqual([16, ...ends.slice(0, -1)]);
    expect(ends.at(-1)).toBe(bytes.length);
    const writer = new FileWriter(v2, { header: { version: whole.version } });
    for (const step of steps) {
      expect(writer.offset).toBe(step.offset);
      expect(writer.append(step.record)).toBeUndefined();
    }
    expect(toHex(unwrap(writer.finish()))).toBe(toHex(bytes));
  });

  it('yields what came before a failure, then the failure, then nothing', () => {
    const bytes = stream('c-4.17-empty.bin').subarray(0, 0x60);
    const steps = [...readRecords(bytes)];
    expect(steps.map((step) => step.ok)).toEqual([true, true, false]);
    expect(steps[2]).toMatchObject({ failure: { offset: 0x44, record: 2, name: 'CONNECTION_DATA', path: 'len' } });
  });

  it('says nothing more after END', () => {
    const reader = new FileReader(v2, vector('MIN-LE'));
    expect(reader.next()).toEqual({ kind: 'END' });
    expect(reader.next()).toBeUndefined();
    expect(reader.failure).toBeUndefined();
    expect(reader.ended).toBe(true);
  });

  it('a record that cannot be written leaves nothing behind', () => {
    const writer = new FileWriter(v2);
    writer.append(node('/'));
    const before = writer.offset;
    expect(writer.append(node('/a', '', [{ letter: 'n', flags: 0, domid: 0x10000 }]))).toEqual({
      offset: before + 8 + 16 + 2,
      record: 1,
      name: 'NODE_DATA',
      path: 'perms[0].domid',
      reason: '65536 does not fit u16',
    });
    expect(writer.offset).toBe(before);
    writer.append(node('/b'));
    writer.append({ kind: 'END' });
    expect(unwrap(decodeImage(unwrap(writer.finish())))).toEqual(image(2, node('/'), node('/b')));
  });

  it('grows from nothing to a record larger than its buffer', () => {
    const writer = new FileWriter(v2, { capacity: 0 });
    const big = ring(1, 5, { outData: new Uint8Array(1_000_000).fill(0x5a) });
    writer.append(big);
    writer.append({ kind: 'END' });
    expect(unwrap(decodeImage(unwrap(writer.finish()))).records[0]).toEqual(big);
  });
});

describe('the header', () => {
  it('is decoded alone', () => {
    const { header, failure } = new FileReader(v2, stream('c-4.22-empty.bin'));
    expect([header, failure]).toEqual([{ fields: { version: 2 }, version: 2, byteOrder: 'little' }, undefined]);
  });

  it('reads octets from the middle of a buffer', () => {
    const bytes = new Uint8Array(500);
    bytes.set(stream('c-4.17-empty.bin'), 13);
    expect(unwrap(decodeImage(bytes.subarray(13, 13 + 344))).records).toHaveLength(9);
  });

  it('keeps what follows END', () => {
    const bytes = imageOf(1, hex('de ad'));
    expect(decodeImage(bytes).ok).toBe(false); // END is the last record, not the last octet
    const trailing = Uint8Array.from([...vector('MIN-LE'), 0xde, 0xad]);
    const decoded = unwrap(decodeImage(trailing));
    expect(decoded.trailing).toEqual(Uint8Array.of(0xde, 0xad));
    expect(toHex(unwrap(encodeImage(decoded)))).toBe(toHex(trailing));
  });
});

describe('order', () => {
  it('special nodes come before the tree in 4.16 and after it in 4.22, whatever the order was', () => {
    const records: StateRecord[] = [
      { kind: 'END' },
      { kind: 'DOMAIN_DATA', domid: 0, features: 0, quotas: [] },
      node('/'),
      node('@releaseDomain'),
      ring(1, 0),
      { kind: 'GLOBAL_DATA', socketFd: 1, evtchnFd: 2 },
    ];
    const [last, domain, root, special, conn, global] = records;
    expect(inFormatOrder(c416, records)).toEqual([global, conn, special, root, domain, last]);
    expect(inFormatOrder(c422, records)).toEqual([global, conn, root, special, domain, last]);
  });
});
