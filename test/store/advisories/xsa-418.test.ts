/**
 * XSA-418: deep trees overflowed the daemon's stack.
 *
 * Mechanism: removing, copying and checking called themselves for each level. Provoked by a guest that makes one path of as many
 * levels as it may have nodes, and removes its top, or dies. Failure: the daemon's death. Here a path can have no more levels than
 * a request can name, and whatever walks must bear that many.
 */
import { describe, expect, it } from 'vitest';
import { Bench } from '../harness.ts';

describe.each(['4.17', '4.22'] as const)('XSA-418 (%s)', (compat) => {
  it('a guest’s deepest tree is made, removed, and goes with its owner', () => {
    const bench = new Bench(compat);
    const d1 = bench.domain(1);
    const before = bench.state.tree.size;
    const path = Array.from({ length: 990 }, () => 'd').join('/');
    expect(d1.ask('WRITE', `${path}^v`)).toBe('OK^');
    expect(bench.s.ask('CONTROL', 'check^')).toBe('OK^');
    expect(d1.ask('RM', 'd^')).toBe('OK^');
    expect(bench.state.tree.size).toBe(before);
    expect(d1.ask('WRITE', `${path}^v`)).toBe('OK^');
    bench.platform.change(1, 'gone');
    bench.virq();
    expect(bench.state.tree.size).toBe(before - 1);
  });

  it('so is the deepest that a socket can name, in a transaction, too', () => {
    const bench = new Bench(compat);
    const { s } = bench;
    bench.s.ask('CONTROL', 'quota^set^path-max^4096^');
    const before = bench.state.tree.size;
    const path = '/e'.repeat(2047);
    const tx = s.begin();
    expect(s.ask('WRITE', `${path}^v`, tx)).toBe('OK^');
    expect(s.end(tx)).toBe('OK^');
    expect(s.ask('READ', `${path}^`)).toBe('v');
    expect(s.ask('RM', '/e^')).toBe('OK^');
    expect(bench.state.tree.size).toBe(before);
  });
});
