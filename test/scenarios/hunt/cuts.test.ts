import { describe, expect, it } from 'vitest';
import { XS } from '../../../guests/index.ts';
import { liveUpdateMidTraffic } from '../../../scenarios/catalogue/live-update-mid-traffic.ts';
import { formatKept, parseKept, type RunCuts } from '../../../scenarios/engine/cuts.ts';
import { completeSettings } from '../../../scenarios/engine/settings.ts';
import { type MadeRequest, tryRun } from '../../../scenarios/hunt/facts.ts';
import { keptOf, withRequests } from '../../../scenarios/hunt/shrink/cutting.ts';
import { runnerOf } from '../../../scenarios/hunt/spec.ts';

const runner = runnerOf([liveUpdateMidTraffic]);
const settings = completeSettings(liveUpdateMidTraffic.settings, { domains: 2, requests: 600, updates: 0, churn: 0 });
const bare: RunCuts = { domains: 'bare' };
const spec = { scenario: liveUpdateMidTraffic.name, seed: '5', format: 'v2', settings, cuts: bare };
const words = ({ thread, request, type, about }: MadeRequest) => `${thread} ${request} ${type} ${about}`;

describe('requests that are left out', () => {
  const whole = tryRun(runner, spec);

  it('leave everybody else what they ask for, draw by draw', () => {
    const isKept = ({ thread }: MadeRequest) => thread !== 'domU0/worker1' && thread !== 'dom0/hotplug';
    const kept = whole.made.filter(isKept);
    const cut = tryRun(runner, withRequests(spec, kept.map(keptOf)));
    expect(cut.made.some(({ thread }) => thread === 'domU0/worker1')).toBe(false);
    // Whether a transaction conflicts is a matter of others; a worker asks what its draws say until it hears of that.
    const ofOne = (made: readonly MadeRequest[]) => {
      const own = made.filter(({ thread }) => thread === 'domU1/worker0');
      return own.slice(0, own.findIndex(({ type }) => type === XS.TRANSACTION_END) + 1).map(words);
    };
    expect(ofOne(cut.made).length).toBeGreaterThan(5);
    expect(ofOne(cut.made)).toEqual(ofOne(whole.made));
  });

  it('of everybody leave a run that ends, with nothing in it', () => {
    const { made, outcome } = tryRun(runner, withRequests(spec, []));
    expect([made, outcome]).toEqual([[], 'unknown']); // nothing was committed, and the scenario promises that
  });

  it('are not made before their time', () => {
    const [first] = whole.made.filter(({ thread }) => thread === 'domU0/worker0');
    const late = { ...keptOf(first!), atNs: first!.atNs + 50_000 };
    const births = whole.made.filter(({ thread }) => thread.startsWith('dom0/xl')).map(keptOf);
    const { made } = tryRun(runner, withRequests(spec, [...births, late]));
    expect(made.find(({ thread }) => thread === 'domU0/worker0')?.atNs).toBe(late.atNs);
  });

  it('read as they are written', () => {
    const text = '0@12,7@130000=12,9@140000=0';
    expect(formatKept(parseKept(text)!)).toBe(text);
    for (const wrong of ['1', '1@', '@2', '1@2=', '1@2,', 'a@1']) expect(parseKept(wrong), wrong).toBeUndefined();
  });
});
