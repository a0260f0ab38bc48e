import { mayGoOn } from '../engine/run.ts';
import { marks, type RunRequest, type RunResult, type Scenario, scenario } from '../engine/scenario.ts';
import { count, FAULTS_SETTING, type SettingsOf, word } from '../engine/settings.ts';
import { doings } from '../faults/doings.ts';
import { TRIP_RULES } from '../faults/trips.ts';
import { LINKS } from './migration/links.ts';
import { TOOLSTACKS, World } from './migration/world.ts';

/** Between two migrations of one of those who ask for them, ns. */
const PAUSE_NS = [1_000_000, 10_000_000] as const;
const LOOK_NS = 1_000_000;

const SETTINGS = {
  domains: count(6, { min: 1, max: 60 }, 'guest domains, on both hosts by turns at first'),
  requests: count(16_000, { min: 0, max: 200_000 }, 'requests to the stores of everybody, after which agents stop'),
  block: count(2_000, { min: 0, max: 200_000 }, 'block requests after which no disk is used any more'),
  net: count(2_000, { min: 0, max: 200_000 }, 'packets, data and acknowledgements, after which no data is sent'),
  migrations: count(16, { min: 0, max: 500 }, 'migrations, most of which meet something'),
  abreast: count(2, { min: 1, max: 20 }, 'migrations at the same time'),
  updates: count(1, { min: 0, max: 100 }, 'live updates of each store, spread over the traffic'),
  workers: count(1, { min: 0, max: 16 }, 'agents in each guest that use xenstore'),
  link: word('lan', ['lan', 'wan'], 'what lies between the hosts: 1 Gbit/s and 0.2 ms, or 100 Mbit/s and 20 ms'),
  toolstack: word(
    'xl',
    TOOLSTACKS,
    'the handover of xl as it is, after whose failures somebody has to look at both hosts, or one that keeps a log, after which nobody has to',
  ),
  faults: { ...FAULTS_SETTING, default: TRIP_RULES.map(({ id }) => id).join(',') },
};

export const migrationBreaks: Scenario = scenario({
  name: 'migration-breaks',
  story:
    'Links are cut at any octet, stall and go half, and the processes of both sides are killed before any step: each guest runs at one host at a time, and where xl leaves it at none, that is a hole which is known, by its number.',
  settings: SETTINGS,
  does: ({ domains }) => doings({ migrates: true, spares: domains > 4 }),
  marks: ({ migrations }) =>
    marks({
      run: {},
      sweep: { migration: migrations > 0, 'migration-failed': migrations > 0 },
    }),
  run,
});

function run(request: RunRequest<SettingsOf<typeof SETTINGS>>): RunResult {
  const { settings } = request;
  const hosts = [{ name: 'alpha' }, { name: 'beta' }];
  const world = new World(request, { ...settings, hosts, hasAdministrator: true });
  const link = LINKS[settings.link];
  let asked = 0;
  const wanderers = Array.from({ length: settings.abreast }, (_, i) =>
    world.start(`wanderer-${i}`, function* (me) {
      while (!world.isOpen) yield LOOK_NS;
      while (asked < settings.migrations) {
        asked++;
        yield me.draws.between(...PAUSE_NS);
        while (world.resting.length === 0 && world.hasHope) yield LOOK_NS;
        if (world.resting.length === 0) return;
        const traveller = me.draws.pick(world.resting);
        yield* world.move(traveller, 1 - world.migrations.placeOf(traveller.guest), { link });
      }
    }),
  );
  return world.finish({ scenario: migrationBreaks.name, isMoving: () => wanderers.some(mayGoOn) });
}
