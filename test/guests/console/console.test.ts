import { describe, expect, it } from 'vitest';
import { octets, strings, text, XS } from '../../../guests/index.ts';
import { consoleIntegrity } from '../../../scenarios/judge/invariants/console.ts';
import { type Actor, CONSOLE_CONNECTION, CONSOLE_IN, CONSOLE_OUT, type Pty, putOctets } from '../../../sim/index.ts';
import { ConsoleHost } from '../../support/console-host.ts';

/** Everything that the terminal holds. */
const shown = (tty: Pty) => text(tty.read('slave', 1e6));
const lengths = (bench: ConsoleHost, kind: 'publish' | 'consume', dir: 'in' | 'out') =>
  bench.recorder
    .history()
    .records.flatMap((r) => (r.kind === kind && 'dir' in r && r.dir === dir ? [r.bytes.length] : []));
/** n octets from position `from` on of a stream in which no piece looks like the one before it. */
const pattern = (n: number, from = 0) =>
  Uint8Array.from({ length: n }, (_, i) => (7 * (from + i) + 13 * ((from + i) >> 8)) & 0xff);

describe('the console ring', () => {
  it('CON-1: everything that is there is taken at once, across the physical end, and the guest is told', () => {
    const bench = new ConsoleHost();
    const { os, page, domain, tty } = bench.boot(1);
    domain.ports.clear(page.port);
    let seen = '';
    for (const count of [1_500, 2_048, 1]) {
      const prod = page.ring.load32(CONSOLE_OUT.prod);
      putOctets(page.ring.bytes, CONSOLE_OUT, prod, pattern(count, prod));
      page.ring.store32(CONSOLE_OUT.prod, prod + count, true);
      os.hyper.send(page.port);
      bench.run(1);
      seen += shown(tty);
    }
    expect(lengths(bench, 'consume', 'out')).toEqual([1_500, 2_048, 1]);
    expect(seen).toBe(text(pattern(3_549)));
    expect(page.ring.load32(CONSOLE_OUT.cons)).toBe(3_549);
  });

  it('CON-1: a ring with an impossible index is left as it is, and served again when the index is repaired', () => {
    const bench = new ConsoleHost();
    const { os, page, tty } = bench.boot(1);
    const poke = (prod: number) => {
      page.ring.store32(CONSOLE_OUT.prod, prod, true);
      os.hyper.send(page.port);
      bench.run(1);
    };
    for (const bad of [2_049, 0x8000_0000, 0xffff_ffff]) {
      poke(bad);
      expect(page.ring.load32(CONSOLE_OUT.cons)).toBe(0);
    }
    expect(shown(tty)).toBe('');
    putOctets(page.ring.bytes, CONSOLE_OUT, 0, octets('still here'));
    poke(10);
    expect(shown(tty)).toBe('still here');
  });

  it('CON-2: input comes at most 80 octets at a time, into free space only', () => {
    const bench = new ConsoleHost();
    const { tty, guest } = bench.boot(1);
    let got = '';
    guest.onInput = (bytes) => {
      got += text(bytes);
    };
    tty.write('slave', pattern(200));
    bench.run(10);
    expect(lengths(bench, 'publish', 'in')).toEqual([80, 80, 40]);
    expect(got).toBe(text(pattern(200)));
  });

  it('CON-2: of a guest that does not read, the ring fills up and the rest waits in the terminal', () => {
    const bench = new ConsoleHost();
    const { page } = bench.build(1);
    bench.until(() => bench.daemon.domids.length === 1);
    bench.run(1);
    const tty = bench.devpts.find('/dev/pts/0') as Pty;
    tty.write('slave', pattern(2_000));
    bench.run(10);
    expect(page.ring.load32(CONSOLE_IN.prod)).toBe(1_024);
    expect(lengths(bench, 'publish', 'in')).toEqual([...Array(12).fill(80), 64]);
    page.ring.store32(CONSOLE_IN.cons, 2_000, true); // an index that cannot be: no room at all
    tty.write('slave', pattern(10));
    bench.run(10);
    expect(page.ring.load32(CONSOLE_IN.prod)).toBe(1_024);
  });

  it('CON-3: after 30 events in a period the port stays silent until the period is over', () => {
    const bench = new ConsoleHost();
    const { os, page, tty } = bench.boot(1);
    bench.run(250); // a fresh period begins with the next pass
    const put = (n: number) => {
      putOctets(page.ring.bytes, CONSOLE_OUT, n, octets('x'));
      page.ring.store32(CONSOLE_OUT.prod, n + 1, true);
      os.hyper.send(page.port);
      bench.run(1);
    };
    for (let n = 0; n < 45; n++) put(n);
    expect(shown(tty)).toBe('x'.repeat(30));
    bench.run(100);
    expect(page.ring.load32(CONSOLE_OUT.cons)).toBe(30);
    bench.run(60);
    expect(shown(tty)).toBe('x'.repeat(15)); // in one go: nobody had to send again
    expect(page.ring.load32(CONSOLE_OUT.cons)).toBe(45);
  });

  it('CON-3: an event without output counts, too', () => {
    const bench = new ConsoleHost();
    const { os, page, guest, tty } = bench.boot(1);
    bench.run(250);
    for (let n = 0; n < 30; n++) {
      os.hyper.send(page.port);
      bench.run(1);
    }
    guest.write(octets('late'));
    bench.run(5);
    expect(shown(tty)).toBe('');
    bench.run(200);
    expect(shown(tty)).toBe('late');
  });

  it('CON-4: beyond the limit and a quarter the middle is cut out', () => {
    const bench = new ConsoleHost({ limit: 10_000 });
    const { guest, tty } = bench.boot(1);
    guest.write(pattern(30_000));
    bench.run(3_000);
    let out = '';
    for (let part = shown(tty); part !== ''; part = shown(tty)) {
      out += part;
      bench.run(5);
    }
    expect(out.length).toBeLessThanOrEqual(4_096 + 12_500);
    expect(out.length).toBeGreaterThanOrEqual(10_000);
    expect(out.slice(0, 4_096)).toBe(text(pattern(4_096)));
    expect(out.slice(-2_400)).toBe(text(pattern(2_400, 27_600)));
    const verdict = consoleIntegrity(bench.recorder.history(), true);
    expect(verdict.violations).toEqual([]);
    expect(new Map(verdict.checked).get('octets discarded')).toBe(30_000 - out.length);
  });

  it('CON-4: a daemon that keeps everything stops reading at the limit, and the guest waits', () => {
    const bench = new ConsoleHost({ limit: 10_000, overflow: 'keep' });
    const { guest, tty, page } = bench.boot(1);
    guest.write(pattern(30_000));
    bench.run(3_000);
    expect(guest.isIdle).toBe(false);
    const taken = page.ring.load32(CONSOLE_OUT.cons);
    expect(taken).toBeGreaterThanOrEqual(10_000);
    expect(taken).toBeLessThan(4_096 + 10_000 + 2_048); // a terminal full was shown and forgotten before
    let out = '';
    for (let i = 0; out.length < 30_000 && i < 1_000; i++) {
      out += shown(tty);
      bench.run(20);
    }
    expect(out).toBe(text(pattern(30_000)));
    expect(consoleIntegrity(bench.recorder.history(), true).violations).toEqual([]);
  });

  it('CON-4: without the key there is no limit', () => {
    const bench = new ConsoleHost({ overflow: 'keep' });
    const { guest } = bench.boot(1);
    guest.write(pattern(50_000));
    bench.until(() => guest.isIdle);
  });

  it('CON-5: the daemon says connected when it has bound, opened a terminal and written its name; it sends no event', () => {
    const bench = new ConsoleHost({ type: 'ioemu' });
    const { page, domain } = bench.build(1);
    bench.run(5);
    expect(page.ring.bytes[CONSOLE_CONNECTION]).toBe(1);
    expect(bench.read('/local/domain/1/console/tty')).toBe('');
    bench.xs(function* (xs): Actor {
      yield* xs.write('/local/domain/1/console/type', 'xenconsoled'); // its watch fires
    });
    bench.until(() => page.ring.bytes[CONSOLE_CONNECTION] === 0);
    expect(bench.read('/local/domain/1/console/tty')).toBe('/dev/pts/0');
    bench.run(1);
    expect(domain.ports.isPending(page.port)).toBe(false);
  });

  it.each([
    ['waits', 'early late', 0],
    ['drops', ' late', 5],
    ['writes', 'early late', 0],
  ] as const)('CON-5: a guest that %s while it is disconnected shows %j', (disconnected, expected, dropped) => {
    const bench = new ConsoleHost({ type: 'ioemu' }); // not the daemon's yet
    const built = bench.build(1);
    const guest = bench.console(built, { disconnected, chunkBytes: 16 });
    guest.write(octets('early'));
    bench.run(5);
    expect(built.page.ring.load32(CONSOLE_OUT.prod)).toBe(disconnected === 'writes' ? 5 : 0);
    bench.xs(function* (xs): Actor {
      yield* xs.write('/local/domain/1/console/type', 'xenconsoled'); // its watch fires
    });
    bench.until(() => bench.devpts.find('/dev/pts/0') !== undefined);
    bench.run(1);
    guest.write(octets(' late'));
    bench.run(5);
    expect(shown(bench.devpts.find('/dev/pts/0') as Pty)).toBe(expected);
    expect(guest.dropped).toBe(dropped);
  });
});

