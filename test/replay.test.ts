import { describe, expect, it } from 'vitest';
import { headline } from './support/headline.ts';

/**
 * Pinned seeds: the same traces for ever. A change that gives them new digests needs a line under Replays in CHANGELOG.md.
 */
const PINNED: readonly (readonly [seed: string, format: string, policy: string, digest: string])[] = [
  ['1', 'v2', 'carry', 'd78ac1012c0972a4'],
  ['7', 'v2', 'carry', 'bc319fd72291df34'],
  ['7', 'v1', 'carry', '060d4700b08f276f'],
  ['7', 'v2', 'daemon', 'da02114b1f7720ea'],
];

describe('pinned seeds', () => {
  it.each(PINNED)('seed %s, format %s, policy %s', (seed, format, policy, digest) => {
    const result = headline({ seed, format, set: { policy } });
    expect(result.outcome).toBe('pass');
    expect(result.digest).toBe(digest);
  });

  it('give the same history twice, record by record', () => {
    const [a, b] = [headline({ seed: '3' }), headline({ seed: '3' })];
    expect(a.history?.records.length).toBe(b.history?.records.length);
    for (const [i, record] of (a.history?.records ?? []).entries()) expect(b.history?.records[i]).toEqual(record);
  });
});
