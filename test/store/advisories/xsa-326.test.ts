/**
 * XSA-326: a guest could make the daemon hold memory without limit.
 *
 * Mechanism and provocation, one by one: requests are sent and their answers not read (B062); a watcher that does not read is sent
 * the same event again and again (B033); a transaction touches thousands of nodes (B048); watches, nodes and what is queued are
 * each cheap and together are not (the memory quota). Failure: the daemon's memory grows with what the guest does. The defences: 20
 * requests outstanding, and events count for who causes them; an event that waits already is not queued again, those of `@` names
 * excepted, since their readers count them; 1,024 nodes in a transaction; a quota on all memory; events that nobody begins to read
 * for 20 s are dropped.
 */
import { describe, expect, it } from 'vitest';
import { Bench } from '../harness.ts';
import { scripted } from './scripted.ts';

describe.each(['4.17', '4.22'] as const)('XSA-326 (%s)', (compat) => {
  it('a guest that reads no answers is not read after 20 of them, and others are', () => {
    // READ of `v`, whose 900 octets fill the ring of answers with the second.
    const read = '\x02\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0v\0';
    const output = scripted(compat, [
      { socket: 'a' },
      { domain: 1 },
      { on: 'a', op: 'WRITE', payload: `/local/domain/1/v^${'v'.repeat(900)}` },
      { hold: '1' },
      ...Array.from({ length: 50 }, () => ({ on: '1', raw: read })),
      { on: 'a', op: 'CONTROL', payload: 'quota^1^' },
      { free: '1' },
    ]);
    const [line] = output.at(-2) ?? [];
    const text = (line as { readonly payload: string } | undefined)?.payload ?? '';
    expect(Number(/^outstanding *: *(\d+)/m.exec(text)?.[1])).toBe(20);
    expect(output.at(-1)).toHaveLength(1 + 50); // nothing is lost
  });

  it('events count as outstanding for the request that has caused them, until they are read', () => {
    const bench = new Bench(compat);
    const [d1, d2] = [bench.domain(1), bench.domain(2)];
    d1.ask('SET_PERMS', '/local/domain/1^r1^');
    d2.ask('WATCH', '/local/domain/1/x^t^');
    d2.isHeld = true;
    d1.ask('WRITE', 'x^1');
    expect(d1.conn.record?.account.outstanding).toBe(1); // its answer is read, the event is not
    d2.read();
    expect(d1.conn.record?.account.outstanding).toBe(0);
  });

  it('an event that waits already is not queued again, but for those of special names', () => {
    const bench = new Bench(compat);
    const client = bench.socket();
    client.ask('WATCH', '/x^t^');
    client.ask('WATCH', '@introduceDomain^s^');
    client.take();
    client.isHeld = true;
    for (let i = 0; i < 100; i++) bench.s.ask('WRITE', `/x^${i}`);
    for (const domid of [1, 2]) bench.domain(domid);
    client.read();
    expect(client.events()).toEqual(['/x t', '@introduceDomain s', '@introduceDomain s']);
  });

  it('a transaction touches 1,024 nodes at the most, and one that has asked for more cannot be committed', () => {
    const bench = new Bench(compat);
    const d1 = bench.domain(1);
    const tx = d1.begin();
    const limit = compat === '4.17' ? 1024 : 1023;
    const answers = Array.from({ length: limit + 1 }, (_, i) => d1.ask('READ', `n${i}^`, tx));
    // Each looks for its node; the first one has found the home as well.
    expect(answers.indexOf('ENOSPC')).toBe(limit - 1);
    expect(d1.end(tx)).toBe('ENOMEM');
  });

  it.each([
    ['WATCH', '^', 'ENOMEM'],
    ['WRITE', '', 'EIO'],
  ] as const)('all that a guest holds is limited, whatever it is: %s', (op, end, refusal) => {
    const bench = new Bench(compat);
    const d1 = bench.domain(1);
    bench.s.ask('CONTROL', 'quota^set^memory^2000^');
    if (compat === '4.22') bench.s.ask('SET_QUOTA', '1^memory^2000^');
    const answers = Array.from({ length: 100 }, (_, i) => d1.ask(op, `${op}${i}^${'x'.repeat(50)}${end}`));
    const last = answers.indexOf(refusal);
    expect(answers.slice(0, last)).toEqual(Array.from({ length: last }, () => 'OK^'));
    expect(last).toBeGreaterThan(10);
    expect(d1.conn.record?.account.memory).toBeLessThan(2000);
  });

  it('what is queued is part of it: a reader of nothing gets no more events', () => {
    const bench = new Bench(compat);
    const d1 = bench.domain(1);
    bench.s.ask('SET_PERMS', '/tool^r0^');
    d1.ask('WATCH', '/tool^t^');
    bench.s.ask('CONTROL', 'quota^set^memory^2000^');
    if (compat === '4.22') bench.s.ask('SET_QUOTA', '1^memory^2000^');
    d1.isHeld = true;
    for (let i = 0; i < 100; i++) bench.s.ask('MKDIR', `/tool/n${i}^`);
    expect(d1.conn.out.length).toBeGreaterThan(20);
    expect(d1.conn.out.length).toBeLessThan(80);
    expect(d1.conn.record?.account.memory).toBeLessThan(2000);
  });

  it('events that nobody reads are dropped after 20 s', () => {
    const bench = new Bench(compat);
    const d1 = bench.domain(1);
    d1.ask('WATCH', 'x^t^');
    d1.isHeld = true;
    bench.s.ask('WRITE', '/local/domain/1/x^');
    const { memory } = d1.conn.record!.account;
    bench.platform.clockMs += 20_000;
    bench.daemon.timePassed(bench.platform.clockMs);
    expect(d1.conn.out).toEqual([]);
    expect(d1.conn.record?.account.memory).toBeLessThan(memory);
  });
});
