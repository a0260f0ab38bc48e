import { describe, expect, it } from 'vitest';
import { DirtyMemory } from '../../../../guests/index.ts';
import { GuestOs } from '../../../../guests/kernel/index.ts';
import { snapOf } from '../../../../scenarios/engine/memory-snap.ts';
import { type MovedMemory, memoryMoved } from '../../../../scenarios/judge/invariants/index.ts';
import { type Domain, LAN } from '../../../../sim/index.ts';
import { guest, restored, startRestore, startSave, twoHosts } from '../../../guests/save-helper/two-hosts.ts';

type Step = Parameters<NonNullable<NonNullable<Parameters<typeof startSave>[3]>['dies']>>[0];

/** A guest that writes by 4.3 is migrated live; `meddle` is called at each step of V, with the source. What the judge is told. */
function moved(meddle: (step: Step, source: Domain) => void, givenBack: Set<number> = new Set()) {
  const hosts = twoHosts(LAN);
  const source = guest(hosts.from, 4);
  const os = new GuestOs(hosts.from.machine, source);
  const memory = DirtyMemory.create(os, {
    pages: 60,
    hot: 8,
    hotPeriodNs: 2_000_000,
    background: 5_000,
    burstsOf100: 20,
  });
  os.start('dirty', (me) => memory.run(me));
  hosts.universe.timeline.run(10_000_000);
  const save = startSave(hosts.from, source, hosts.link.near, {
    suspendNs: 2_000_000,
    dies: (step) => {
      meddle(step, source);
      return false;
    },
  });
  const load = startRestore(hosts.to, hosts.link.far);
  hosts.universe.timeline.runUntil(() => save.end !== undefined && load.end !== undefined, 60_000_000_000);
  const { storeGfn, consoleGfn } = restored(load);
  const move: MovedMemory = {
    timeNs: hosts.universe.timeline.nowNs,
    what: 'guest',
    parked: snapOf(source),
    arrived: snapOf(load.heir),
    restorers: [storeGfn, consoleGfn],
    givenBack,
  };
  const heirOs = new GuestOs(hosts.to.machine, load.heir);
  const found = [...(DirtyMemory.find(heirOs, source.program)?.check() ?? [])];
  return { source, verdict: memoryMoved([move], []), found, save };
}

describe('INV-M9', () => {
  it('holds of a guest that is migrated while it writes', () => {
    const { verdict, found, save } = moved(() => {});
    expect([verdict.violations, found]).toEqual([[], []]);
    expect(verdict.checked).toContainEqual(['pages compared', 63]);
    expect(save.stats.passes.length).toBeGreaterThan(1);
  });

  it('barks at a page that log-dirty has lost', () => {
    let looks = 0;
    const { verdict, found } = moved((step, source) => {
      if (step === 'look' && looks++ === 0) source.memory.dirty?.clean();
    });
    expect(verdict.violations.length).toBeGreaterThan(0);
    expect(verdict.violations[0]?.detail).toMatch(/^INV-M9: page 0x1[0-9a-f]{3} holds something else$/);
    expect(found.length).toBeGreaterThan(0); // and so does the guest itself
  });

  it('barks at one octet', () => {
    const { verdict } = moved((step, source) => {
      if (step === 'contexts') (source.memory.frames.at(-1)?.bytes as Uint8Array)[4_000]! ^= 1;
    });
    expect(verdict.violations).toHaveLength(1);
  });

  it('barks at a page too many and a page too few', () => {
    const { verdict } = moved((step, source) => {
      if (step !== 'contexts') return;
      source.memory.free(source.memory.frames.at(-1)!.gfn);
      source.memory.alloc();
    });
    expect(verdict.violations.map(({ detail }) => detail.replace(/0x\w+/, ''))).toEqual([
      'INV-M9: page  is not there',
      'INV-M9: page  was not there',
    ]);
  });

  it('takes a page that the guest gave back when it had been sent, and no other', () => {
    const givenBack = new Set<number>();
    const { verdict } = moved((step, source) => {
      if (step !== 'contexts') return;
      const [gone, also] = source.memory.frames.slice(-2).map(({ gfn }) => gfn) as [number, number];
      source.memory.free(gone);
      source.memory.free(also);
      givenBack.add(gone);
    }, givenBack);
    expect(verdict.violations.map(({ detail }) => detail.replace(/0x\w+/, ''))).toEqual([
      'INV-M9: page  was not there',
    ]);
    expect(verdict.checked).toContainEqual(['pages that came though their guest had given them back', 1]);
  });

  it('does not compare what another domain could write at the park (GNT-13), and says so', () => {
    const { verdict } = moved((step, source) => {
      if (step === 'contexts') {
        const page = source.memory.frames.at(-1)!;
        source.memory.get(page);
        page.bytes[5] = 0x99;
      }
    });
    expect(verdict.violations).toEqual([]);
    expect(verdict.checked).toContainEqual(['pages into which others could write', 1]);
  });
});
