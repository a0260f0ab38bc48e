import { marks, type Scenario, scenario } from '../../engine/scenario.ts';
import { ordinary } from './ordinary.ts';
import { play, playDoes, playSettings } from './play.ts';

export const formatUpAndDown: Scenario = scenario({
  name: 'format-up-and-down',
  story:
    'Images of version 1 and of version 2 (`live-update -v`) follow each other, as where a host is upgraded and set back: what guests have done must go through each, and through one after the other.',
  worry: 'A store is updated to a new image format and has to go back: what does the way back cost?',
  settings: playSettings(8, 3_500, 5),
  does: (settings) => playDoes(settings, { transacts: true }),
  marks: ({ updates }) =>
    marks({
      run: { update: updates > 0 },
      sweep: { 'request-cut': updates > 0, 'reply-queued': updates > 0, 'event-queued': updates > 0 },
    }),
  run: (request) =>
    play(request, {
      scenario: formatUpAndDown.name,
      version: (n) => (n % 2 === 0 ? 2 : 1),
      guest: ordinary,
    }),
});
