import { describe, expect, it } from 'vitest';
import { text, XS } from '../../../guests/index.ts';
import {
  drawGuestMix,
  type GuestMix,
  type Pace,
  pathBytes,
  steadyState,
  valueBytes,
} from '../../../guests/monitors/index.ts';
import { Streams } from '../../../sim/index.ts';
import { HandHost } from '../../support/hand-host.ts';

const LIFE: Pace = { speedup: 1, alignedPercent: 100 };
const BACKEND = '/local/domain/0/backend/vbd/1/51712';
const NODES = [
  ['control', '', false],
  ['control/feature-balloon', '', true],
  ['data', '', true],
  ['attr', '', true],
  ['memory/meminfo', '', true],
  ['device/vbd/51712/backend', BACKEND, true],
] as const;
const XE: GuestMix = { kind: 'guest', xeDaemon: { vifs: [0], disks: [{ device: 51712, partitions: 2 }] } };

interface Sent {
  readonly atNs: number;
  readonly type: number;
  readonly path: string;
  readonly value: string;
}

function agent(mix: GuestMix, pace = LIFE, options: { readonly id?: string; readonly seed?: string } = {}) {
  const { id = 'one', seed = '1' } = options;
  const bench = new HandHost({ seed });
  const { os, client } = bench.boot(1, [...NODES, ...(id === '' ? [] : [['unique-domain-id', id, false] as const])]);
  bench.xs(function* (xs) {
    yield* xs.write(`${BACKEND}/dev`, 'xvda');
    yield* xs.setPerms(BACKEND, ['n0', 'r1']);
    yield* xs.setPerms(`${BACKEND}/dev`, ['n0', 'r1']);
  });
  const sent: Sent[] = [];
  client.observer = {
    sent: (_actor, _end, type, _reqId, _txId, payload) => {
      const [path = '', value = ''] = text(payload).split('\0');
      sent.push({ atNs: bench.host.machine.nowNs, type, path, value });
    },
    got: () => {},
  };
  const started = steadyState({ os, link: client, traffic: bench.host.traffic, pace }, mix);
  /** Requests of the next `seconds`. */
  const during = (seconds: number) => {
    const from = sent.length;
    bench.run(seconds * 1_000);
    return sent.slice(from);
  };
  return { bench, during, started };
}

const count = (sent: readonly Sent[], type: number, path?: RegExp) =>
  sent.filter((s) => s.type === type && (path === undefined || path.test(s.path))).length;

describe('xe-daemon', () => {
  it('writes all its keys in the first cycle, then every minute only what is new', () => {
    const { during } = agent(XE);
    const first = during(60.5);
    expect(count(first, XS.WRITE)).toBeGreaterThanOrEqual(25);
    expect(count(first, XS.WRITE)).toBeLessThanOrEqual(60);
    expect(new Set(first.map((s) => s.path)).size).toBeGreaterThan(25);
    for (let n = 0; n < 5; n++) {
      const cycle = during(60);
      expect(count(cycle, XS.READ, /^unique-domain-id$/)).toBe(1);
      expect(count(cycle, XS.READ, /backend$/)).toBe(2);
      expect(count(cycle, XS.READ, /\/dev$/)).toBe(2);
      expect(count(cycle, XS.WRITE, /^data\/updated$/)).toBe(1);
      expect(count(cycle, XS.WRITE)).toBeLessThanOrEqual(6);
    }
  });

  it('reports memory every second minute only', () => {
    const { during } = agent(XE);
    during(60.5);
    const cycles = Array.from({ length: 4 }, () => count(during(60), XS.WRITE, /meminfo_free/));
    expect(cycles).toEqual([0, 1, 0, 1]);
  });

  it('forgets what it wrote when the domain is another one', () => {
    const { bench, during } = agent(XE);
    during(90);
    bench.write('/local/domain/1/unique-domain-id', 'two');
    expect(count(during(60), XS.WRITE)).toBeGreaterThanOrEqual(25);
    expect(count(during(60), XS.WRITE)).toBeLessThanOrEqual(6);
  });

  it('removes a key that it has not found for two minutes', () => {
    const { during } = agent(XE);
    const hour = during(3_600);
    const gone = hour.findIndex((s) => s.type === XS.RM);
    expect(hour[gone]?.path).toBe('attr/vif/0/ipv6/0');
    const last = hour.slice(0, gone).findLast((s) => s.type === XS.WRITE && s.path === 'attr/vif/0/ipv6/0');
    expect((hour[gone] as Sent).atNs - (last as Sent).atNs).toBeGreaterThan(119e9);
    expect(count(hour, XS.RM)).toBeLessThan(20);
  });

  it('ends where there is no unique-domain-id', () => {
    const { during, started } = agent(XE, LIFE, { id: '' });
    expect(count(during(120), XS.WRITE)).toBe(0);
    expect(started[0]?.task?.state).toBe('done');
  });
});

