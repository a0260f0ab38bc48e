import type { Actor } from '../../sim/index.ts';
import { mayGoOn } from '../engine/run.ts';
import { marks, type RunRequest, type RunResult, type Scenario, scenario } from '../engine/scenario.ts';
import { count, FAULTS_SETTING, type SettingsOf, word } from '../engine/settings.ts';
import { doings } from '../faults/doings.ts';
import { LINKS } from './migration/links.ts';
import { TOOLSTACKS, World } from './migration/world.ts';

/** Between two migrations of one of those who ask for them, ns. */
const PAUSE_NS = [1_000_000, 20_000_000] as const;
/** How often it is looked whether somebody can be moved, ns. */
const LOOK_NS = 1_000_000;
const NAMES = ['alpha', 'beta', 'gamma', 'delta'] as const;

const SETTINGS = {
  domains: count(12, { min: 1, max: 60 }, 'guest domains, on the hosts by turns at first'),
  hosts: count(2, { min: 2, max: NAMES.length }, 'hosts, with a store each'),
  requests: count(26_000, { min: 0, max: 200_000 }, 'requests to the stores of everybody, after which agents stop'),
  block: count(6_000, { min: 0, max: 200_000 }, 'block requests after which no disk is used any more'),
  net: count(6_000, { min: 0, max: 200_000 }, 'packets, data and acknowledgements, after which no data is sent'),
  migrations: count(12, { min: 0, max: 500 }, 'migrations, each of a guest that is not on its way already'),
  abreast: count(3, { min: 1, max: 20 }, 'migrations at the same time'),
  updates: count(3, { min: 0, max: 100 }, 'live updates of each store, spread over the traffic'),
  workers: count(1, { min: 0, max: 16 }, 'agents in each guest that use xenstore'),
  link: word('lan', ['lan', 'wan'], 'what lies between two hosts: 1 Gbit/s and 0.2 ms, or 100 Mbit/s and 20 ms'),
  toolstack: word('xl', TOOLSTACKS, 'the handover of xl as it is, or one that keeps a log on both hosts'),
  faults: FAULTS_SETTING,
};

export const migrateMidTraffic: Scenario = scenario({
  name: 'migrate-mid-traffic',
  story:
    'A dozen guests with disks, interfaces and consoles wander between two hosts in the middle of their traffic, while both hosts live-update their stores; each runs in one place at a time, and nothing that was promised to it is lost.',
  settings: SETTINGS,
  does: ({ domains }) => doings({ migrates: true, spares: domains > 4 }),
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
  const hosts = NAMES.slice(0, settings.hosts).map((name) => ({ name }));
  const world = new World(request, { ...settings, hasAdministrator: settings.faults !== 'off', hosts });
  const link = LINKS[settings.link];
  let asked = 0;
  const wanderers = Array.from({ length: settings.abreast }, (_, i) =>
    world.start(`wanderer-${i}`, function* (me): Actor {
      while (!world.isOpen) yield LOOK_NS;
      while (asked < settings.migrations) {
        asked++;
        yield me.draws.between(...PAUSE_NS);
        while (world.resting.length === 0) yield LOOK_NS;
        const traveller = me.draws.pick(world.resting);
        const from = world.migrations.placeOf(traveller.guest);
        const to = (from + 1 + me.draws.below(settings.hosts - 1)) % settings.hosts;
        yield* world.move(traveller, to, { link });
      }
    }),
  );
  return world.finish({ scenario: migrateMidTraffic.name, isMoving: () => wanderers.some(mayGoOn) });
}
