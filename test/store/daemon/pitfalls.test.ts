/**
 * Where implementations of xenstored commonly go wrong: one test a row, the row's number in its name. Every expectation was
 * obtained from the C daemon of the named release. Rows that need a real ring or the main loop are tested with those.
 */
import { describe, expect, it } from 'vitest';
import { Bench, type Client, octets } from '../harness.ts';

/** A daemon with a privileged socket and domain 1. */
function withDomain(compat: '4.22' | '4.17' = '4.22'): { bench: Bench; s: Client; d1: Client } {
  const bench = new Bench(compat);
  return { bench, s: bench.s, d1: bench.domain(1) };
}

describe('dispatch', () => {
  it.each(['', '/tool', '/tool^^'])('row 1: READ of the malformed payload "%s" gets EINVAL', (payload) => {
    expect(new Bench().s.ask('READ', payload)).toBe('EINVAL');
  });

  it.each([15, 16, 20, 27, 0xffff_ffff])('row 2: type %i gets ENOSYS and the connection lives', (type) => {
    const { s } = new Bench();
    expect(s.ask(type, 'x^')).toBe('ENOSYS');
    expect(s.ask('DIRECTORY', '/^')).toBe('tool^');
  });

  it('row 3: privilege is tested before the transaction id', () => {
    expect(withDomain().d1.ask('CONTROL', 'x^', 77)).toBe('EACCES');
  });

  it('row 4: the transaction id is tested before the payload', () => {
    expect(withDomain().d1.ask('READ', '', 77)).toBe('ENOENT');
  });

  it('row 5: WATCH does not look at the transaction id', () => {
    const { d1 } = withDomain();
    d1.send('WATCH', 'x^t^', 77);
    expect(d1.take()).toEqual(['reply OK^', 'event x t']);
  });

  it('row 6: an unknown type echoes the transaction id', () => {
    const { s } = new Bench();
    expect(s.ask(27, '', 0xdead_beef)).toBe('ENOSYS');
    expect(s.messages.at(-1)).toMatchObject({ type: 16, txId: 0xdead_beef, payload: octets('ENOSYS^') });
  });
});

