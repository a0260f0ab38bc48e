import { describe, expect, it } from 'vitest';
import { RING_BYTES, readableChunk, used, wordAt, writableChunk } from '../../sim/index.ts';

describe('the xenstore ring', () => {
  it.each([
    // prod, cons, used, readable, writable, why
    [0, 0, 0, 0, 1024, 'empty'],
    [1024, 0, 1024, 1024, 0, 'full: no reserved empty slot (RNG-6)'],
    [5, 0xffff_fffb, 10, 5, 1014, 'the indexes wrap at 2^32, and a chunk never crosses the end (XSR-2)'],
    [1030, 1000, 30, 24, 994, 'reads stop at the physical end'],
    [0xffff_ffff, 0xffff_ff00, 255, 255, 1, 'writes stop at the physical end'],
  ])('prod %i cons %i: %i used, %i readable, %i writable: %s', (prod, cons, inUse, readable, writable) => {
    expect(used(prod, cons)).toBe(inUse);
    expect(readableChunk(prod, cons)).toBe(readable);
    expect(writableChunk(prod, cons)).toBe(writable);
  });

  it('shows a bad index as more than the ring holds', () => {
    expect(used(1025, 0)).toBeGreaterThan(RING_BYTES);
    expect(used(0, 1)).toBe(0xffff_ffff);
  });

  it('knows its index words', () => {
    expect([2044, 2048, 2052, 2056, 2060, 2064].map(wordAt)).toEqual([-1, 0, 1, 2, 3, -1]);
  });
});
