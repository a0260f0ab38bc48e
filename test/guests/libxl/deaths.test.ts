import { describe, expect, it } from 'vitest';
import { strings, XS, Xs } from '../../../guests/index.ts';
import {
  Call,
  createDomain,
  DomainDeathCheck,
  DomainDeaths,
  type DomainEvent,
  destroyDomain,
  untilFree,
  vbd,
  vif,
} from '../../../guests/libxl/index.ts';
import { SHUTDOWN_REASONS } from '../../../sim/index.ts';
import { look, pass, run, together } from '../../support/host.ts';
import { asked, type LibxlBench, libxlBench, startBackends } from './host.ts';

const MS_NS = 1_000_000;

function guests(count: number): LibxlBench {
  const h = libxlBench();
  startBackends(h);
  for (let i = 0; i < count; i++)
    run(h, `xl${i}`, (me) =>
      createDomain(me, h.xl, { name: `g${i}`, disks: [vbd()], nics: [vif()], console: 'nodes' }),
    );
  return h;
}

describe('destroying a domain', () => {
  it('goes in order: devices by force, then the three trees, then the domain', () => {
    const h = guests(1);
    let stillThere: string | undefined = 'unasked';
    const outcome = run(h, 'xd', function* (me) {
      return yield* destroyDomain(me, h.xl, 1, {
        beforeDestroy: (domain) => {
          stillThere = `${domain.dying}, paused ${domain.controllerPauses}`;
        },
      });
    });
    expect(outcome.rc).toBe(0);
    expect(stillThere).toBe('alive, paused 1');
    const lines = asked(h, 'xd').map(({ line }) => line);
    const at = (line: string) => lines.indexOf(line);
    expect(at('DIRECTORY /libxl/1/device')).toBeGreaterThan(at('READ /local/domain/1/target'));
    expect(at('RM /local/domain/1/device/vif/0')).toBeGreaterThan(at('DIRECTORY /libxl/1/device'));
    // What a removal does before its first wait is done before the next one begins, as DIRECTORY lists them.
    const watched = lines.findIndex((line) => line.startsWith('WATCH /local/domain/0/backend/vbd/1/51712/state'));
    expect(watched).toBeGreaterThan(0);
    expect(at('RM /local/domain/1/console')).toBeGreaterThan(watched);
    const tail = lines.slice(-4);
    expect(tail[0]).toMatch(/^RM \/vm\//);
    expect(tail.slice(1)).toEqual(['RM /local/domain/1', 'RM /libxl/1', 'RM /local/domain/1/hvmloader']);
  });

  it('TS-11: the nodes go while the domain is only paused, and its connection is still there', () => {
    const h = guests(1);
    let introduced = '';
    together(h, [
      ['xd', (me) => destroyDomain(me, h.xl, 1)],
      [
        'look',
        function* (me) {
          const xs = new Xs(h.host.dom0.client, me);
          for (let i = 0; i < 1_000 && (yield* xs.read('/local/domain/1')).error === undefined; i++) yield 5_000;
          introduced = String.fromCharCode(...(yield* xs.call(XS.IS_DOMAIN_INTRODUCED, strings('1'))).payload);
          return undefined;
        },
      ],
    ]);
    expect(introduced).toBe('T\0');
  });

  it('TS-12: what the domain owned elsewhere goes with it', () => {
    const h = guests(1);
    run(h, 'make', function* (me) {
      const xs = new Xs(h.host.dom0.client, me);
      yield* xs.write('/elsewhere', 'x');
      yield* xs.setPerms('/elsewhere', ['n1']);
    });
    run(h, 'xd', (me) => destroyDomain(me, h.xl, 1));
    pass(h, MS_NS);
    expect(look(h, '/elsewhere')).toBeUndefined();
  });

  it('of a domain that does not exist fails at once', () => {
    const h = libxlBench();
    expect(run(h, 'xd', (me) => destroyDomain(me, h.xl, 7)).rc).toBe('ERROR_DOMAIN_NOTFOUND');
  });

  it('DOM-8: who wants an id waits for a zombie, but not for ever', () => {
    const h = guests(1);
    const { machine, dom0 } = h.host;
    const { handle } = machine.mapGrant(dom0.os.domain, 1, 0, 2);
    machine.scheduler.at(machine.nowNs + 500 * MS_NS, () => void machine.unmapGrant(dom0.os.domain, handle ?? 0));
    const before = machine.nowNs;
    run(h, 'xd', function* (me) {
      yield* destroyDomain(me, h.xl, 1);
      expect(yield* untilFree(dom0.os, 1, 100 * MS_NS)).toBe(false);
      expect(yield* untilFree(dom0.os, 1, 10_000 * MS_NS)).toBe(true);
    });
    expect(machine.nowNs - before).toBeGreaterThanOrEqual(500 * MS_NS);
    expect(machine.nowNs - before).toBeLessThan(600 * MS_NS);
  });
});

describe('waiting for the ends of domains', () => {
  it('TS-13: one watch for all; a shutdown is told once, then the death; what means nothing is a scan and no more', () => {
    const h = guests(4);
    const events: DomainEvent[] = [];
    let scans = 0;
    together(h, [
      [
        'waiter',
        function* (me) {
          const deaths = new DomainDeaths(new Call(h.xl, me));
          for (const domid of [3, 1, 2]) yield* deaths.add(domid);
          while (events.length < 4) {
            events.push(yield* deaths.next());
            scans = deaths.scans;
          }
          return undefined;
        },
      ],
      [
        'others',
        function* (me) {
          const xs = new Xs(h.host.dom0.client, me);
          const { machine } = h.host;
          yield 10 * MS_NS;
          machine.shutdown(machine.domain(2) as never, 'crash');
          yield 10 * MS_NS;
          yield* xs.call(XS.RELEASE, strings('4')); // nobody waits for that one
          yield 10 * MS_NS;
          machine.destroy(machine.domain(2) as never);
          yield 10 * MS_NS;
          machine.shutdown(machine.domain(1) as never, 'poweroff');
          yield 10 * MS_NS;
          machine.destroy(machine.domain(3) as never);
          yield 10 * MS_NS;
          yield* destroyDomain(me, h.process(), 1);
          return undefined;
        },
      ],
    ]);
    expect(events).toEqual([
      { kind: 'shutdown', domid: 2, code: SHUTDOWN_REASONS.indexOf('crash') },
      { kind: 'death', domid: 2 },
      { kind: 'shutdown', domid: 1, code: SHUTDOWN_REASONS.indexOf('poweroff') },
      { kind: 'death', domid: 3 },
    ]);
    expect(scans).toBeGreaterThan(events.length);
    const watches = asked(h, 'waiter').filter(({ line }) => line.startsWith('WATCH'));
    expect(watches.map(({ line }) => line.split(' ')[1])).toEqual(['@releaseDomain']);
  });

  it('TS-14: a long operation learns from the home that its domain is gone', () => {
    const h = guests(1);
    const seen: boolean[] = [];
    together(h, [
      [
        'long',
        function* (me) {
          const call = new Call(h.xl, me);
          yield* call.enter();
          const check = yield* DomainDeathCheck.start(call, 1);
          while (seen.at(-1) !== true) {
            call.leave();
            while (check?.hasEvents !== true) yield -1;
            yield* call.enter();
            seen.push((yield* check.look()) === true);
          }
          yield* check?.stop() ?? [];
          call.leave();
          return undefined;
        },
      ],
      [
        'xd',
        function* (me) {
          yield 10 * MS_NS;
          yield* destroyDomain(me, h.process(), 1);
          return undefined;
        },
      ],
    ]);
    expect(seen.length).toBeGreaterThan(1);
    expect(seen.at(-1)).toBe(true);
  });
});
