import { marks, type Scenario, scenario } from '../../engine/scenario.ts';
import { type Program, play, playDoes, playSettings } from './play.ts';

/** All meet at these. */
const COUNTERS = Array.from({ length: 4 }, (_, i) => `/shared/counter-${i}`);
/** They come and go: whoever has looked for one and not found it depends on that. */
const SEATS = Array.from({ length: 3 }, (_, i) => `/shared/seat-${i}`);
const ROUNDS_MAX = 200;
const THINK_NS_MAX = 20_000;

export const conflictStorm: Scenario = scenario({
  name: 'conflict-storm',
  story:
    'Guests add to the same few counters, each in a transaction of its own, with no pause between two tries, or look for a seat that nobody has; most commits are refused, and those that are not must have seen what they wrote upon.',
  worry: 'Does a commit ever go through that has read what another one changed, over an update too?',
  settings: playSettings(8, 4_000, 3),
  does: (settings) => playDoes(settings, { transacts: true }),
  marks: ({ updates }) =>
    marks({
      run: { commit: true, conflict: true, update: updates > 0 },
      sweep: { 'transaction-carried': updates > 0 },
    }),
  run: (request) =>
    play(request, {
      scenario: conflictStorm.name,
      guest: (slot) => ({ works: { adder, ...(slot % 2 === 0 ? { other: adder } : { sitter }) } }),
    }),
});

/** Moves one from a counter to another, and sometimes makes one that is not there. */
const adder: Program = function* (xs, { traffic }) {
  const { draws } = xs.me;
  while (!traffic.stopping) {
    const [from, to] = [draws.pick(COUNTERS), draws.pick(COUNTERS)];
    const done = yield* xs.transaction(function* (tx) {
      if (traffic.stopping) return undefined;
      const found = yield* xs.read(from, tx);
      yield draws.below(THINK_NS_MAX);
      yield* found.error === undefined && draws.oneIn(3) ? xs.rm(from, tx) : xs.write(from, String(tx), tx);
      yield* xs.write(to, String(tx), tx);
      return true;
    }, ROUNDS_MAX);
    traffic.conflicts += done.rounds - 1;
    if ('error' in done) traffic.refused(done.error);
    yield* xs.write('data/tries', String(done.rounds));
  }
};

/** Looks whether a seat is free, and says so of itself in the same transaction; or takes one, or leaves it. */
const sitter: Program = function* (xs, { traffic }) {
  const { draws } = xs.me;
  while (!traffic.stopping) {
    const seat = draws.pick(SEATS);
    if (draws.oneIn(2)) {
      const taken = yield* draws.oneIn(2) ? xs.mkdir(seat) : xs.rm(seat);
      if (taken.error !== undefined) traffic.refused(taken.error);
      continue;
    }
    const done = yield* xs.transaction(function* (tx) {
      if (traffic.stopping) return undefined;
      const look = draws.pick(['read', 'directory', 'getPerms', 'mkdir'] as const);
      const { error } = yield* xs[look](seat, tx);
      yield draws.below(THINK_NS_MAX);
      yield* xs.write('data/seat', `${seat} ${error ?? 'taken'}`, tx);
      return true;
    }, ROUNDS_MAX);
    traffic.conflicts += done.rounds - 1;
    if ('error' in done) traffic.refused(done.error);
  }
};
