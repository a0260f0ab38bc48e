import { describe, expect, it } from 'vitest';
import { SAVE_STEPS, simplePolicy } from '../../../guests/save-helper/index.ts';
import { type Actor, type Domain, LAN } from '../../../sim/index.ts';
import {
  differences,
  guest,
  pagesOf,
  restored,
  startRestore,
  startSave,
  type TwoHosts,
  twoHosts,
} from './two-hosts.ts';

const PAGES = 300;

/** A saved guest that has written `counts[i]` pages by the time of the i-th look; V's looks are where its passes end. */
function migrated(
  counts: readonly number[],
  change: (hosts: TwoHosts, source: Domain) => void = () => {},
  options = {},
) {
  const hosts = twoHosts(LAN);
  const source = guest(hosts.from, PAGES);
  const gfns = source.memory.frames.filter((f) => !f.isSpecial).map((f) => f.gfn);
  let looks = 0;
  const writeFor = (look: number) => {
    for (let i = 0; i < (counts[look] ?? 0); i++)
      source.memory.frame(gfns[2 + i] as number)?.store32(16, look + 1, true);
  };
  change(hosts, source);
  const save = startSave(hosts.from, source, hosts.link.near, {
    ...options,
    dies: (step) => {
      if (step === 'look' || step === 'suspend') writeFor(looks++);
      return false;
    },
  });
  const load = startRestore(hosts.to, hosts.link.far);
  hosts.universe.timeline.run(5_000_000_000);
  return { hosts, source, save, load };
}

describe('PC-2: what each look leads to', () => {
  it.each([
    ['nothing is dirty: nothing is sent, and pre-copy ends', [0], [0], 1],
    ['fewer than 50: they are still sent live, and pre-copy ends', [49], [49], 2],
    ['50 or more: another pass, and another look', [50, 80, 0], [50, 80, 0], 3],
    [
      'after pass 4 it ends without a look: five passes, four looks',
      [200, 200, 200, 200, 200],
      [200, 200, 200, 200],
      5,
    ],
  ])('%s', (_why, counts, dirty, passes) => {
    const { source, save, load } = migrated(counts);
    expect(save.end).toEqual({ kind: 'exit', value: undefined });
    expect(save.stats.dirty).toEqual(dirty);
    expect(save.stats.passes).toHaveLength(passes);
    // PC-3: what came after the last look is in the final set.
    expect(save.stats.final?.withData).toBe(counts[dirty.length] ?? 0);
    const { storeGfn, consoleGfn } = restored(load);
    expect(differences(pagesOf(source), pagesOf(load.heir))).toEqual([storeGfn, consoleGfn]);
  });

  it('the stock policy is asked twice a pass, and stops by count or by number alone', () => {
    expect(simplePolicy({ iteration: 0, totalWritten: 0, dirtyCount: 49 })).toBe('stop-and-copy');
    expect(simplePolicy({ iteration: 0, totalWritten: 0, dirtyCount: 50 })).toBe('continue');
    expect(simplePolicy({ iteration: 4, totalWritten: 1e9, dirtyCount: -1 })).toBe('continue'); // PC-6: how much was sent does not count
    expect(simplePolicy({ iteration: 5, totalWritten: 0, dirtyCount: -1 })).toBe('stop-and-copy');
  });

  it('PC-1: pass 0 sends every page, and those that are not there are named', () => {
    const { save, source } = migrated([0]);
    expect(save.stats.passes[0]).toMatchObject({ pages: source.memory.maxGfn + 1, withData: PAGES });
  });

  it('a policy that aborts ends V with an error, log-dirty off, and the guest never asked', () => {
    const { save, source } = migrated([60], undefined, {
      policy: ({ iteration }: { iteration: number }) => (iteration > 0 ? 'abort' : 'continue'),
    });
    expect(save.end).toEqual({ kind: 'exit', value: 'Abort precopy loop' });
    expect([source.memory.dirty, save.asked, source.isRunning]).toEqual([
      undefined,
      ['qemu-log-dirty-on', 'qemu-log-dirty-off'],
      true,
    ]);
  });
});

