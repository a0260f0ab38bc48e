import { mayGoOn } from '../engine/run.ts';
import { marks, type RunRequest, type RunResult, type Scenario, scenario } from '../engine/scenario.ts';
import { count, type SettingsOf } from '../engine/settings.ts';
import { LINKS } from './migration/links.ts';
import { HOSTS_MAX, hostsNamed, trafficSettings, travelSettings, travels } from './migration/settings.ts';
import { World } from './migration/world.ts';

/** A guest rests so long at most before it goes on, ns. */
const REST_NS_MAX = 2_000_000;

const SETTINGS = {
  domains: count(4, { min: 1, max: 60 }, 'guest domains'),
  hosts: count(2, { min: 2, max: HOSTS_MAX }, 'hosts; with more than two each guest goes round'),
  rounds: count(3, { min: 0, max: 100 }, 'how often each guest comes home again'),
  ...trafficSettings({ requests: 16_000, block: 3_000, net: 3_000 }),
  ...travelSettings(2),
};

export const migrateBackAndForth: Scenario = scenario({
  name: 'migrate-back-and-forth',
  story:
    'Guests go to another host and come home, over and over, with hardly a rest between: what each left behind must be gone before it is back, and nobody who gets its id may see any of it.',
  worry: 'A guest comes back to a host that it has left: does it meet what it left behind?',
  settings: SETTINGS,
  does: travels,
  marks: ({ rounds, updates, block, net }) =>
    marks({
      run: { migration: rounds > 0, update: updates > 0, connect: true, block: block > 0, packet: net > 0 },
      sweep: { 'update-in-migration': updates > 0 && rounds > 0 },
    }),
  run,
});

function run(request: RunRequest<SettingsOf<typeof SETTINGS>>): RunResult {
  const { settings } = request;
  const hosts = hostsNamed(settings.hosts);
  const world = new World(request, { ...settings, hasAdministrator: settings.faults !== 'off', hosts });
  const link = LINKS[settings.link];
  const guides = Array.from({ length: settings.domains }, (_, slot) =>
    world.start(`guide-${slot}`, function* (me) {
      const traveller = yield* world.guestOf(slot);
      if (traveller === undefined) return;
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
