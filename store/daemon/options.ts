import type { CompatName } from './compat.ts';
import type { Moves } from './moves.ts';

/** What happens to transactions that are open when a live update is asked for. */
export type StorePolicy = 'daemon' | 'carry';

export interface StoreOptions {
  readonly compat: CompatName;
  readonly policy: StorePolicy;
  readonly privDomid: number;
  readonly storeDomid: number;
  /** 0 = events never expire (option -w watch-event). */
  readonly watchEventSeconds: number;
  /** The write rate limit (store.md 10.3). Off, guests may hammer: for stress, not for comparison with a real daemon. */
  readonly limitsWrites: boolean;
  /** Keep a dead domain's nodes, for the privileged domain (option -K). */
  readonly keepOrphans: boolean;
  /** Left out: CONTROL `migrate` is no word, as in every release. */
  readonly moves?: Moves;
}

export const DEFAULT_OPTIONS: StoreOptions = {
  compat: '4.22',
  policy: 'daemon',
  privDomid: 0,
  storeDomid: 0,
  watchEventSeconds: 20,
  limitsWrites: true,
  keepOrphans: false,
};
