import { describe, expect, it } from 'vitest';
import { Bench, type Client } from '../harness.ts';

/** One line of `CONTROL quota <domid>`: current value and largest seen. */
function line(s: Client, domid: number, name: string): readonly [number, number] {
  const text = s.ask('CONTROL', `quota^${domid}^`);
  const match = new RegExp(`^${name} *: *(\\d+) \\(max *(\\d+)\\)$`, 'm').exec(text);
  if (match === null) throw new Error(`assertion: no line ${name} in ${text}`);
  return [Number(match[1]), Number(match[2])];
}

describe('accounting', () => {
  it('charges a node with its header, entries, value, child names and path to its owner', () => {
    const bench = new Bench();
    const d1 = bench.domain(1);
    const before = line(bench.s, 1, 'memory')[0];
    const path = '/local/domain/1/n';
    d1.ask('WRITE', 'n^12345');
    // 16 + one entry of 8 + 5 octets, the path; and its name in the list of its parent.
    expect(line(bench.s, 1, 'memory')[0] - before).toBe(16 + 8 + 5 + path.length + 'n^'.length);
    d1.ask('WRITE', 'n^1');
    expect(line(bench.s, 1, 'memory')[0] - before).toBe(16 + 8 + 1 + path.length + 'n^'.length);
    d1.ask('RM', 'n^');
    expect(line(bench.s, 1, 'memory')[0]).toBe(before);
  });

  it('charges the private copies of a transaction to whoever has it open', () => {
    const bench = new Bench();
    const d1 = bench.domain(1);
    const before = line(bench.s, 1, 'memory')[0];
    const tx = d1.begin();
    const name = `${bench.state.generation}//tool/xenstored`;
    bench.s.ask('SET_PERMS', '/tool/xenstored^n0^r1^');
    d1.ask('READ', '/tool/xenstored^', tx);
    expect(line(bench.s, 1, 'memory')[0] - before).toBe(16 + 16 + name.length);
    d1.end(tx);
    expect(line(bench.s, 1, 'memory')[0]).toBe(before);
  });

  it('charges a watch with its absolute path and token, and what is queued with its header', () => {
    const bench = new Bench();
    const d1 = bench.domain(1);
    const before = line(bench.s, 1, 'memory')[0];
    d1.isHeld = true;
    d1.send('WATCH', 'w^tok^');
    const watch = '/local/domain/1/w'.length + 'tok'.length;
    expect(line(bench.s, 1, 'memory')[0] - before).toBe(watch + 16 + 'OK^'.length + 16 + 'w^tok^'.length);
    d1.read();
    expect(line(bench.s, 1, 'memory')[0] - before).toBe(watch);
    expect(line(bench.s, 1, 'watches')).toEqual([1, 1]);
  });

  it('counts nodes by owner, and moves one with its owner', () => {
    const bench = new Bench();
    bench.domain(1);
    bench.domain(2);
    bench.s.ask('WRITE', '/x^');
    bench.s.ask('SET_PERMS', '/x^n1^');
    expect(line(bench.s, 1, 'nodes')).toEqual([2, 2]);
    bench.s.ask('SET_PERMS', '/x^n2^');
    expect(line(bench.s, 1, 'nodes')).toEqual([1, 2]);
    expect(line(bench.s, 2, 'nodes')).toEqual([2, 2]);
  });

  it('remembers the largest values of what is not kept', () => {
    const bench = new Bench();
    const d1 = bench.domain(1);
    d1.ask('WRITE', `v^${'x'.repeat(100)}`);
    d1.ask('SET_PERMS', 'v^n1^r0^');
    const tx = d1.begin();
    d1.ask('READ', 'v^', tx);
    d1.ask('READ', 'w^', tx);
    expect(line(bench.s, 1, 'node-size')).toEqual([0, 16 + 16 + 100]);
    expect(line(bench.s, 1, 'node-permissions')).toEqual([0, 2]);
    expect(line(bench.s, 1, 'transaction-nodes')).toEqual([0, 3]);
    expect(line(bench.s, 1, 'path-max')).toEqual([0, 1]); // without /local/domain/1/
    expect(line(bench.s, 1, 'transactions')).toEqual([1, 1]);
  });

  it('keeps the largest values of domains that are gone, until they are reset', () => {
    const bench = new Bench();
    const d1 = bench.domain(1);
    for (let i = 0; i < 5; i++) d1.ask('WATCH', `w^${i}^`);
    bench.s.ask('RELEASE', '1^');
    const text = bench.s.ask('CONTROL', 'quota^max^');
    expect(text).toMatch(/^Max\. seen accounting values:\nnodes {12}: {8}1\nwatches {10}: {8}5\n/);
    expect(bench.s.ask('CONTROL', 'quota^max^-r^')).toMatch(/^watches {10}: {8}0$/m);
  });

  it('is as if nothing had been after a guest has cleaned up', () => {
    const bench = new Bench();
    const d1 = bench.domain(1);
    const before = line(bench.s, 1, 'memory')[0];
    const tx = d1.begin();
    d1.ask('WRITE', 'a/b/c^1', tx);
    d1.end(tx);
    d1.ask('WATCH', 'a^t^');
    d1.ask('WRITE', 'a/b/c^22222');
    const lost = d1.begin();
    d1.ask('RM', 'a^', lost);
    d1.ask('RESET_WATCHES');
    d1.ask('RM', 'a^');
    expect(line(bench.s, 1, 'memory')[0]).toBe(before);
    expect(line(bench.s, 1, 'nodes')[0]).toBe(1);
    expect(line(bench.s, 1, 'transactions')[0]).toBe(0);
    expect(line(bench.s, 1, 'outstanding')[0]).toBe(0);
  });
});