describe('watches', () => {
  it('row 7: the same path and token again is EEXIST', () => {
    const { s } = new Bench();
    s.send('WATCH', '/a^t^');
    s.send('WATCH', '/a^t^');
    expect(s.take()).toEqual(['reply OK^', 'event /a t', 'reply EEXIST']);
  });

  it('row 8: relative and absolute spelling are the same watch', () => {
    const { s } = new Bench();
    s.send('WATCH', 'rel/x^t^');
    s.send('WATCH', '/local/domain/0/rel/x^t^');
    expect(s.take()).toEqual(['reply OK^', 'event rel/x t', 'reply EEXIST']);
  });

  it('row 9: the depth is not part of the key', () => {
    const { s } = new Bench();
    expect(s.ask('WATCH', '/a^t^1^')).toBe('OK^');
    expect(s.ask('WATCH', '/a^t^2^')).toBe('EEXIST');
    expect(new Bench('4.17').s.ask('WATCH', '/a^t^1^')).toBe('EINVAL');
  });

  it.each([
    ['/a^u^-1^', 'EINVAL'],
    ['/a^u^x^', 'OK^'],
    ['/a^u^1^2^', 'EINVAL'],
  ])('row 10: WATCH %s gets %s', (payload, expected) => {
    const { s } = new Bench();
    expect(s.ask('WATCH', payload)).toBe(expected);
    if (expected !== 'OK^') return;
    s.take();
    s.ask('WRITE', '/a/b^');
    expect(s.events()).toEqual([]); // not a number means depth 0
    s.ask('WRITE', '/a^');
    expect(s.events()).toEqual(['/a u']);
  });

  it('row 11: an empty token is a token', () => {
    const { s } = new Bench();
    s.send('WATCH', '/a^^');
    expect(s.take()).toEqual(['reply OK^', 'event /a ']);
  });

  it('row 12: UNWATCH checks the path', () => {
    const { s } = new Bench();
    expect(s.ask('UNWATCH', '/a b^t^')).toBe('EINVAL');
    expect(s.ask('UNWATCH', '/zz^t^')).toBe('ENOENT');
    expect(new Bench('4.17').s.ask('UNWATCH', '/a b^t^')).toBe('ENOENT');
  });

  it('row 13: events with equal payload are merged while queued', () => {
    const bench = new Bench();
    const { s } = bench;
    const s2 = bench.socket();
    s.ask('WATCH', '/m^b^');
    s.ask('WATCH', '/^a^');
    s.ask('WATCH', '/m^a^');
    s.take();
    s.isHeld = true;
    s2.ask('WRITE', '/m^x');
    s.isHeld = false;
    s.read();
    expect(s.events()).toEqual(['/m b', '/m a']);
  });

  it("row 14: a writer's own event comes before its reply", () => {
    const { d1 } = withDomain();
    d1.ask('WATCH', 'd^t^');
    d1.take();
    d1.send('WRITE', 'd/e^x');
    expect(d1.take()).toEqual(['event d/e t', 'reply OK^']);
  });

  it('row 15: an unchanged value fires, too', () => {
    const { s } = new Bench();
    s.ask('WATCH', '/w^t^');
    s.take();
    for (let i = 0; i < 2; i++) {
      s.ask('WRITE', '/w^same');
      expect(s.events()).toEqual(['/w t']);
    }
  });

  it('row 16: levels created on the way have no events of their own', () => {
    const { s } = new Bench();
    for (const [path, token] of [
      ['/p', 'a'],
      ['/p/q', 'b'],
      ['/p/q/r', 'c'],
    ])
      s.ask('WATCH', `${path}^${token}^`);
    s.take();
    s.ask('WRITE', '/p/q/r^v');
    expect(s.events()).toEqual(['/p/q/r a', '/p/q/r b', '/p/q/r c']);
  });

  it('row 17: MKDIR of what is there fires nothing', () => {
    const { s } = new Bench();
    s.ask('WATCH', '/tool^t^');
    s.take();
    s.send('MKDIR', '/tool^');
    expect(s.take()).toEqual(['reply OK^']);
  });

  const RM_TREE = ['/rm/a/b/c', '/rm/a/b/f', '/rm/a/d'];
  const RM_WATCHES = ['/rm/a', '/rm/a/b', '/rm/a/b/c', '/rm/a/b/f', '/rm/a/d'];

  it('row 18: RM fires post-order, each node for its own watch, all before the reply', () => {
    const { s } = new Bench();
    for (const path of RM_TREE) s.ask('WRITE', `${path}^`);
    for (const path of RM_WATCHES) s.ask('WATCH', `${path}^t^`);
    s.take();
    s.send('RM', '/rm/a^');
    expect(s.take()).toEqual([
      'event /rm/a/b/c t',
      'event /rm/a/b/f t',
      'event /rm/a/b t',
      'event /rm/a/d t',
      'event /rm/a t',
      'reply OK^',
    ]);
  });

  it('row 19: in a transaction they fire in order of first access', () => {
    const { s } = new Bench();
    for (const path of RM_TREE) s.ask('WRITE', `${path}^`);
    for (const path of RM_WATCHES) s.ask('WATCH', `${path}^t^`);
    const tx = s.begin();
    s.ask('READ', '/rm/a^', tx);
    s.take();
    expect(s.ask('RM', '/rm/a^', tx)).toBe('OK^');
    expect(s.events()).toEqual([]);
    s.send('TRANSACTION_END', 'T^', tx);
    const lines = s.take();
    expect(lines[0]).toBe('event /rm/a t');
    expect(lines.at(-1)).toBe('reply OK^');
    expect(lines.slice(1, -1)).toEqual([
      'event /rm/a/b t',
      'event /rm/a/b/c t',
      'event /rm/a/b/f t',
      'event /rm/a/d t',
    ]);
  });

  it('row 83: an event that is too long is not sent', () => {
    const { s } = new Bench();
    expect(s.ask('WATCH', `/e^${'t'.repeat(3900)}^`)).toBe('OK^');
    s.take();
    s.send('WRITE', `/e/${'n'.repeat(200)}^`);
    expect(s.take()).toEqual(['reply OK^']);
  });

  it('row 84: a second initial event is suppressed while the first is queued', () => {
    const { s } = new Bench();
    s.isHeld = true;
    s.send('WATCH', '/k^t^');
    s.send('UNWATCH', '/k^t^');
    s.send('WATCH', '/k^t^');
    s.read();
    expect(s.take()).toEqual(['reply OK^', 'event /k t', 'reply OK^', 'reply OK^']);
  });

  it('row 88: the root has a value, and its change is its own', () => {
    const { s } = new Bench();
    s.ask('WATCH', '/^r^');
    s.ask('WATCH', '/tool^t^');
    s.take();
    expect(s.ask('WRITE', '/^root')).toBe('OK^');
    expect(s.events()).toEqual(['/ r']);
    expect(s.ask('READ', '/^')).toBe('root');
  });

  it('row 52: RESET_WATCHES leaves queued events and drops transactions', () => {
    const bench = new Bench();
    const { s } = bench;
    const s2 = bench.socket();
    s.ask('WATCH', '/q^t^');
    const tx = s.begin();
    s.take();
    s.isHeld = true;
    s2.ask('WRITE', '/q^');
    s.send('RESET_WATCHES', '^');
    s.read();
    expect(s.take()).toEqual(['event /q t', 'reply OK^']);
    s.isHeld = false;
    expect(s.ask('READ', '/q^', tx)).toBe('ENOENT');
    s2.ask('WRITE', '/q^');
    expect(s.events()).toEqual([]);
  });
});

