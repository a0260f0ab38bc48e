import { describe, expect, it } from 'vitest';
import { SCENARIOS } from '../../../scenarios/catalogue/index.ts';
import { type RunResult, scenario } from '../../../scenarios/engine/scenario.ts';
import {
  completeSettings,
  count,
  flag,
  parseSettings,
  rangeOf,
  type Settings,
  word,
} from '../../../scenarios/engine/settings.ts';

const SPECS = {
  guests: count(12, { min: 1, max: 500 }, 'guests that live at the same time'),
  churn: flag(1, '1: they come and go'),
  policy: word('carry', ['carry', 'daemon'], 'what happens to open transactions'),
};

const parse = (...pairs: readonly string[]) => parseSettings('crowd', SPECS, pairs);

describe('settings as a user sets them', () => {
  it('are the defaults where nothing is said, in the order of the scenario', () => {
    expect(parse()).toEqual({ ok: true, settings: { guests: 12, churn: 1, policy: 'carry' } });
    const parsed = parse('policy=daemon', 'guests=3');
    expect(parsed).toEqual({ ok: true, settings: { guests: 3, churn: 1, policy: 'daemon' } });
    expect(parsed.ok && Object.keys(parsed.settings)).toEqual(['guests', 'churn', 'policy']);
  });

  it('are what was said last', () => {
    expect(parse('guests=3', 'guests=4')).toMatchObject({ settings: { guests: 4 } });
  });

  it.each([
    ['guests=1', 'the least'],
    ['guests=500', 'the most'],
    ['guests=007', 'zeros in front say nothing'],
    ['churn=0', 'off'],
    ['policy=daemon', 'a word'],
  ])('may be %s: %s', (pair) => {
    expect(parse(pair).ok).toBe(true);
  });

  it.each([
    ['guests=0', 'guests is a whole number from 1 to 500', 'too few'],
    ['guests=501', 'guests is a whole number from 1 to 500', 'too many'],
    ['guests=100000000000000000000', 'guests is a whole number from 1 to 500', 'more than a number can tell apart'],
    ['guests=-1', 'guests is a whole number from 1 to 500', 'a sign'],
    ['guests=1e2', 'guests is a whole number from 1 to 500', 'digits alone'],
    ['guests=', 'guests is a whole number from 1 to 500', 'nothing is not 0'],
    ['churn=2', 'churn is 0 or 1', 'no flag has a third state'],
    ['policy=Carry', 'policy is one of carry, daemon', 'words are told apart by case'],
    ['gests=3', 'crowd has the settings guests, churn, policy', 'a name that is none'],
    ['guests', 'crowd has the settings guests, churn, policy', 'no value'],
    ['=3', 'crowd has the settings guests, churn, policy', 'no name'],
    ['__proto__=3', 'crowd has the settings guests, churn, policy', 'what every object has is no setting'],
    ['constructor=3', 'crowd has the settings guests, churn, policy', 'what every object has is no setting'],
  ])('may not be %s: %s', (pair, reason) => {
    expect(parse('guests=3', pair)).toMatchObject({ ok: false, reason: `${pair}: ${reason}` });
  });
});

describe('settings as a program gives them', () => {
  it.each([
    [{ gests: 3 }, /no setting gests/],
    [{ guests: 0 }, /guests=0: guests is a whole number from 1/],
    [{ guests: 1.5 }, /whole number/],
    [{ guests: Number.NaN }, /whole number/],
    [{ guests: '3' }, /whole number/],
    [{ policy: 0 }, /one of carry, daemon/],
    [JSON.parse('{"__proto__": 3}') as Settings, /no setting __proto__/],
  ])('%j is a mistake of ours', (given, reason) => {
    expect(() => completeSettings(SPECS, given)).toThrow(reason);
  });

  it('reach the scenario whole, with the types of their own', () => {
    const seen: unknown[] = [];
    const crowd = scenario({
      name: 'crowd',
      story: '',
      settings: SPECS,
      run: ({ settings }): RunResult => {
        const policy: 'carry' | 'daemon' = settings.policy;
        const churn: 0 | 1 = settings.churn;
        const guests: number = settings.guests;
        // @ts-expect-error: a typo does not compile
        seen.push(policy, churn, guests, settings.gests);
        return { outcome: 'pass' } as RunResult;
      },
    });
    crowd.run({ seed: '1', format: 'v2', settings: { guests: 7 }, checks: true });
    expect(seen).toEqual(['carry', 1, 7, undefined]);
  });
});

describe('each scenario', () => {
  it.each(SCENARIOS.map(({ name, settings }) => [name, settings] as const))('%s can run as it is', (_, settings) => {
    expect(completeSettings(settings, {})).toBeDefined();
    for (const spec of Object.values(settings)) expect(rangeOf(spec)).not.toBe('');
  });
});
