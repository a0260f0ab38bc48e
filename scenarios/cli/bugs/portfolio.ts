import { SCENARIOS } from '../../catalogue/index.ts';
import { completeSettings, parseSettings, type Settings } from '../../engine/settings.ts';
import type { RunSpec } from '../../hunt/spec.ts';

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
  { scenario: 'hostile-guests', format: 'v2', set: 'domains=3 hostile=48 requests=800 updates=2' },
  {
    scenario: 'live-update-mid-traffic',
    format: 'v1',
    set: 'domains=4 requests=3000 updates=3 policy=daemon careless=2',
  },
  { scenario: 'live-update-mid-traffic', format: 'v2', set: 'domains=4 requests=3000 updates=3 careless=2' },
  { scenario: 'quota-pressure', format: 'v2', set: 'requests=4000' },
  { scenario: 'domid-reuse', format: 'v1', set: 'requests=3000' },
  { scenario: 'guests-that-die', format: 'v2', set: 'requests=3000' },
  { scenario: 'conflict-storm', format: 'v2', set: 'requests=2000' },
  { scenario: 'slow-consumers', format: 'v2', set: '' },
  { scenario: 'watch-flood', format: 'v2', set: '' },
  { scenario: 'stub-domains', format: 'v2', set: 'requests=2500' },
  { scenario: 'xenbus-programs', format: 'v2', set: 'requests=2500' },
  { scenario: 'updates-that-fail', format: 'v2', set: 'requests=2500' },
  { scenario: 'update-after-update', format: 'v1', set: '' },
  { scenario: 'forced-updates', format: 'v2', set: 'requests=3000' },
  { scenario: 'format-up-and-down', format: 'v2', set: '' },
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
  { scenario: 'kernel-trials', format: 'v2', set: 'requests=2000' },
  { scenario: 'soft-reset', format: 'v2', set: '' },
  { scenario: 'ring-reconnect', format: 'v2', set: '' },
  { scenario: 'driver-domains', format: 'v2', set: '' },
  { scenario: 'windows-guests', format: 'v2', set: '' },
  { scenario: 'move-the-watcher', format: 'v2', set: '' },
  { scenario: 'checkpointed-agents', format: 'v2', set: '' },
  { scenario: 'live-update-mid-traffic', format: 'v2', set: 'domains=4 requests=2000 updates=3 store=stubdom' },
  { scenario: 'live-update-mid-traffic', format: 'v2', set: 'domains=4 requests=2500 updates=3 faults=swarm' },
  { scenario: 'hostile-guests', format: 'v1', set: 'domains=3 hostile=48 requests=800 updates=2 faults=swarm' },
  { scenario: 'suspend-resume', format: 'v2', set: 'domains=4 bad=2 requests=2500 updates=2 faults=swarm' },
  { scenario: 'device-io', format: 'v1', set: 'domains=3 block=1500 net=1500 updates=2 faults=swarm' },
  { scenario: 'crowded-host', format: 'v2', set: 'requests=5000' },
  { scenario: 'huge-store', format: 'v2', set: 'nodes=1500 requests=6000' },
  { scenario: 'migrate-mid-traffic', format: 'v2', set: 'domains=4 requests=8000 block=1000 net=1000 migrations=5' },
  { scenario: 'migrate-back-and-forth', format: 'v2', set: 'domains=2 rounds=2 requests=6000 block=800 net=800' },
  { scenario: 'migration-breaks', format: 'v2', set: 'domains=5 requests=8000 block=1000 net=1000 migrations=8' },
  { scenario: 'upgrade-by-migration', format: 'v2', set: 'domains=3 requests=8000 block=800 net=800 updates=1' },
  { scenario: 'evacuate-host', format: 'v2', set: 'domains=5 requests=9000 block=1000 net=1000 updates=1' },
  {
    scenario: 'hotplug-storm',
    format: 'v2',
    set: 'domains=3 administrators=3 devices=16 restarts=1 checkpoints=3 updates=3 scripts=flaky faults=swarm',
  },
];

function settingsOf(name: string, set: readonly string[]): Settings {
  const found = SCENARIOS.find((each) => each.name === name);
  if (found === undefined) throw new Error(`assertion: no scenario '${name}'`);
  const parsed = parseSettings(name, found.settings, set);
  if (!parsed.ok) throw new Error(`assertion: ${parsed.reason}`);
  return completeSettings(found.settings, parsed.settings);
}

/** All runs of a hunt, seed by seed: the whole portfolio with the first one, then with the next. */
export function* portfolioRuns(seeds: number): Generator<readonly RunSpec[], void, undefined> {
  const places = PORTFOLIO.map(({ scenario, format, set }) => {
    return { scenario, format, settings: settingsOf(scenario, set === '' ? [] : set.split(' ')) };
  });
  for (let seed = 1; seed <= seeds; seed++) yield places.map((place) => ({ ...place, seed: String(seed) }));
}
