import { marks, type Scenario, scenario } from '../../engine/scenario.ts';
import { ordinary } from './ordinary.ts';
import { play, playDoes, playSettings } from './play.ts';

export const updatesThatFail: Scenario = scenario({
  name: 'updates-that-fail',
  story:
    'Two of three live updates come to nothing, since the successor cannot be executed or does not take the image: the old instance goes on, with all that it had, and the next one succeeds.',
  worry: 'An update fails half way: is the store that serves on still the one from before?',
  settings: playSettings(8, 3_500, 6),
  does: (settings) => playDoes(settings, { transacts: true }),
  marks: ({ updates }) =>
    marks({
      run: { 'update-failed': updates > 1, update: updates > 2 },
      sweep: { 'transaction-carried': updates > 2, 'event-queued': updates > 2 },
    }),
  run: (request) => {
    const { execFails, passImage, real } = request;
    // A released daemon does not look at an image before it has executed its successor, which then dies of it.
    const isBroken = (n: number) => n % 3 === 2 && real === undefined;
    return play(
      {
        ...request,
        execFails: (n) => execFails?.(n) === true || (n % 3 !== 0 && !isBroken(n)),
        passImage: (image, n) => {
          const passed = passImage?.(image, n) ?? image;
          return isBroken(n) ? passed.subarray(0, passed.length - 1 - (n % 40)) : passed;
        },
      },
      { scenario: updatesThatFail.name, guest: ordinary },
    );
  },
});
