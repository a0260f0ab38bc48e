import { monitor, worker } from '../../../guests/index.ts';
import type { Host } from '../../engine/host.ts';
import type { Cast } from './play.ts';

/** A guest whose agent mixes all kinds of requests, and has some of its messages cut; every third one watches, and reads slowly. */
export function ordinary(slot: number, { traffic }: Host): Cast {
  const isSlow = slot % 3 === 2;
  return {
    habits: { tornOneIn: 3, tornNsMax: 40_000, maxInFlight: 1 + (slot % 8) * 2, slowReadNsMax: isSlow ? 150_000 : 0 },
    listens: isSlow
      ? {
          watcher: ({ me, client }) =>
            monitor(me, client, traffic, {
              watches: [{ path: '/shared' }, { path: 'data' }, { path: '@releaseDomain' }],
              readsEvents: true,
              perEventNsMax: 10_000,
            }),
        }
      : {},
    works: {
      worker: ({ me, client }, { domid }) =>
        worker(me, client, traffic, {
          domid,
          sharedNodes: 3,
          thinkNsMax: 20_000,
          txThinkNsMax: 60_000,
          hasDepth: false,
          peers: [domid - 1, domid + 1].map((each) => Math.max(0, each)),
        }),
    },
  };
}
