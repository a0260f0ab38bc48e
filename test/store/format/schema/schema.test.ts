import { describe, expect, it } from 'vitest';
import type { RecordSchema } from '../../../../store/format/codec/compile.ts';
import { rows } from '../../../../store/format/codec/rows.ts';
import {
  align,
  annotateFile,
  connectionData,
  constant,
  cstring,
  flags,
  letter,
  list,
  nodeData,
  octets,
  optional,
  record,
  reserved,
  u8,
  u16,
  u32,
  u64,
  v2,
} from '../../../../store/format/index.ts';
import { Reader, Writer } from '../../../../store/format/schema/cursor.ts';
import { describe as describeLayout } from '../../../../store/format/schema/describe.ts';
import { hex, o, stream, streams, toHex, vector, vectors } from '../support.ts';

function encode<V>(schema: RecordSchema<V>, value: V, littleEndian = true): string {
  const writer = new Writer(0);
  writer.littleEndian = littleEndian;
  if (!schema.encode(writer, value)) return `${writer.failure?.path}: ${writer.failure?.reason}`;
  return toHex(writer.bytes.subarray(0, writer.pos));
}

function decode<V>(schema: RecordSchema<V>, bytes: Uint8Array, littleEndian = true): V | string {
  const reader = new Reader(bytes);
  reader.littleEndian = littleEndian;
  return schema.decode(reader) ?? `${reader.failure?.offset} ${reader.failure?.path}: ${reader.failure?.reason}`;
}

/** NODE_DATA of the first merged document: a type word, lengths without NUL, padding to 4 between the parts. */
const firstNode = record('NODE_DATA', 7, {
  type: constant('u32', 1),
  pathLen: u32,
  path: octets({ length: 'pathLen' }),
  pathPad: align(4),
  permCount: u32,
  perms: list({ count: 'permCount' }, { letter: letter(['r', 'w', 'b', 'n'], 'n'), pad: reserved(1), domid: u16 }),
  valueLen: u32,
  value: octets({ length: 'valueLen' }),
  valuePad: align(4),
});

describe('the layout language', () => {
  const value = {
    kind: 'NODE_DATA',
    path: o('/foo/ba'),
    perms: [
      { letter: 'n', domid: 5 },
      { letter: 'r', domid: 0 },
    ],
    value: o('world'),
  } as const;
  const bytes = '01000000 07000000 2f666f6f 2f626100 02000000 6e000500 72000000 05000000 776f726c 64000000';

  it('holds a layout with padding and lengths in between', () => {
    expect(encode(firstNode, value)).toBe(bytes);
    expect(decode(firstNode, hex(bytes))).toEqual(value);
  });

  it('pads from the start of the body, not of the buffer', () => {
    const reader = new Reader(hex(`ffffff ${bytes}`));
    reader.pos = 3;
    reader.base = 3;
    expect(firstNode.decode(reader)).toEqual(value);
    expect(reader.pos).toBe(43);
  });

  it('keeps padding and reserved octets that are not zero, and only those', () => {
    const odd = hex(bytes.replace('2f626100', '2f6261aa').replace('6e000500', '6e070500'));
    const decoded = decode(firstNode, odd);
    expect(decoded).toMatchObject({ pathPad: o('\xaa'), perms: [{ letter: 'n', pad: 7, domid: 5 }, { letter: 'r' }] });
    if (typeof decoded === 'string') throw new Error(decoded);
    expect(Object.keys(decoded)).not.toContain('valuePad');
    expect(encode(firstNode, decoded)).toBe(toHex(odd));
  });

  it('checks a constant', () => {
    expect(decode(firstNode, hex(bytes.replace('01000000', '02000000')))).toBe('0 type: is 2, must be 1');
  });

  it('reads and writes either byte order', () => {
    const both = record('X', 1, { a: u16, b: u32, c: u64, d: u8 });
    const one = { kind: 'X', a: 0x0102, b: 0x03040506, c: 0x0708090a0b0c0d0en, d: 15 } as const;
    expect(encode(both, one, false)).toBe('01020304 05060708 090a0b0c 0d0e0f');
    expect(encode(both, one, true)).toBe('02010605 04030e0d 0c0b0a09 08070f');
    expect(decode(both, hex('01020304 05060708 090a0b0c 0d0e0f'), false)).toEqual(one);
  });

  it('has optional parts without a condition', () => {
    const maybe = record('X', 1, {
      bits: flags('u8'),
      first: optional({ flags: 'bits', bit: 0, align: 1 }, u16),
      second: optional({ flags: 'bits', bit: 7, align: 4 }, u32),
    });
    const cases = [
      [{ kind: 'X' }, '00'],
      [{ kind: 'X', first: 5 }, '010500'],
      [{ kind: 'X', second: 5 }, '80000000 05000000'],
      [{ kind: 'X', bits: 2, first: 1, second: 5 }, '83010000 05000000'],
    ] as const;
    for (const [one, text] of cases) {
      expect(encode(maybe, one)).toBe(text);
      expect(decode(maybe, hex(text))).toEqual(one);
    }
    expect(encode(maybe, { kind: 'X', bits: 1, first: 1 })).toBe('bits: bit 0 is told by first');
  });

  it('nests lists, and names a field inside them by number', () => {
    const nested = record('X', 1, {
      n: u8,
      outer: list(
        { count: 'n' },
        { m: u8, inner: list({ count: 'm' }, { len: u8, text: cstring({ length: 'len' }) }) },
      ),
    });
    const one = { kind: 'X', outer: [{ inner: [] }, { inner: [{ text: o('a') }, { text: o('') }] }] } as const;
    expect(encode(nested, one)).toBe('02000202 61000100');
    expect(decode(nested, hex('0200020261000100'))).toEqual(one);
    expect(decode(nested, hex('0200020261000161'))).toBe('7 outer[1].inner[1].text: does not end in NUL');
    expect(decode(nested, hex('02000202610003'))).toBe('7 outer[1].inner[1].text: wants 3 octets, 0 left');
    const wrong = { kind: 'X', outer: [{ inner: [{ text: new Uint8Array(255) }] }] } as const;
    expect(encode(nested, wrong)).toBe('outer[0].inner[0].text: 256 octets with the NUL do not fit len (u8)');
  });

  it('refuses a layout that makes no sense when it is made', () => {
    expect(() => record('X', 1, { text: octets({ length: 'len' }), len: u8 })).toThrow('len must come before text');
    expect(() => record('X', 1, { 'a-b': u8 })).toThrow('not an identifier');
  });
});

