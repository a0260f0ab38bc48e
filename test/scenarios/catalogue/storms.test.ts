import { describe, expect, it, vi } from 'vitest';
import { Xenbus } from '../../../guests/devices/index.ts';
import { bootStorm } from '../../../scenarios/catalogue/boot-storm.ts';
import { hotplugStorm } from '../../../scenarios/catalogue/hotplug-storm.ts';
import type { RunResult, Scenario } from '../../../scenarios/engine/scenario.ts';
import type { Setting } from '../../../scenarios/engine/settings.ts';
import type { History, HistoryRecord, SnapshotNode } from '../../../scenarios/judge/history.ts';
import { convergence, type ExpectedDevice } from '../../../scenarios/judge/invariants/convergence.ts';
import { devices } from '../../../scenarios/judge/invariants/devices.ts';

function run(scenario: Scenario, set: Record<string, Setting>, seed = '1'): RunResult {
  return scenario.run({ seed, format: 'v2', settings: { ...set }, checks: true });
}

const broken = (r: RunResult) => r.verdicts.flatMap((v) => v.violations.map((x) => `${v.invariant}: ${x.detail}`));
const counted = (r: RunResult, invariant: string, what: string) =>
  r.verdicts.find((v) => v.invariant === invariant)?.checked.find(([name]) => name === what)?.[1];

describe('a boot storm', () => {
  const small = run(bootStorm, { domains: 6, builders: 4, updates: 3 });

  it('ends with every device connected at both ends, over live updates', () => {
    expect([small.outcome, broken(small)]).toEqual(['pass', []]);
    expect(small.updates.map((u) => [u.outcome, u.answer])).toEqual(Array(3).fill(['ok', 'OK']));
    expect(counted(small, 'devices-converge', 'devices')).toBe(12);
  });

  it('moves octets through each device', () => {
    expect(counted(small, 'devices', 'block requests acknowledged')).toBe(6 * 6);
    expect(counted(small, 'devices', 'connections')).toBe(12);
  });

  it('TS-18: builders at the same time are in the way of one another, and each gets through', () => {
    const crowd = run(bootStorm, { domains: 8, builders: 8, updates: 0 });
    expect(crowd.conflicts).toBeGreaterThan(8);
    expect(crowd.domainsCreated).toBe(8);
  });

  it('MT-1: goes on beside a monitor that watches everything', () => {
    const watched = run(bootStorm, { domains: 4, builders: 2, updates: 2, monitor: 'xenopsd' });
    expect([watched.outcome, broken(watched)]).toEqual(['pass', []]);
    expect(watched.watchEvents).toBeGreaterThan(small.watchEvents);
  });

  it('replays', () => {
    const once = () => run(bootStorm, { domains: 3, builders: 2, updates: 1 }, '5').digest;
    expect(once()).toBe(once());
  });
});

describe('a hotplug storm', () => {
  const small = { domains: 3, administrators: 3, devices: 10, restarts: 1, updates: 3 };

  it('INV-P6: what stays works, and of what went nothing is left', () => {
    const result = run(hotplugStorm, small);
    expect([result.outcome, broken(result)]).toEqual(['pass', []]);
    expect(result.domainsDestroyed).toBe(1);
    expect(counted(result, 'devices', 'connections')).toBeGreaterThan(10);
  });

  it('HS-15: scripts of udev, which come before the backends have their watches, connect every device', () => {
    const result = run(hotplugStorm, { ...small, devices: 6, scripts: 'udev' });
    expect([result.outcome, broken(result)]).toEqual(['pass', []]);
    const watched = new Map<string, number>();
    const written = new Map<string, number>();
    for (const record of result.history?.records ?? []) {
      if (record.kind !== 'sent') continue;
      const path = /backend\/vbd\/\d+\/\d+\/physical-device(?=\0)/.exec(
        String.fromCharCode(...record.payload.subarray(0, 80)),
      )?.[0];
      if (path === undefined) continue;
      if (record.type === 4) watched.set(path, record.seq);
      if (record.type === 11) written.set(path, record.seq);
    }
    const early = [...written].filter(([path, seq]) => seq < (watched.get(path) ?? 0));
    expect(early.length).toBeGreaterThan(0);
  });

  it('HS-15: a blkback that does not look at what was there before its watch is found, and the disk named', () => {
    const watch = Xenbus.prototype.watch;
    vi.spyOn(Xenbus.prototype, 'watch').mockImplementation(function (this: Xenbus, device, path, changed) {
      let events = 0;
      const later = function* () {
        if (++events > 1) yield* changed();
      };
      return watch.call(this, device, path, path.endsWith('/physical-device') ? later : changed);
    });
    const found = run(hotplugStorm, {
      ...small,
      devices: 0,
      restarts: 0,
      checkpoints: 0,
      updates: 0,
      io: 1,
      scripts: 'udev',
    });
    vi.restoreAllMocks();
    expect(broken(found).join('\n')).toMatch(/devices-converge: its backend is in state 2 at rest, not 4/);
    expect(found.reason).toBe('');
  });

  it('HS-11, INJ-T7: scripts that fail, say nothing or hang are cleaned up after', () => {
    const result = run(hotplugStorm, { ...small, scripts: 'flaky' }, '3');
    expect([result.outcome, broken(result)]).toEqual(['pass', []]);
    expect(result.refusals.some(([what]) => what.includes('at attach'))).toBe(true);
  });
});

