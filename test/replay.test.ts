import { describe, expect, it } from 'vitest';
import { headline } from './support/headline.ts';

/**
 * Pinned seeds: the same traces for ever. A change that gives them new digests needs a line under Replays in CHANGELOG.md.
 */
const PINNED: readonly (readonly [seed: string, format: string, policy: string, digest: string])[] = [
  ['1', 'v2', 'carry', '776747152df64cf8'],
  ['7', 'v2', 'carry', 'b68babf4cbbd4650'],
  ['7', 'v1', 'carry', 'fa8ecd6e0896f4fd'],
  ['7', 'v2', 'daemon', 'bc435000bddcd4bb'],
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
