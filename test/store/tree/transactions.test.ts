import { describe, expect, it } from 'vitest';
import { Bench, type Client } from '../harness.ts';

/** A daemon with two privileged sockets, domain 1, and `/a/b`, `/a/c`. */
function meeting(): { bench: Bench; s: Client; s2: Client; d1: Client } {
  const bench = new Bench();
  const d1 = bench.domain(1);
  for (const name of ['b', 'c']) bench.s.ask('WRITE', `/a/${name}^0`);
  return { bench, s: bench.s, s2: bench.socket(), d1 };
}

describe('a transaction', () => {
  it('shows its own writes to itself, and to nobody else', () => {
    const { s, s2 } = meeting();
    const tx = s.begin();
    s.ask('WRITE', '/a/new^1', tx);
    s.ask('RM', '/a/b^', tx);
    expect(s.ask('DIRECTORY', '/a^', tx)).toBe('c^new^');
    expect(s.ask('READ', '/a/b^', tx)).toBe('ENOENT');
    expect(s2.ask('DIRECTORY', '/a^')).toBe('b^c^');
    expect(s2.ask('READ', '/a/new^')).toBe('ENOENT');
    expect(s.end(tx)).toBe('OK^');
    expect(s2.ask('DIRECTORY', '/a^')).toBe('c^new^');
  });

  it('leaves nothing behind when it is given up', () => {
    const { bench, s, s2 } = meeting();
    const before = s2.ask('CONTROL', 'quota^0^');
    const tree = new Map(bench.state.tree);
    const tx = s.begin();
    s.ask('WRITE', '/a/new^1', tx);
    s.ask('RM', '/a/c^', tx);
    expect(s.end(tx, 'F')).toBe('OK^');
    expect(bench.state.tree).toEqual(tree);
    const current = (text: string) => text.replaceAll(/\(max.*\)/g, '');
    expect(current(s2.ask('CONTROL', 'quota^0^'))).toBe(current(before));
  });

  it.each([
    ['a read node written', ['READ', '/a/b^'], ['WRITE', '/a/b^1'], 'EAGAIN'],
    ['a read node removed', ['READ', '/a/b^'], ['RM', '/a/b^'], 'EAGAIN'],
    ['a read node given other entries', ['READ', '/a/b^'], ['SET_PERMS', '/a/b^n0^r1^'], 'EAGAIN'],
    ["a listed node's child written", ['DIRECTORY', '/a^'], ['WRITE', '/a/b^1'], 'OK^'],
    ["a listed node's child removed", ['DIRECTORY', '/a^'], ['RM', '/a/b^'], 'EAGAIN'],
    ['a sibling written', ['WRITE', '/a/b^1'], ['WRITE', '/a/c^1'], 'OK^'],
    ['a sibling created', ['WRITE', '/a/b^1'], ['MKDIR', '/a/d^'], 'OK^'],
    ['a creation, a sibling created', ['MKDIR', '/a/e^'], ['MKDIR', '/a/d^'], 'EAGAIN'],
    ['a creation, a sibling written', ['MKDIR', '/a/e^'], ['WRITE', '/a/b^1'], 'OK^'],
    ['a removal, a node of the subtree written', ['RM', '/a^'], ['WRITE', '/a/b^1'], 'EAGAIN'],
    ['a missing node created', ['READ', '/a/e^'], ['MKDIR', '/a/e^'], 'EAGAIN'],
    ['a missing node, something else created beside', ['READ', '/a/e^'], ['MKDIR', '/a/d^'], 'EAGAIN'],
    ['a watch', ['WATCH', '/a^t^'], ['WRITE', '/a^1'], 'OK^'],
  ] as const)('meets %s', (_name, [op, payload], [op2, payload2], expected) => {
    const { s, s2 } = meeting();
    const tx = s.begin();
    s.send(op, payload, tx);
    s2.send(op2, payload2);
    expect(s.end(tx)).toBe(expected);
  });

  it('fires for each node once, in order of first access', () => {
    const { s } = meeting();
    for (const path of ['/a/b', '/a/c', '/a/d']) s.ask('WATCH', `${path}^t^`);
    const tx = s.begin();
    s.ask('READ', '/a/c^', tx);
    for (const path of ['/a/b', '/a/d', '/a/b', '/a/c']) s.ask('WRITE', `${path}^1`, tx);
    s.take();
    s.end(tx);
    expect(s.events()).toEqual(['/a/c t', '/a/b t', '/a/d t']);
  });

  it('counts a generation for each node it writes, and none for one it removes', () => {
    const { bench, s } = meeting();
    const tx = s.begin();
    s.ask('WRITE', '/a/b^1', tx);
    s.ask('RM', '/a/c^', tx); // and /a
    const before = bench.state.generation;
    s.end(tx);
    expect(bench.state.generation).toBe(before + 2);
  });

  it('tells a watcher who could read a removed node, but not one who could read its parent only', () => {
    const { s, d1 } = meeting();
    s.ask('SET_PERMS', '/a^n0^r1^');
    for (const path of ['/a/b', '/a/c']) d1.ask('WATCH', `${path}^t^`);
    s.ask('SET_PERMS', '/a/b^n0^r1^');
    d1.take();
    const tx = s.begin();
    s.ask('RM', '/a/b^', tx);
    s.ask('RM', '/a/c^', tx);
    s.end(tx);
    expect(d1.events()).toEqual(['/a/b t']);
  });

  it('looks at the rights on a new chain before its parents are there', () => {
    const { s, d1 } = meeting();
    s.ask('SET_PERMS', '/a^n0^r1^');
    d1.ask('WATCH', '/a^t^');
    d1.take();
    const tx = s.begin();
    s.ask('WRITE', '/a/x/y^1', tx);
    s.ask('SET_PERMS', '/a/x/y^n0^', tx);
    s.end(tx);
    expect(d1.events()).toEqual([]);
  });

  it('holds at most 1023 nodes for a guest, and is lost after that', () => {
    const { d1 } = meeting();
    const tx = d1.begin();
    d1.ask('READ', '/local/domain/1^', tx);
    let n = 1;
    while (d1.ask('READ', `none${n}^`, tx) === 'ENOENT') n++;
    expect(n).toBe(1023);
    expect(d1.ask('READ', `none${n}^`, tx)).toBe('ENOSPC');
    expect(d1.ask('READ', 'none1^', tx)).toBe('ENOENT');
    expect(d1.end(tx)).toBe('ENOMEM');
  });

  it('tests the nodes quota of everybody whose nodes it adds', () => {
    const { s, d1 } = meeting();
    s.ask('SET_QUOTA', '1^nodes^3^');
    const tx = d1.begin();
    for (const name of ['x', 'y', 'z']) expect(d1.ask('MKDIR', `${name}^`, tx)).toBe('OK^');
    expect(d1.end(tx)).toBe('ENOSPC');
    expect(d1.ask('DIRECTORY', '/local/domain/1^')).toBe('');
  });

  it('gets EIO for a removal that does not fit its view', () => {
    const { s, s2 } = meeting();
    const tx = s.begin();
    s.ask('DIRECTORY', '/a^', tx);
    s2.ask('RM', '/a/b^');
    expect(s.ask('RM', '/a^', tx)).toBe('EIO');
  });

  it('cannot be used by another connection', () => {
    const { s, s2 } = meeting();
    const tx = s.begin();
    expect(s2.ask('READ', '/a/b^', tx)).toBe('ENOENT');
  });

  it('holds special nodes, too', () => {
    const { s, s2 } = meeting();
    s2.ask('WATCH', '@introduceDomain^t^');
    s2.take();
    const tx = s.begin();
    expect(s.ask('SET_PERMS', '@introduceDomain^n0^r1^', tx)).toBe('OK^');
    expect(s2.ask('GET_PERMS', '@introduceDomain^')).toBe('n0^');
    expect(s.end(tx)).toBe('OK^');
    expect(s2.ask('GET_PERMS', '@introduceDomain^')).toBe('n0^r1^');
    expect(s2.events()).toEqual(['@introduceDomain t']);
  });

  it('that was restored without its conflict base goes on with its view, and ends in EAGAIN', () => {
    const { bench, s } = meeting();
    const tx = s.begin();
    const open = s.conn.transactions.get(tx);
    if (open === undefined) throw new Error('assertion: the transaction is open');
    s.conn.transactions.set(tx, { ...open, mustFail: true });
    const before = new Map(bench.state.tree);
    expect(s.ask('WRITE', '/a/b^1', tx)).toBe('OK^');
    expect(s.ask('READ', '/a/b^', tx)).toBe('1');
    expect(s.end(tx)).toBe('EAGAIN');
    expect(bench.state.tree).toEqual(before);
  });
});
