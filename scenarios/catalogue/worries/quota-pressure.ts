import { strings, type Xs } from '../../../guests/index.ts';
import type { Actor } from '../../../sim/index.ts';
import { XS } from '../../../store/protocol/wire.ts';
import { marks, type Scenario, scenario } from '../../engine/scenario.ts';
import { heldCounts } from '../../judge/invariants/held-counts.ts';
import { ordinary } from './ordinary.ts';
import { type Program, play, playDoes, playSettings } from './play.ts';

/** What a domain may hold: one less than its quota, which is refused when it would be reached (4.22). Source:
 *  tools/xenstored/domain.c, domain_quota_val_exceeds. */
const HOLDS = { watches: 127, transactions: 9 } as const;
/** More than the store lets a domain have of each: nodes, watches, transactions; octets of a value. */
const TOO_MANY = { watches: 140, transactions: 14, octets: 2_100 } as const;
const BIG = 'x'.repeat(1_900);
/** Octets that a guest fills before it empties its home again. */
const NODES = 60;

export const quotaPressure: Scenario = scenario({
  name: 'quota-pressure',
  story:
    'Some guests live at their limits: as many watches, transactions, octets as they may have, refused at each step beyond, and let go of again; accounts are carried over updates, and neighbours do not feel it.',
  worry: 'A guest at its quota: is it refused what it must be, and free again when it lets go, after an update too?',
  settings: playSettings(6, 7_000, 3),
  does: (settings) => playDoes(settings, { transacts: true }),
  marks: ({ updates }) =>
    marks({ run: { quota: true, update: updates > 0 }, sweep: { 'transaction-carried': updates > 0 } }),
  run: (request) =>
    play(request, {
      scenario: quotaPressure.name,
      // Those before 4.22 count otherwise.
      verdicts: (history) => (history.compat === '4.22' ? [heldCounts(history, HOLDS)] : []),
      guest: (slot) => (slot % 2 === 0 ? { works: { glutton } } : ordinary(slot)),
    }),
});

const glutton: Program = function* (xs, { traffic }) {
  const { draws } = xs.me;
  while (!traffic.stopping) {
    yield* draws.pick([watchUp, openUp, fillUp])(
      xs,
      () => traffic.stopping,
      (errno) => traffic.refused(errno),
    );
    yield draws.below(100_000);
  }
};

type Step = (xs: Xs, isOver: () => boolean, refused: (errno: string) => void) => Actor;

/** Watches until no more are granted, and some of them off again. */
const watchUp: Step = function* (xs, isOver, refused) {
  const stand: string[] = [];
  for (let i = 0; i < TOO_MANY.watches && !isOver(); i++) {
    const { error } = yield* xs.watch('data', `glutton-${i}`);
    if (error === undefined) stand.push(`glutton-${i}`);
    else refused(error);
    if (error !== undefined && xs.me.draws.oneIn(4)) break;
  }
  for (const token of stand) yield* xs.unwatch('data', token);
};

/** Transactions until no more are granted. */
const openUp: Step = function* (xs, isOver, refused) {
  const open: number[] = [];
  for (let i = 0; i < TOO_MANY.transactions && !isOver(); i++) {
    const begun = yield* xs.begin();
    if ('error' in begun) refused(begun.error);
    else {
      open.push(begun.txId);
      yield* xs.write(`data/tx-${i}`, String(i), begun.txId);
    }
  }
  yield xs.me.draws.below(200_000);
  for (const txId of open) yield* xs.end(txId, xs.me.draws.oneIn(2));
};

/** Large values, one that is too large, and out with all of them. */
const fillUp: Step = function* (xs, isOver, refused) {
  for (let i = 0; i < NODES && !isOver(); i++) yield* xs.write(`data/heap/${i}`, BIG);
  const { error } = yield* xs.call(XS.WRITE, strings('data/heap/beyond', 'x'.repeat(TOO_MANY.octets)).subarray(0, -1));
  if (error !== undefined) refused(error);
  yield* xs.rm('data/heap');
};
