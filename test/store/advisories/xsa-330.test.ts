/**
 * XSA-330 (oxenstored; the C daemon has one list per connection and was not affected): RESET_WATCHES left watches behind.
 *
 * Mechanism: watches are kept twice, with their connection and in an index by path, and only one of the two was cleared. So are
 * they here. Provoked by RESET_WATCHES, again and again. Failure: watches that are gone fire, and there are more than the quota
 * allows.
 */
import { describe, expect, it } from 'vitest';
import { Bench } from '../harness.ts';

describe.each(['4.17', '4.22'] as const)('XSA-330 (%s)', (compat) => {
  it('after RESET_WATCHES nothing fires, nothing is counted, and the quota is there in full', () => {
    const bench = new Bench(compat);
    const d1 = bench.domain(1);
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 120; i++) expect(d1.ask('WATCH', `x^${i}^`)).toBe('OK^');
      expect(d1.ask('RESET_WATCHES', '^')).toBe('OK^');
    }
    d1.take();
    bench.s.ask('WRITE', '/local/domain/1/x^');
    expect(d1.events()).toEqual([]);
    expect(d1.conn.record?.account.watches).toBe(0);
    expect([...bench.state.watches.matching('/local/domain/1/x', 'subtree')]).toEqual([]);
  });
});
