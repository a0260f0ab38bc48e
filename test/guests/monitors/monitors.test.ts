import { describe, expect, it, vi } from 'vitest';
import { octets, text, XS, Xs } from '../../../guests/index.ts';
import {
  type MonitorPlace,
  type Pace,
  pollMonitor,
  Qmemmand,
  rrddMemory,
  squeezed,
  waitForKey,
  Xenopsd,
} from '../../../guests/monitors/index.ts';
import { DEVICE_KEYS, domainPaths } from '../../../guests/monitors/xenopsd.ts';
import { type Actor, DomainHypercalls } from '../../../sim/index.ts';
import { HandHost } from '../../support/hand-host.ts';

const LIFE: Pace = { speedup: 1, alignedPercent: 100 };
const NODES = [
  ['data', '', true],
  ['domid', '1', false],
  ['memory/target', '100000', false],
  ['memory/static-max', '400000', false],
  ['memory/meminfo', '', true],
] as const;

interface Sent {
  readonly program: string;
  readonly type: number;
  readonly payload: string;
}

/** A host whose programs' requests are written down. */
function monitored(pace: Pace = LIFE) {
  const bench = new HandHost();
  const sent: Sent[] = [];
  const connections: { program: string; close: () => void }[] = [];
  const monitors: MonitorPlace = {
    os: bench.host.dom0.os,
    traffic: bench.host.traffic,
    pace,
    connect: (program) => {
      const link = bench.host.socket(`${program}-${connections.length}`);
      link.observer = {
        sent: (_actor, _end, type, _reqId, _txId, payload) => sent.push({ program, type, payload: text(payload) }),
        got: () => {},
      };
      connections.push({ program, close: () => link.close() });
      return { link, isOpen: () => link.isOpen, close: () => link.close() };
    },
  };
  /** Paths and tokens of requests of one type so far. */
  const of = (program: string, type: number) =>
    sent.filter((s) => s.program === program && s.type === type).map((s) => s.payload.slice(0, -1).split('\0'));
  return { bench, monitors, sent, of, connections };
}

function die(bench: HandHost, domid: number): void {
  bench.host.dom0.os.hyper.destroyDomain(domid);
  bench.until(() => bench.host.machine.domain(domid) === undefined);
  bench.run(2);
}