describe('permissions and visibility', () => {
  it('row 20: RM of the root, of a missing node, below a missing node', () => {
    const { s } = new Bench();
    expect(s.ask('RM', '/^')).toBe('EINVAL');
    expect(s.ask('RM', '/nope^')).toBe('OK^');
    expect(s.ask('RM', '/nope/x^')).toBe('ENOENT');
  });

  it('row 21: RM of a missing child below what may only be read is EACCES', () => {
    const { s, d1 } = withDomain();
    s.ask('MKDIR', '/ro^');
    s.ask('SET_PERMS', '/ro^n0^r1^');
    expect(d1.ask('RM', '/ro/x^')).toBe('EACCES');
  });

  it.each([
    ['n0^r1^', 'ENOENT'],
    ['n0^w1^', 'EACCES'],
    ['n0^', 'EACCES'],
  ])('row 22: READ of a missing child below %s gets %s', (perms, expected) => {
    const { s, d1 } = withDomain();
    s.ask('MKDIR', '/dir^');
    s.ask('SET_PERMS', `/dir^${perms}`);
    expect(d1.ask('READ', '/dir/x^')).toBe(expected);
  });

  it('row 23: WRITE on the parent is enough for SET_PERMS to say ENOENT', () => {
    const { s, d1 } = withDomain();
    s.ask('MKDIR', '/dir^');
    s.ask('SET_PERMS', '/dir^n0^w1^');
    expect(d1.ask('SET_PERMS', '/dir/x^n1^')).toBe('ENOENT');
  });

  it('row 24: the owner is tested before the path', () => {
    expect(new Bench().s.ask('SET_PERMS', '/bad/^n99^')).toBe('ENOENT');
    expect(new Bench().s.ask('SET_PERMS', '/bad/^n0^')).toBe('EINVAL');
  });

  it('row 25: an entry for an absent domain stays stale when the domain comes', () => {
    const bench = new Bench();
    const { s } = bench;
    expect(s.ask('SET_PERMS', '/tool^n0^r99^')).toBe('OK^');
    expect(s.ask('GET_PERMS', '/tool^')).toBe('n0^r99^');
    const d99 = bench.domain(99);
    expect(d99.ask('READ', '/tool^')).toBe('EACCES');
    s.ask('SET_PERMS', '/tool^n0^r99^');
    expect(d99.ask('READ', '/tool^')).toBe('');
  });

  it('row 26: domids of entries are numbers as in C', () => {
    const { bench, s } = withDomain();
    bench.platform.createDomain(8);
    expect(s.ask('SET_PERMS', '/tool^n0x0^r010^r 1^r-1^')).toBe('OK^');
    expect(s.ask('GET_PERMS', '/tool^')).toBe('n0^r8^r1^r-1^');
  });

  it('row 27: an owner cannot give its node away', () => {
    const { bench, d1 } = withDomain();
    bench.domain(2);
    expect(d1.ask('SET_PERMS', '/local/domain/1^n2^')).toBe('EPERM');
    expect(d1.ask('SET_PERMS', '/local/domain/1^n99^')).toBe('ENOENT');
  });

  it('row 28: too many entries', () => {
    const { bench, d1 } = withDomain();
    for (const id of [2, 3, 4, 5]) bench.platform.createDomain(id);
    expect(d1.ask('SET_PERMS', '/local/domain/1^n1^r2^r3^r4^')).toBe('OK^');
    expect(d1.ask('SET_PERMS', '/local/domain/1^n1^r2^r3^r4^r5^')).toBe('ENOSPC');
    const old = withDomain('4.17');
    for (const id of [2, 3, 4, 5, 6]) old.bench.platform.createDomain(id);
    expect(old.d1.ask('SET_PERMS', '/local/domain/1^n1^r2^r3^r4^r5^')).toBe('OK^');
    expect(old.d1.ask('SET_PERMS', '/local/domain/1^n1^r2^r3^r4^r5^r6^')).toBe('ENOSPC');
  });

  it('row 29: the first matching entry decides', () => {
    const { s, d1 } = withDomain();
    s.ask('SET_PERMS', '/tool^n0^r1^w1^');
    expect(d1.ask('READ', '/tool^')).toBe('');
    expect(d1.ask('WRITE', '/tool^x')).toBe('EACCES');
  });

  it('row 30: an entry can take away what the default gives', () => {
    const { bench, s, d1 } = withDomain();
    const d2 = bench.domain(2);
    s.ask('SET_PERMS', '/tool^r0^n1^');
    expect(d1.ask('READ', '/tool^')).toBe('EACCES');
    expect(d2.ask('READ', '/tool^')).toBe('');
  });

  it('row 31: an unprivileged creator becomes the owner of what it creates', () => {
    const { s, d1 } = withDomain();
    s.ask('MKDIR', '/e^');
    s.ask('SET_PERMS', '/e^n0^b1^');
    expect(d1.ask('WRITE', '/e/x/y^v')).toBe('OK^');
    expect(s.ask('GET_PERMS', '/e/x^')).toBe('n1^b1^');
    expect(s.ask('GET_PERMS', '/e/x/y^')).toBe('n1^b1^');
  });

  it("row 32: what a privileged connection creates in a domain's directory is the domain's", () => {
    const { bench, s } = withDomain();
    const nodes = () => bench.daemon.accounting.account(1).nodes;
    const before = nodes();
    s.ask('SET_QUOTA', '1^nodes^1^');
    expect(s.ask('WRITE', '/local/domain/1/x^v')).toBe('OK^');
    expect(s.ask('GET_PERMS', '/local/domain/1/x^')).toBe('n1^');
    expect(nodes()).toBe(before + 1);
  });

  it('row 90: MKDIR of an existing node needs WRITE', () => {
    const { s, d1 } = withDomain();
    s.ask('SET_PERMS', '/tool^n0^r1^');
    expect(d1.ask('MKDIR', '/tool^')).toBe('EACCES');
  });

  it('row 71: SET_PERMS on a special node fires in 4.22', () => {
    const { s } = withDomain();
    s.ask('WATCH', '@releaseDomain^t^');
    s.take();
    s.send('SET_PERMS', '@releaseDomain^n0^r1^');
    expect(s.take()).toEqual(['event @releaseDomain t', 'reply OK^']);
    const old = withDomain('4.17');
    old.s.ask('WATCH', '@releaseDomain^t^');
    old.s.take();
    old.s.send('SET_PERMS', '@releaseDomain^n0^r1^');
    expect(old.s.take()).toEqual(['reply OK^']);
  });

  it('row 87: special nodes can be asked for permissions only', () => {
    const { s } = new Bench();
    expect(s.ask('GET_PERMS', '@introduceDomain^')).toBe('n0^');
    expect(s.ask('READ', '@introduceDomain^')).toBe('EINVAL');
    expect(s.ask('GET_PERMS', '@foo^')).toBe('ENOENT');
    const old = new Bench('4.17').s;
    for (const [op, path] of [
      ['GET_PERMS', '@introduceDomain^'],
      ['READ', '@introduceDomain^'],
      ['GET_PERMS', '@foo^'],
    ] as const)
      expect(old.ask(op, path)).toBe('EINVAL');
  });
});