describe('describe', () => {
  it('tells offsets as far as they are fixed', () => {
    const { fields } = describeLayout(nodeData);
    expect(fields.map(({ path, type, offset, bytes }) => [path, type, offset, bytes])).toEqual([
      ['connId', 'u32', 0, 4],
      ['txId', 'u32', 4, 4],
      ['pathLen', 'u16', 8, 2],
      ['valueLen', 'u16', 10, 2],
      ['access', 'u16', 12, 2],
      ['permCount', 'u16', 14, 2],
      ['perms', 'list[permCount]', 16, undefined],
      ['perms[].letter', 'letter rwbn', 0, 1],
      ['perms[].flags', 'u8', 1, 1],
      ['perms[].domid', 'u16', 2, 2],
      ['path', 'octets[pathLen] with NUL', undefined, undefined],
      ['value', 'octets[valueLen]', undefined, undefined],
    ]);
    expect(fields.find((field) => field.path === 'pathLen')?.describes).toBe('path');
  });

  it('tells alternatives and optional parts', () => {
    const { fields } = describeLayout(connectionData);
    expect(fields.find((field) => field.path === 'conn.ring.port')).toMatchObject({ offset: 12, bytes: 4 });
    expect(fields.find((field) => field.path === 'conn.socket.fd')).toMatchObject({ offset: 8, bytes: 4 });
    expect(fields.find((field) => field.path === 'uniqueId')?.type).toBe(
      'pad(8), u64 if fields bit 0 and conn is ring',
    );
  });
});

describe('rows', () => {
  it('annotates a body', () => {
    const result = rows(nodeData, vector('G3.2-NODE-STALE').subarray(8));
    expect(result.failure).toBeUndefined();
    expect(result.rows.map(({ offset, length, path, value }) => [offset, length, path, value])).toEqual([
      [0, 4, 'connId', 0],
      [4, 4, 'txId', 0],
      [8, 2, 'pathLen', 9],
      [10, 2, 'valueLen', 0],
      [12, 2, 'access', 0],
      [14, 2, 'permCount', 2],
      [16, 1, 'perms[0].letter', 0x6e],
      [17, 1, 'perms[0].flags', 0],
      [18, 2, 'perms[0].domid', 5],
      [20, 1, 'perms[1].letter', 0x72],
      [21, 1, 'perms[1].flags', 1],
      [22, 2, 'perms[1].domid', 9],
      [24, 9, 'path', o('/foo/bar\0')],
      [33, 0, 'value', o('')],
    ]);
  });

  const whole = [...streams, ...vectors.filter((one) => one.whole && one.name !== 'G3.0-FULL')];
  it.each(whole)('$name: rows cover every octet once', ({ bytes }) => {
    const result = annotateFile(v2.format, bytes);
    expect(result.failure).toBeUndefined();
    let pos = 0;
    for (const row of result.rows) {
      expect(row.offset).toBe(pos);
      pos += row.bytes.length;
    }
    expect(pos).toBe(bytes.length);
  });

  it('stops in a body that cannot be read, and says of the rest that nobody has read it', () => {
    const bytes = stream('c-4.17-empty.bin').slice();
    bytes[0x80] = 0xff; // pathLen of the first node is at 0x88, this is its connId
    bytes[0x88] = 0xff;
    const { rows, failure } = annotateFile(v2.format, bytes);
    expect(failure).toMatchObject({ record: 3, name: 'NODE_DATA', path: 'path' });
    expect(rows.filter((row) => row.path === 'unread')).toMatchObject([{ record: 3, offset: 0x94 }]);
    expect(rows.at(-1)?.bytes.length).toBe(bytes.length - 0x94);
  });
});
