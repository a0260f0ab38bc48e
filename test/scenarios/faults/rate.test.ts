import { describe, expect, it } from 'vitest';
import { FaultPlan } from '../../../scenarios/faults/plan.ts';
import type { FaultHost, FaultRule } from '../../../scenarios/faults/rule.ts';
import { loneMachine, NO_JITTER } from '../../../sim/index.ts';

const S = 1_000_000_000;

/** How often a rule that comes each millisecond is asked, by the virtual second. */
function looksBySecond(seconds: number): number[] {
  const machine = loneMachine({ seed: '1', jitter: NO_JITTER });
  const looks: number[] = new Array(seconds).fill(0);
  const rule: FaultRule = {
    id: 'INJ-X',
    what: '',
    mustHold: '',
    oneIn: [1, 1],
    arm: () => ({
      now: { everyNs: [1_000_000, 1_000_000], act: () => void looks[Math.floor(machine.nowNs / S)]!++ },
    }),
  };
  new FaultPlan(machine, 'off', [rule]).arm({ machine } as FaultHost, () => false);
  machine.scheduler.advance(seconds * S - 1);
  return looks;
}

describe('faults that come now and then', () => {
  const looks = looksBySecond(60);

  it('come at their rate while a run does what it is about', () => {
    expect(looks.slice(0, 2)).toEqual([999, 1_000]);
  });

  it('come ever more rarely in a run that waits for time-outs, but never cease', () => {
    expect(looks[20]).toBe(100);
    expect(looks[59]).toBeGreaterThan(30);
    expect(looks.reduce((sum, n) => sum + n, 0)).toBeLessThan(10_000);
  });
});