describe('limits', () => {
  it.each([
    ['4.22', 2023],
    ['4.17', 2015],
  ] as const)('row 33: with %s a leaf of one entry holds %i octets', (compat, most) => {
    const { d1 } = withDomain(compat);
    expect(d1.ask('WRITE', `v^${'x'.repeat(most)}`)).toBe('OK^');
    expect(d1.ask('WRITE', `v^${'x'.repeat(most + 1)}`)).toBe('ENOSPC');
    expect(d1.ask('READ', 'v^').length).toBe(most);
  });

  it('row 34: a refused write consumes a generation', () => {
    const { d1 } = withDomain();
    d1.ask('WRITE', 'v^');
    d1.ask('WRITE', 'v^'); // alone: a creation writes the parent last
    const generation = () => Number(d1.ask('DIRECTORY_PART', 'v^0^').split('^')[0]);
    const before = generation();
    expect(d1.ask('WRITE', `v^${'x'.repeat(2024)}`)).toBe('ENOSPC');
    expect(d1.ask('WRITE', 'v^')).toBe('OK^');
    expect(generation()).toBe(before + 2);
  });

  it('row 35: the length of paths', () => {
    const { s, d1 } = withDomain();
    const path = (n: number) => `${'a/'.repeat(n)}`.slice(0, n - 1).concat('b');
    expect(d1.ask('READ', `${path(2047)}^`)).toBe('ENOENT');
    expect(d1.ask('READ', `${path(2048)}^`)).toBe('EINVAL');
    expect(s.ask('READ', `/${path(3999)}^`)).toBe('ENOENT');
    const old = withDomain('4.17');
    expect(old.d1.ask('READ', `${path(2048)}^`)).toBe('ENOENT');
    expect(old.d1.ask('READ', `${path(2049)}^`)).toBe('EINVAL');
    expect(old.s.ask('READ', `/${path(3999)}^`)).toBe('EINVAL');
  });

  it.each([
    ['4.22', 127, 'ENOSPC'],
    ['4.17', 129, 'E2BIG'],
  ] as const)('row 36: with %s %i watches, then %s', (compat, most, errno) => {
    const { d1 } = withDomain(compat);
    for (let i = 0; i < most; i++) expect(d1.ask('WATCH', `w^${i}^`)).toBe('OK^');
    expect(d1.ask('WATCH', 'w^more^')).toBe(errno);
  });

  it.each([
    ['4.22', 9],
    ['4.17', 11],
  ] as const)('row 37: with %s %i transactions, then ENOSPC', (compat, most) => {
    const { d1 } = withDomain(compat);
    for (let i = 1; i <= most; i++) expect(d1.ask('TRANSACTION_START', '^')).toBe(`${i}^`);
    expect(d1.ask('TRANSACTION_START', '^')).toBe('ENOSPC');
  });

  it('row 38: one request can overshoot the nodes quota', () => {
    const { bench, s, d1 } = withDomain();
    s.ask('SET_QUOTA', '1^nodes^10^');
    for (let i = 1; i < 8; i++) d1.ask('MKDIR', `n${i}^`);
    expect(bench.daemon.accounting.account(1).nodes).toBe(8);
    expect(d1.ask('MKDIR', 'a/b/c/d/e^')).toBe('OK^');
    expect(bench.daemon.accounting.account(1).nodes).toBe(13);
    expect(d1.ask('MKDIR', 'f^')).toBe('ENOSPC');
  });

  it('row 39: a new global quota does not reach a known domain', () => {
    const nodes = (compat: '4.22' | '4.17') => {
      const { s, d1 } = withDomain(compat);
      for (let i = 1; i < 5; i++) d1.ask('MKDIR', `n${i}^`);
      expect(s.ask('CONTROL', 'quota^set^nodes^5^')).toBe('OK^');
      return d1.ask('MKDIR', 'n5^');
    };
    expect(nodes('4.22')).toBe('OK^');
    expect(nodes('4.17')).toBe('ENOSPC');
  });

  it('row 82: twenty requests whose events wait stop the writer', () => {
    const allowed: number[] = [];
    const bench = new Bench('4.22', {}, { inputAllowed: (conn) => allowed.push(conn.domid) });
    const { s } = bench;
    const d1 = bench.domain(1);
    const d2 = bench.domain(2);
    s.ask('SET_PERMS', '/local/domain/1^n1^r2^');
    d2.ask('WATCH', '/local/domain/1^t^');
    d2.take();
    d2.isHeld = true;
    let sent = 0;
    while (sent < 25 && bench.daemon.throttle.canRead(d1.conn)) expect(d1.ask('WRITE', `n${sent++}^`)).toBe('OK^');
    expect(sent).toBe(20);
    allowed.length = 0;
    d2.isHeld = false;
    d2.read();
    expect(allowed).toContain(1);
    expect(bench.daemon.throttle.canRead(d1.conn)).toBe(true);
  });

  it('row 85: writes cost credit while a transaction is open anywhere', () => {
    const bench = new Bench();
    const { s } = bench;
    const d1 = bench.domain(1);
    bench.domain(2);
    bench.domain(3);
    d1.ask('WRITE', 'x^');
    s.begin();
    let sent = 0;
    while (sent < 15 && bench.daemon.throttle.canRead(d1.conn)) {
      expect(d1.ask('WRITE', 'x^')).toBe('OK^');
      sent++;
    }
    expect(sent).toBe(11);
    expect(bench.daemon.nextDeadlineMs()).toBe(bench.platform.clockMs + 20);
    bench.platform.clockMs += 20;
    expect(bench.daemon.throttle.canRead(d1.conn)).toBe(true);
  });
});

