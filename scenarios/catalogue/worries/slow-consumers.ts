import { marks, type Scenario, scenario } from '../../engine/scenario.ts';
import { before, mixing, watching } from './ordinary.ts';
import { play, playDoes, playSettings } from './play.ts';

/** Longest pause of a slow guest before it takes octets out of its ring, ns. */
const SLOW_NS_MAX = 500_000;

export const slowConsumers: Scenario = scenario({
  name: 'slow-consumers',
  story:
    'Half of the guests take long over each reply and event, with as many requests under way as they may: what the store has for them waits in its queues, octet by octet, and over its updates.',
  worry: 'Whose octets does a daemon drop, or whose turn does it take, when somebody does not read?',
  settings: playSettings(8, 2_500, 3),
  does: (settings) => playDoes(settings, { transacts: true }),
  marks: ({ updates }) =>
    marks({
      run: { event: true, update: updates > 0 },
      sweep: { 'reply-queued': updates > 0, 'event-queued': updates > 0, 'reply-cut': updates > 0 },
    }),
  run: (request) =>
    play(request, {
      scenario: slowConsumers.name,
      guest: (slot) => ({
        habits: {
          slowReadNsMax: slot % 2 === 0 ? SLOW_NS_MAX : 0,
          maxInFlight: 16,
          notify: slot % 4 < 2 ? 'edge' : 'always',
        },
        listens: { watcher: watching(['/shared', 'data'], { readsEvents: true, perEventNsMax: 20_000 }) },
        works: { worker: mixing({ thinkNsMax: 40_000, txThinkNsMax: 40_000 }, (domid) => [before(domid)]) },
      }),
    }),
});
