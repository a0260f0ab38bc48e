import { describe, expect, it } from 'vitest';
import { type Actor, loneMachine } from '../../sim/index.ts';

/** A machine whose one task notes the time `times` times, each so long after the one before. */
function ticking(everyNs: number, times: number) {
  const machine = loneMachine({ seed: '1' });
  const ticks: number[] = [];
  machine.start(
    'tick',
    undefined,
    (function* (): Actor {
      for (let n = 0; n < times; n++) {
        ticks.push(machine.nowNs);
        yield everyNs;
      }
    })(),
  );
  return { machine, ticks, scheduler: machine.scheduler };
}

describe('advance', () => {
  it('lets time pass to the nanosecond, whether or not anybody has something to do in it', () => {
    const { machine, ticks, scheduler } = ticking(100, 2);
    scheduler.advance(150);
    expect([machine.nowNs, ticks]).toEqual([150, [0, 100]]);
    scheduler.advance(1_000); // the task ends in between, and nothing is left
    expect([machine.nowNs, scheduler.nextNs]).toEqual([1_150, undefined]);
    scheduler.advance(50);
    machine.trace.mark('somebody', 'now', 0);
    expect(machine.nowNs).toBe(1_200);
  });

  it('does what is due at the last instant', () => {
    const { ticks, scheduler } = ticking(100, 5);
    scheduler.advance(200);
    expect(ticks).toEqual([0, 100, 200]);
  });

  it('leaves no trace of its own', () => {
    const [plain, advanced] = [ticking(100, 5), ticking(100, 5)];
    plain.scheduler.run(1_000_000);
    for (let n = 0; n < 100; n++) advanced.scheduler.advance(7);
    expect(advanced.machine.trace.digest.hex()).toBe(plain.machine.trace.digest.hex());
  });
});

describe('runUntil', () => {
  it.each([
    { why: 'it is so already', isMet: () => true, horizonNs: 1_000, outcome: 'met', atNs: 0 },
    {
      why: 'it comes to pass: no further than that',
      isMet: (n: number) => n === 3,
      horizonNs: 1_000,
      outcome: 'met',
      atNs: 200,
    },
    { why: 'it is so in the last instant', isMet: (n: number) => n === 3, horizonNs: 200, outcome: 'met', atNs: 200 },
    {
      why: 'nothing is due before the horizon',
      isMet: (n: number) => n === 3,
      horizonNs: 199,
      outcome: 'late',
      atNs: 100,
    },
    { why: 'nothing is left', isMet: () => false, horizonNs: 1_000, outcome: 'idle', atNs: 500 },
  ])('after each instant, $outcome at $atNs: $why', ({ isMet, horizonNs, outcome, atNs }) => {
    const { machine, ticks, scheduler } = ticking(100, 5);
    expect(scheduler.runUntil(() => isMet(ticks.length), horizonNs)).toBe(outcome);
    expect(machine.nowNs).toBe(atNs);
  });

  it.each([
    {
      why: 'asked at the end of a slice only',
      isMet: (n: number) => n === 3,
      horizonNs: 1_000,
      outcome: 'met',
      atNs: 240,
    },
    { why: 'the last slice is as long as is left', isMet: () => false, horizonNs: 300, outcome: 'late', atNs: 300 },
    { why: 'so in the last slice', isMet: (n: number) => n === 4, horizonNs: 300, outcome: 'met', atNs: 300 },
    { why: 'nothing is left', isMet: () => false, horizonNs: 1_000, outcome: 'idle', atNs: 500 },
    { why: 'so when nothing is left', isMet: (n: number) => n === 5, horizonNs: 1_000, outcome: 'met', atNs: 480 },
  ])('in slices of 120, $outcome at $atNs: $why', ({ isMet, horizonNs, outcome, atNs }) => {
    const { machine, ticks, scheduler } = ticking(100, 5);
    expect(scheduler.runUntil(() => isMet(ticks.length), horizonNs, 120)).toBe(outcome);
    expect(machine.nowNs).toBe(atNs);
  });

  it('asks once for each slice', () => {
    const { scheduler } = ticking(10, 100);
    let asked = 0;
    scheduler.runUntil(() => ++asked > 5, 1_000_000, 100);
    expect([asked, scheduler.nowNs]).toEqual([6, 500]);
  });
});

describe('runNext and settle', () => {
  it('runs one instant, with everything that is due in it', () => {
    const { machine, ticks, scheduler } = ticking(100, 3);
    const fired: number[] = [];
    scheduler.at(0, () => scheduler.at(0, () => fired.push(scheduler.nowNs)));
    expect(scheduler.runNext(0)).toBe(true);
    expect([ticks, fired]).toEqual([[0], [0]]);
    expect(scheduler.runNext(99)).toBe(false);
    expect(machine.nowNs).toBe(0);
    expect(scheduler.runNext(100)).toBe(true);
    expect(ticks).toEqual([0, 100]);
  });

  it('settles when nothing is due soon, however long the quick succession was', () => {
    const { machine, ticks, scheduler } = ticking(50, 10);
    scheduler.at(1_000, () => ticks.push(-1));
    scheduler.settle(50);
    expect([ticks.length, machine.nowNs]).toEqual([10, 500]);
    scheduler.settle(499);
    expect(machine.nowNs).toBe(500);
    scheduler.settle(500);
    expect([ticks.at(-1), machine.nowNs]).toEqual([-1, 1_000]);
  });
});