describe('INJ-T10 in a storm', () => {
  it.each(['2', '3', '9'])(
    'leaves devices behind whose drivers were refused, and the run comes to rest: seed %s',
    (seed) => {
      const result = run(bootStorm, { domains: 8, updates: 1, faults: 'INJ-T10' }, seed);
      expect([result.outcome, broken(result)]).toEqual(['pass', []]);
      expect(result.faults?.[0]?.injected).toBeGreaterThan(0);
    },
  );
});

describe('the check that devices converge', () => {
  const device: ExpectedDevice = { domid: 1, kind: 'vif', devid: 0 };
  const front = '/local/domain/1/device/vif/0';
  const back = '/local/domain/0/backend/vif/1/0';
  const sound: Record<string, string> = {
    [front]: '',
    [`${front}/state`]: '4',
    [back]: '',
    [`${back}/state`]: '4',
    [`${back}/online`]: '1',
    '/libxl/1/device/vif/0': '',
  };
  const nodes = (of: Record<string, string>): SnapshotNode[] =>
    Object.entries(of).map(([path, value]) => ({
      path,
      value: Uint8Array.from(value, (c) => c.charCodeAt(0)),
      perms: ['n0'],
    }));
  const history = (of: Record<string, string>): History => {
    const snapshot: HistoryRecord = { seq: 0, timeNs: 0, kind: 'snapshot', nodes: nodes(of) };
    return { epochs: [], records: [snapshot], transactionPolicy: 'carry', compat: '4.22' };
  };
  const said = (of: Record<string, string>, expected = [device]) =>
    convergence(history(of), expected).violations.map((v) => v.detail);

  it('has nothing to say of a device that is connected', () => {
    expect(said(sound)).toEqual([]);
  });

  it.each([
    ['frontend', { [`${front}/state`]: '3' }, /frontend is in state 3/],
    ['backend', { [`${back}/state`]: '2' }, /backend is in state 2/],
    ['online', { [`${back}/online`]: '0' }, /online is 0/],
  ])('barks at a wrong %s', (_, wrong, detail) => {
    const details = said({ ...sound, ...wrong });
    expect(details).toHaveLength(1);
    expect(details[0]).toMatch(detail);
  });

  it.each([front, back, '/libxl/1/device/vif/0'])('barks at %s when its device is gone', (path) => {
    expect(said({ [path]: '' }, [{ ...device, devid: 1 }]).filter((d) => d.includes('is left'))).toHaveLength(1);
  });

  it('barks at a run that did not read the tree', () => {
    const silent: History = { epochs: [], records: [], transactionPolicy: 'carry', compat: '4.22' };
    expect(convergence(silent, []).violations).toHaveLength(1);
  });
});

describe('a lost block request in a storm', () => {
  it('is found by the check of devices', () => {
    const { history } = run(bootStorm, { domains: 2, builders: 1, updates: 0 });
    const at = history?.devices?.findIndex((r) => r.what === 'completed') ?? -1;
    const lost = { ...history, devices: history?.devices?.filter((_, i) => i !== at) } as History;
    expect(devices(history as History).violations).toEqual([]);
    expect(devices(lost).violations.length).toBeGreaterThan(0);
  });
});
