import { afterEach, describe, expect, it, vi } from 'vitest';
import { deviceIo } from '../../../scenarios/catalogue/device-io.ts';
import type { RunResult } from '../../../scenarios/engine/scenario.ts';
import type { Setting } from '../../../scenarios/engine/settings.ts';
import { BackRing, FrontRing } from '../../../sim/io-ring.ts';

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
    return [result.reason, ...found].join('\n');
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
