import { existsSync } from 'node:fs';
import { INSTALLED_DAEMONS } from '../../scenarios/real/conform/standin.ts';
import { RealDaemon } from '../../scenarios/real/lockstep/daemon.ts';
import { ringRequests } from './ring.ts';

const REQUESTS = 20_000;
const ROUNDS = 3;

/** READs a second through rings on a real daemon in lock-step, 16 in flight for each guest, the best of three; why none, in words. */
export function realDaemonRates(): readonly (readonly [guests: number, perSecond: number])[] | string {
  const binary = INSTALLED_DAEMONS.xenstored;
  if (!existsSync(binary)) return `${binary} is not installed`;
  const daemon = new RealDaemon({ binary });
  return [1, 12].map((guests) => {
    let best = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const begun = performance.now();
      try {
        ringRequests({ guests, requests: REQUESTS, kind: 'read', startStore: daemon.startStore });
      } finally {
        daemon.close();
      }
      best = Math.max(best, (REQUESTS / (performance.now() - begun)) * 1000);
    }
    return [guests, Math.round(best)] as const;
  });
}
