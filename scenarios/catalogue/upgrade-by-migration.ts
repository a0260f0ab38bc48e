import { mayGoOn } from '../engine/run.ts';
import { marks, type RunRequest, type RunResult, type Scenario, scenario } from '../engine/scenario.ts';
import { count, flag, type SettingsOf, word } from '../engine/settings.ts';
import { LINKS } from './migration/links.ts';
import { trafficSettings, travelSettings, travels } from './migration/settings.ts';
import { World } from './migration/world.ts';

/** A guest rests so long at most before it goes on, ns. */
const REST_NS_MAX = 8_000_000;

const SETTINGS = {
  domains: count(8, { min: 1, max: 60 }, 'guest domains, all of them on the old host'),
  back: flag(1, '1: each goes back to the old host, and comes again'),
  tools: word(
    'own',
    ['own', 'new'],
    'which xl the old host has: that of its release, or that of 4.22, which sets quotas that the old store does not know, so that nobody can go back (DST-6)',
  ),
  ...trafficSettings({ requests: 22_000, block: 3_000, net: 3_000 }),
  ...travelSettings(2),
};

export const upgradeByMigration: Scenario = scenario({
  name: 'upgrade-by-migration',
  story:
    'Guests go from a host whose xenstored is that of 4.17 to one with that of 4.22, and back, as a pool is upgraded host by host: nothing in the stream is the store’s, so that each direction has to work.',
  worry: 'A pool is upgraded host by host: do guests get from the old release to the new one, and back?',
  settings: SETTINGS,
  does: travels,
  marks: ({ updates, block, net }) =>
    marks({
      run: { migration: true, update: updates > 0, connect: true, block: block > 0, packet: net > 0 },
      sweep: { 'update-in-migration': updates > 0 },
    }),
  run,
});

function run(request: RunRequest<SettingsOf<typeof SETTINGS>>): RunResult {
  const { settings } = request;
  const hosts = [
    { name: 'old', compat: '4.17', policy: 'daemon' },
    { name: 'new', compat: '4.22' },
  ] as const;
  const world = new World(request, {
    ...settings,
    hasAdministrator: settings.faults !== 'off',
    hosts,
    homeOf: () => 0,
  });
  const link = LINKS[settings.link];
  const legs = settings.back === 1 ? [1, 0, 1] : [1];
  const movers = Array.from({ length: settings.domains }, (_, slot) =>
    world.start(`mover-${slot}`, function* (me) {
      const traveller = yield* world.guestOf(slot);
      if (traveller === undefined) return;
      for (const to of legs) {
        yield me.draws.below(REST_NS_MAX);
        if (!world.isResting(traveller)) return;
        // xl of 4.17 knows no quota of a domain: it asks for none, and looks at none in a configuration.
        const hasNewTools = (host: number) => host !== 0 || settings.tools === 'new';
        const source = { hasQuotas: hasNewTools(world.migrations.placeOf(traveller.guest)) };
        yield* world.move(traveller, to, { link, source, target: { hasQuotas: hasNewTools(to) } });
      }
    }),
  );
  return world.finish({ scenario: upgradeByMigration.name, isMoving: () => movers.some(mayGoOn) });
}