describe('transactions', () => {
  it('row 40: ids are never used again', () => {
    const { s } = new Bench();
    expect([s.begin(), s.begin()]).toEqual([1, 2]);
    s.end(1);
    s.end(2);
    expect(s.begin()).toBe(3);
  });

  it('row 41: START in an open and in an unknown transaction', () => {
    const { s } = new Bench();
    const tx = s.begin();
    expect(s.ask('TRANSACTION_START', '^', tx)).toBe('EBUSY');
    expect(s.ask('TRANSACTION_START', '^', 99)).toBe('ENOENT');
  });

  it('row 42: END with a bad flag leaves the transaction open', () => {
    const { s } = new Bench();
    const tx = s.begin();
    expect(s.ask('TRANSACTION_END', 'X^', tx)).toBe('EINVAL');
    expect(s.end(tx, 'F')).toBe('OK^');
    expect(s.end(tx, 'F')).toBe('ENOENT');
  });

  it('row 43: END outside of any transaction', () => {
    const { s } = new Bench();
    expect(s.end(0)).toBe('ENOENT');
    expect(s.ask('TRANSACTION_END', 'X^', 0)).toBe('EINVAL');
    expect(s.ask('TRANSACTION_END', 'X^', 99)).toBe('ENOENT');
  });

  /** Two sockets and `/a/b`; what `first` does in a transaction, what the other one does meanwhile, how the commit ends. */
  function meeting(inTx: (s: Client, tx: number) => void, meanwhile: (s2: Client) => void): string {
    const bench = new Bench();
    const s2 = bench.socket();
    s2.ask('WRITE', '/a/b^0');
    const tx = bench.s.begin();
    inTx(bench.s, tx);
    meanwhile(s2);
    return bench.s.end(tx);
  }

  it('row 44: there is no snapshot before the first access', () => {
    const bench = new Bench();
    const s2 = bench.socket();
    s2.ask('WRITE', '/a/b^0');
    const tx = bench.s.begin();
    s2.ask('WRITE', '/a/b^1');
    expect(bench.s.ask('READ', '/a/b^', tx)).toBe('1');
    expect(bench.s.end(tx)).toBe('OK^');
  });

  it('row 45: a read-only transaction can fail, even for an equal value', () => {
    expect(
      meeting(
        (s, tx) => s.ask('READ', '/a/b^', tx),
        (s2) => s2.ask('WRITE', '/a/b^0'),
      ),
    ).toBe('EAGAIN');
  });

  it('row 46: the nearest ancestor of a missing node is in the read set', () => {
    expect(
      meeting(
        (s, tx) => s.ask('READ', '/a/none/x^', tx),
        (s2) => s2.ask('MKDIR', '/a/k^'),
      ),
    ).toBe('EAGAIN');
  });

  it("row 47: a sibling's creation does not matter to a reader of a node", () => {
    expect(
      meeting(
        (s, tx) => s.ask('READ', '/a/b^', tx),
        (s2) => s2.ask('MKDIR', '/a/k^'),
      ),
    ).toBe('OK^');
  });

  it('row 48: two creations in one directory conflict', () => {
    const bench = new Bench();
    const s2 = bench.socket();
    s2.ask('MKDIR', '/a^');
    const [t1, t2] = [bench.s.begin(), s2.begin()];
    bench.s.ask('MKDIR', '/a/x^', t1);
    s2.ask('MKDIR', '/a/y^', t2);
    expect(bench.s.end(t1)).toBe('OK^');
    expect(s2.end(t2)).toBe('EAGAIN');
    expect(s2.ask('DIRECTORY', '/a^')).toBe('x^');
  });

  it('row 49: what was created and removed inside leaves no event', () => {
    const { s } = new Bench();
    s.ask('WATCH', '/^t^');
    const tx = s.begin();
    s.ask('WRITE', '/q^1', tx);
    s.ask('RM', '/q^', tx);
    s.take();
    s.send('TRANSACTION_END', 'T^', tx);
    expect(s.take()).toEqual(['reply OK^']);
  });

  it('row 50: a write that was too big spoils the transaction', () => {
    const { d1 } = withDomain();
    const tx = d1.begin();
    expect(d1.ask('WRITE', `v^${'x'.repeat(2024)}`, tx)).toBe('ENOSPC');
    expect(d1.ask('WRITE', 'v^x', tx)).toBe('OK^');
    expect(d1.end(tx)).toBe('ENOMEM');
    expect(d1.ask('READ', 'v^')).toBe('ENOENT');
  });

  it('row 51: a creation refused for the nodes quota does not', () => {
    const { s, d1 } = withDomain();
    s.ask('SET_QUOTA', '1^nodes^2^');
    const tx = d1.begin();
    expect(d1.ask('MKDIR', 'x^', tx)).toBe('ENOSPC');
    expect(d1.end(tx)).toBe('OK^');
  });

  it('row 86: what was absent stays absent, and the commit fails', () => {
    const bench = new Bench();
    const s2 = bench.socket();
    const tx = bench.s.begin();
    expect(bench.s.ask('READ', '/late^', tx)).toBe('ENOENT');
    s2.ask('WRITE', '/late^x');
    expect(bench.s.ask('READ', '/late^', tx)).toBe('ENOENT');
    expect(bench.s.end(tx)).toBe('EAGAIN');
  });
});

