import { describe, expect, it } from 'vitest';
import { Bench, type Client } from '../harness.ts';

describe('the end of a domain', () => {
  it('takes its entries from every node, without a generation and without an event', () => {
    const bench = new Bench();
    const { s } = bench;
    bench.domain(1);
    s.ask('WRITE', '/x^');
    s.ask('SET_PERMS', '/x^n0^r1^w2^r1^');
    s.ask('SET_PERMS', '@introduceDomain^n0^r1^');
    s.ask('WATCH', '/x^t^');
    s.take();
    const generation = s.ask('DIRECTORY_PART', '/x^0^');
    bench.platform.change(1, 'gone');
    bench.virq();
    expect(s.events()).toEqual([]);
    expect(s.ask('GET_PERMS', '/x^')).toBe('n0^w2^');
    expect(s.ask('GET_PERMS', '@introduceDomain^')).toBe('n0^');
    expect(s.ask('DIRECTORY_PART', '/x^0^')).toBe(generation);
  });

  it('leaves its entries in 4.17, where they mean nobody any more, also after a write', () => {
    const bench = new Bench('4.17');
    const { s } = bench;
    bench.domain(1);
    s.ask('WRITE', '/x^v');
    s.ask('SET_PERMS', '/x^n0^r1^');
    bench.platform.change(1, 'gone');
    bench.virq();
    expect(s.ask('GET_PERMS', '/x^')).toBe('n0^r1^');
    const again = bench.domain(1);
    expect(again.ask('READ', '/x^')).toBe('EACCES');
    s.ask('WRITE', '/x^w');
    expect(again.ask('READ', '/x^')).toBe('EACCES');
    s.ask('SET_PERMS', '/x^n0^r1^');
    expect(again.ask('READ', '/x^')).toBe('w');
  });

  it.each(['4.22', '4.17'] as const)('leaves nothing on its account for the next of this domid (%s)', (compat) => {
    const bench = new Bench(compat);
    const { s } = bench;
    const counted = () => /^nodes\s*: *(\d+)/m.exec(s.ask('CONTROL', 'quota^1^'))?.[1];
    const d1 = bench.domain(1);
    bench.domain(2);
    for (const path of ['/elsewhere', '/local/domain/2/given']) {
      s.ask('WRITE', `${path}^v`);
      s.ask('SET_PERMS', `${path}^n1^`);
    }
    for (const path of ['a/b/c', 'a/b/d', 'e']) d1.ask('WRITE', `${path}^v`);
    d1.ask('WATCH', 'a^t^');
    const tx = d1.begin();
    d1.ask('WRITE', 'f/g^v', tx);
    s.ask('WRITE', '/local/domain/1/a/of-dom0^v');
    s.ask('SET_PERMS', '/local/domain/1/a/of-dom0^n0^'); // goes with the subtree that it is in
    expect(counted()).toBe('8');
    bench.platform.change(1, 'gone');
    bench.virq();
    expect([...bench.state.loose.values()].filter(({ nodes, memory }) => nodes !== 0 || memory !== 0)).toEqual([]);
    bench.domain(1);
    expect(counted()).toBe('1'); // its home
  });

  it('counts two generations for each node of an orphaned subtree', () => {
    const bench = new Bench();
    const d1 = bench.domain(1);
    d1.ask('WRITE', 'a/b^');
    const before = bench.state.generation;
    bench.s.ask('RELEASE', '1^');
    expect(bench.state.generation - before).toBe(6);
  });

  it('gives the nodes to the control domain where orphans are kept', () => {
    const bench = new Bench('4.22', { keepOrphans: true });
    const d1 = bench.domain(1);
    d1.ask('WRITE', 'a/b^v');
    d1.ask('SET_PERMS', 'a^n1^r1^r2^');
    const before = bench.state.generation;
    bench.s.ask('RELEASE', '1^');
    expect(bench.s.ask('READ', '/local/domain/1/a/b^')).toBe('v');
    expect(bench.s.ask('GET_PERMS', '/local/domain/1/a^')).toBe('n0^r2^');
    expect(bench.state.generation).toBe(before);
    expect(bench.daemon.accounting.account(0).nodes).toBe(10);
  });

  it('is the end of an older instance where the domid has another unique id', () => {
    const bench = new Bench();
    const { s } = bench;
    bench.domain(1);
    s.ask('WATCH', '@releaseDomain^t^');
    s.take();
    bench.platform.change(1, {});
    bench.virq(); // learns who it is
    expect(s.events()).toEqual([]);
    bench.platform.createDomain(1);
    bench.platform.change(1, {});
    bench.virq();
    expect(s.events()).toEqual(['@releaseDomain t']);
    expect(s.ask('IS_DOMAIN_INTRODUCED', '1^')).toBe('F^');
  });

  it('is told to a guest that reads the root, also with the domid', () => {
    const bench = new Bench();
    const d1 = bench.domain(1);
    d1.ask('WATCH', '@introduceDomain^t^1^');
    d1.take();
    bench.domain(2);
    expect(d1.events()).toEqual([]);
    bench.s.ask('SET_PERMS', '/^r0^');
    bench.domain(3);
    expect(d1.events()).toEqual(['@introduceDomain/3 t']);
  });

  it('drops a record that was only made by naming, with its nodes, and tells nobody', () => {
    const bench = new Bench();
    const { s } = bench;
    bench.platform.createDomain(5);
    s.ask('WRITE', '/five^');
    s.ask('SET_PERMS', '/five^n5^');
    s.ask('WATCH', '@releaseDomain^t^');
    s.take();
    bench.platform.change(5, 'gone');
    bench.virq();
    expect(s.events()).toEqual([]);
    expect(s.ask('READ', '/five^')).toBe('ENOENT');
    expect(s.ask('CONTROL', 'quota^5^')).toBe('ENOENT');
  });
});

