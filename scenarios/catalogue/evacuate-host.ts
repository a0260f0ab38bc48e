import { mayGoOn } from '../engine/run.ts';
import { marks, type RunRequest, type RunResult, type Scenario, scenario } from '../engine/scenario.ts';
import { count, FAULTS_SETTING, type SettingsOf, word } from '../engine/settings.ts';
import { doings } from '../faults/doings.ts';
import { LINKS } from './migration/links.ts';
import { TOOLSTACKS, World } from './migration/world.ts';

const LOOK_NS = 1_000_000;

const SETTINGS = {
  domains: count(20, { min: 1, max: 60 }, 'guest domains, all of them on the host that is to be emptied'),
  hosts: count(2, { min: 2, max: 4 }, 'hosts; the others get the guests by turns'),
  requests: count(36_000, { min: 0, max: 400_000 }, 'requests to the stores of everybody, after which agents stop'),
  block: count(4_000, { min: 0, max: 200_000 }, 'block requests after which no disk is used any more'),
  net: count(4_000, { min: 0, max: 200_000 }, 'packets, data and acknowledgements, after which no data is sent'),
  updates: count(2, { min: 0, max: 100 }, 'live updates of each store, spread over the traffic'),
  workers: count(1, { min: 0, max: 16 }, 'agents in each guest that use xenstore'),
  link: word('lan', ['lan', 'wan'], 'what lies between two hosts: 1 Gbit/s and 0.2 ms, or 100 Mbit/s and 20 ms'),
  toolstack: word('xl', TOOLSTACKS, 'the handover of xl as it is, or one that keeps a log on both hosts'),
  faults: FAULTS_SETTING,
};

export const evacuateHost: Scenario = scenario({
  name: 'evacuate-host',
  story:
    'A host is emptied: all its guests are sent away at once, each over a link of its own, and the stores of both hosts have all their trees to remove and to build side by side.',
  settings: SETTINGS,
  does: ({ domains }) => doings({ migrates: true, spares: domains > 4 }),
  marks: ({ updates, block, net }) =>
    marks({
      run: { migration: true, update: updates > 0, connect: true, block: block > 0, packet: net > 0, conflict: true },
      sweep: {}, // while guests arrive one behind the other, updates are held back (DST-9)
    }),
  run,
});

function run(request: RunRequest<SettingsOf<typeof SETTINGS>>): RunResult {
  const { settings } = request;
  const hosts = ['alpha', 'beta', 'gamma', 'delta'].slice(0, settings.hosts).map((name) => ({ name }));
  const world = new World(request, {
    ...settings,
    hasAdministrator: settings.faults !== 'off',
    hosts,
    homeOf: () => 0,
  });
  const link = LINKS[settings.link];
  const movers = Array.from({ length: settings.domains }, (_, slot) =>
    world.start(`mover-${slot}`, function* () {
      while (!world.isOpen) yield LOOK_NS;
      const traveller = world.travellers.find((each) => each.slot === slot);
      if (traveller === undefined || !world.isResting(traveller)) return;
      yield* world.move(traveller, 1 + (slot % (settings.hosts - 1)), { link });
    }),
  );
  return world.finish({ scenario: evacuateHost.name, isMoving: () => movers.some(mayGoOn) });
}