describe('directories', () => {
  it.each([
    ['/^2^', '1^ol^^'],
    ['/^-1^', '1^^'],
    ['/^0^x', '1^tool^^'],
    ['/^0^x^', 'EINVAL'],
  ])('row 53: DIRECTORY_PART %s at start gives %s', (payload, expected) => {
    expect(new Bench().s.ask('DIRECTORY_PART', payload)).toBe(expected);
  });

  it('row 54: children are listed in order of creation', () => {
    const { s } = new Bench();
    for (const name of ['z', 'b', 'a']) s.ask('MKDIR', `/d/${name}^`);
    s.ask('RM', '/d/b^');
    s.ask('MKDIR', '/d/b^');
    expect(s.ask('DIRECTORY', '/d^')).toBe('z^a^b^');
  });

  it('row 55: a list that is too long comes in parts', () => {
    const { s } = new Bench();
    const names = Array.from({ length: 60 }, (_, i) => `${i}-${'n'.repeat(97)}`);
    for (const name of names) s.ask('MKDIR', `/d/${name}^`);
    expect(s.ask('DIRECTORY', '/d^')).toBe('E2BIG');
    let list = '';
    for (let part = ''; !part.endsWith('^^'); ) {
      part = s.ask('DIRECTORY_PART', `/d^${list.length}^`);
      list += part.slice(part.indexOf('^') + 1);
    }
    expect(list).toBe(`${names.join('^')}^^`);
  });
});

