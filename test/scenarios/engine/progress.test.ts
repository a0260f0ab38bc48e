import { describe, expect, it } from 'vitest';
import { QUIET_NS, SETTLE_NS } from '../../../scenarios/engine/patience.ts';
import { Progress } from '../../../scenarios/engine/progress.ts';
import { type Actor, loneMachine, NO_JITTER, PARK } from '../../../sim/index.ts';

const S = 1_000_000_000;

/** When a host with these actors is found to be stuck, in seconds; `undefined`: not within `untilNs`. */
function stuckAt(
  actors: readonly (() => Actor)[],
  options: { readonly timersNs?: readonly number[]; readonly payload?: () => number; readonly givesUp?: boolean } = {},
): number | undefined {
  const machine = loneMachine({ seed: '1', jitter: NO_JITTER });
  const seen = { lives: 0, messages: 0 };
  const progress = new Progress(machine, seen, {
    payload: options.payload,
    isOver: () => false,
    givesUp: () => options.givesUp === true,
  });
  for (const [i, actor] of actors.entries()) machine.start(`actor${i}`, undefined, actor());
  for (const dueNs of options.timersNs ?? [])
    machine.scheduler.at(dueNs, () => {
      seen.messages++;
    });
  let isStuck = false;
  machine.scheduler.runUntil(
    () => {
      isStuck = progress.isStuck();
      return isStuck;
    },
    QUIET_NS + 10 * S,
    10_000_000,
  );
  return isStuck ? Math.round(machine.nowNs / S) : undefined;
}

function* polls(): Actor {
  for (;;) yield 5_000_000;
}

describe('a run is stuck', () => {
  it('soon, when all that goes on is polls', () => {
    expect(stuckAt([polls])).toBe(SETTLE_NS / S);
  });

  it.each([3, 40, 60])('not while a time-out of %i s runs, whenever it is looked at, and soon after it', (seconds) => {
    const at = stuckAt([polls], { timersNs: [seconds * S] });
    expect(at).toBe(seconds + SETTLE_NS / S);
  });

  it('not while a task sleeps until then', () => {
    const sleeper = function* (): Actor {
      yield 30 * S;
      yield PARK;
    };
    expect(stuckAt([polls, sleeper])).toBeGreaterThan(30);
  });

  it('not while somebody polls who gives up by himself, but not for ever', () => {
    expect(stuckAt([polls], { givesUp: true })).toBe(QUIET_NS / S);
  });

  it('though messages go on, if none of its payload moves', () => {
    let moved = 0;
    const payload = function* (): Actor {
      for (let i = 0; i < 5; i++) {
        yield S;
        moved++;
      }
    };
    const background = Array.from({ length: 30 }, (_, i) => i * S);
    expect(stuckAt([polls, payload], { payload: () => moved, timersNs: background })).toBeLessThan(5 + 30);
  });

  it('only when the background, which drowns the payload, has ended and nothing comes of that', () => {
    const machine = loneMachine({ seed: '1', jitter: NO_JITTER });
    const seen = { lives: 0, messages: 0 };
    let isLoud = true;
    let moved = 1;
    const progress = new Progress(machine, seen, {
      payload: () => moved,
      isOver: () => !isLoud,
      hush: () => {
        const wasLoud = isLoud;
        isLoud = false;
        return wasLoud;
      },
      givesUp: () => false,
    });
    expect(progress.isStuck()).toBe(false);
    seen.messages += 600_000;
    expect([progress.isStuck(), isLoud]).toEqual([false, false]);
    moved++; // in silence it comes
    seen.messages += 400_000;
    expect(progress.isStuck()).toBe(false);
    machine.scheduler.advance(QUIET_NS);
    expect(progress.isStuck()).toBe(true);
  });
});
