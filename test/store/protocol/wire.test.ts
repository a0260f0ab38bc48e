import { describe, expect, it } from 'vitest';
import { formatPerm, parsePerm } from '../../../store/protocol/perms.ts';
import {
  atoi,
  ERROR_NAMES,
  message,
  oneString,
  StoreError,
  strictDomid,
  strings,
  wireErrno,
} from '../../../store/protocol/wire.ts';
import { octets } from '../harness.ts';

/** The value, or the name of the refusal. */
function outcome<T>(run: () => T): T | string {
  try {
    return run();
  } catch (error) {
    if (error instanceof StoreError) return error.errno;
    throw error;
  }
}

describe('messages', () => {
  it('have a header of four little-endian words', () => {
    const bytes = message(0x0b, 0x01020304, 0xfffefdfc, octets('ab'));
    expect([...bytes]).toEqual([11, 0, 0, 0, 4, 3, 2, 1, 0xfc, 0xfd, 0xfe, 0xff, 2, 0, 0, 0, 0x61, 0x62]);
  });

  it.each([16, 64, 65, 4096])('carry %i octets unchanged', (n) => {
    const payload = Uint8Array.from({ length: n }, (_, i) => i & 0xff);
    expect(message(2, 0, 0, payload).subarray(16)).toEqual(payload);
  });
});

describe('payloads', () => {
  it.each([
    ['', undefined, 'nothing'],
    ['a', undefined, 'no NUL'],
    ['a^b^', undefined, 'two'],
    ['a^x', undefined, 'a tail'],
    ['^', '', 'an empty one'],
    ['a^', 'a', 'one'],
  ])('"%s" as one string is %s: %s', (payload, expected, _why) => {
    expect(oneString(octets(payload))).toBe(expected);
  });

  it.each([
    ['', [], 0],
    ['a', [], 0],
    ['a^b^c', ['a', 'b'], 2],
    ['^^', ['', ''], 2],
    ['a^b^c^d^', ['a', 'b', 'c'], 4],
  ])('"%s" has strings %j of %i in all', (payload, texts, count) => {
    expect(strings(octets(payload), 3)).toEqual({ texts, count });
  });
});

describe('numbers', () => {
  it.each([
    ['', 0, 'strtoul takes nothing, and nothing is left'],
    ['0', 0, ''],
    ['007', 7, 'base 10'],
    ['+5', 5, ''],
    [' \t5', 5, ''],
    ['65535', 65535, ''],
    ['65536', 'EINVAL', 'too large'],
    ['-1', 'EINVAL', '2^64-1'],
    ['-18446744073709551615', 1, 'wraps'],
    ['0x10', 'EINVAL', 'base 10'],
    ['5 ', 'EINVAL', 'something is left'],
    [' ', 'EINVAL', 'something is left'],
    ['-', 'EINVAL', 'something is left'],
  ])('"%s" as a domid is %s %s', (s, expected, _why) => {
    expect(outcome(() => strictDomid(s))).toBe(expected);
  });

  it.each([
    ['', 0],
    ['abc', 0],
    ['5x', 5],
    [' -7', -7],
    ['4294967295', -1],
    ['99999999999999999999', -1],
    ['-99999999999999999999', 0],
  ])('"%s" as atoi takes it is %i', (s, expected) => {
    expect(atoi(s)).toBe(expected);
  });

  it.each([
    ['n0', 'n0'],
    ['r010', 'r8'],
    ['w0x1F', 'w31'],
    ['b 1', 'b1'],
    ['r-1', 'r-1'],
    ['r4294967295', 'r-1'],
    ['n08', 'EINVAL'],
    ['n0x', 'EINVAL'],
    ['n', 'EINVAL'],
    ['', 'EINVAL'],
    ['x1', 'EINVAL'],
    ['r1 ', 'EINVAL'],
    ['R1', 'EINVAL'],
  ])('the entry "%s" is %s', (s, expected) => {
    expect(outcome(() => formatPerm(parsePerm(s)))).toBe(expected);
  });
});

describe('errors', () => {
  it.each(['ESRCH', 'EBADF', 'E'])('%s is not in the table, and goes out as EINVAL', (errno) => {
    expect(wireErrno(errno)).toBe('EINVAL');
  });

  it.each(ERROR_NAMES)('%s is sent as itself', (errno) => {
    expect(wireErrno(errno)).toBe(errno);
  });
});