describe('domains', () => {
  it('row 60: at INTRODUCE all indexes become 0 and the features are offered', () => {
    for (const [compat, features] of [
      ['4.22', 14],
      ['4.17', 0],
    ] as const) {
      const bench = new Bench(compat);
      bench.platform.createDomain(1);
      const page = bench.platform.pages.get(1);
      for (const at of [2048, 2052, 2056, 2060]) page?.store32(at, 5);
      expect(bench.s.ask('INTRODUCE', '1^1^7^')).toBe('OK^');
      expect([2048, 2052, 2056, 2060].map((at) => page?.load32(at))).toEqual([0, 0, 0, 0]);
      expect(page?.load32(2064)).toBe(features);
    }
  });

  it('row 61: a set connection word is cleared with one notification', () => {
    const bench = new Bench();
    bench.platform.createDomain(1);
    bench.platform.pages.get(1)?.store32(2068, 1);
    bench.s.ask('INTRODUCE', '1^1^7^');
    expect(bench.platform.pages.get(1)?.load32(2068)).toBe(0);
    expect(bench.platform.notified.length).toBe(1);
  });

  it('row 62: INTRODUCE again with a port that cannot be bound', () => {
    const { bench, s, d1 } = withDomain();
    bench.platform.bindErrno.set(1, 'ESRCH');
    expect(s.ask('INTRODUCE', '1^1^8^')).toBe('OK^');
    expect(d1.conn.link).toMatchObject({ port: 0 });
    bench.platform.createDomain(2);
    bench.platform.bindErrno.set(2, 'ESRCH');
    expect(s.ask('INTRODUCE', '2^1^8^')).toBe('EINVAL');
    expect(s.ask('IS_DOMAIN_INTRODUCED', '2^')).toBe('F^');
  });

  it('row 56: an ignored domain stays introduced, and dead until it is released', () => {
    const { bench, s, d1 } = withDomain();
    bench.daemon.connections.ignore(d1.conn, 2);
    const page = bench.platform.pages.get(1);
    expect(page?.load32(2072)).toBe(2);
    expect(s.ask('IS_DOMAIN_INTRODUCED', '1^')).toBe('T^');
    expect(s.ask('INTRODUCE', '1^1^7^')).toBe('OK^');
    expect(d1.conn.isIgnored).toBe(true);
    expect(s.ask('RELEASE', '1^')).toBe('OK^');
    expect(s.ask('INTRODUCE', '1^1^7^')).toBe('OK^');
    expect(d1.conn.isIgnored).toBe(false);
    expect(page?.load32(2072)).toBe(2);
  });

  it('row 64: RELEASE of a living domain removes what it owns', () => {
    const { s, d1 } = withDomain();
    s.ask('MKDIR', '/x^');
    s.ask('SET_PERMS', '/x^n0^b1^');
    d1.ask('WRITE', '/x/f^v');
    s.ask('WATCH', '/x/f^f^');
    s.ask('WATCH', '@releaseDomain^r^');
    s.take();
    s.isHeld = true;
    s.send('RELEASE', '1^');
    s.read();
    const lines = s.take().filter((line) => line.startsWith('event '));
    expect(lines).toEqual(['event /x/f f', 'event @releaseDomain r']);
    s.isHeld = false;
    expect(s.ask('READ', '/x/f^')).toBe('ENOENT');
    expect(s.ask('READ', '/local/domain/1^')).toBe('ENOENT');
  });

  it.each([
    ['0^', 'EINVAL', 'EINVAL'],
    ['9^', 'ENOENT', 'ENOENT'],
    ['x^', 'EINVAL', 'EINVAL'],
  ])('row 65: RELEASE %s', (payload, now, old) => {
    expect(new Bench().s.ask('RELEASE', payload)).toBe(now);
    expect(new Bench('4.17').s.ask('RELEASE', payload)).toBe(old);
  });

  /** Watches of the four kinds on `@releaseDomain`; tokens plain, d0, d1, id. */
  function withReleaseWatches(): { bench: Bench; s: Client } {
    const { bench, s } = withDomain();
    for (const watch of [
      '@releaseDomain^plain^',
      '@releaseDomain^d0^0^',
      '@releaseDomain^d1^1^',
      '@releaseDomain/1^id^',
    ])
      expect(s.ask('WATCH', watch)).toBe('OK^');
    s.take();
    return { bench, s };
  }

  it('row 66: shutdown tells the domid first, then the plain watches', () => {
    const { bench, s } = withReleaseWatches();
    bench.platform.change(1, { shutdown: true });
    bench.virq();
    expect(s.events()).toEqual(['@releaseDomain/1 d1', '@releaseDomain/1 id', '@releaseDomain plain']);
  });

  it('row 67: death tells the plain watches first', () => {
    const { bench, s } = withReleaseWatches();
    bench.platform.change(1, 'gone');
    bench.virq();
    expect(s.events()).toEqual(['@releaseDomain plain', '@releaseDomain/1 d1', '@releaseDomain/1 id']);
  });

  it('row 68: dying is not dead', () => {
    for (const compat of ['4.22', '4.17'] as const) {
      const { bench, s } = withDomain(compat);
      s.ask('WATCH', '@releaseDomain^t^');
      s.take();
      bench.platform.change(1, { dying: true });
      bench.virq();
      expect(s.events()).toEqual(compat === '4.22' ? [] : ['@releaseDomain t']);
      expect(s.ask('IS_DOMAIN_INTRODUCED', '1^')).toBe(compat === '4.22' ? 'T^' : 'F^');
    }
  });

  it('row 69: a shutdown is told once, and again after RESUME', () => {
    const { bench, s } = withDomain();
    s.ask('WATCH', '@releaseDomain^t^');
    s.take();
    bench.platform.change(1, { shutdown: true });
    bench.virq();
    expect(s.events()).toEqual(['@releaseDomain t']);
    bench.platform.change(1, {});
    bench.virq();
    expect(s.events()).toEqual([]);
    expect(s.ask('RESUME', '1^')).toBe('OK^');
    bench.platform.change(1, {});
    bench.virq();
    expect(s.events()).toEqual(['@releaseDomain t']);
  });

  it.each([
    ['4.22', ['@releaseDomain t']],
    ['4.17', []],
  ] as const)('row 70: with %s a guest that watches @releaseDomain gets %j', (compat, expected) => {
    const { bench, d1 } = withDomain(compat);
    bench.domain(2);
    expect(d1.ask('WATCH', '@releaseDomain^t^')).toBe('OK^');
    d1.take();
    bench.platform.change(2, compat === '4.22' ? 'gone' : { dying: true });
    bench.virq();
    expect(d1.events()).toEqual(expected);
  });

  it.each([
    ['^', '/local/domain/0^', '/local/domain/0^'],
    ['-1^', 'EINVAL', '/local/domain/4294967295^'],
    ['65536^', 'EINVAL', '/local/domain/65536^'],
    [' 5^', '/local/domain/5^', '/local/domain/5^'],
  ])('row 72: GET_DOMAIN_PATH "%s"', (payload, now, old) => {
    expect(new Bench().s.ask('GET_DOMAIN_PATH', payload)).toBe(now);
    expect(new Bench('4.17').s.ask('GET_DOMAIN_PATH', payload)).toBe(old);
  });

  it('row 73: DOMID_SELF is introduced', () => {
    expect(new Bench().s.ask('IS_DOMAIN_INTRODUCED', '32752^')).toBe('T^');
  });

  it('row 74: SET_FEATURE is for domains that are there and not introduced', () => {
    const { bench, s } = withDomain();
    bench.platform.createDomain(2);
    expect(s.ask('SET_FEATURE', '1^6^')).toBe('EBUSY');
    expect(s.ask('SET_FEATURE', '3^6^')).toBe('ENOENT');
    expect(s.ask('SET_FEATURE', '2^1^')).toBe('EINVAL');
    expect(s.ask('SET_FEATURE', '2^6^')).toBe('OK^');
    expect(s.ask('GET_FEATURE', '2^')).toBe('6^');
  });

  it('row 75: a negative quota is a large one', () => {
    const { s } = withDomain();
    expect(s.ask('SET_QUOTA', '1^nodes^-5^')).toBe('OK^');
    expect(s.ask('GET_QUOTA', '1^nodes^')).toBe('4294967291^');
  });
});

