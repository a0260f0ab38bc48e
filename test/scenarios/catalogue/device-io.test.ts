import { afterEach, describe, expect, it, vi } from 'vitest';
import { Bridge, Disk } from '../../../guests/devices/index.ts';
import { deviceIo } from '../../../scenarios/catalogue/device-io.ts';
import type { RunResult } from '../../../scenarios/engine/scenario.ts';
import type { Setting } from '../../../scenarios/engine/settings.ts';
import { jsonReport } from '../../../scenarios/report/json.ts';
import { textReport } from '../../../scenarios/report/text.ts';
import { Copy } from '../../../sim/grants/copy.ts';
import { BackRing } from '../../../sim/io-ring.ts';
import { broken } from '../../support/headline.ts';

function run(seed: string, set: Record<string, Setting> = {}, format = 'v2'): RunResult {
  return deviceIo.run({
    seed,
    format,
    settings: { block: 1_500, net: 1_500, ...set },
    checks: true,
  });
}

function counted(result: RunResult, what: string): number {
  const verdict = result.verdicts.find((v) => v.invariant === 'devices');
  return verdict?.checked.find(([name]) => name === what)?.[1] ?? 0;
}

/** What the device verdict says is broken. */
function details(result: RunResult): string {
  const verdict = result.verdicts.find((v) => v.invariant === 'devices');
  return (verdict?.violations ?? []).map((v) => `${v.request}: ${v.detail}`).join('\n');
}

afterEach(() => vi.restoreAllMocks());

describe('device-io', () => {
  it.each(['1', '2', '3'])(
    'passes with seed %s: every payload arrives, through live updates and reconnections',
    (seed) => {
      const result = run(seed);
      expect(broken(result)).toEqual([]);
      expect(result.outcome).toBe('pass');
      expect(result.updates.map((u) => u.outcome)).toEqual(['ok', 'ok', 'ok', 'ok']);
      expect(counted(result, 'block requests acknowledged')).toBeGreaterThanOrEqual(1_400);
      expect(counted(result, 'packets acknowledged')).toBeGreaterThanOrEqual(1_500);
      expect(counted(result, 'sectors read back')).toBeGreaterThan(500);
      expect(counted(result, 'sectors durable')).toBeGreaterThan(500);
      expect(counted(result, 'connections')).toBeGreaterThan(12);
    },
  );

  it('drops no packet of domains that only talk', () => {
    const result = run('4', { reconnects: 0, churn: 0, hotplug: 0 });
    expect(result.outcome).toBe('pass');
    expect(counted(result, 'packets dropped, rx queue full')).toBe(0);
    expect(counted(result, 'packets dropped, no carrier')).toBe(0);
    expect(counted(result, 'packets received')).toBeGreaterThanOrEqual(counted(result, 'packets sent'));
  });

  it('INV-H7: what was not answered when a disk was closed is asked again, and answered once', () => {
    let again = 0;
    for (const seed of ['5', '6', '7']) {
      const result = run(seed, { domains: 3, block: 3_000, net: 100, churn: 0, workers: 0 });
      expect(result.outcome).toBe('pass');
      again += counted(result, 'block requests asked again');
    }
    expect(again).toBeGreaterThan(0);
  });

  it.each(['8', '9', '10'])('passes with a swarm of faults, seed %s', (seed) => {
    const result = run(seed, { faults: 'swarm' });
    expect(broken(result)).toEqual([]);
    expect(result.outcome).toBe('pass');
  });

  it.each(['2', '3', '14', '17'])(
    'INJ-T10: comes to rest with drivers that the store had no memory for, seed %s',
    (seed) => {
      const result = run(seed, { faults: 'INJ-T10', block: 300, net: 300, updates: 1 });
      expect(broken(result)).toEqual([]);
      expect([result.outcome, result.reason]).toEqual(['pass', '']);
      expect(result.faults?.[0]?.injected).toBeGreaterThan(0);
      expect(result.devices?.every(([, n]) => n >= 300)).toBe(true); // those that came up have done it all
    },
  );

  it('passes with version 1 of the image, and when updates wait for transactions', () => {
    expect(run('2', {}, 'v1').outcome).toBe('pass');
    expect(run('2', { policy: 'daemon' }).outcome).toBe('pass');
  });

  it('is the same octets for the same seed, and tells its counts in both reports', () => {
    const result = run('11');
    expect(run('11').digest).toBe(result.digest);
    const [[, blocks] = ['', 0]] = result.devices ?? [];
    expect(blocks).toBeGreaterThanOrEqual(1_500);
    expect(textReport(result, { colour: false })).toMatch(/devices: 1,5\d\d block requests, 1,[5-9]\d\d packets/);
    expect(JSON.parse(jsonReport(result)).devices).toEqual(Object.fromEntries(result.devices ?? []));
  });
});

/* Each breaks the drivers, or what is below them, in one place; the verdict must notice. */
describe('a host that is wrong about devices is caught', () => {
  const quiet = { domains: 3, block: 600, net: 600, reconnects: 0, churn: 0, hotplug: 0, updates: 1, workers: 0 };

  it('a disk that drops every hundredth access', () => {
    let n = 0;
    const window = Disk.prototype.window;
    vi.spyOn(Disk.prototype, 'window').mockImplementation(function (this: Disk, sector, sectors) {
      const found = window.call(this, sector, sectors);
      return ++n % 100 === 0 ? found?.slice() : found;
    });
    expect(details(run('1', quiet))).toMatch(/read as nobody wrote it|not as it was/);
  });

  it('a disk that answers from another place', () => {
    let n = 0;
    const window = Disk.prototype.window;
    vi.spyOn(Disk.prototype, 'window').mockImplementation(function (this: Disk, sector, sectors) {
      return window.call(this, ++n % 100 === 0 && sector > 8 ? sector - 8 : sector, sectors);
    });
    expect(details(run('1', quiet))).toMatch(/read as nobody wrote it|not as it was/);
  });

  it('a bridge that loses packets', () => {
    let n = 0;
    const input = Bridge.prototype.input;
    vi.spyOn(Bridge.prototype, 'input').mockImplementation(function (this: Bridge, from, packet) {
      if (++n % 100 !== 0) input.call(this, from, packet);
    });
    expect(details(run('1', quiet))).toMatch(/the bridge did not hand it/);
  });

  it('a bridge that changes an octet', () => {
    let n = 0;
    const input = Bridge.prototype.input;
    vi.spyOn(Bridge.prototype, 'input').mockImplementation(function (this: Bridge, from, packet) {
      const other = packet.slice();
      if (++n % 100 === 0) other[other.length - 1] = (other[other.length - 1] as number) ^ 1;
      input.call(this, from, other);
    });
    expect(details(run('1', quiet))).toMatch(/came to the vif, and nobody sent it now/);
  });

  it('a hypervisor whose copies are one octet short', () => {
    const one = Copy.prototype.one;
    let n = 0;
    vi.spyOn(Copy.prototype, 'one').mockImplementation(function (this: Copy, op) {
      return one.call(this, ++n % 200 === 0 && op.len > 1 ? { ...op, len: op.len - 1 } : op);
    });
    expect(details(run('1', quiet))).toMatch(/netback took this packet|the guest received this packet/);
  });

  it('a backend that takes a slot twice', () => {
    const take = BackRing.prototype.take;
    let n = 0;
    vi.spyOn(BackRing.prototype, 'take').mockImplementation(function (this: BackRing) {
      const slot = take.call(this);
      return ++n === 200 ? this.slot(this.cons - 2) : slot;
    });
    expect(run('1', quiet).outcome).not.toBe('pass');
  });
});
