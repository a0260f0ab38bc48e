/**
 * XSA-484: giving up all transactions while one of them is being worked in.
 *
 * Mechanism: the function that gives up a connection's transactions asserted that none was in use. Provoked by RESET_WATCHES that
 * names a transaction, or by a connection that has to be ignored in the middle of one. Failure: the assertion ends the daemon. The
 * defence: all is given up, including the count and the one in use, as often as somebody asks.
 */
import { describe, expect, it } from 'vitest';
import { Bench } from '../harness.ts';
import { headerOf, scripted } from './scripted.ts';

describe.each(['4.17', '4.22'] as const)('XSA-484 (%s)', (compat) => {
  it('RESET_WATCHES in a transaction gives it up with all the others', () => {
    const bench = new Bench(compat);
    const d1 = bench.domain(1);
    const memory = d1.conn.record?.account.memory;
    const [one, other] = [d1.begin(), d1.begin()];
    d1.ask('WRITE', 'x^v', one);
    d1.ask('WRITE', 'y^v', other);
    expect(d1.ask('RESET_WATCHES', '^', one)).toBe('OK^');
    for (const tx of [one, other]) expect(d1.end(tx)).toBe('ENOENT');
    expect(d1.ask('RESET_WATCHES', '^')).toBe('OK^');
    expect(d1.conn.record?.account).toMatchObject({ transactions: 0, memory });
    expect(bench.state.openTransactions).toBe(0);
    expect(d1.ask('DIRECTORY', '/local/domain/1^')).toBe('');
    expect(d1.end(d1.begin())).toBe('OK^');
  });

  it('a connection that is ignored has none either, and a live update is not held up by it', () => {
    const output = scripted(compat, [
      { socket: 'a' },
      { domain: 1 },
      { on: '1', op: 'TRANSACTION_START', payload: '^', as: 't' },
      { on: '1', op: 'WRITE', payload: 'x^v', tx: 't' },
      { on: '1', raw: headerOf(5000) },
      { liveUpdate: compat === '4.17' ? 'v1' : 'v2' },
      { on: 'a', op: 'READ', payload: '/local/domain/1/x^' },
    ]);
    expect(output[5]).toEqual([{ liveUpdate: 'ok' }]);
    expect(output[6]).toMatchObject([{ payload: 'ENOENT\0' }]);
  });
});