describe('a target', () => {
  /** Domain 2 serves domain 1. */
  function served(): { bench: Bench; s: Client; stub: Client } {
    const bench = new Bench();
    bench.domain(1);
    const stub = bench.domain(2);
    expect(bench.s.ask('SET_TARGET', '2^1^')).toBe('OK^');
    return { bench, s: bench.s, stub };
  }

  it('lends its rights, but neither its home nor its name', () => {
    const { s, stub } = served();
    expect(stub.ask('WRITE', '/local/domain/1/x^')).toBe('OK^');
    expect(s.ask('GET_PERMS', '/local/domain/1/x^')).toBe('n2^');
    expect(stub.ask('WRITE', 'y^')).toBe('OK^');
    expect(s.ask('DIRECTORY', '/local/domain/2^')).toBe('y^');
    expect(stub.ask('SET_PERMS', '/local/domain/1^n1^r2^')).toBe('OK^');
    expect(stub.ask('SET_PERMS', '/local/domain/1^n2^')).toBe('EPERM');
  });

  it('stays introduced at its first RELEASE', () => {
    const { s } = served();
    expect(s.ask('RELEASE', '1^')).toBe('OK^');
    expect(s.ask('IS_DOMAIN_INTRODUCED', '1^')).toBe('T^');
    expect(s.ask('RELEASE', '1^')).toBe('OK^');
    expect(s.ask('IS_DOMAIN_INTRODUCED', '1^')).toBe('F^');
  });

  it('that dies is kept, detached, until the one it serves goes; then both are told', () => {
    const { bench, s } = served();
    s.ask('WATCH', '@releaseDomain^t^1^');
    s.take();
    bench.platform.change(1, 'gone');
    bench.virq();
    expect(s.events()).toEqual([]);
    expect(s.ask('IS_DOMAIN_INTRODUCED', '1^')).toBe('T^');
    for (const op of ['RELEASE', 'RESUME'] as const) expect(s.ask(op, '1^')).toBe('EINVAL');
    expect(s.ask('SET_TARGET', '2^1^')).toBe('EINVAL');
    bench.virq();
    bench.platform.change(2, 'gone');
    bench.virq();
    expect(s.events()).toEqual(['@releaseDomain/1 t', '@releaseDomain/2 t']);
    expect(s.ask('IS_DOMAIN_INTRODUCED', '1^')).toBe('F^');
  });
});

