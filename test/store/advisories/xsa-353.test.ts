/**
 * XSA-353 (oxenstored; the C daemon asks the root as any node): nobody asked for permission on `/`.
 *
 * Mechanism: the root has no parent, was treated apart in each operation, and only READ asked. Provoked by any guest that names `/`.
 * Failure: the whole store removed, or the root opened to everybody.
 */
import { describe, expect, it } from 'vitest';
import { Bench, type Op } from '../harness.ts';

describe.each(['4.17', '4.22'] as const)('XSA-353 (%s)', (compat) => {
  it.each<[Op, string]>([
    ['RM', '/^'],
    ['SET_PERMS', '/^b1^'],
    ['SET_PERMS', '/^b0^'],
    ['WRITE', '/^v'],
    ['READ', '/^'],
    ['DIRECTORY', '/^'],
    ['DIRECTORY_PART', '/^0^'],
    ['GET_PERMS', '/^'],
    ['WRITE', '/new^v'],
    ['MKDIR', '/new^'],
  ])('%s %s of a guest is EACCES, and the root is as it was', (op, payload) => {
    const bench = new Bench(compat);
    const d1 = bench.domain(1);
    const before = [bench.s.ask('DIRECTORY', '/^'), bench.s.ask('GET_PERMS', '/^'), bench.s.ask('READ', '/^')];
    expect(d1.ask(op, payload)).toBe('EACCES');
    expect([bench.s.ask('DIRECTORY', '/^'), bench.s.ask('GET_PERMS', '/^'), bench.s.ask('READ', '/^')]).toEqual(before);
  });

  it('not even dom0 removes it', () => {
    expect(new Bench(compat).s.ask('RM', '/^')).toBe('EINVAL');
  });
});
