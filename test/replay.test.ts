import { describe, expect, it } from 'vitest';
import { headline } from './support/headline.ts';

/**
 * Pinned seeds: the same traces for ever. A change that gives them new digests needs a line under Replays in CHANGELOG.md.
 */
const PINNED: readonly (readonly [seed: string, format: string, policy: string, digest: string])[] = [
  ['1', 'v2', 'carry', '120ccb8a67a2f070'],
  ['7', 'v2', 'carry', '69727b6f282776d8'],
  ['7', 'v1', 'carry', '512295cc2fe4e20b'],
  ['7', 'v2', 'daemon', 'f7ff70c93c801c18'],
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
