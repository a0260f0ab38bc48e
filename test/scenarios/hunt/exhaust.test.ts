import { describe, expect, it } from 'vitest';
import { SCENARIOS } from '../../../scenarios/catalogue/index.ts';
import { completeSettings } from '../../../scenarios/engine/settings.ts';
import { type Placed, type Placement, UpdatePlaces } from '../../../scenarios/hunt/exhaust.ts';
import { tryRun } from '../../../scenarios/hunt/facts.ts';
import { type Runner, runnerOf } from '../../../scenarios/hunt/spec.ts';
import { tamper } from '../../support/headline.ts';

const flood = SCENARIOS.find(({ name }) => name === 'watch-flood')!;
const settings = completeSettings(flood.settings, { domains: 1, requests: 30, updates: 0 });
const spec = { scenario: flood.name, seed: '1', format: 'v2', settings };

/** @returns what became of these, in their order, up to the first that fails. */
function tryAll(runner: Runner, places: UpdatePlaces, placements: readonly Placement[]): Placed[] {
  const placed: Placed[] = [];
  for (const placement of placements) {
    const one = { ...placement, facts: tryRun(runner, placement.spec) };
    placed.push(one);
    places.add(one);
    if (one.facts.signatures.length > 0) break;
  }
  return placed;
}

describe('one live update at every step of a run', () => {
  const sound = runnerOf(SCENARIOS);
  const base = tryRun(sound, spec);

  it('is asked for behind each move of the store, and meets another state each time', () => {
    const places = new UpdatePlaces(spec, base);
    const all = places.all();
    expect(places.gaps).toBe(new Set(base.movesNs).size + 1);
    expect(all.length).toBe(places.gaps);
    const some = all.filter((_, i) => i % 30 === 0);
    const placed = tryAll(sound, places, some);
    expect(placed.map(({ facts }) => facts.outcome)).toEqual(some.map(() => 'pass'));
    expect(places.refused).toBe(0);
    expect(places.gapsMet).toBe(new Set(placed.map((one) => places.imageOf(one))).size);
    expect(places.gapsMet).toBeGreaterThan(some.length / 2);
    for (const one of placed) expect(places.imageOf(one)).toBeGreaterThan(one.atNs);
  });

  it('is asked for earlier where a place was missed', () => {
    const places = new UpdatePlaces(spec, base);
    const placed = tryAll(
      sound,
      places,
      places.all().filter((_, i) => i % 200 === 0),
    );
    const before = places.gapsMet;
    const missed = places.missed(placed);
    expect(missed.length).toBeGreaterThan(places.gaps / 2);
    tryAll(
      sound,
      places,
      missed.filter((_, i) => i % 100 === 50),
    );
    expect(places.gapsMet).toBeGreaterThan(before);
  });

  it('has its end, also where it is asked for while the tree is read', () => {
    const last = Math.max(...base.movesNs);
    const late = { ...spec, cuts: { asks: [`update@${last - 1_000}`] } };
    const facts = tryRun(sound, late);
    expect([facts.outcome, facts.updatesNs.length]).toEqual(['pass', 1]);
  });

  it('names the first place where a store loses what waits to be sent', () => {
    const losing = runnerOf(SCENARIOS, {
      passImage: tamper((r) =>
        r.kind === 'CONNECTION_DATA' && r.conn.kind === 'ring' && r.outData.length > 0
          ? { ...r, outData: new Uint8Array(0) }
          : r,
      ),
    });
    const places = new UpdatePlaces(spec, base);
    const placed = tryAll(losing, places, places.all());
    const one = placed.at(-1)!;
    expect(one.facts.signatures[0]?.text).toMatch(/^(?:ring-octets|replies|watch-events): /);
    expect(placed.length).toBeGreaterThan(1);
    expect(placed.slice(0, -1).every(({ facts }) => facts.outcome === 'pass')).toBe(true);
    expect(tryRun(losing, one.spec).digest).toBe(one.facts.digest);
    expect(tryRun(sound, one.spec).outcome).toBe('pass');
  });
});
