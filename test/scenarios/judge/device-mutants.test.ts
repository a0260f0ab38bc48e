import { afterEach, describe, expect, it, vi } from 'vitest';
import { BlkbackDriver, type Driver, NetbackDriver, Xenbus, XenbusDevice } from '../../../guests/devices/index.ts';
import { deviceIo } from '../../../scenarios/catalogue/device-io.ts';
import { Host } from '../../../scenarios/engine/host.ts';
import type { RunResult } from '../../../scenarios/engine/scenario.ts';
import type { Setting } from '../../../scenarios/engine/settings.ts';
import { Hypercalls } from '../../../sim/index.ts';
import { BackRing, FrontRing } from '../../../sim/io-ring.ts';
import { SimPlatform } from '../../../store/daemon/sim-platform.ts';

/*
 * The checks of devices are trusted only after they were seen to bark. Each row leaves out one thing that a driver of Linux does,
 * and says what must be told of it; the row fails if none of its seeds shows the damage.
 */

/** Slots of a block ring, and of either ring of an interface. */
const [BLK_SLOTS, NET_SLOTS] = [32, 256];

function run(seed: number, set: Record<string, Setting> = {}): RunResult {
  return deviceIo.run({
    seed: String(seed),
    format: 'v2',
    settings: { block: 300, net: 300, ...set },
    checks: true,
  });
}

/** What the first of `seeds` that does not pass says. */
function told(seeds: number, set: Record<string, Setting> = {}): string | undefined {
  for (let seed = 1; seed <= seeds; seed++) {
    const result = run(seed, set);
    if (result.outcome === 'pass') continue;
    const found = result.verdicts.flatMap((v) => v.violations.map((x) => `${v.invariant}: ${x.request} ${x.detail}`));
    const waits = (result.waits ?? []).map(({ who, what }) => `${who}: ${what}`);
    return [result.reason, ...found, ...waits].join('\n');
  }
  return undefined;
}

afterEach(() => vi.restoreAllMocks());

/** A driver that sleeps after it has asked for an event, without a last look. */
function withoutLastLook(kind: typeof BackRing | typeof FrontRing, slots: number): void {
  const looks = kind.prototype.hasMore;
  vi.spyOn(kind.prototype, 'hasMore').mockImplementation(function (this: BackRing & FrontRing, left) {
    return this.slots !== slots && looks.call(this, left);
  });
}

describe('RNG-3: a RING_FINAL_CHECK that is left out', () => {
  it.each([
    ['blkback', BackRing, BLK_SLOTS],
    ['blkfront', FrontRing, BLK_SLOTS],
    ['netback', BackRing, NET_SLOTS],
    ['netfront', FrontRing, NET_SLOTS],
  ] as const)('of %s is found within 10 seeds', (_, kind, slots) => {
    withoutLastLook(kind, slots);
    expect(told(10)).toBeDefined();
  });
});

describe('a device that is not served', () => {
  it('by a blkback that waits for the first event of physical-device after its own watch', () => {
    const watches = Xenbus.prototype.watch;
    vi.spyOn(Xenbus.prototype, 'watch').mockImplementation(function (this: Xenbus, device, path, run) {
      let events = 0;
      return watches.call(this, device, path, function* () {
        if (!path.endsWith('/physical-device') || events++ > 0) yield* run();
      });
    });
    expect(told(20)).toMatch(
      /vbd\/\d+\/51728 backend: physical-device, of the hotplug script; in state 2; saw its frontend in state 3/,
    );
  });

  it.each([
    ['blkback', BlkbackDriver, 'vbd'],
    ['netback', NetbackDriver, 'vif'],
  ] as const)('by a %s that does not answer Closing', (_, driver, kind) => {
    deafTo(driver, 5);
    const why = told(20, { block: 600, net: 600 });
    expect(why).toMatch(new RegExp(`${kind}/\\S+ frontend: backend state 5.*; in state 5; saw its backend in state 4`));
    expect(why).toMatch(
      new RegExp(`${kind}/\\S+ backend: nobody: state 5 of its frontend is for it to answer; in state 4`),
    );
  });

  it('by a netback whose hotplug-status is removed before it looks', () => {
    const reads = XenbusDevice.prototype.read;
    vi.spyOn(XenbusDevice.prototype, 'read').mockImplementation(function* (this: XenbusDevice, key) {
      return key === 'hotplug-status' ? undefined : yield* reads.call(this, key);
    });
    expect(told(1)).toMatch(/vif\/\S+ backend: hotplug-status connected, of the hotplug script.*; in state 2/);
  });
});

