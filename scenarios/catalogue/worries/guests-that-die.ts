import { marks, type Scenario, scenario } from '../../engine/scenario.ts';
import { ordinary } from './ordinary.ts';
import { play, playDoes, playSettings } from './play.ts';

/** Hardly longer than a guest needs for its first requests. */
const LIFE_NS = [50_000, 2_500_000] as const;

export const guestsThatDie: Scenario = scenario({
  name: 'guests-that-die',
  story:
    'Guests are destroyed at any moment, in the middle of a request, of a reply, of a transaction, while the store looks at their rings or updates itself, and others take their places.',
  worry: 'A guest dies between two of its writes: what of it stays, and who else notices?',
  settings: playSettings(6, 6_000, 3),
  // Lives are too short for one that may end by a fault.
  does: (settings) => playDoes(settings, { destroys: true, remakes: true, transacts: true, spares: false }),
  marks: ({ updates }) =>
    marks({ run: { 'domain-gone': true, update: updates > 0 }, sweep: { 'end-in-update': false } }),
  run: (request) => play(request, { scenario: guestsThatDie.name, lifeNs: LIFE_NS, guest: ordinary }),
});
