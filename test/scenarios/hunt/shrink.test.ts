import { describe, expect, it } from 'vitest';
import { SCENARIOS } from '../../../scenarios/catalogue/index.ts';
import { completeSettings } from '../../../scenarios/engine/settings.ts';
import { failsLike, type RunFacts, tryRun } from '../../../scenarios/hunt/facts.ts';
import { type Ask, type Hit, reduceList } from '../../../scenarios/hunt/shrink/attempts.ts';
import { driveHere } from '../../../scenarios/hunt/shrink/drive.ts';
import { shrink } from '../../../scenarios/hunt/shrink/shrink.ts';
import { type RunSpec, runnerOf } from '../../../scenarios/hunt/spec.ts';
import type { StateRecord } from '../../../store/format/index.ts';
import { tamper } from '../../support/headline.ts';

const [headline] = SCENARIOS;
const NOTHING = { spec: {} as RunSpec, facts: {} as RunFacts };

describe('delta debugging', () => {
  /** What is left of 0 .. count-1 where a list fails that has all of `needed`. */
  const reduced = (count: number, needed: readonly number[]) => {
    const items = Array.from({ length: count }, (_, i) => i);
    const listOf = (spec: RunSpec) => (spec.seed === '' ? [] : spec.seed.split(',').map(Number));
    const make = (some: readonly number[]): RunSpec => ({ scenario: '', seed: some.join(), format: '', settings: {} });
    const tryOne = (spec: RunSpec) => {
      const fails = needed.every((each) => listOf(spec).includes(each));
      return { signatures: fails ? [{ key: 'it', kin: 'it', text: '' }] : [] } as unknown as RunFacts;
    };
    return driveHere(reduceList(items, NOTHING, make), 'it', tryOne);
  };

  it.each([
    [1, [0]],
    [100, [99]],
    [100, [0, 50, 99]],
    [1_000, [3, 4, 5, 500, 998]],
  ])('of %d items leaves those that are needed: %j', (count, needed) => {
    const { found, replays } = reduced(count, needed);
    expect(found.items).toEqual(needed);
    expect(replays).toBeLessThan(20 + 2 * needed.length * Math.ceil(Math.log2(count) + 2));
  });

  it('comes to the same when several are tried ahead: the first in order counts', () => {
    const asked: Ask[] = [];
    const search = reduceList(['a', 'b', 'c', 'd'], NOTHING, (some) => ({ seed: some.join('') }) as RunSpec);
    let step = search.next();
    while (step.done !== true) {
      asked.push(step.value);
      const index = step.value.specs.findIndex(({ seed }) => seed.includes('c'));
      step = search.next(index < 0 ? undefined : ({ index, facts: NOTHING.facts } satisfies Hit));
    }
    expect(step.value.items).toEqual(['c']);
    expect(asked[0]?.specs.map(({ seed }) => seed)).toEqual(['cd', 'ab']);
  });
});

/** A successor that loses something, in the headline. */
const MUTANTS: readonly (readonly [what: string, change: (record: StateRecord) => StateRecord | undefined])[] = [
  [
    'the octets of a half-read request',
    (r) => (r.kind === 'CONNECTION_DATA' && r.conn.kind === 'ring' ? { ...r, inData: new Uint8Array(0) } : r),
  ],
  ['every watch', (r) => (r.kind === 'WATCH_DATA' || r.kind === 'WATCH_DATA_EXTENDED' ? undefined : r)],
  [
    'open transactions',
    (r) => (r.kind === 'TRANSACTION_DATA' || (r.kind === 'NODE_DATA' && r.connId !== 0) ? undefined : r),
  ],
];

describe('a run whose successor loses', () => {
  it.each(MUTANTS)('%s is made small, and fails like before', (_, change) => {
    const runner = runnerOf([headline!], { passImage: tamper(change) });
    const settings = completeSettings(headline!.settings, { requests: 2_000 });
    const specs = ['1', '2', '3', '4'].map((seed) => ({ scenario: headline!.name, seed, format: 'v2', settings }));
    const spec = specs.find((each) => tryRun(runner, each).signatures.length > 0)!;
    const facts = tryRun(runner, spec);
    const { kin } = facts.signatures[0]!;
    const { found, replays } = driveHere(shrink({ spec, facts }, headline!.settings), kin, (each) =>
      tryRun(runner, each),
    );
    const { failing, minimal } = found;
    const again = tryRun(runner, failing.spec);
    expect(failsLike(again, kin)).toBe(true);
    expect(again.digest).toBe(failing.facts.digest);
    const guests = new Set(again.made.map(({ thread }) => thread.split('/')[0]).filter((name) => name !== 'dom0'));
    expect({ minimal, guests: guests.size <= 2, requests: again.made.length <= 12, replays: replays <= 300 }).toEqual({
      minimal: 'all',
      guests: true,
      requests: true,
      replays: true,
    });
  });
});
