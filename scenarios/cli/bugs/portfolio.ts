import { SCENARIOS } from '../../catalogue/index.ts';
import { completeSettings, parseSettings, type Settings } from '../../engine/settings.ts';
import type { RunSpec } from '../../hunt/spec.ts';
import type { HuntRequest } from './protocol.ts';

/** A scenario of the catalogue with settings that make it quick: some seconds of a host, and all that it does. */
interface Place {
  readonly scenario: string;
  readonly format: 'v1' | 'v2';
  /** As behind `--set`. */
  readonly set: string;
}

/**
 * What a hunt runs, seed by seed: made without a look at any bug, the quickest first. Each scenario of the catalogue is there, those
 * in which faults strike also with a swarm of them, and the store in each home, of each policy, and through both own formats.
 */
const PORTFOLIO: readonly Place[] = [
  { scenario: 'suspend-resume', format: 'v2', set: 'domains=4 bad=2 requests=2500 updates=2' },
  { scenario: 'hostile-guests', format: 'v2', set: 'domains=3 hostile=45 requests=800 updates=2' },
  {
    scenario: 'live-update-mid-traffic',
    format: 'v1',
    set: 'domains=4 requests=3000 updates=3 policy=daemon careless=2',
  },
  { scenario: 'live-update-mid-traffic', format: 'v2', set: 'domains=4 requests=3000 updates=3 careless=2' },
  { scenario: 'steady-state', format: 'v2', set: 'domains=3 minutes=1 updates=2' },
  { scenario: 'save-restore', format: 'v2', set: 'domains=4 requests=2500' },
  {
    scenario: 'hotplug-storm',
    format: 'v2',
    set: 'domains=3 administrators=3 devices=16 restarts=1 checkpoints=3 updates=3',
  },
  { scenario: 'device-io', format: 'v2', set: 'domains=3 block=1500 net=1500 updates=2' },
  { scenario: 'boot-storm', format: 'v2', set: 'domains=8 updates=3' },
  { scenario: 'migrate-unnoticed', format: 'v2', set: 'domains=4 requests=2500 migrations=6' },
  { scenario: 'live-update-mid-traffic', format: 'v2', set: 'domains=4 requests=2000 updates=3 store=stubdom' },
  { scenario: 'live-update-mid-traffic', format: 'v2', set: 'domains=4 requests=2500 updates=3 faults=swarm' },
  { scenario: 'hostile-guests', format: 'v1', set: 'domains=3 hostile=45 requests=800 updates=2 faults=swarm' },
  { scenario: 'suspend-resume', format: 'v2', set: 'domains=4 bad=2 requests=2500 updates=2 faults=swarm' },
  {
    scenario: 'hotplug-storm',
    format: 'v2',
    set: 'domains=3 administrators=3 devices=16 restarts=1 checkpoints=3 updates=3 scripts=flaky faults=swarm',
  },
  { scenario: 'device-io', format: 'v1', set: 'domains=3 block=1500 net=1500 updates=2 faults=swarm' },
  { scenario: 'migrate-mid-traffic', format: 'v2', set: 'domains=4 requests=8000 block=1000 net=1000 migrations=5' },
  { scenario: 'migrate-back-and-forth', format: 'v2', set: 'domains=2 rounds=2 requests=6000 block=800 net=800' },
  { scenario: 'migration-breaks', format: 'v2', set: 'domains=5 requests=8000 block=1000 net=1000 migrations=8' },
  { scenario: 'upgrade-by-migration', format: 'v2', set: 'domains=3 requests=8000 block=800 net=800 updates=1' },
  { scenario: 'evacuate-host', format: 'v2', set: 'domains=5 requests=9000 block=1000 net=1000 updates=1' },
];

function settingsOf(name: string, set: readonly string[]): Settings {
  const found = SCENARIOS.find((each) => each.name === name);
  if (found === undefined) throw new Error(`assertion: no scenario '${name}'`);
  const parsed = parseSettings(name, found.settings, set);
  if (!parsed.ok) throw new Error(`assertion: ${parsed.reason}`);
  return completeSettings(found.settings, parsed.settings);
}

/** All runs of a hunt with so many seeds: the whole portfolio with the first one, then with the next. */
function* portfolioRuns(seeds: number): Generator<RunSpec, void, undefined> {
  const places = PORTFOLIO.map(({ scenario, format, set }) => {
    return { scenario, format, settings: settingsOf(scenario, set.split(' ')) };
  });
  for (let seed = 1; seed <= seeds; seed++) for (const place of places) yield { ...place, seed: String(seed) };
}

/** How many runs there are of each seed. */
export const RUNS_OF_SEED = PORTFOLIO.length;

/** The runs that somebody asks for. */
export function runsOf(runs: HuntRequest['runs']): Iterable<RunSpec> {
  return 'only' in runs ? [runs.only] : portfolioRuns(runs.seeds);
}
