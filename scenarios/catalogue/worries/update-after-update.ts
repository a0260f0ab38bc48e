import { marks, type Scenario, scenario } from '../../engine/scenario.ts';
import { ordinary } from './ordinary.ts';
import { play, playDoes, playSettings } from './play.ts';

/** Updates that follow each other at once. */
const IN_A_ROW = 3;
/** Requests of everybody between two of these. */
const BETWEEN = 3;

export const updateAfterUpdate: Scenario = scenario({
  name: 'update-after-update',
  story:
    'The store updates itself three times in a row, with hardly a request between two, and again: what the second image holds is what the first one brought, before anybody has read it.',
  worry: 'Does what survives one update survive the next, when nobody had the time to take it?',
  settings: playSettings(8, 3_000, 6),
  does: (settings) => playDoes(settings, { transacts: true }),
  marks: ({ updates }) =>
    marks({
      run: { update: updates > 0 },
      sweep: {
        'request-cut': updates > 0,
        'reply-queued': updates > 0,
        'event-queued': updates > 0,
        'transaction-carried': updates > 0,
      },
    }),
  run: (request) => {
    const { requests, updates } = request.settings;
    const rows = Math.ceil(updates / IN_A_ROW);
    return play(request, {
      scenario: updateAfterUpdate.name,
      atRequests: Array.from({ length: updates }, (_, i) => {
        const row = Math.floor(i / IN_A_ROW);
        return Math.floor(((row + 1) * requests) / (rows + 1)) + (i % IN_A_ROW) * BETWEEN;
      }),
      guest: ordinary,
    });
  },
});
