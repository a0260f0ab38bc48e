import { describe, expect, it } from 'vitest';
import { liveUpdateMidTraffic } from '../../../scenarios/catalogue/live-update-mid-traffic.ts';
import { parseAsk } from '../../../scenarios/engine/asks.ts';
import { completeSettings } from '../../../scenarios/engine/settings.ts';
import { RunChoice, type Strategy } from '../../../scenarios/hunt/search-plan.ts';
import type { RunSpec } from '../../../scenarios/hunt/spec.ts';

const EVENTS = Array.from({ length: 1000 }, (_, i) => 5000 + i * 10);

function runs(strategy: Strategy, from: number, to: number): readonly RunSpec[] {
  const settings = completeSettings(liveUpdateMidTraffic.settings, {});
  const choice = new RunChoice({
    scenarios: [{ scenario: liveUpdateMidTraffic, settings }],
    format: 'v2',
    strategy,
    moments: new Map([[liveUpdateMidTraffic.name, EVENTS]]),
  });
  return [...choice.runs({ from, to })];
}
const asksOf = ({ cuts }: RunSpec) => (cuts?.asks ?? []).map((word) => parseAsk(word)!);

describe('how runs are chosen', () => {
  it('puts an update behind one event after the other of the first seed, spread evenly', () => {
    const all = runs('moments', 3, 34);
    expect(new Set(all.map(({ seed }) => seed))).toEqual(new Set(['3']));
    expect(asksOf(all[0]!)).toEqual([]);
    const places = all.slice(1).map((spec) => asksOf(spec)[0]!);
    expect(places.every(({ kind }) => kind === 'update')).toBe(true);
    const atNs = places.map((ask) => ask.atNs).sort((a, b) => a - b);
    const gaps = atNs.slice(1).map((at, i) => at - atNs[i]!);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(10_000 / 31);
    expect(places[0]!.atNs).toBe(EVENTS[500]! + 1);
    expect(runs('moments', 3, 10)).toEqual(all.slice(0, 8)); // more of them are between those
  });

  it('preempts a few times in each run, at moments and for times of its seed', () => {
    const all = runs('preempt', 1, 40);
    expect(all.map(({ seed }) => Number(seed))).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
    const counts = all.map((spec) => asksOf(spec).length);
    expect(new Set(counts)).toEqual(new Set([1, 2, 3, 4]));
    const asks = all.flatMap(asksOf);
    for (const ask of asks) {
      expect(ask.kind === 'preempt' && ask.forNs >= 8192 && ask.forNs < 2 ** 23 + 1000).toBe(true);
      expect(EVENTS).toContain(ask.atNs - 1);
    }
    expect(new Set(asks.map(({ atNs }) => atNs)).size).toBeGreaterThan(asks.length / 2);
    expect(runs('preempt', 7, 7)).toEqual([all[6]]);
  });
});
