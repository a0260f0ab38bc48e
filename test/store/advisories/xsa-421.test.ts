/**
 * XSA-421: a node that was created and removed in one transaction stopped its commit half way.
 *
 * Mechanism: at the end the removed node was not found, which counted as an error; what came before was written, what came after was
 * not, and no account was brought up to date. Provoked: write a, write b, remove b, write c, commit. Failure: an error though `a` is
 * there; more nodes than the quota allows. The defence: there is nothing to do about such a node.
 */
import { describe, expect, it } from 'vitest';
import { Bench } from '../harness.ts';

describe.each(['4.17', '4.22'] as const)('XSA-421 (%s)', (compat) => {
  it('all of the transaction is there, nothing of what it took back, and the accounts say so', () => {
    const bench = new Bench(compat);
    const d1 = bench.domain(1);
    const tx = d1.begin();
    for (const name of ['a', 'b', 'b/below']) expect(d1.ask('WRITE', `${name}^v`, tx)).toBe('OK^');
    expect(d1.ask('RM', 'b^', tx)).toBe('OK^');
    expect(d1.ask('WRITE', 'c^v', tx)).toBe('OK^');
    expect(d1.end(tx)).toBe('OK^');
    expect(d1.ask('DIRECTORY', '/local/domain/1^')).toBe('a^c^');
    expect(d1.ask('READ', 'b/below^')).toBe('ENOENT');
    expect(d1.conn.record?.account.nodes).toBe(3);
  });

  it('and so in a transaction that does nothing else', () => {
    const d1 = new Bench(compat).domain(1);
    const tx = d1.begin();
    d1.ask('WRITE', 'b^v', tx);
    d1.ask('RM', 'b^', tx);
    expect(d1.end(tx)).toBe('OK^');
    expect(d1.conn.record?.account.nodes).toBe(1);
  });
});
