import type { StateRow } from './carriage.ts';
import type { Loss, Thing } from './losses.ts';

// What the parts of a reduction share.

/** What shapes a conversion beside the format. */
export interface ReduceOptions {
  /** Version word of the image: 2 by default. Features and depths are part of version 2 only. */
  readonly version?: number;
  /** G2 and R1: list nodes that a transaction has only read; they come back as written. */
  readonly txReads?: 'omit' | 'include';
  /** R1: TRANSACTION_DATA is written, so that a transaction which has touched nothing is not lost. */
  readonly txRecord?: boolean;
  /** Names of quotas that the reader knows, when it does not pass others through. */
  readonly quotaNames?: readonly string[];
}

/** Reports one loss. */
export type Report = (row: StateRow, thing: Thing, fate: Loss['fate'], how: string) => void;
