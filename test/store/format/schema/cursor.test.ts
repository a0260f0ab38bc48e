import { describe, expect, it } from 'vitest';
import { INT_TYPES, Reader, Writer } from '../../../../store/format/schema/cursor.ts';
import { hex, o, toHex } from '../support.ts';

describe('Reader', () => {
  it.each([
    ['u8', 'fe', 0xfe, 0xfe],
    ['u16', '01fe', 0xfe01, 0x01fe],
    ['u32', '010203fe', 0xfe030201, 0x010203fe],
    ['i32', '010203fe', -33357311, 0x010203fe],
    ['u64', '01020304050607fe', 0xfe07060504030201n, 0x01020304050607fen],
  ] as const)('reads %s in both byte orders', (type, text, little, big) => {
    const reader = new Reader(hex(text));
    expect(reader.int(type, 'x')).toBe(little);
    expect(reader.pos).toBe(text.length / 2);
    reader.pos = 0;
    reader.littleEndian = false;
    expect(reader.int(type, 'x')).toBe(big);
  });

  it.each(INT_TYPES)('fails for %s when one octet is missing, and does not move', (type) => {
    const bytes = { u8: 0, u16: 1, u32: 3, u64: 7, i32: 3 }[type];
    const reader = new Reader(new Uint8Array(bytes + 2));
    reader.pos = 2;
    expect(reader.int(type, 'a.b')).toBeUndefined();
    expect(reader.failure).toEqual({ offset: 2, path: 'a.b', reason: `wants ${bytes + 1} octets, ${bytes} left` });
    expect(reader.pos).toBe(2);
  });

  it('ends where it is told, not where the bytes end', () => {
    const reader = new Reader(o('abcdef'));
    reader.end = 3;
    expect(reader.window(3, 'x')).toEqual(o('abc'));
    expect(reader.window(1, 'y')).toBeUndefined();
    expect(reader.failure?.path).toBe('y');
  });

  it('keeps the first failure', () => {
    const reader = new Reader(o(''));
    reader.int('u8', 'first');
    reader.int('u8', 'second');
    expect(reader.failure?.path).toBe('first');
  });

  it('hands out plain octets whatever it was given', () => {
    class Special extends Uint8Array {}
    const given = new Special(4);
    expect(new Reader(given).window(2, 'x')?.constructor).toBe(Uint8Array);
  });

  it('windows share, they do not copy', () => {
    const bytes = o('abc');
    const window = new Reader(bytes).window(2, 'x');
    bytes[0] = 0x7a;
    expect(window).toEqual(o('zb'));
  });
});

describe('Writer', () => {
  it('grows from nothing and keeps what it has', () => {
    const writer = new Writer(0);
    writer.u32(0x01020304);
    writer.littleEndian = false;
    writer.u32(0x01020304);
    for (let i = 0; i < 3000; i++) writer.octets(o('xy'));
    writer.zeroes(3);
    expect(writer.pos).toBe(6011);
    expect(toHex(writer.bytes.subarray(0, 10))).toBe('04030201 01020304 7879');
    expect(toHex(writer.bytes.subarray(6006, 6011))).toBe('7879 0000 00'.replace(/ /g, '').replace(/(.{8})/, '$1 '));
  });

  it('an image that cannot be held is a failure', () => {
    const writer = new Writer(0);
    expect(writer.room(0, 2 ** 33)).toBe(false);
    expect(writer.failure?.reason).toBe('an image of 8589934592 octets cannot be held');
  });
});
