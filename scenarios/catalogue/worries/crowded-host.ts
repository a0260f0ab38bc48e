import { marks, type Scenario, scenario } from '../../engine/scenario.ts';
import { ordinary, watching } from './ordinary.ts';
import { type Program, play, playDoes, playSettings } from './play.ts';

/** Of so many guests one is busy. */
const BUSY_ONE_IN = 8;
const SELDOM_NS = 3_000_000;

export const crowdedHost: Scenario = scenario({
  name: 'crowded-host',
  story:
    'Many domains of which most say little, and a few that never stop: the quiet ones have their turn among the busy ones, and each has its events, its watches and its ring behind every update.',
  worry: 'On a full host, does a guest that seldom asks still get its answer, and all rings their new daemon?',
  settings: playSettings(40, 9_000, 2),
  does: (settings) => playDoes(settings, { transacts: true }),
  marks: ({ updates }) =>
    marks({ run: { event: true, 'domain-made': true, update: updates > 0 }, sweep: { 'request-cut': updates > 0 } }),
  run: (request) =>
    play(request, {
      scenario: crowdedHost.name,
      guest: (slot) => (slot % BUSY_ONE_IN === 0 ? ordinary(slot) : { works: { quiet }, listens: { watcher } }),
    }),
});

const watcher = watching(['data', '/shared/news'], { readsEvents: true, perEventNsMax: 5_000 });

/** A word now and then. */
const quiet: Program = function* (xs, { traffic }) {
  const { draws } = xs.me;
  for (let n = 0; !traffic.stopping; n++) {
    yield* xs.write(draws.oneIn(10) ? '/shared/news' : 'data/meminfo', String(n));
    yield draws.below(SELDOM_NS);
  }
};
