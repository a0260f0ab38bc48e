import { describe, expect, it } from 'vitest';
import { XS } from '../../../guests/index.ts';
import { liveUpdateMidTraffic } from '../../../scenarios/catalogue/live-update-mid-traffic.ts';
import { suspendResume } from '../../../scenarios/catalogue/suspend-resume.ts';
import { formatKept, parseKept, type RunCuts } from '../../../scenarios/engine/cuts.ts';
import { completeSettings } from '../../../scenarios/engine/settings.ts';
import { type MadeRequest, tryRun, tryWhole } from '../../../scenarios/hunt/facts.ts';
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
    const text = '0@12,7@130000=12~3.20.5.100.0~23.4.0.0.900,9@140000=0';
    expect(formatKept(parseKept(text)!)).toBe(text);
    expect(parseKept(text)?.get(7)?.tears?.[1]).toEqual({ at: 23, octets: 4, first: 0, copyNs: 0, storeNs: 900 });
    for (const wrong of ['1', '1@', '@2', '1@2=', '1@2,', 'a@1', '1@2~3', '1@2~1.2.3.4', '1@2~1.2.3.4.5.6'])
      expect(parseKept(wrong), wrong).toBeUndefined();
  });

  it('are torn as they were, whatever else is left out', () => {
    const torn = whole.made.find(({ thread, tears }) => thread === 'domU0/worker0' && tears.some((t) => t.first > 0));
    const births = whole.made.filter(({ thread }) => thread.startsWith('dom0/xl'));
    const { made } = tryRun(runner, withRequests(spec, [...births, torn!].map(keptOf)));
    const again = made.find(({ thread, request }) => thread === torn!.thread && request === torn!.request);
    expect(again?.tears).toEqual(torn!.tears);
    const untorn = { ...keptOf(torn!), tears: [] };
    const smooth = tryRun(runner, withRequests(spec, [...births.map(keptOf), untorn]));
    expect(smooth.made.find(({ thread }) => thread === torn!.thread)?.tears).toEqual([]);
  });

  it('are none of those that `*` stands for: the run is the one that it was, up to its end', () => {
    const requests = { '*': `@${whole.virtualNs}` };
    expect(tryRun(runner, { ...spec, cuts: { ...bare, requests } }).made).toEqual(whole.made);
    const soon = tryRun(runner, { ...spec, cuts: { ...bare, requests: { '*': '@0', 'domU0/worker0': '' } } });
    expect(soon.made.length).toBeLessThan(whole.made.length / 2);
    expect(soon.made.some(({ thread }) => thread === 'domU0/worker0')).toBe(false);
  });
});

describe('an update that is prepared and that nobody starts', () => {
  it('keeps transactions from beginning, for ever: that is no reply that was lost', () => {
    const settings = completeSettings(liveUpdateMidTraffic.settings, { domains: 2, requests: 2, policy: 'daemon' });
    const requests = { 'dom0/operator': '2@1586631', 'dom0/xl-1': '2@1557839', 'domU1/worker1': '5@1692163' };
    const cuts: RunCuts = { domains: 'bare', pace: 'even', requests, updatesAtNs: [1_586_631, 1_586_631] };
    const { made, outcome } = tryRun(runner, { ...spec, seed: '2', format: 'v1', settings, cuts });
    const asked = made.map(({ type, about }) => `${type} ${about.split('\0')[1]}`).sort();
    expect(asked).toEqual([`${XS.CONTROL} -f`, `${XS.TRANSACTION_START} `, `${XS.INTRODUCE} 4097`]);
    expect(outcome).toBe('unknown');
  });
});

describe('where requests are left out, of what guests and toolstacks owe each other', () => {
  const suspends = runnerOf([suspendResume]);
  const ofSuspends = {
    scenario: suspendResume.name,
    seed: '3',
    format: 'v2',
    settings: completeSettings(suspendResume.settings, { domains: 1, bad: 0, requests: 300, updates: 0 }),
  };
  const whole = tryWhole(suspends, ofSuspends);
  const familiesOf = (requests: RunCuts['requests'] & {}) =>
    tryWhole(suspends, { ...ofSuspends, cuts: { requests } }).result.verdicts.map(({ invariant }) => invariant);
  const all = { '*': `@${whole.facts.virtualNs}` };

  it('nothing is said if somebody was kept from what is due of it: a guest that was not let answer is no finding', () => {
    expect(whole.result.verdicts.map(({ invariant }) => invariant)).toContain('suspends');
    const cut = tryWhole(suspends, { ...ofSuspends, cuts: { requests: { ...all, 'linux0/suspend': '' } } });
    expect(cut.facts.made.some(({ thread }) => thread === 'linux0/suspend')).toBe(false);
    expect(cut.facts.signatures.map(({ key }) => key).filter((key) => !key.startsWith('unknown'))).toEqual([]);
    expect(cut.result.verdicts.map(({ invariant }) => invariant)).not.toContain('suspends');
  });

  it('everything is said if it is only traffic on which nobody relies', () => {
    expect(familiesOf({ ...all, 'linux0/worker': '', 'linux0/agent': '' })).toContain('suspends');
  });
});
