/**
 * XSA-419: nodes of dead domains were given to dom0, which has no quota.
 *
 * Mechanism: what a domain owned outside of its home stayed at its end, with dom0 as the owner. Provoked by a guest that makes nodes
 * in a directory of somebody else, reboots, and does it again. Failure: the store grows without limit. The defence removes them,
 * with what is below.
 */
import { describe, expect, it } from 'vitest';
import { Bench } from '../harness.ts';

describe.each(['4.17', '4.22'] as const)('XSA-419 (%s)', (compat) => {
  it('what a guest leaves in others’ directories goes with it, life after life', () => {
    const bench = new Bench(compat);
    bench.domain(2).ask('MKDIR', 'in^');
    const sizes: number[] = [];
    for (let life = 0; life < 4; life++) {
      const d1 = bench.domain(1);
      bench.ring(2).ask('SET_PERMS', '/local/domain/2/in^n2^b1^');
      for (let i = 0; i < 50; i++) expect(d1.ask('WRITE', `/local/domain/2/in/${life}/${i}^v`)).toBe('OK^');
      bench.platform.change(1, 'gone');
      bench.virq();
      sizes.push(bench.state.tree.size);
      expect(bench.s.ask('DIRECTORY', '/local/domain/2/in^')).toBe('');
    }
    expect(new Set(sizes).size).toBe(1);
    const nodes = /^nodes *: *(\d+)/m.exec(bench.s.ask('CONTROL', 'quota^0^'))?.[1];
    expect(Number(nodes)).toBe([...bench.state.tree.values()].filter((n) => n.perms[0]?.domid === 0).length);
  });
});
