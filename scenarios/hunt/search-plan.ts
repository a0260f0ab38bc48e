import { Streams } from '../../sim/index.ts';
import type { Scenario } from '../engine/scenario.ts';
import { unhosted } from '../engine/scenario.ts';
import type { SettingSpecs, Settings } from '../engine/settings.ts';
import type { RunSpec } from './spec.ts';

/** How the next run of a campaign is chosen. */
export const STRATEGIES = ['uniform', 'swarm', 'novelty'] as const;
export type Strategy = (typeof STRATEGIES)[number];

/** What a campaign runs. */
export interface CampaignPlan {
  readonly scenarios: readonly { readonly scenario: Scenario; readonly settings: Settings }[];
  readonly format: string;
  readonly strategy: Strategy;
}

/**
 * The runs of a campaign, in order: of each seed one of each scenario. `uniform`: with the settings that were asked for. `swarm`: each
 * with settings of its own, drawn from the seed. `novelty`: as swarm, and every other one is a run that met something new, changed in
 * one setting.
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
        else yield this.#changed(scenario, asked, strategy === 'novelty' && n % 2 === 0);
      }
    }
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
