import { monitor, worker } from '../../../guests/index.ts';
import type { Cast, Program } from './play.ts';

type WorkerPlan = Parameters<typeof worker>[3];
type MonitorPlan = Parameters<typeof monitor>[3];

/** An agent that mixes all kinds of requests, at places of its own, of all, and of `peers`. */
export function mixing(
  how: Pick<WorkerPlan, 'thinkNsMax' | 'txThinkNsMax'>,
  peers: (domid: number) => readonly number[],
): Program {
  return ({ me, client }, { traffic, domid }) =>
    worker(me, client, traffic, { ...how, domid, sharedNodes: 3, hasDepth: false, peers: peers(domid) });
}

/** A program that watches these paths. */
export function watching(paths: readonly string[], how: Pick<MonitorPlan, 'readsEvents' | 'perEventNsMax'>): Program {
  return ({ me, client }, { traffic }) =>
    monitor(me, client, traffic, { ...how, watches: paths.map((path) => ({ path })) });
}

/** The one before it, if there is one. */
export const before = (domid: number) => Math.max(0, domid - 1);

/** A guest whose agent mixes all kinds of requests, and has some of its messages cut; every third one watches, and reads slowly. */
export function ordinary(slot: number): Cast {
  const isSlow = slot % 3 === 2;
  return {
    habits: { tornOneIn: 3, tornNsMax: 40_000, maxInFlight: 1 + (slot % 8) * 2, slowReadNsMax: isSlow ? 150_000 : 0 },
    listens: isSlow
      ? { watcher: watching(['/shared', 'data', '@releaseDomain'], { readsEvents: true, perEventNsMax: 10_000 }) }
      : {},
    works: {
      worker: mixing({ thinkNsMax: 20_000, txThinkNsMax: 60_000 }, (domid) => [before(domid), domid + 1]),
    },
  };
}
