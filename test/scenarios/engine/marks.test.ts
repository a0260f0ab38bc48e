import { describe, expect, it } from 'vitest';
import { bootStorm } from '../../../scenarios/catalogue/boot-storm.ts';
import { SCENARIOS } from '../../../scenarios/catalogue/index.ts';
import type { RunResult } from '../../../scenarios/engine/scenario.ts';
import { FAULT_RULES } from '../../../scenarios/faults/catalogue.ts';
import { DOINGS } from '../../../scenarios/faults/doings.ts';
import { jsonReport } from '../../../scenarios/report/json.ts';
import { textReport } from '../../../scenarios/report/text.ts';
import { headline } from '../../support/headline.ts';

const total = (result: RunResult, of: (update: RunResult['updates'][number]) => number) =>
  result.updates.reduce((sum, update) => sum + of(update), 0);

describe('a run that lacks what must have happened', () => {
  it('is unknown, and says what: no update took place', () => {
    const result = headline({ set: { requests: 1_500, updates: 2 }, passImage: (image) => image.slice(0, 9) });
    expect(result.outcome).toBe('unknown');
    expect(result.reason).toBe('not reached: update (live updates that took place)');
    expect(result.marks?.missing).toEqual(['update']);
    expect(result.attempts.map(({ n, update }) => [n, update])).toEqual([
      [1, 1],
      [2, 2],
    ]);
    for (const { answer } of result.attempts) expect(answer).toMatch(/header/);
  });

  it('is unknown where faults were asked for and none struck', () => {
    const result = headline({ set: { requests: 0, domains: 1, updates: 0, faults: 'INJ-T10' } });
    expect([result.outcome, result.reason]).toEqual([
      'unknown',
      'not reached: fault (strikes of faults that were asked for)',
    ]);
  });

  it('passes where nothing of the kind was to happen', () => {
    expect(headline({ set: { requests: 1_000, updates: 0 } }).outcome).toBe('pass');
  });
});

describe('marks', () => {
  it('are counted from the history, and as much as the store itself counts', () => {
    const result = headline();
    const counts = result.marks!.counts;
    expect(counts.update).toBe(result.updates.length);
    expect(counts['request-cut']).toBeGreaterThan(0);
    // Those of domains that end before their rest has come are never whole.
    expect(counts['request-cut']).toBeLessThanOrEqual(total(result, (u) => u.partialRequests));
    expect(counts['reply-cut']).toBeLessThanOrEqual(total(result, (u) => u.partialReplies));
    expect(counts['event-queued']).toBe(total(result, (u) => u.queuedEvents));
    expect(counts['start-aside']).toBe(0);
    expect(counts['transaction-carried']).toBeGreaterThan(0);
    expect(JSON.parse(jsonReport(result)).marks.counts).toEqual(counts);
  });
});

describe('a daemon that waits for transactions', () => {
  const results = ['1', '2', '3', '4'].map((seed) => headline({ seed, set: { policy: 'daemon' } }));
  const sum = (name: keyof NonNullable<RunResult['marks']>['counts']) =>
    results.reduce((all, { marks }) => all + (marks?.counts[name] ?? 0), 0);

  it('updates, puts STARTs aside, refuses when the time is over, is forced, and given up', () => {
    expect(results.map(({ outcome }) => outcome)).toEqual(['pass', 'pass', 'pass', 'pass']);
    for (const name of ['update', 'start-aside', 'start-over-update', 'update-refused', 'update-forced'] as const)
      expect(sum(name), name).toBeGreaterThan(0);
    expect(sum('update-aborted')).toBeGreaterThan(0);
  });

  it('tells each try with its answer, also one that was refused', () => {
    const refused = results.find(({ attempts }) => attempts.some(({ answer }) => answer.startsWith('Domains with')))!;
    const at = refused.attempts.find(({ answer }) => answer.startsWith('Domains with'))!;
    expect(at.update).toBeUndefined();
    expect(textReport(refused, { colour: false })).toMatch(
      /none .* Domains with long running transactions: Domain \d+/,
    );
    expect(JSON.parse(jsonReport(refused)).attempts[at.n - 1].answer).toBe(at.answer);
    for (const { attempts, updates } of results)
      expect(attempts.flatMap(({ update }) => update ?? [])).toEqual(updates.map(({ n }) => n));
  });
});

describe('a fault that cannot fire', () => {
  it('is not planned by swarm or all, and refused by name', () => {
    const settings = { domains: 2, builders: 1, updates: 0, io: 0 };
    const planned: string[] = [];
    bootStorm.run({
      seed: '1',
      format: 'v2',
      settings: { ...settings, faults: 'all' },
      checks: false,
      planned: (faults) => planned.push(...faults.map(({ id }) => id)),
    });
    expect(planned).toContain('INJ-E1');
    for (const id of ['INJ-D4', 'INJ-T1', 'INJ-T6', 'INJ-D1']) expect(planned).not.toContain(id);
    const named = { seed: '1', format: 'v2', settings: { ...settings, faults: 'INJ-D4' }, checks: false };
    expect(() => bootStorm.run(named)).toThrow(/boot-storm has no occasion for INJ-D4/);
  });

  it('is known by needs that some scenario has', () => {
    // With its default settings, or with one word of them changed.
    const all = SCENARIOS.flatMap(({ does, settings }) => [
      does({}),
      ...Object.entries(settings).flatMap(([key, spec]) =>
        'words' in spec ? spec.words.map((each) => does({ [key]: each })) : [],
      ),
    ]);
    expect([...new Set(all.flat())].sort()).toEqual(Object.keys(DOINGS).sort());
    for (const { id, needs = [] } of FAULT_RULES)
      expect(
        all.some((done) => needs.every((need) => done.includes(need))),
        id,
      ).toBe(true);
  });
});