describe('PC-4, SUS-11', () => {
  it('a page that cannot be read in a pass is put off to the final set', () => {
    const hosts = twoHosts(LAN);
    const source = guest(hosts.from, 20, { type: 'pv' });
    const table = source.memory.alloc();
    source.memory.setKind(table.gfn, 'page_table');
    const view = new DataView(table.bytes.buffer);
    view.setBigUint64(0, (0x999n << 12n) | 1n, true); // names no page, for now
    const save = startSave(hosts.from, source, hosts.link.near, {
      dies: (step) => {
        if (step === 'suspend') view.setBigUint64(0, (BigInt(source.startInfo!.storeGfn) << 12n) | 1n, true);
        return false;
      },
    });
    const load = startRestore(hosts.to, hosts.link.far, {}, { type: 'pv' });
    hosts.universe.timeline.run(1_000_000_000);
    expect(save.end).toEqual({ kind: 'exit', value: undefined });
    expect(save.stats.deferred).toBeGreaterThan(0);
    restored(load);
    expect(load.heir.memory.frame(table.gfn)?.bytes).toEqual(table.bytes);
  });

  it('8429374f44: a PV guest whose list of its pages is rebuilt meanwhile is not migrated', () => {
    const hosts = twoHosts(LAN);
    const source = guest(hosts.from, 100, { type: 'pv' });
    const save = startSave(hosts.from, source, hosts.link.near, {
      dies: (step) => {
        if (step === 'look') source.p2mGeneration++;
        return false;
      },
    });
    writesOne(hosts, source);
    startRestore(hosts.to, hosts.link.far, {}, { type: 'pv' });
    hosts.universe.timeline.run(1_000_000_000);
    expect(save.end).toEqual({ kind: 'exit', value: 'p2m generation count changed. Migration aborted.' });
  });

  it('a page that a balloon took is named without octets', () => {
    const { save, source, load } = migrated([60], (hosts, domain) => {
      const gfn = domain.memory.frames.at(-1)!.gfn;
      hosts.from.machine.start(
        'balloon',
        domain,
        (function* (): Actor {
          yield 20_000;
          domain.memory.free(gfn);
        })(),
      );
    });
    expect(save.end).toEqual({ kind: 'exit', value: undefined });
    restored(load);
    expect(source.memory.frame(source.memory.maxGfn)).toBeUndefined();
  });
});

describe('GNT-13, PC-5', () => {
  it('what a backend stores through a mapping that lasts is not sent again; what it took down is', () => {
    const grants = (unmaps: boolean) => {
      const hosts = twoHosts(LAN);
      const source = guest(hosts.from, 30);
      const page = source.memory.frames.filter((f) => !f.isSpecial)[9]!;
      hosts.from.machine.seedGrant(source, 5, 0, page);
      const mapped = hosts.from.hyper.mapGrant(source.domid, 5, 2);
      const save = startSave(hosts.from, source, hosts.link.near, {
        dies: (step) => {
          if (step !== 'suspend') return false;
          page.store32(100, 0x5555, false);
          if (unmaps) hosts.from.hyper.unmapGrant(mapped.handle as number);
          return false;
        },
      });
      const load = startRestore(hosts.to, hosts.link.far);
      hosts.universe.timeline.run(1_000_000_000);
      expect(save.end).toEqual({ kind: 'exit', value: undefined });
      restored(load);
      return load.heir.memory.frame(page.gfn)?.load32(100);
    };
    expect([grants(false), grants(true)]).toEqual([0, 0x5555]);
  });

  it('PC-3, 5c23c760a8: a page that Xen keeps mapped is in the final set whether or not a look finds it', () => {
    const { save, load, source } = migrated([0], (_hosts, domain) => {
      domain.memory.xenMaps.add(domain.memory.frames.filter((f) => !f.isSpecial)[7]!);
    });
    restored(load);
    expect(save.stats.final).toMatchObject({ pages: 1, withData: 1 });
    expect(source.shutdown).toBe('suspend');
  });
});