describe('limits', () => {
  it('lets a limit of 0 be none', () => {
    const bench = new Bench();
    const d1 = bench.domain(1);
    bench.s.ask('SET_QUOTA', '1^watches^0^');
    for (let i = 0; i < 200; i++) expect(d1.ask('WATCH', `w^${i}^`)).toBe('OK^');
  });

  it('drops events, refuses watches, nodes and long answers of a domain without memory', () => {
    const bench = new Bench();
    const d1 = bench.domain(1);
    d1.ask('WRITE', `v^${'x'.repeat(100)}`);
    d1.ask('WATCH', 'v^t^');
    d1.take();
    bench.s.ask('SET_QUOTA', '1^memory^1^');
    bench.s.ask('WRITE', '/local/domain/1/v^y');
    expect(d1.events()).toEqual([]);
    expect(bench.daemon.throttle.canRead(d1.conn)).toBe(false);
    expect(d1.ask('WATCH', 'w^t^')).toBe('ENOMEM');
    expect(d1.ask('MKDIR', 'new^')).toBe('EIO');
    expect(d1.ask('READ', 'v^')).toBe('y');
    bench.s.ask('WRITE', `/local/domain/1/v^${'x'.repeat(100)}`);
    expect(d1.ask('READ', 'v^')).toBe('ENOMEM');
  });

  it('drops events that nobody began to read within 20 s, and answers never', () => {
    const bench = new Bench();
    const d1 = bench.domain(1);
    d1.ask('WATCH', 'w^t^');
    d1.take();
    d1.isHeld = true;
    bench.s.ask('WRITE', '/local/domain/1/w^');
    d1.send('READ', 'w^');
    expect(bench.daemon.nextDeadlineMs()).toBe(bench.platform.clockMs + 20_000);
    bench.platform.clockMs += 19_999;
    bench.daemon.timePassed(bench.platform.clockMs);
    expect(d1.conn.out.length).toBe(2);
    bench.platform.clockMs += 1;
    bench.daemon.timePassed(bench.platform.clockMs);
    d1.read();
    expect(d1.take()).toEqual(['reply ']);
  });

  it('keeps an event of which something was written', () => {
    const bench = new Bench();
    const d1 = bench.domain(1);
    d1.ask('WATCH', 'w^t^');
    d1.take();
    d1.isHeld = true;
    bench.s.ask('WRITE', '/local/domain/1/w^');
    for (const out of d1.conn.out) out.sent = 1;
    bench.platform.clockMs += 20_000;
    bench.daemon.timePassed(bench.platform.clockMs);
    expect(d1.conn.out.length).toBe(1);
  });

  it('copies the global values into a record that is made later', () => {
    const bench = new Bench();
    bench.platform.createDomain(2);
    expect(bench.s.ask('GET_QUOTA', '2^nodes^')).toBe('1000^');
    bench.s.ask('SET_QUOTA', 'nodes^77^');
    bench.platform.createDomain(3);
    expect(bench.s.ask('GET_QUOTA', '2^nodes^')).toBe('1000^');
    expect(bench.s.ask('GET_QUOTA', '3^nodes^')).toBe('77^');
  });
});