/** Let instances of a driver take no notice of a state of the other end. */
function deafTo(driver: { readonly prototype: Driver }, deafState: number): void {
  const probes = driver.prototype.probe;
  vi.spyOn(driver.prototype, 'probe').mockImplementation(function* (this: Driver, device) {
    const instance = yield* probes.call(this, device);
    if (instance === undefined) return undefined;
    const changed = instance.otherendChanged.bind(instance);
    instance.otherendChanged = function* (state) {
      if (state !== deafState) yield* changed(state);
    };
    return instance;
  });
}

describe('INJ-G5: a map track that is full', () => {
  it('is lived with: rings are refused, packets and requests fail, and the run goes on', () => {
    const checked = new Map<string, number>();
    for (let seed = 1; seed <= 10; seed++) {
      const result = run(seed, { faults: 'INJ-G5' });
      expect(result.verdicts.flatMap((v) => v.violations)).toEqual([]);
      expect(['pass', 'unknown']).toContain(result.outcome); // unknown where the fault never struck
      for (const [what, n] of result.verdicts.find((v) => v.invariant === 'devices')?.checked ?? [])
        checked.set(what, (checked.get(what) ?? 0) + n);
    }
    expect(checked.get('rings refused for want of room')).toBeGreaterThan(0);
  });

  it('INV-H2: excuses no backend that finds it full when it is not', () => {
    const maps = Hypercalls.prototype.mapGrant;
    let n = 0;
    vi.spyOn(Hypercalls.prototype, 'mapGrant').mockImplementation(function (this: Hypercalls, domid, gref, flags) {
      if (gref > 7 && ++n === 3) return { status: -13 };
      return maps.call(this, domid, gref, flags);
    });
    expect(told(1)).toMatch(/INV-H2: the backend could not attach: mapping ring-ref \d+: GNTST_no_space/);
  });
});

describe('INV-H8: a page is touched through a mapping that was taken down', () => {
  const touched = /mappings: .*INV-H8: domain 0 touched the page behind reference \d+ of domain \d+/;

  it('because a backend unmaps a handle a second time, when it was given out again', () => {
    const unmaps = Hypercalls.prototype.unmapGrant;
    let last: number | undefined;
    vi.spyOn(Hypercalls.prototype, 'unmapGrant').mockImplementation(function (this: Hypercalls, handle) {
      const status = unmaps.call(this, handle);
      if (last !== undefined) unmaps.call(this, last);
      last = handle;
      return status;
    });
    expect(told(20)).toMatch(touched);
  });

  it('because the store goes on with a ring whose grant it has unmapped', () => {
    const maps = SimPlatform.prototype.mapRing;
    let n = 0;
    vi.spyOn(SimPlatform.prototype, 'mapRing').mockImplementation(function (this: SimPlatform, domid, onTouch) {
      const mapped = maps.call(this, domid, onTouch);
      if (mapped.ok && ++n === 4) mapped.value.unmap();
      return mapped;
    });
    expect(told(20)).toMatch(touched);
  });

  it('and without such a mistake nobody does', () => {
    const result = run(1);
    const verdict = result.verdicts.find((v) => v.invariant === 'mappings');
    expect(verdict?.violations).toEqual([]);
    expect(verdict?.checked[0]?.[1]).toBeGreaterThan(100);
  });
});

describe('a run in which nobody is left to talk to', () => {
  it('ends, and is judged by what was done', () => {
    const boots = Host.prototype.boot;
    let n = 0;
    vi.spyOn(Host.prototype, 'boot').mockImplementation(function (this: Host, built, habits) {
      const { machine } = this;
      if (++n === 2) machine.scheduler.at(machine.nowNs + 8_000_000, () => machine.shutdown(built.domain, 'crash'));
      return boots.call(this, built, habits);
    });
    const result = run(1, { domains: 2, churn: 0, block: 300, net: 10_000 });
    expect([result.outcome, result.reason]).toEqual(['pass', '']);
  });
});
