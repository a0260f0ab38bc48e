import type { Actor } from '../../sim/index.ts';
import { mayGoOn } from '../engine/run.ts';
import { marks, type RunRequest, type RunResult, type Scenario, scenario } from '../engine/scenario.ts';
import { count, type SettingsOf } from '../engine/settings.ts';
import { LINKS } from './migration/links.ts';
import { HOSTS_MAX, hostsNamed, trafficSettings, travelSettings, travels } from './migration/settings.ts';
import { World } from './migration/world.ts';

/** Between two migrations of one of those who ask for them, ns. */
const PAUSE_NS = [1_000_000, 20_000_000] as const;

const SETTINGS = {
  domains: count(12, { min: 1, max: 60 }, 'guest domains, on the hosts by turns at first'),
  hosts: count(2, { min: 2, max: HOSTS_MAX }, 'hosts, with a store each'),
  ...trafficSettings({ requests: 26_000, block: 6_000, net: 6_000 }),
  migrations: count(12, { min: 0, max: 500 }, 'migrations, each of a guest that is not on its way already'),
  abreast: count(3, { min: 1, max: 20 }, 'migrations at the same time'),
  ...travelSettings(3),
};

export const migrateMidTraffic: Scenario = scenario({
  name: 'migrate-mid-traffic',
  story:
    'A dozen guests with disks, interfaces and consoles wander between two hosts in the middle of their traffic, while both hosts live-update their stores; each runs in one place at a time, and nothing that was promised to it is lost.',
  worry: 'Guests move between hosts that are updated themselves: does each run once, with all that it was promised?',
  settings: SETTINGS,
  does: travels,
  marks: ({ migrations, updates, block, net }) =>
    marks({
      run: {
        migration: migrations > 0,
        update: updates > 0,
        connect: true,
        block: block > 0,
        packet: net > 0,
        event: true,
      },
      sweep: { 'update-in-migration': updates > 0 && migrations > 0 },
    }),
  run,
});

function run(request: RunRequest<SettingsOf<typeof SETTINGS>>): RunResult {
  const { settings } = request;
  const hosts = hostsNamed(settings.hosts);
  const world = new World(request, { ...settings, hasAdministrator: settings.faults !== 'off', hosts });
  const link = LINKS[settings.link];
  let asked = 0;
  const wanderers = Array.from({ length: settings.abreast }, (_, i) =>
    world.start(`wanderer-${i}`, function* (me): Actor {
      yield* world.opens();
      while (asked < settings.migrations) {
        asked++;
        yield me.draws.between(...PAUSE_NS);
        const traveller = yield* world.pickResting(me);
        if (traveller === undefined) return;
        const from = world.migrations.placeOf(traveller.guest);
        const to = (from + 1 + me.draws.below(settings.hosts - 1)) % settings.hosts;
        yield* world.move(traveller, to, { link });
      }
    }),
  );
  return world.finish({ scenario: migrateMidTraffic.name, isMoving: () => wanderers.some(mayGoOn) });
}
