import { marks, type Scenario, scenario } from '../../engine/scenario.ts';
import { watching } from './ordinary.ts';
import { type Program, play, playDoes, playSettings } from './play.ts';

/** Nodes on each of which everybody has a watch. */
const PLACES = Array.from({ length: 8 }, (_, i) => `/shared/place-${i}`);
const THINK_NS_MAX = 60_000;
const EVENT_NS_MAX = 10_000;

export const watchFlood: Scenario = scenario({
  name: 'watch-flood',
  story:
    'Everybody watches what everybody writes, so that each write makes an event for every guest, and for most of them two; the store live-updates itself in the middle of them.',
  worry: 'Which events does a daemon lose, double or make up that is busy with nothing else?',
  settings: playSettings(8, 1_600, 2),
  does: (settings) => playDoes(settings),
  marks: ({ updates }) => marks({ run: { event: true, update: updates > 0 }, sweep: { 'event-queued': updates > 0 } }),
  run: (request) =>
    play(request, { scenario: watchFlood.name, guest: () => ({ listens: { watcher }, works: { writer } }) }),
});

const watcher = watching(['data', '/shared', ...PLACES], { readsEvents: false, perEventNsMax: EVENT_NS_MAX });

/** Writes here and there, and now and then removes what it finds. */
const writer: Program = function* (xs, { traffic }) {
  const { draws } = xs.me;
  while (!traffic.stopping) {
    const path = draws.pick(PLACES);
    const reply = yield* draws.oneIn(6) ? xs.rm(path) : xs.write(path, String(draws.below(1_000)));
    if (reply.error !== undefined) traffic.refused(reply.error);
    yield draws.below(THINK_NS_MAX);
  }
};
