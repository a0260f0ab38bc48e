import { Streams } from '../../sim/index.ts';
import { formatAsk } from '../engine/asks.ts';
import type { Scenario } from '../engine/scenario.ts';
import { unhosted } from '../engine/scenario.ts';
import type { SettingSpecs, Settings } from '../engine/settings.ts';
import type { RunSpec } from './spec.ts';

/** How the next run of a campaign is chosen. */
export const STRATEGIES = ['uniform', 'swarm', 'novelty', 'preempt', 'moments'] as const;
export type Strategy = (typeof STRATEGIES)[number];

/** What a campaign runs. */
export interface CampaignPlan {
  readonly scenarios: readonly { readonly scenario: Scenario; readonly settings: Settings }[];
  readonly format: string;
  readonly strategy: Strategy;
  /** When something happened in the run of the first seed, virtual ns, ascending, by scenario; for those strategies that place
   *  something in time. */
  readonly moments?: ReadonlyMap<string, readonly number[]>;
}

/** Whether a strategy needs the moments of a first run. */
export function placesInTime(strategy: Strategy): boolean {
  return strategy === 'preempt' || strategy === 'moments';
}

/**
 * The runs of a campaign, in order: of each seed one of each scenario. `uniform`: with the settings that were asked for. `swarm`: each
 * with settings of its own, drawn from the seed. `novelty`: as swarm, and every other one is a run that met something new, changed in
 * one setting. `preempt`: in each run whoever is next is preempted at a few moments, for longer than jitter does: what takes d of them
 * to go wrong goes wrong where they fall together. `moments`: the run of the first seed over and over, each with a live update more,
 * behind another event of it; any number of them is spread evenly.
 */
export class RunChoice {
  readonly #plan: CampaignPlan;
  /** Runs that met something new, the latest last. */
  readonly #kept: RunSpec[] = [];

  constructor(plan: CampaignPlan) {
    this.#plan = plan;
  }

  /** This run has met something new. */
  keep(spec: RunSpec): void {
    this.#kept.push(spec);
    if (this.#kept.length > KEPT_MAX) this.#kept.shift();
  }

  *runs(seeds: { readonly from: number; readonly to: number }): Generator<RunSpec, void, undefined> {
    const { scenarios, format, strategy } = this.#plan;
    for (let n = seeds.from; n <= seeds.to; n++) {
      const seed = String(n);
      for (const { scenario, settings } of scenarios) {
        const asked = { scenario: scenario.name, seed, format, settings };
        if (strategy === 'uniform') yield asked;
        else if (strategy === 'preempt') yield this.#preempted(asked);
        else if (strategy === 'moments') yield this.#updated({ ...asked, seed: String(seeds.from) }, n - seeds.from);
        else yield this.#changed(scenario, asked, strategy === 'novelty' && n % 2 === 0);
      }
    }
  }

  #preempted(asked: RunSpec): RunSpec {
    const moments = this.#momentsOf(asked);
    const draws = new Streams(asked.seed).for(`campaign/${asked.scenario}/preempt`);
    const asks = Array.from({ length: draws.between(1, PREEMPTIONS_MAX) }, () => {
      const forNs = 2 ** draws.between(PREEMPTED_LOG2_NS[0], PREEMPTED_LOG2_NS[1]) + draws.below(1000);
      return formatAsk({ kind: 'preempt', atNs: draws.pick(moments) + 1, forNs, host: 0 });
    });
    return { ...asked, cuts: { asks } };
  }

  /** @param i counted from 0; the run without is the first. */
  #updated(asked: RunSpec, i: number): RunSpec {
    if (i === 0) return asked;
    const moments = this.#momentsOf(asked);
    const atNs = (moments[Math.floor(halved(i) * moments.length)] as number) + 1;
    return { ...asked, cuts: { asks: [formatAsk({ kind: 'update', atNs, host: 0 })] } };
  }

  #momentsOf({ scenario }: RunSpec): readonly number[] {
    const moments = this.#plan.moments?.get(scenario) ?? [];
    return moments.length === 0 ? [0] : moments;
  }

  #changed(scenario: Scenario, asked: RunSpec, isMutant: boolean): RunSpec {
    const draws = new Streams(asked.seed).for(`campaign/${scenario.name}`);
    const ofScenario = isMutant ? this.#kept.filter((each) => each.scenario === scenario.name) : [];
    const base = ofScenario.length > 0 ? draws.pick(ofScenario).settings : asked.settings;
    const names = Object.keys(scenario.settings);
    const changing = ofScenario.length > 0 ? [draws.pick(names)] : names.filter(() => draws.oneIn(2));
    const drawn = Object.fromEntries(changing.map((name) => [name, drawnValue(scenario.settings, name, base, draws)]));
    const settings = { ...base, ...drawn };
    // What it may not be asked for is left as it was.
    return { ...asked, settings: unhosted(scenario.does(settings), settings).length === 0 ? settings : base };
  }
}
const KEPT_MAX = 64;
/** Preemptions of a run. */
const PREEMPTIONS_MAX = 4;
/** From 8 us, about an absence of the usual jitter, to 8 ms, longer than an update keeps the store away. */
const PREEMPTED_LOG2_NS = [13, 23] as const;

/** Numbers below 1 that halve, again and again, what is between those before: 1/2, 1/4, 3/4, 1/8 … (van der Corput). */
function halved(i: number): number {
  let [sum, part] = [0, 0.5];
  for (let rest = i; rest > 0; rest = Math.floor(rest / 2), part /= 2) if (rest % 2 === 1) sum += part;
  return sum;
}

/** Another value: of numbers one about as large as the one that was asked for, so that a run takes about as long. */
function drawnValue(
  specs: SettingSpecs,
  name: string,
  base: Settings,
  draws: ReturnType<Streams['for']>,
): number | string {
  const spec = specs[name];
  const value = base[name] ?? 0;
  if (spec === undefined) return value;
  if ('items' in spec) return draws.oneIn(2) ? 'swarm' : value;
  if ('words' in spec) return draws.pick(spec.words);
  const most = Math.min(spec.max, spec.max - spec.min === 1 ? spec.max : Number(value) * 2);
  return most <= spec.min ? spec.min : draws.between(spec.min, most);
}
