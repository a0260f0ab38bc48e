/**
 * XSA-417: a domain that the daemon did not know was taken for one that every entry means.
 *
 * Mechanism: an entry counts if the record of its domain is not younger than the node. Where there was no record, but a domain, the
 * check said yes, as it may be the first node of a new domain. Provoked: domain 1 has an entry on a node, goes, and another domain 1
 * is there, not yet introduced; the node is written then, and the entry looks young. Failure: the second domain 1 reads what was
 * meant for the first. The defence: no record, no right; SET_PERMS makes the record, and an entry for nobody never comes to life.
 */
import { describe, expect, it } from 'vitest';
import { Bench } from '../harness.ts';

describe.each(['4.17', '4.22'] as const)('XSA-417 (%s)', (compat) => {
  it('a node that is written between the end of a domain and the introduction of the next is not open to that', () => {
    const bench = new Bench(compat);
    bench.domain(1);
    bench.s.ask('WRITE', '/n^secret');
    bench.s.ask('SET_PERMS', '/n^n0^r1^');
    bench.platform.change(1, 'gone');
    bench.virq();
    bench.platform.createDomain(1);
    bench.s.ask('WRITE', '/n^secret'); // the last write of all before the introduction
    bench.s.ask('INTRODUCE', '1^1^7^');
    expect(bench.ring(1).ask('READ', '/n^')).toBe('EACCES');
  });

  it('an entry for a domain that does not exist stays void when there is one', () => {
    const bench = new Bench(compat);
    bench.s.ask('WRITE', '/n^secret');
    bench.s.ask('SET_PERMS', '/n^n0^r5^');
    bench.platform.createDomain(5);
    bench.s.ask('INTRODUCE', '5^1^7^');
    bench.s.ask('WRITE', '/n^secret'); // younger than the record of 5
    expect(bench.ring(5).ask('READ', '/n^')).toBe('EACCES');
  });

  it('an entry for a domain that exists and is not introduced counts once it is', () => {
    const bench = new Bench(compat);
    bench.platform.createDomain(5);
    bench.s.ask('WRITE', '/n^for 5');
    bench.s.ask('SET_PERMS', '/n^n0^r5^');
    bench.s.ask('INTRODUCE', '5^1^7^');
    expect(bench.ring(5).ask('READ', '/n^')).toBe('for 5');
  });
});
