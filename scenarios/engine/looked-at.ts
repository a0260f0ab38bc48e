import type { GuestOs, XsClient } from '../../guests/index.ts';
import type { Machine } from '../../sim/index.ts';
import type { StoreProcess } from '../../store/index.ts';
import type { History } from '../judge/history.ts';
import type { Wait } from './wait.ts';

/** As much of a host as is looked at in a run that goes on. */
export interface LookedAt {
  readonly machine: Machine;
  readonly store: StoreProcess;
  readonly storeDomid: number;
  readonly dom0: { readonly os: GuestOs; readonly client: XsClient };
  readonly guests: readonly { readonly os: GuestOs; readonly client: XsClient }[];
  /** The history so far; it grows. */
  readonly recorder: { readonly length: number; history(): History } | undefined;
  /** Who waits for what. */
  waits(): Wait[];
}