describe('RELEASE of the neighbour in the list', () => {
  it('row 63: is answered first, and takes effect when its own turn comes', () => {
    const postponed: number[] = [];
    const bench = new Bench('4.22', {}, { released: (conn) => postponed.push(conn.domid) > 0 });
    const { s } = bench;
    bench.domain(1);
    bench.domain(2);
    s.ask('WATCH', '@releaseDomain^t^');
    s.take();
    s.send('RELEASE', '2^');
    expect(s.take()).toEqual(['event @releaseDomain t', 'reply OK^']);
    s.send('RELEASE', '1^');
    expect(s.take()).toEqual(['reply OK^']);
    expect(postponed).toEqual([1]);
    const conn = bench.state.connections.ringOf(1);
    if (conn === undefined) throw new Error('assertion: it is still there');
    bench.daemon.ends.finishRelease(conn);
    bench.deliver();
    expect(s.take()).toEqual(['event @releaseDomain t']);
    expect(s.ask('IS_DOMAIN_INTRODUCED', '1^')).toBe('F^');
  });
});

describe('features', () => {
  it('are offered as they were set before the introduction, and again in full after a release', () => {
    const bench = new Bench();
    const { s, platform } = bench;
    platform.createDomain(1);
    expect(s.ask('SET_FEATURE', '1^2^')).toBe('OK^');
    const d1 = bench.domain(1);
    expect(platform.pages.get(1)?.load32(2064)).toBe(2);
    expect(d1.ask('GET_FEATURE', '')).toBe('2^');
    expect(d1.ask('WATCH', '/x^t^1^')).toBe('EINVAL'); // no WATCHDEPTH
    expect(d1.ask('SET_PERMS', '/local/domain/1^n1^r32757^')).toBe('OK^'); // stored, and ignored: no DOMID_ANY
    expect(bench.domain(2).ask('READ', '/local/domain/1^')).toBe('EACCES');
    s.ask('RELEASE', '1^');
    s.ask('INTRODUCE', '1^1^7^');
    expect(platform.pages.get(1)?.load32(2064)).toBe(14);
  });

  it('let the port in the page win over the one in the request', () => {
    const bench = new Bench();
    bench.platform.createDomain(1);
    bench.platform.pages.get(1)?.store32(2076, 42);
    bench.s.ask('INTRODUCE', '1^1^7^');
    expect([...bench.platform.boundPorts.values()].at(-1)).toEqual({ domid: 1, remotePort: 42 });
  });
});

/*
 * A domain is named in a SET_PERMS, is never introduced, and dies; the store has not yet looked when another one has its id and is
 * introduced. xenstored 4.22 keeps the unique id of the first, takes the second for dead at the next look, and lets go of its ring.
 */
describe('a domain that inherits the id of one that was only named', () => {
  it.each([
    ['daemon', 'F^'],
    ['carry', 'T^'],
  ] as const)('policy %s: is introduced after the next look: %s', (policy, introduced) => {
    const bench = new Bench('4.22', { policy });
    const { platform, s, daemon } = bench;
    platform.createDomain(5);
    s.ask('MKDIR', '/x^');
    s.ask('SET_PERMS', '/x^n0^r5^');
    platform.createDomain(5); // another one, with a unique id of its own
    expect(s.ask('INTRODUCE', '5^1^7^')).toBe('OK^');
    platform.changed.add(5);
    daemon.changes.checkChanged();
    expect(s.ask('IS_DOMAIN_INTRODUCED', '5^')).toBe(introduced);
  });
});

