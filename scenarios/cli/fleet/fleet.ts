import { bugsOn } from '../bugs/switch.ts';
import { version } from '../version.ts';
import type { CampaignQueue } from './queue.ts';
import { RedisQueue } from './redis-queue.ts';

/**
 * The queue of a fleet. Workers of another version, or with other bugs on, have another: their runs are not the same. `patience`: how
 * long a worker may be silent, seconds. Errors: Unusable.
 */
export function openFleet(url: string, patience: number): Promise<CampaignQueue> {
  const name = ['xenarium', version(), ...bugsOn().map(({ id }) => id)].join('-');
  return RedisQueue.open(url, name, patience * 1000);
}
