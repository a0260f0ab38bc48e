/**
 * XSA-323 (oxenstored) and its companion for the C daemon: what a guest may name relatively must be nameable absolutely.
 *
 * Mechanism: the limit on paths was applied before the guest's home was put in front. Provoked by a node that is made by a
 * relative path at the limit. Failure: dom0, which can only name it absolutely, gets EINVAL, and can neither read nor remove it.
 * The defence does not count the home, in either spelling.
 */
import { describe, expect, it } from 'vitest';
import { Bench } from '../harness.ts';

describe.each(['4.17', '4.22'] as const)('XSA-323 (%s)', (compat) => {
  // 4.17 allows the limit itself, 4.22 does not.
  const longest = 'p'.repeat(compat === '4.17' ? 2048 : 2047);

  it('the longest relative path of a guest can be read, listed and removed by its absolute one', () => {
    const bench = new Bench(compat);
    const d1 = bench.domain(1);
    bench.s.ask('CONTROL', 'quota^set^node-size^10000^'); // its name would be too much for its parent
    if (compat === '4.22') bench.s.ask('SET_QUOTA', '1^node-size^10000^');
    expect(d1.ask('WRITE', `${longest}^v`)).toBe('OK^');
    const absolute = `/local/domain/1/${longest}`;
    for (const client of [d1, bench.s]) expect(client.ask('READ', `${absolute}^`)).toBe('v');
    expect(bench.s.ask('DIRECTORY', '/local/domain/1^')).toBe(`${longest}^`);
    expect(bench.s.ask('RM', `${absolute}^`)).toBe('OK^');
  });

  it('one octet more is refused in both spellings', () => {
    const d1 = new Bench(compat).domain(1);
    for (const path of [`${longest}p`, `/local/domain/1/${longest}p`])
      for (const op of ['WRITE', 'READ', 'MKDIR', 'RM'] as const) expect(d1.ask(op, `${path}^`)).toBe('EINVAL');
  });
});
