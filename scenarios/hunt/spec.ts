import type { RunCuts } from '../engine/cuts.ts';
import type { DaemonNamed, RunRequest, RunResult, Scenario } from '../engine/scenario.ts';
import type { Settings } from '../engine/settings.ts';

/** All that a run depends on, as plain data: it goes into tokens, files, and to other threads. */
export interface RunSpec {
  readonly scenario: string;
  /** Of the octets of the module that `scenario` is the path of; left out: it is one of the catalogue. */
  readonly module?: string;
  /** Decimal digits. */
  readonly seed: string;
  /** `v1`, `v2`, or the name or path of the format that updates go through. */
  readonly format: string;
  /** All of the scenario's. */
  readonly settings: Settings;
  /** Left out: nothing is cut. */
  readonly cuts?: RunCuts;
  /** The daemon of somebody else that serves: who runs the spec starts it. Left out: ours. */
  readonly daemon?: DaemonNamed;
}

/** What a host of runs adds to a spec: code, which is no data. */
export type RunExtras = Pick<
  RunRequest,
  | 'lab'
  | 'observed'
  | 'opened'
  | 'passImage'
  | 'execFails'
  | 'startStore'
  | 'real'
  | 'marksDigest'
  | 'requestNoted'
  | 'tearNoted'
  | 'planned'
  | 'looked'
  | 'traceLine'
>;

/** Runs one spec to its verdict. Errors: none; those of a run are outcomes. */
export type Runner = (spec: RunSpec, extras?: RunExtras) => RunResult;

/** A runner of these scenarios. `lab`: what a spec's format is, loaded. Throws for a scenario that there is not. */
export function runnerOf(scenarios: readonly Scenario[], always: RunExtras = {}): Runner {
  return ({ scenario: name, seed, format, settings, cuts }, extras = {}) => {
    const scenario = scenarios.find((each) => each.name === name);
    if (scenario === undefined) throw new Error(`assertion: no scenario '${name}'`);
    return scenario.run({ ...always, ...extras, seed, format, settings, cuts, checks: true });
  };
}

/** The spec of a run that was made by request. */
export function specOf(
  result: Pick<RunResult, 'scenario' | 'module' | 'seed' | 'format' | 'settings' | 'cuts' | 'real'>,
): RunSpec {
  const { scenario, module, seed, format, settings, cuts, real } = result;
  const daemon = real?.daemon;
  return {
    scenario,
    ...(module && { module }),
    seed,
    format,
    settings,
    ...(cuts && { cuts }),
    ...(daemon && { daemon }),
  };
}
