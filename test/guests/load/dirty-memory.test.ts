import { describe, expect, it } from 'vitest';
import { GuestOs } from '../../../guests/kernel/index.ts';
import { DirtyMemory, type DirtyPlan } from '../../../guests/load/index.ts';
import { loneMachine } from '../../../sim/index.ts';

const NS_PER_S = 1_000_000_000;
/** The last two rows of 4.3, in less memory. */
const SMALL: DirtyPlan = { pages: 512, hot: 24, hotPeriodNs: 50_000_000, background: 400, burstsOf100: 0 };
const BUSY: DirtyPlan = { pages: 512, hot: 120, hotPeriodNs: 50_000_000, background: 2_000, burstsOf100: 0 };

function started(plan: DirtyPlan) {
  const machine = loneMachine({ seed: '1' });
  const domain = machine.createDomain(1, 'guest', { type: 'hvm' });
  machine.unpause(domain);
  const os = new GuestOs(machine, domain);
  const memory = DirtyMemory.create(os, plan);
  os.start('memory', (me) => memory.run(me));
  return { machine, domain, os, memory };
}

/** Distinct pages dirtied in `ns`, as 4.3 says. */
function expected({ pages, hot, hotPeriodNs, background }: DirtyPlan, ns: number): number {
  const rest = pages - hot;
  return hot * Math.min(1, ns / hotPeriodNs) + rest * (1 - Math.exp((-background * (ns / NS_PER_S)) / rest));
}

describe('a guest that writes to its memory', () => {
  it.each([
    ['a small one, for 20 ms', SMALL, 20_000_000],
    ['a small one, for 250 ms', SMALL, 250_000_000],
    ['one that never converges, for 50 ms', BUSY, 50_000_000],
    ['one that never converges, for 200 ms', BUSY, 200_000_000],
  ])('dirties as many pages as the model says: %s', (_what, plan, ns) => {
    const { machine, domain } = started(plan);
    machine.scheduler.run(30_000_000);
    domain.memory.logDirty(true);
    machine.scheduler.run(30_000_000 + ns);
    const found = (domain.memory.dirty?.size ?? 0) - 1; // beside the page that tells of them
    expect(found / expected(plan, ns)).toBeGreaterThan(0.85);
    expect(found / expected(plan, ns)).toBeLessThan(1.15);
  });

  it('is slowed by log-dirty, a fault for each page that was clean, and not by anything without it', () => {
    const eager: DirtyPlan = { ...BUSY, hot: 500, hotPeriodNs: 500_000 };
    const writes = (looks: boolean) => {
      const { machine, domain, memory } = started(eager);
      domain.memory.logDirty(looks);
      for (let ns = 0; ns < 50_000_000; ns += 200_000) {
        machine.scheduler.run(ns);
        if (looks) domain.memory.dirty?.clean();
      }
      return memory.writes;
    };
    const [free, slowed] = [writes(false), writes(true)];
    expect(slowed).toBeLessThan(free);
    expect(slowed).toBeGreaterThan(free / 4);
  });

  it('finds a page of another moment: one that is older, one octet, one that is gone', () => {
    const { machine, domain, memory, os } = started(SMALL);
    machine.scheduler.run(20_000_000);
    const page = domain.memory.frames.filter((f) => !f.isSpecial)[3]!;
    const old = page.bytes.slice();
    machine.scheduler.run(200_000_000);
    expect([...memory.check()]).toEqual([]);
    const now = page.bytes.slice();
    expect(old).not.toEqual(now);
    page.bytes.set(old);
    expect([...memory.check()].map(({ page: n }) => n)).toEqual([-1]); // the page is right, the sum is not
    page.bytes.set(now);
    page.bytes[2_000]! ^= 1;
    expect([...memory.check()]).toHaveLength(1);
    page.bytes.set(now);
    domain.memory.free(page.gfn);
    expect([...memory.check()][0]?.detail).toBe('is not there');
    expect(DirtyMemory.find(os, 'dirty-memory 77')).toBeUndefined();
  });

  it('is found again by the name that it left, and goes on from its pages alone', () => {
    const { machine, os, memory, domain } = started(SMALL);
    machine.scheduler.run(50_000_000);
    const again = DirtyMemory.find(os, domain.program);
    expect([again?.writes, again?.pages]).toEqual([memory.writes, 512]);
  });
});