describe('control', () => {
  it('row 76: a domid that is no number is 0', () => {
    expect(new Bench().s.ask('CONTROL', 'quota^abc^')).toMatch(/^Domain 0:\n/);
  });

  it('row 77: -s without -f is answered with a text', () => {
    const { s } = new Bench();
    expect(s.ask('CONTROL', 'live-update^-s^')).toBe('Not in live-update session.^');
    expect(s.messages.at(-1)?.type).toBe(0);
  });

  it('row 78: STARTs that were put aside run newest first after an abort', () => {
    const bench = new Bench();
    const { s } = bench;
    const s2 = bench.socket();
    bench.platform.files.set('/bin/x', 'executable');
    expect(s.ask('CONTROL', 'live-update^-f^/bin/x^')).toBe('OK^');
    for (let i = 0; i < 3; i++) s2.send('TRANSACTION_START', '^');
    s2.send('GET_DOMAIN_PATH', '1^');
    bench.passEnd();
    expect(s2.take()).toEqual(['reply /local/domain/1^']);
    s2.messages.length = 0;
    expect(s.ask('CONTROL', 'live-update^-a^')).toBe('OK^');
    bench.passEnd();
    expect(s2.take()).toEqual(['reply 1^', 'reply 2^', 'reply 3^']);
    expect(s2.messages.map((h) => h.reqId)).toEqual([3, 2, 1]);
  });

  it.each(['print^x^y^', 'check^x^', 'help^x^', 'quota^max^-x^'])('row 89: CONTROL %s gets EINVAL', (payload) => {
    expect(new Bench().s.ask('CONTROL', payload)).toBe('EINVAL');
  });
});
