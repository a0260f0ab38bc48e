import type { Actor } from '../../sim/index.ts';
import type { Thread } from '../kernel/index.ts';
import { Xs } from '../xenstore/index.ts';
import { list, type MonitorPlace, readDown } from './domain-watcher.ts';
import { firstBeat, paced, sleep } from './pace.ts';

export interface PollPlan {
  /** Between two polls, 5 to 60 seconds (guests.md 4.5). */
  readonly seconds: number;
  /** Requests for each domain, at most: 10 to 40. */
  readonly requestsMax: number;
  /** A bad one: the whole poll is one transaction, whose read set is every directory that it lists. */
  readonly isOneTransaction: boolean;
}

/** A statistics collector without watches: lists all domains every so often, and reads what it wants to know of each. */
export function* pollMonitor(me: Thread, place: MonitorPlace, plan: PollPlan): Actor {
  const { os, traffic, pace } = place;
  const { link } = place.connect('poll');
  const xs = new Xs(link, me);
  yield* firstBeat(os, me, traffic, pace, plan.seconds);
  while (!traffic.stopping) {
    if (plan.isOneTransaction) {
      const done = yield* xs.transaction(
        function* (tx) {
          yield* poll(xs, plan, tx);
          return true;
        },
        1, // a figure that is not to be had now is left out
      );
      if ('error' in done) traffic.conflicts++;
    } else yield* poll(xs, plan, 0);
    yield* sleep(os, me, traffic, paced(pace, plan.seconds));
  }
}

function* poll(xs: Xs, plan: PollPlan, tx: number): Actor {
  for (const domid of yield* list(xs, '/local/domain', tx)) {
    const home = `/local/domain/${domid}`;
    yield* xs.read(`${home}/name`, tx);
    yield* xs.read(`${home}/memory/target`, tx);
    yield* readDown(xs, `${home}/data`, { left: Math.floor((plan.requestsMax - 2) / 2) }, tx);
  }
}
