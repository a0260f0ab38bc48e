/**
 * XSA-483 (oxenstored; the C daemon's counts go with the record of the domain): the next domain inherited how many nodes the last one
 * had.
 *
 * Mechanism: at a domain's end its nodes went, and the count of them stayed with its id. Provoked by a guest that makes many nodes
 * and reboots under the same id. Failure: it is over its quota with fewer nodes, in the end with none. Here an account outlives its
 * record as long as somebody is charged to it, so that it has to come out even.
 */
import { describe, expect, it } from 'vitest';
import { Bench } from '../harness.ts';

describe.each(['4.17', '4.22'] as const)('XSA-483 (%s)', (compat) => {
  it('each domain of an id may have as many nodes as the first', () => {
    const bench = new Bench(compat);
    const lives = [0, 1, 2].map(() => {
      const d1 = bench.domain(1);
      d1.ask('WATCH', 'x^t^');
      const tx = d1.begin();
      d1.ask('WRITE', 'in/a/transaction^v', tx);
      let made = 0;
      while (d1.ask('WRITE', `d${made % 30}/${made}^v`) === 'OK^') made++;
      bench.platform.change(1, 'gone');
      bench.virq();
      return made;
    });
    expect(lives[0]).toBeGreaterThan(900);
    expect(new Set(lives).size).toBe(1);
    expect(bench.state.loose.get(1)).toBeUndefined();
  });
});
