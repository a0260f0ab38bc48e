import { marks, type Scenario, scenario } from '../../engine/scenario.ts';
import { ordinary } from './ordinary.ts';
import { type Program, play, playDoes, playSettings } from './play.ts';

/** How long a slow program thinks within a transaction, ns: longer than an impatient operator waits. */
const OPEN_NS_MAX = 3_000_000;
const ROUNDS_MAX = 5;

export const forcedUpdates: Scenario = scenario({
  name: 'forced-updates',
  story:
    'The operator does not wait for transactions that stay open, and forces each update (-F): theirs are broken, they are told so, and begin anew; nothing else is touched.',
  worry: 'What does -F break beside the transactions that it is meant to break?',
  settings: playSettings(6, 4_000, 4),
  does: (settings) => playDoes(settings, { transacts: true }),
  marks: ({ updates }) =>
    marks({
      run: { event: true },
      sweep: {
        update: updates > 0,
        'update-forced': updates > 0,
        'transaction-broken': updates > 0,
        'start-aside': updates > 0,
      },
    }),
  run: (request) =>
    play(request, {
      scenario: forcedUpdates.name,
      policy: 'daemon',
      force: true,
      guest: (slot) => {
        const cast = ordinary(slot);
        return { ...cast, works: { ...cast.works, ...(slot % 2 === 0 ? { slow } : {}) } };
      },
    }),
});

/** Has a transaction open nearly all the time. */
const slow: Program = function* (xs, { traffic }) {
  const { draws } = xs.me;
  while (!traffic.stopping) {
    const done = yield* xs.transaction(function* (tx) {
      yield* xs.write('data/slow', String(tx), tx);
      yield draws.below(OPEN_NS_MAX);
      const reply = yield* xs.read('data/slow', tx);
      return reply.error === undefined ? true : undefined;
    }, ROUNDS_MAX);
    if ('error' in done) traffic.refused(done.error);
    yield draws.below(OPEN_NS_MAX / 10);
  }
};
