import { describe, expect, it } from 'vitest';
import { broken, headline, tamper } from '../support/headline.ts';

/** A live update whose image is damaged on the way: the old instance goes on, the requester learns why, nothing is lost. */
describe('an update that fails rolls back', () => {
  it.each([
    ['a truncated image', (b: Uint8Array) => b.subarray(0, b.length - 9), /offset \d+ .*record \d+/],
    ['an image cut in the header', (b: Uint8Array) => b.subarray(0, 7), /offset \d+/],
    ['no image at all', () => new Uint8Array(0), /offset 0/],
    ['another ident', (b: Uint8Array) => flip(b, 0), /ident/],
    ['version 3', (b: Uint8Array) => replaced(b, 11, 3), /version.*3/],
    ['version 0', (b: Uint8Array) => replaced(b, 11, 0), /version.*0/],
    ['a reserved flag', (b: Uint8Array) => replaced(b, 15, 2), /flags/],
    ['a record length with a flipped bit', (b: Uint8Array) => flip(b, 20, 0x40), /offset \d+ .*record/],
    [
      'a node record before its parent',
      tamper((r) => (r.kind === 'NODE_DATA' && String.fromCharCode(...r.path) === '/tool' ? undefined : r)),
      /parent|\/tool/,
    ],
    ['a watch of no connection', tamper((r) => (r.kind === 'WATCH_DATA' ? { ...r, connId: 77 } : r)), /conn/],
  ])('%s', (_, damage, reason) => {
    const result = headline({
      set: { requests: 2_000, updates: 3 },
      passImage: (image, n) => (n === 2 ? damage(image) : image),
    });
    expect(broken(result)).toEqual([]);
    expect(result.outcome).toBe('pass');
    expect(result.updates.map((u) => u.outcome)).toEqual(['ok', 'failed', 'ok']);
    expect(result.updates[1]?.answer).toMatch(reason);
    expect(result.updates.map((u) => u.answer === 'OK')).toEqual([true, false, true]);
  });
});

function flip(bytes: Uint8Array, at: number, bits = 1): Uint8Array {
  return replaced(bytes, at, (bytes[at] as number) ^ bits);
}

function replaced(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = bytes.slice();
  copy[at] = value;
  return copy;
}
