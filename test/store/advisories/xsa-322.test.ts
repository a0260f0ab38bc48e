/**
 * XSA-322: entries and nodes of a domain outlived it, and the next domain with its id had them.
 *
 * Mechanism: nodes name domains by id, and ids are used again. Provoked by giving domain 1 a right on a node of somebody else, the
 * end of 1, and another domain 1; a write of the node in between must not make the old entry young again. Failure: the second
 * domain 1 reads what was meant for the first. The defence of 4.17 is age (the record must not be younger than the node), and a
 * mark on what was found to be stale; 4.22 takes the entries out of all nodes besides.
 */
import { describe, expect, it } from 'vitest';
import { Bench } from '../harness.ts';

function reborn(compat: '4.17' | '4.22', between: (bench: Bench) => void): Bench {
  const bench = new Bench(compat);
  bench.domain(1);
  bench.s.ask('WRITE', '/n^secret');
  bench.s.ask('SET_PERMS', '/n^n0^r1^');
  expect(bench.ring(1).ask('READ', '/n^')).toBe('secret');
  bench.platform.change(1, 'gone');
  bench.virq();
  between(bench);
  bench.domain(1);
  return bench;
}

describe.each(['4.17', '4.22'] as const)('XSA-322 (%s)', (compat) => {
  it.each([
    ['nothing happens', () => {}],
    ['the node is written', (bench: Bench) => bench.s.ask('WRITE', '/n^secret')],
    ['a child is made below it', (bench: Bench) => bench.s.ask('MKDIR', '/n/child^')],
  ])('the next domain of that id has no right on a node when %s between', (_what, between) => {
    const bench = reborn(compat, between);
    expect(bench.ring(1).ask('READ', '/n^')).toBe('EACCES');
    bench.s.ask('WRITE', '/n^again');
    expect(bench.ring(1).ask('READ', '/n^')).toBe('EACCES');
  });

  it('nor does it hear of the node', () => {
    const bench = reborn(compat, () => {});
    bench.ring(1).ask('WATCH', '/n^t^');
    bench.ring(1).take();
    bench.s.ask('WRITE', '/n^again');
    expect(bench.ring(1).events()).toEqual([]);
  });
});

describe('XSA-322, its end', () => {
  it('4.22 leaves no entry of the dead', () => {
    expect(reborn('4.22', () => {}).s.ask('GET_PERMS', '/n^')).toBe('n0^');
    expect(reborn('4.17', () => {}).s.ask('GET_PERMS', '/n^')).toBe('n0^r1^');
  });
});
