import type { SettingSpecs, Settings } from '../../engine/settings.ts';
import type { RunSpec } from '../spec.ts';
import { type Failing, firstOf, reduceList, type Search } from './attempts.ts';

/** Seeds that are tried for each smaller setting: another seed may show the same mistake in a smaller run. */
const SEEDS = 3;

/** Numbers to try in place of `value`, smallest first: the least that is allowed, and a few in between. */
export function smallerThan(value: number, min: number): number[] {
  const found = new Set<number>();
  for (const part of [0, 1 / 16, 1 / 8, 1 / 4, 1 / 2]) found.add(min + Math.floor((value - min) * part));
  return [...found].filter((each) => each < value);
}

/** The run with another setting, by its own seed and by a few others. */
function withSetting(spec: RunSpec, key: string, value: number | string): RunSpec[] {
  const settings = { ...spec.settings, [key]: value };
  if (spec.cuts?.requests !== undefined) return [{ ...spec, settings }]; // times are those of this seed
  const others = Array.from({ length: SEEDS - 1 }, (_, i) => String(i + 1)).filter((seed) => seed !== spec.seed);
  return [{ ...spec, settings }, ...others.map((seed) => ({ ...spec, seed, settings }))];
}

/** Faults are taken out: all of them, else one by one those that struck. */
export function* reduceFaults(from: Failing): Search<Failing> {
  const { spec, facts } = from;
  const { faults = 'off' } = spec.settings;
  if (faults === 'off') return from;
  const choose = (ids: readonly string[]): RunSpec => ({
    ...spec,
    settings: { ...spec.settings, faults: ids.length === 0 ? 'off' : ids.join(',') },
  });
  const without = yield* firstOf([choose([]), ...facts.faults.map((id) => choose([id])), choose(facts.faults)]);
  if (without === undefined) return from;
  const left = String(without.spec.settings.faults);
  if (left === 'off' || !left.includes(',')) return without;
  return (yield* reduceList(left.split(','), without, choose)).failing;
}

/** All numbers at once are as small as the failure allows, by this seed or by another. */
export function* smallAtOnce(from: Failing, specs: SettingSpecs): Search<Failing> {
  const { spec } = from;
  const seeds = [spec.seed, ...Array.from({ length: SMALL_SEEDS }, (_, i) => String(i + 1))];
  const runs = [0, 1 / 16, 1 / 8, 1 / 4].flatMap((part) => {
    const settings = { ...spec.settings, ...shares(spec.settings, specs, part) };
    return [...new Set(seeds)].map((seed) => ({ ...spec, seed, settings }));
  });
  return (yield* firstOf(runs)) ?? from;
}
const SMALL_SEEDS = 8;

function shares(settings: Settings, specs: SettingSpecs, part: number): Settings {
  const counts = Object.entries(specs).flatMap(([key, spec]) => {
    const value = settings[key];
    if (!('max' in spec) || typeof value !== 'number' || value <= spec.min) return [];
    return [[key, spec.min + Math.floor((value - spec.min) * part)] as const];
  });
  return Object.fromEntries(counts);
}

/** Words are those that the failure itself speaks of, else those that are named before. */
export function* reduceWords(from: Failing, specs: SettingSpecs): Search<Failing> {
  let failing = from;
  for (const [key, spec] of Object.entries(specs)) {
    if (!('words' in spec)) continue;
    const now = failing.spec.settings[key];
    const [{ text = '' } = {}] = failing.facts.signatures;
    const spoken = spec.words.filter((one) => one !== now && text.includes(one));
    const before = spec.words.slice(0, Math.max(0, spec.words.indexOf(String(now))));
    const { spec: run } = failing;
    failing = (yield* firstOf([...spoken, ...before].flatMap((one) => withSetting(run, key, one)))) ?? failing;
  }
  return failing;
}

/** What is on is turned off, by this seed or by another. */
export function* turnOff(from: Failing, specs: SettingSpecs): Search<Failing> {
  let failing = from;
  for (const [key, spec] of Object.entries(specs)) {
    if (!('max' in spec) || spec.max - spec.min !== 1 || failing.spec.settings[key] === spec.min) continue;
    failing = (yield* firstOf(withSetting(failing.spec, key, spec.min))) ?? failing;
  }
  return failing;
}

/** Every number is made as small as the failure allows, until none can be made smaller on its own. */
export function* reduceSettings(from: Failing, specs: SettingSpecs): Search<Failing> {
  let failing = from;
  for (let again = true; again; ) {
    again = false;
    for (const key of bySize(failing.spec.settings, specs)) {
      const spec = specs[key];
      const value = failing.spec.settings[key];
      if (spec === undefined || !('max' in spec) || typeof value !== 'number') continue;
      const { spec: now } = failing;
      const hit = yield* firstOf(smallerThan(value, spec.min).flatMap((each) => withSetting(now, key, each)));
      if (hit === undefined) continue;
      failing = hit;
      again = true;
    }
  }
  return failing;
}

/** The largest numbers first: what they make is most of a run. */
function bySize(settings: Settings, specs: SettingSpecs): string[] {
  const sizes = Object.keys(specs).map((key) => [key, Number(settings[key]) || 0] as const);
  return sizes.sort((a, b) => b[1] - a[1]).map(([key]) => key);
}