describe('--debug', () => {
  it('sends every page once more, and what differs is named', () => {
    const same = migrated([10], undefined, { debug: true });
    expect([same.load.stats.verified, same.load.stats.differing]).toEqual([PAGES, []]);
    const hosts = twoHosts(LAN);
    const source = guest(hosts.from, 50);
    const gfn = source.memory.frames.at(-1)!.gfn;
    startSave(hosts.from, source, hosts.link.near, {
      debug: true,
      dies: (step) => {
        if (step === 'verify') source.memory.frame(gfn)!.bytes[9] = 0xff; // unseen by log-dirty
        return false;
      },
    });
    const load = startRestore(hosts.to, hosts.link.far);
    hosts.universe.timeline.run(1_000_000_000);
    restored(load);
    expect(load.stats.differing).toEqual([gfn]);
  });
});

describe('XM-3: V is killed', () => {
  it.each(SAVE_STEPS.filter((step) => step !== 'checkpoint'))(
    'at "%s": nothing is cleaned up, and the next save begins by turning log-dirty off and on',
    (step) => {
      const hosts = twoHosts(LAN);
      const source = guest(hosts.from, 80);
      const first = startSave(hosts.from, source, hosts.link.near, { debug: true, dies: (at) => at === step });
      const load = startRestore(hosts.to, hosts.link.far);
      hosts.universe.timeline.run(1_000_000_000);
      expect(first.end).toEqual({ kind: 'killed', by: 'killed' });
      const isOn = SAVE_STEPS.indexOf(step) > SAVE_STEPS.indexOf('log-dirty');
      expect(source.memory.dirty !== undefined).toBe(isOn);
      expect([source.foreignMaps, source.memory.frames.reduce((n, f) => n + f.refs, 0)]).toEqual([0, 0]);
      // All of the image was written before the last step: W has it.
      expect(load.end).toMatchObject({ kind: 'exit', value: { ok: step === 'clean up' } });
      hosts.from.machine.resume(source);
      const link = hosts.universe.link(LAN);
      const second = startSave(hosts.from, source, link.near);
      const again = startRestore(hosts.to, link.far);
      hosts.universe.timeline.run(2_000_000_000);
      expect(second.end).toEqual({ kind: 'exit', value: undefined });
      restored(again);
    },
  );

  it('by a pipe that breaks, and SIGKILL between any two steps, and without a parent at its next question', () => {
    const hosts = twoHosts(LAN);
    const source = guest(hosts.from, 200);
    hosts.link.forth.cutAfter(100_000);
    const save = startSave(hosts.from, source, hosts.link.near);
    startRestore(hosts.to, hosts.link.far);
    hosts.universe.timeline.run(1_000_000_000);
    expect([save.end, source.isRunning]).toEqual([{ kind: 'killed', by: 'SIGPIPE' }, true]);

    const killed = startSave(hosts.from, source, hosts.universe.link(LAN).near);
    hosts.universe.timeline.run(hosts.universe.timeline.nowNs + 500_000);
    killed.helper?.kill();
    hosts.universe.timeline.run(hosts.universe.timeline.nowNs + 1_000);
    expect(killed.end).toEqual({ kind: 'killed', by: 'killed' });

    const link = hosts.universe.link(LAN);
    const orphan = startSave(hosts.from, source, link.near);
    startRestore(hosts.to, link.far);
    hosts.universe.timeline.run(hosts.universe.timeline.nowNs + 500_000);
    orphan.helper?.orphan();
    hosts.universe.timeline.run(hosts.universe.timeline.nowNs + 1_000_000_000);
    expect([orphan.helper?.hasEnded, orphan.asked, source.isRunning]).toEqual([true, ['qemu-log-dirty-on'], true]);
  });
});

function writesOne(hosts: TwoHosts, source: Domain): void {
  const gfn = source.memory.frames.at(-1)!.gfn;
  hosts.from.machine.start(
    'writer',
    source,
    (function* (): Actor {
      for (let i = 0; ; i++) {
        source.memory.frame(gfn)?.store32(0, i, true);
        yield 10_000;
      }
    })(),
  );
}