describe('monitors and domains that come and go', () => {
  it('MT-1: every introduction and every release makes each monitor list all domains once', () => {
    const { bench, monitors, of } = monitored();
    const listed = vi.spyOn(DomainHypercalls.prototype, 'getDomainInfoList');
    const xenopsd = new Xenopsd(monitors);
    const memory = new Qmemmand(monitors);
    xenopsd.start();
    memory.start();
    const mirrors = [squeezed(monitors).mirror, rrddMemory(monitors)];
    bench.run(5);
    const lists = () => [xenopsd.lists, memory.lists, ...mirrors.map((m) => m.lists)];
    const before = lists();
    expect(before).toEqual([2, 2, 2, 2]); // the first events of both special watches
    for (let domid = 1; domid <= 5; domid++) {
      bench.boot(domid, NODES);
      bench.run(5);
    }
    expect(lists()).toEqual([7, 7, 7, 7]);
    die(bench, 3);
    expect(lists()).toEqual([8, 8, 8, 8]);
    expect(listed.mock.calls.length).toBeGreaterThanOrEqual(3 * 8);
    // qmemmand lists the store, and reads the id of each entry: one more with each domain.
    const reads = of('qmemmand', XS.READ).filter(([path]) => path?.endsWith('/domid'));
    expect(of('qmemmand', XS.DIRECTORY)).toHaveLength(8);
    expect(reads.length).toBeGreaterThanOrEqual(1 + 2 + 3 + 4 + 5);
    vi.restoreAllMocks();
  });

  it('xenopsd watches sixteen paths of a domain and six keys of each device, and lets go of them with it', () => {
    const { bench, monitors, of } = monitored();
    const xenopsd = new Xenopsd(monitors);
    xenopsd.start();
    bench.run(5);
    const dom0 = of('xenopsd', XS.WATCH).length;
    expect(of('xenopsd', XS.WATCH).slice(0, 2)).toEqual([
      ['@introduceDomain', ''],
      ['@releaseDomain', ''],
    ]);
    bench.boot(1, [...NODES, ['vm', '/vm/12-34', false]]);
    bench.run(5);
    expect(xenopsd.domids).toEqual([0, 1]);
    const watched = of('xenopsd', XS.WATCH).slice(dom0);
    expect(watched).toEqual(domainPaths(1, '12-34').map((path) => [path, 'xenopsd-xc:domain-1']));
    expect(watched).toHaveLength(16);
    const backend = '/local/domain/0/backend/vbd/1/51712';
    bench.xs(function* (xs): Actor {
      yield* xs.write('/libxl/1/device/vbd/51712/backend', backend);
      yield* xs.write('/local/domain/1/device/vbd/51712/state', '1');
    });
    bench.run(5);
    expect(of('xenopsd', XS.WATCH).slice(dom0 + 16)).toEqual(
      DEVICE_KEYS.map((key) => [`${backend}/${key}`, 'xenopsd-xc:domain-1']),
    );
    const looks = xenopsd.looks;
    bench.write(`${backend}/state`, '4');
    bench.run(5);
    expect(xenopsd.looks).toBe(looks + 1);
    bench.xs(function* (xs): Actor {
      yield* xs.rm('/libxl/1/device/vbd/51712');
      yield* xs.rm('/local/domain/1/device/vbd/51712');
    });
    bench.run(5);
    expect(of('xenopsd', XS.UNWATCH)).toHaveLength(6);
    die(bench, 1);
    expect(of('xenopsd', XS.UNWATCH)).toHaveLength(6 + 16);
    expect(xenopsd.domids).toEqual([0]);
  });

  it('xenopsd lets go of a domain that is shut down and not dead', () => {
    const { bench, monitors } = monitored();
    const xenopsd = new Xenopsd(monitors);
    xenopsd.start();
    const { os } = bench.boot(1, NODES);
    bench.run(5);
    expect(xenopsd.domids).toEqual([0, 1]);
    os.hyper.domctl.shutdown(0);
    bench.run(5);
    expect(xenopsd.domids).toEqual([0]);
  });

  it('xenopsd looks once at a VM of which many things changed', () => {
    const { bench, monitors } = monitored();
    const xenopsd = new Xenopsd(monitors);
    xenopsd.start();
    bench.boot(1, NODES);
    bench.run(20);
    const looks = xenopsd.looks;
    bench.xs(function* (xs): Actor {
      const ways = Array.from({ length: 20 }, (_, n) =>
        xs.submit(XS.WRITE, octets(`/local/domain/1/control/k${n}\0x`)),
      );
      for (const way of ways) yield* xs.client.answer(way);
    });
    bench.run(20);
    expect(xenopsd.looks).toBeGreaterThan(looks);
    expect(xenopsd.looks).toBeLessThan(looks + 20);
  });

  it('squeezed mirrors eight keys of each domain and sets targets every ten seconds', () => {
    const { bench, monitors, of } = monitored();
    const { mirror } = squeezed(monitors);
    bench.boot(1, NODES);
    bench.run(5);
    expect(of('squeezed', XS.WATCH).filter(([, token]) => token === 'squeezed:domain-1')).toHaveLength(8);
    expect(mirror.values.get('/local/domain/1/memory/target')).toBe('100000');
    const writes = () => of('squeezed/balance', XS.WRITE).length;
    bench.run(9_000);
    const before = writes();
    bench.run(30_000);
    expect(writes() - before).toBe(3);
    die(bench, 1);
    expect(mirror.values.size).toBe(0);
  });

  it('qmemmand moves memory when a report makes it worth while, and does not trust what it cannot read', () => {
    const { bench, monitors } = monitored();
    const memory = new Qmemmand(monitors);
    memory.start();
    bench.boot(1, NODES);
    bench.run(5);
    expect(memory.domids).toContain('1');
    const report = (free: string) => {
      bench.write('/local/domain/1/memory/meminfo', `MemTotal: 400000 kB\nMemFree: ${free} kB\n`);
      bench.run(5);
      return bench.read('/local/domain/1/memory/target');
    };
    expect(report('lots of')).toBe('100000');
    expect(report('300000')).toBe('100000'); // 30,000 kB more would be wanted: not worth it
    expect(report('150000')).toBe('325000');
  });

  it('a poll reads so many keys of each domain, and as one transaction it meets with everybody', () => {
    const { bench, monitors, of, sent } = monitored();
    bench.boot(1, [...NODES, ...Array.from({ length: 30 }, (_, n) => [`data/k${n}`, 'v', true] as const)]);
    bench.host.dom0.os.start('plain', (me) =>
      pollMonitor(me, monitors, { seconds: 10, requestsMax: 20, isOneTransaction: false }),
    );
    bench.run(25_000);
    const polls = of('poll', XS.DIRECTORY).filter(([path]) => path === '/local/domain').length;
    expect(polls).toBe(2);
    expect(sent.length / polls).toBeLessThanOrEqual(1 + 2 + 20 + 3);
    expect(of('poll', XS.READ).filter(([path]) => path === '/local/domain/1/name')).toHaveLength(2);
    const { traffic } = bench.host;
    bench.host.dom0.os.start('bad', (me) =>
      pollMonitor(me, monitors, { seconds: 10, requestsMax: 40, isOneTransaction: true }),
    );
    bench.run(6_000);
    expect([of('poll', XS.TRANSACTION_END).length, traffic.conflicts]).toEqual([1, 0]); // at 30 s
    bench.run(8_990);
    let isOver = false;
    bench.host.dom0.os.start('writer', function* (me): Actor {
      const xs = new Xs(bench.host.dom0.client, me);
      for (let n = 0; !isOver; n++) {
        yield* xs.write('/local/domain/1/data/k1', String(n));
        yield 20_000;
      }
    });
    bench.run(30);
    isOver = true;
    expect(traffic.conflicts).toBeGreaterThan(0);
  });
});