describe('xenconsoled', () => {
  it('does nothing when its nodes are written again, and binds anew when the port is another one', () => {
    const bench = new ConsoleHost();
    const { domain, os, page, tty } = bench.boot(1);
    const bound = () => domain.ports.ports().filter((port) => domain.ports.get(port)?.state === 'interdomain').length;
    const before = bound();
    const rewrite = (port: number) =>
      bench.xs(function* (xs): Actor {
        yield* xs.write('/local/domain/1/console/port', String(port));
      });
    rewrite(page.port);
    bench.run(1);
    expect(bound()).toBe(before);
    const other = os.hyper.allocUnbound(1, 0);
    if (!other.ok) throw new Error('assertion: no port');
    rewrite(other.value);
    bench.run(1);
    expect(domain.ports.get(page.port)?.state).toBe('unbound');
    expect(domain.ports.get(other.value)?.state).toBe('interdomain');
    expect(bench.devpts.find('/dev/pts/1')).toBeUndefined();
    putOctets(page.ring.bytes, CONSOLE_OUT, 0, octets('hello'));
    page.ring.store32(CONSOLE_OUT.prod, 5, true);
    os.hyper.send(other.value);
    bench.run(1);
    expect(shown(tty)).toBe('hello');
  });

  it('lets go of a dead domain, so that it does not stay as a zombie, and of its terminal', () => {
    const bench = new ConsoleHost();
    const { guest } = bench.boot(1);
    bench.boot(2);
    guest.write(octets('last words'));
    bench.run(1);
    bench.host.dom0.os.hyper.destroyDomain(1);
    bench.until(() => bench.host.machine.domain(1) === undefined);
    bench.run(1);
    expect(bench.daemon.domids).toEqual([2]);
    expect(bench.devpts.find('/dev/pts/0')).toBeUndefined();
    bench.boot(3, undefined, 0); // the number is used again
  });

  it('keeps a domain as a zombie for as long as it does not hear of its death', () => {
    const bench = new ConsoleHost();
    bench.boot(1);
    bench.host.dom0.client.held = true; // the news does not get through
    bench.host.dom0.os.hyper.destroyDomain(1);
    bench.run(100);
    expect(bench.host.machine.domain(1)?.dying).toBe('dead');
    bench.host.dom0.client.release();
    bench.until(() => bench.host.machine.domain(1) === undefined);
  });

  it('CON-6: a domain that was never introduced is served with the next one, and stays a zombie until another comes or goes', () => {
    const bench = new ConsoleHost();
    bench.run(10); // it looks when it starts, and with its watches' first events
    bench.build(1, false);
    bench.run(10);
    expect(bench.daemon.domids).toEqual([]);
    bench.build(2);
    bench.until(() => bench.daemon.domids.length === 2);
    bench.host.dom0.os.hyper.destroyDomain(1);
    bench.run(10_000);
    expect([bench.host.machine.domain(1)?.dying, bench.daemon.domids]).toEqual(['dead', [1, 2]]);
    bench.build(3);
    bench.until(() => bench.host.machine.domain(1) === undefined);
  });

  it('serves on while the store updates itself', () => {
    const bench = new ConsoleHost();
    const { guest, tty } = bench.boot(1);
    let out = '';
    for (let i = 0; i < 5; i++) {
      guest.write(pattern(3_000, 3_000 * i));
      bench.xs(function* (xs): Actor {
        yield* xs.call(XS.CONTROL, strings('live-update', '-f', '/usr/sbin/xenstored'));
        const answer = yield* xs.call(XS.CONTROL, strings('live-update', '-s', '-t', '0'));
        expect(text(answer.payload)).toBe('OK\0');
      });
      bench.run(200);
      out += shown(tty);
    }
    expect(out).toBe(text(pattern(15_000)));
    expect(consoleIntegrity(bench.recorder.history(), true).violations).toEqual([]);
  });
});