describe('a live update session', () => {
  function begun(compat: '4.17' | '4.22' = '4.22'): { bench: Bench; s: Client; s2: Client } {
    const bench = new Bench(compat);
    bench.platform.files.set('/bin/x', 'executable').set('/etc/x', 'not-executable');
    return { bench, s: bench.s, s2: bench.socket() };
  }

  it('answers each step with a text', () => {
    const { s, s2 } = begun();
    const step = (c: Client, words: string) => c.ask('CONTROL', `live-update^${words.replaceAll(' ', '^')}^`);
    expect(step(s, '-a')).toBe('No live-update session active.^');
    expect(step(s, '-c x')).toBe('Not in live-update session.^');
    expect(step(s, '-f /none')).toBe('File not accessible.^');
    expect(step(s, '-f /etc/x')).toBe('File not executable.^');
    expect(step(s, '-f /bin/x')).toBe('OK^');
    expect(step(s2, '-f /bin/x')).toBe('live-update session already active.^');
    expect(step(s2, '-c x')).toBe('Not in live-update session.^');
    expect(step(s2, '-s')).toBe('Not in live-update session.^');
    expect(step(s, '-c -v')).toBe('OK^');
    expect(step(s, '-s -v 3')).toBe('Migration stream version not supported.^');
    expect(step(s2, '-a')).toBe('OK^');
    expect(step(s2, '-a')).toBe('No live-update session active.^');
  });

  it.each([
    ['4.22', '-s -x 1', 'EINVAL', 'a flag that there is none of, whatever follows it'],
    ['4.22', '-s -v', 'EINVAL', 'a version that is not told'],
    ['4.17', '-s -v 1', 'EINVAL', 'versions that it knows nothing of'],
    ['4.22', '-s -v 0', 'Migration stream version not supported.^', 'a version below the first'],
    ['4.22', '-s -t 1 -v 2 -F -x', '', 'of more arguments than it takes, none is looked at'],
    ['4.17', '-s -t 1 -F -x', '', 'of more arguments than it takes, none is looked at'],
    ['4.22', '-s -v 1', '', 'version 1, which later updates may go back to'],
    ['4.17', '-s -t 1', '', 'a time'],
  ] as const)('%s: %s is answered with "%s": %s', (compat, words, answer, _why) => {
    const { bench, s } = begun(compat);
    s.ask('CONTROL', 'live-update^-f^/bin/x^');
    const payload = `live-update^${words.replaceAll(' ', '^')}^`;
    if (answer !== '') return expect(s.ask('CONTROL', payload)).toBe(answer);
    s.send('CONTROL', payload);
    expect([s.take(), bench.passEnd()]).toEqual([[], 'live-update']);
  });

  it('goes at once when nothing is open', () => {
    const { bench, s } = begun();
    s.ask('CONTROL', 'live-update^-f^/bin/x^');
    s.send('CONTROL', 'live-update^-s^');
    expect(s.take()).toEqual([]);
    expect(bench.passEnd()).toBe('live-update');
  });

  it('waits for open transactions until the time is up, and then says who had them', () => {
    const { bench, s, s2 } = begun();
    const tx = s2.begin();
    s.ask('CONTROL', 'live-update^-f^/bin/x^');
    s.send('CONTROL', 'live-update^-s^-t^5^');
    bench.passEnd();
    expect(s.take()).toEqual([]);
    bench.platform.clockMs += 5_000;
    bench.passEnd();
    expect(s.take()).toEqual(['reply Domains with long running transactions:\nDomain 0: 5 s^']);
    expect(s2.end(tx)).toBe('OK^');
  });

  it('is refused with other words when the transactions are young', () => {
    const { bench, s, s2 } = begun();
    s.ask('CONTROL', 'live-update^-f^/bin/x^');
    s2.begin(); // put aside
    const open = bench.socket();
    expect(open.conn.transactions.size).toBe(0);
    s.ask('CONTROL', 'live-update^-a^');
    bench.passEnd();
    s.ask('CONTROL', 'live-update^-f^/bin/x^');
    s.send('CONTROL', 'live-update^-s^-t^9^');
    bench.platform.clockMs += 5_000;
    s2.end(1);
    s2.take();
    expect(bench.passEnd()).toBe('live-update');
  });

  it('INJ-T3: does not wait any longer with -F, when all transactions are that old', () => {
    const { bench, s, s2 } = begun();
    s2.begin();
    s.ask('CONTROL', 'live-update^-f^/bin/x^');
    s.send('CONTROL', 'live-update^-s^-F^-t^2^');
    expect(bench.passEnd()).toBe(undefined);
    bench.platform.clockMs += 2_000;
    expect(bench.passEnd()).toBe('live-update');
  });

  it('INJ-T11: a wall clock that jumps forward ends the wait early', () => {
    const { bench, s, s2 } = begun();
    s2.begin();
    s.ask('CONTROL', 'live-update^-f^/bin/x^');
    s.send('CONTROL', 'live-update^-s^-t^5^');
    bench.platform.wallOffset = 3_600;
    bench.passEnd();
    expect(s.take()).toEqual(['reply Domains with long running transactions:\nDomain 0: 3600 s^']);
  });

  it('INJ-T11: one that jumps backward makes it wait for as long in addition, however long that is', () => {
    const { bench, s, s2 } = begun();
    s2.begin();
    s.ask('CONTROL', 'live-update^-f^/bin/x^');
    s.send('CONTROL', 'live-update^-s^-F^-t^5^');
    bench.platform.wallOffset = -3_600;
    for (const ms of [5_000, 3_594_000]) {
      bench.platform.clockMs += ms;
      expect([bench.passEnd(), s.take()]).toEqual([undefined, []]);
    }
    bench.platform.clockMs += 6_000;
    expect(bench.passEnd()).toBe('live-update');
  });

  it('does not wait for transactions that will be carried', () => {
    const bench = new Bench('4.22', { policy: 'carry' });
    bench.platform.files.set('/bin/x', 'executable');
    const s2 = bench.socket();
    s2.begin();
    bench.s.ask('CONTROL', 'live-update^-f^/bin/x^');
    expect(bench.socket().begin()).toBe(1);
    bench.s.send('CONTROL', 'live-update^-s^');
    expect(bench.passEnd()).toBe('live-update');
  });

  it('that is aborted answers -s with the reason', () => {
    const { bench, s, s2 } = begun();
    s2.begin();
    s.ask('CONTROL', 'live-update^-f^/bin/x^');
    s.send('CONTROL', 'live-update^-s^-t^60^');
    bench.passEnd();
    expect(s2.ask('CONTROL', 'live-update^-a^')).toBe('OK^');
    expect(bench.socket().begin()).toBe(1); // nothing is put aside any more
    bench.passEnd();
    expect(s.take()).toEqual(['reply Cancellation was requested^']);
  });

  it('ends with the connection that began it', () => {
    const { bench, s, s2 } = begun();
    s.ask('CONTROL', 'live-update^-f^/bin/x^');
    bench.daemon.connections.close(s.conn);
    expect(s2.ask('CONTROL', 'live-update^-a^')).toBe('No live-update session active.^');
  });

  it('puts a START aside before anything of it is looked at', () => {
    const { bench, s, s2 } = begun();
    s.ask('CONTROL', 'live-update^-f^/bin/x^');
    s2.send('TRANSACTION_START', '^', 77);
    expect(s2.take()).toEqual([]);
    s.ask('CONTROL', 'live-update^-a^');
    bench.passEnd();
    expect(s2.take()).toEqual(['reply ENOENT']);
  });

  it('lets one START of a guest wait, and reads nothing after the second', () => {
    const { bench, s } = begun();
    const d1 = bench.domain(1);
    s.ask('CONTROL', 'live-update^-f^/bin/x^');
    d1.send('TRANSACTION_START', '^');
    expect(bench.daemon.throttle.canRead(d1.conn)).toBe(true);
    d1.send('TRANSACTION_START', '^');
    expect(bench.daemon.throttle.canRead(d1.conn)).toBe(false);
    expect(d1.take()).toEqual([]);
  });
});
