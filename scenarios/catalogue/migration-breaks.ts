import { mayGoOn } from '../engine/run.ts';
import { marks, type RunRequest, type RunResult, type Scenario, scenario } from '../engine/scenario.ts';
import { count, FAULTS_SETTING, type SettingsOf, word } from '../engine/settings.ts';
import { TRIP_GUEST_RULES } from '../faults/trip-guests.ts';
import { TRIP_RULES } from '../faults/trips.ts';
import { LINKS } from './migration/links.ts';
import { hostsNamed, trafficSettings, travelSettings, travels } from './migration/settings.ts';
import { TOOLSTACKS, World } from './migration/world.ts';

/** Between two migrations of one of those who ask for them, ns. */
const PAUSE_NS = [1_000_000, 10_000_000] as const;

/** What breaks by itself; of a toolstack that looks at INTRODUCE more can. */
const BREAKS = [...TRIP_RULES, ...TRIP_GUEST_RULES]
  .filter(({ needs }) => needs?.includes('looks') !== true)
  .map(({ id }) => id)
  .join(',');

const SETTINGS = {
  domains: count(6, { min: 1, max: 60 }, 'guest domains, on both hosts by turns at first'),
  ...trafficSettings({ requests: 16_000, block: 2_000, net: 2_000 }),
  migrations: count(16, { min: 0, max: 500 }, 'migrations, most of which meet something'),
  abreast: count(2, { min: 1, max: 20 }, 'migrations at the same time'),
  ...travelSettings(1),
  toolstack: word(
    'xl',
    TOOLSTACKS,
    'the handover of xl as it is, after whose failures somebody has to look at both hosts, or one that keeps a log, after which nobody has to',
  ),
  faults: { ...FAULTS_SETTING, default: BREAKS },
};

export const migrationBreaks: Scenario = scenario({
  name: 'migration-breaks',
  story:
    'Links are cut at any octet, stall and go half, and the processes of both sides are killed before any step: each guest runs at one host at a time, and where xl leaves it at none, that is a hole which is known, by its number.',
  worry: 'The link or a process dies in a migration: who owns the guest?',
  settings: SETTINGS,
  does: travels,
  marks: ({ migrations }) =>
    marks({
      run: {},
      sweep: { migration: migrations > 0, 'migration-failed': migrations > 0 },
    }),
  run,
});

function run(request: RunRequest<SettingsOf<typeof SETTINGS>>): RunResult {
  const { settings } = request;
  const hosts = hostsNamed(2);
  const world = new World(request, { ...settings, hosts, hasAdministrator: true });
  const link = LINKS[settings.link];
  let asked = 0;
  const wanderers = Array.from({ length: settings.abreast }, (_, i) =>
    world.start(`wanderer-${i}`, function* (me) {
      yield* world.opens();
      while (asked < settings.migrations) {
        asked++;
        yield me.draws.between(...PAUSE_NS);
        const traveller = yield* world.pickResting(me);
        if (traveller === undefined) return;
        yield* world.move(traveller, 1 - world.migrations.placeOf(traveller.guest), { link });
      }
    }),
  );
  return world.finish({ scenario: migrationBreaks.name, isMoving: () => wanderers.some(mayGoOn) });
}