describe('CONTROL', () => {
  it('shows the global quotas in the words of each release', () => {
    expect(new Bench().s.ask('CONTROL', 'quota^').split('\n').slice(0, 5)).toEqual([
      'Quota settings:',
      'nodes            :     1000 Nodes per domain',
      'watches          :      128 Watches per domain',
      'outstanding      :       20 Outstanding requests per domain',
      'memory           :  2621440 Total Xenstore memory per domain',
    ]);
    expect(new Bench('4.17').s.ask('CONTROL', 'quota^').split('\n').slice(3)).toEqual([
      'transactions     :       10 Transactions per domain',
      'outstanding      :       20 Outstanding requests per domain',
      'transaction-nodes:     1024 Max. number of accessed nodes per transaction',
      'memory           :  2621440 Total Xenstore memory per domain (error level)',
      'node-size        :     2048 Max. size of a node',
      'path-max         :     2048 Max. length of a node path',
      'permissions      :        5 Max. number of permissions per node',
      '^',
    ]);
  });

  it('shows the soft quota in the words of each release', () => {
    const soft = (compat: '4.22' | '4.17') => new Bench(compat).s.ask('CONTROL', 'quota-soft^');
    expect(soft('4.22')).toBe('Quota settings:\nmemory           :  2097152 Total Xenstore memory per domain\n^');
    expect(soft('4.17')).toBe(
      'Quota settings:\nmemory           :  2097152 Total Xenstore memory per domain (warning level)\n^',
    );
  });

  it('lists its commands', () => {
    const lines = new Bench().s.ask('CONTROL', 'help^').split('\n');
    expect(lines.slice(0, 4)).toEqual([
      'check           ',
      'log             [on|off|+<switch>|-<switch>]',
      'live-update     [-c <cmdline>] [-F] [-t <timeout>] [-v <version>] <file>',
      '    Default timeout is 60 seconds, default version is 2.',
    ]);
    expect(new Bench('4.17').s.ask('CONTROL', 'help^')).toContain('quota\t[set <name> <val>|<domid>]\n');
  });
});

describe('who is not read', () => {
  it('waits for credit and for a quota at once, where it lacks both: its credit comes back meanwhile', () => {
    const bench = new Bench('4.17');
    const { conn } = bench.domain(1);
    const { record } = conn;
    if (record?.credit === undefined) throw new Error('assertion: no credit');
    bench.state.rate.debit(record.credit, 100, bench.platform.nowMs());
    bench.state.quotas.memory = 1;
    expect(bench.daemon.throttle.canRead(conn)).toBe(false);
    expect([bench.state.waitingForCredit.has(conn), bench.state.waitingForQuota.has(conn)]).toEqual([true, true]);
    bench.state.quotas.memory = 2_621_440;
    bench.daemon.throttle.lookAgain();
    expect(bench.state.waitingForQuota.has(conn)).toBe(false);
    expect(bench.daemon.throttle.canRead(conn)).toBe(false);
    bench.platform.clockMs += 60_000;
    expect(bench.daemon.throttle.canRead(conn)).toBe(true);
  });
});
