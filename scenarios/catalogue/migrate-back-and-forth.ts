import { mayGoOn } from '../engine/run.ts';
import { marks, type RunRequest, type RunResult, type Scenario, scenario } from '../engine/scenario.ts';
import { count, FAULTS_SETTING, type SettingsOf, word } from '../engine/settings.ts';
import { doings } from '../faults/doings.ts';
import { LINKS } from './migration/links.ts';
import { TOOLSTACKS, World } from './migration/world.ts';

const LOOK_NS = 1_000_000;
/** A guest rests so long at most before it goes on, ns. */
const REST_NS_MAX = 2_000_000;

const SETTINGS = {
  domains: count(4, { min: 1, max: 60 }, 'guest domains'),
  hosts: count(2, { min: 2, max: 4 }, 'hosts; with more than two each guest goes round'),
  rounds: count(3, { min: 0, max: 100 }, 'how often each guest comes home again'),
  requests: count(16_000, { min: 0, max: 200_000 }, 'requests to the stores of everybody, after which agents stop'),
  block: count(3_000, { min: 0, max: 200_000 }, 'block requests after which no disk is used any more'),
  net: count(3_000, { min: 0, max: 200_000 }, 'packets, data and acknowledgements, after which no data is sent'),
  updates: count(2, { min: 0, max: 100 }, 'live updates of each store, spread over the traffic'),
  workers: count(1, { min: 0, max: 16 }, 'agents in each guest that use xenstore'),
  link: word('lan', ['lan', 'wan'], 'what lies between two hosts: 1 Gbit/s and 0.2 ms, or 100 Mbit/s and 20 ms'),
  toolstack: word('xl', TOOLSTACKS, 'the handover of xl as it is, or one that keeps a log on both hosts'),
  faults: FAULTS_SETTING,
};

export const migrateBackAndForth: Scenario = scenario({
  name: 'migrate-back-and-forth',
  story:
    'Guests go to another host and come home, over and over, with hardly a rest between: what each left behind must be gone before it is back, and nobody who gets its id may see any of it.',
  settings: SETTINGS,
  does: ({ domains }) => doings({ migrates: true, spares: domains > 4 }),
  marks: ({ rounds, updates, block, net }) =>
    marks({
      run: { migration: rounds > 0, update: updates > 0, connect: true, block: block > 0, packet: net > 0 },
      sweep: { 'update-in-migration': updates > 0 && rounds > 0 },
    }),
  run,
});

function run(request: RunRequest<SettingsOf<typeof SETTINGS>>): RunResult {
  const { settings } = request;
  const hosts = ['alpha', 'beta', 'gamma', 'delta'].slice(0, settings.hosts).map((name) => ({ name }));
  const world = new World(request, { ...settings, hasAdministrator: settings.faults !== 'off', hosts });
  const link = LINKS[settings.link];
  const guides = Array.from({ length: settings.domains }, (_, slot) =>
    world.start(`guide-${slot}`, function* (me) {
      while (!world.isOpen) yield LOOK_NS;
      const traveller = world.travellers.find((each) => each.slot === slot);
      if (traveller === undefined) return; // a fault has kept it from being made
      for (let leg = 0; leg < settings.rounds * settings.hosts; leg++) {
        yield me.draws.below(REST_NS_MAX);
        if (!world.isResting(traveller)) return;
        const to = (world.migrations.placeOf(traveller.guest) + 1) % settings.hosts;
        yield* world.move(traveller, to, { link });
      }
    }),
  );
  return world.finish({ scenario: migrateBackAndForth.name, isMoving: () => guides.some(mayGoOn) });
}