describe('what xenopsd does so that its requests come through', () => {
  /** Four threads that each add ten devices under one parent. @returns rounds beyond the first. */
  function add(isLocked: boolean): number {
    const { bench, monitors } = monitored();
    const xenopsd = new Xenopsd(monitors);
    let extra = 0;
    let done = 0;
    for (let t = 0; t < 4; t++)
      bench.host.dom0.os.start(`adder${t}`, function* (me): Actor {
        const { link } = monitors.connect(`adder${t}`);
        const xs = new Xs(link, me);
        for (let n = 0; n < 10; n++) {
          const body = function* (tx: number): Actor<true> {
            yield* xs.directory('/xenops/device', tx);
            yield me.draws.below(20_000);
            yield* xs.write(`/xenops/device/${t}-${n}/state`, '1', tx);
            return true;
          };
          const result = isLocked ? yield* xenopsd.deviceTransaction(xs, body) : yield* xs.transaction(body, 1_000);
          extra += result.rounds - 1;
        }
        done++;
      });
    bench.until(() => done === 4);
    return extra;
  }

  it('MT-2: one device transaction after the other in the whole process: none is done twice', () => {
    expect(add(true)).toBe(0);
    expect(add(false)).toBeGreaterThan(10);
  });

  it('MT-3: a monitor whose connection is broken starts over after five seconds, with all its watches', () => {
    const { bench, monitors, of, connections } = monitored();
    const xenopsd = new Xenopsd(monitors);
    const me = xenopsd.start();
    bench.boot(1, NODES);
    bench.run(10);
    const before = of('xenopsd', XS.WATCH);
    connections.find((each) => each.program === 'xenopsd')?.close();
    me.wake(); // its reader has failed
    bench.run(4_900);
    expect(connections.filter((each) => each.program === 'xenopsd')).toHaveLength(1);
    bench.run(200);
    expect(connections.filter((each) => each.program === 'xenopsd')).toHaveLength(2);
    expect(of('xenopsd', XS.WATCH).slice(before.length).sort()).toEqual(before.sort());
    bench.boot(2, NODES);
    bench.run(10);
    expect(xenopsd.domids).toEqual([0, 1, 2]);
  });

  it.each([
    ['comes to be', 'ready', true],
    ['never does', 'other', false],
  ])('MT-4: a key that %s is waited for with a watch and a time-out', (_, value, expected) => {
    const { bench, monitors, of } = monitored();
    let result: boolean | undefined;
    let endNs = 0;
    bench.host.dom0.os.start('waiter', function* (me): Actor {
      const session = monitors.connect('waiter');
      result = yield* waitForKey(me, monitors, session, '/local/domain/1/data/x', (found) => found === 'ready');
      endNs = bench.host.machine.nowNs;
    });
    bench.run(100);
    expect(result).toBeUndefined();
    bench.write('/local/domain/1/data/x', value);
    bench.run(100);
    expect(result).toBe(expected ? true : undefined);
    bench.run(300_000);
    expect(result).toBe(expected);
    if (!expected) expect(endNs).toBeGreaterThanOrEqual(300e9);
    expect([of('waiter', XS.WATCH), of('waiter', XS.UNWATCH)].map((each) => each.length)).toEqual([1, 1]);
    expect(of('waiter', XS.READ)).toHaveLength(2);
  });
});
