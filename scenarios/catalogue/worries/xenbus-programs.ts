import { Xs, XsDevice } from '../../../guests/index.ts';
import { marks, type Scenario, scenario } from '../../engine/scenario.ts';
import { ordinary } from './ordinary.ts';
import { type Program, play, playDoes, playSettings } from './play.ts';

const OPEN_NS_MAX = 60_000;
const ROUNDS_MAX = 50;

export const xenbusPrograms: Scenario = scenario({
  name: 'xenbus-programs',
  story:
    'Programs of guests use xenstore through /dev/xen/xenbus: they share their kernel’s ring, close with transactions and watches that are open, and their kernel lets go of both in its own time, over updates.',
  worry: 'A program in a guest is killed with a transaction open: does its kernel, or the store, keep it for ever?',
  settings: playSettings(6, 4_000, 3),
  does: (settings) => playDoes(settings, { transacts: true }),
  marks: ({ updates }) =>
    marks({
      run: { commit: true, event: true, update: updates > 0 },
      sweep: { 'transaction-carried': updates > 0, 'request-cut': updates > 0 },
    }),
  run: (request) =>
    play(request, {
      scenario: xenbusPrograms.name,
      guest: (slot) => ({ ...ordinary(slot), works: { shell, cron: shell } }),
    }),
});

/** Opens the device, does a few things, and closes it whatever is still open: again and again. */
const shell: Program = function* ({ me }, { guest, traffic }) {
  const { os, client } = guest;
  const { draws } = me;
  for (let n = 0; !traffic.stopping; n++) {
    const device = new XsDevice(os, client, `${me.name}-${n}`);
    const xs = new Xs(device, me);
    yield* xs.watch('data', `${n}`);
    if (draws.oneIn(2)) {
      const done = yield* xs.transaction(function* (tx) {
        yield* xs.read('/shared/seen', tx);
        yield draws.below(OPEN_NS_MAX);
        yield* xs.write('data/seen', String(n), tx);
        return true;
      }, ROUNDS_MAX);
      if ('error' in done) traffic.refused(done.error);
    } else {
      const begun = yield* xs.begin();
      if ('txId' in begun) yield* xs.write(`data/${n % 7}`, String(n), begun.txId);
      yield draws.below(OPEN_NS_MAX); // killed with it
    }
    yield* xs.write('/shared/seen', String(n));
    device.close();
    yield draws.below(OPEN_NS_MAX);
  }
};
