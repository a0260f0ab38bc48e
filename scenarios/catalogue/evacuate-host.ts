import { mayGoOn } from '../engine/run.ts';
import { marks, type RunRequest, type RunResult, type Scenario, scenario } from '../engine/scenario.ts';
import { count, type SettingsOf } from '../engine/settings.ts';
import { LINKS } from './migration/links.ts';
import { HOSTS_MAX, hostsNamed, trafficSettings, travelSettings, travels } from './migration/settings.ts';
import { World } from './migration/world.ts';

const SETTINGS = {
  domains: count(20, { min: 1, max: 60 }, 'guest domains, all of them on the host that is to be emptied'),
  hosts: count(2, { min: 2, max: HOSTS_MAX }, 'hosts; the others get the guests by turns'),
  ...trafficSettings({ requests: 36_000, block: 4_000, net: 4_000 }, 400_000),
  ...travelSettings(2),
};

export const evacuateHost: Scenario = scenario({
  name: 'evacuate-host',
  story:
    'A host is emptied: all its guests are sent away at once, each over a link of its own, and the stores of both hosts have all their trees to remove and to build side by side.',
  worry: 'A host must be emptied now: do twenty guests get away at once?',
  settings: SETTINGS,
  does: travels,
  marks: ({ updates, block, net }) =>
    marks({
      run: { migration: true, update: updates > 0, connect: true, block: block > 0, packet: net > 0, conflict: true },
      sweep: {}, // while guests arrive one behind the other, updates are held back (DST-9)
    }),
  run,
});

function run(request: RunRequest<SettingsOf<typeof SETTINGS>>): RunResult {
  const { settings } = request;
  const hosts = hostsNamed(settings.hosts);
  const world = new World(request, {
    ...settings,
    hasAdministrator: settings.faults !== 'off',
    hosts,
    homeOf: () => 0,
  });
  const link = LINKS[settings.link];
  const movers = Array.from({ length: settings.domains }, (_, slot) =>
    world.start(`mover-${slot}`, function* () {
      const traveller = yield* world.guestOf(slot);
      if (traveller === undefined || !world.isResting(traveller)) return;
      yield* world.move(traveller, 1 + (slot % (settings.hosts - 1)), { link });
    }),
  );
  return world.finish({ scenario: evacuateHost.name, isMoving: () => movers.some(mayGoOn) });
}