describe('other agents', () => {
  it.each(['1', '2', '3', '4'])('meminfo-writer reports 0.05 to 2 times a second, seed %s', (seed) => {
    const { during } = agent({ kind: 'guest', meminfoWriter: true }, LIFE, { seed });
    const sent = during(600);
    expect(count(sent, XS.WRITE, /^memory\/meminfo$/)).toBe(sent.length);
    expect(sent.length / 600).toBeGreaterThan(0.05);
    expect(sent.length / 600).toBeLessThan(2);
    for (const [i, s] of sent.entries()) if (i > 0) expect(s.atNs - (sent[i - 1] as Sent).atNs).toBeGreaterThan(99e6);
  });

  it('counters are written for each network device and period', () => {
    const { during } = agent({ kind: 'guest', counters: { vifs: [0, 1], seconds: 15, keys: 3 } });
    during(1);
    expect(count(during(150), XS.WRITE, /^data\/vif\/[01]\/[rt]x_(bytes|packets)$/)).toBe(10 * 2 * 3);
  });

  it('rates are those of life, or faster by a factor', () => {
    const slow = agent(XE).during(600);
    const fast = agent(XE, { speedup: 100, alignedPercent: 100 }).during(6);
    expect(count(fast, XS.WRITE, /^data\/updated$/)).toBe(count(slow, XS.WRITE, /^data\/updated$/));
  });

  it('beats come together when they are aligned, and are spread over the period when not', () => {
    const firstNs = (alignedPercent: number, seed: string) =>
      agent(XE, { speedup: 1, alignedPercent }, { seed }).during(130)[0]?.atNs ?? 0;
    const seeds = Array.from({ length: 8 }, (_, n) => String(n));
    const spread = (alignedPercent: number) => {
      const at = seeds.map((seed) => Math.floor((firstNs(alignedPercent, seed) % 60e9) / 1e9));
      return Math.max(...at) - Math.min(...at);
    };
    expect(spread(100)).toBe(0);
    expect(spread(0)).toBeGreaterThan(20);
    expect(spread(90)).toBeLessThanOrEqual(6);
  });

  it('all end when the traffic stops', () => {
    const mix: GuestMix = {
      ...XE,
      meminfoWriter: true,
      counters: { vifs: [0], seconds: 5, keys: 2 },
      thirdParty: { seconds: 5 },
    };
    const { bench, during, started } = agent(mix);
    during(70);
    bench.host.traffic.stopping = true;
    bench.run(61_000);
    expect(started.map((me) => me.task?.state)).toEqual(['done', 'done', 'done', 'done']);
  });
});

describe('sizes', () => {
  it('are those that agents have', () => {
    const draws = new Streams('1').for('sizes');
    const values = Array.from({ length: 20_000 }, () => valueBytes(draws));
    const share = (is: (n: number) => boolean) => values.filter(is).length / values.length;
    expect(share((n) => n <= 8)).toBeCloseTo(0.6, 1);
    expect(share((n) => n <= 40)).toBeCloseTo(0.95, 1);
    expect(share((n) => n > 500)).toBeLessThan(0.01);
    expect(Math.max(...values)).toBeLessThanOrEqual(2_000);
    const paths = Array.from({ length: 2_000 }, () => pathBytes(draws));
    expect([Math.min(...paths), Math.max(...paths)]).toEqual([20, 120]);
  });

  it('mixes are drawn so that every agent occurs, and none everywhere', () => {
    const mixes = Array.from({ length: 40 }, (_, n) =>
      drawGuestMix(new Streams(String(n)).for('mix'), { vifs: [0], vbds: [51712] }),
    );
    for (const key of ['xeDaemon', 'meminfoWriter', 'counters', 'thirdParty'] as const) {
      const n = mixes.filter((mix) => mix[key] !== undefined).length;
      expect(n).toBeGreaterThan(5);
      expect(n).toBeLessThan(40);
    }
  });
});
