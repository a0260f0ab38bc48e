import type { RunOutcome } from '../../engine/scenario.ts';
import type { RunSpec } from '../../hunt/spec.ts';
import type { SeedReport } from '../seed-report.ts';

/** What a hunting process is asked for, one after the other: what comes of a run, or how small one that fails can be made. */
export type HuntRequest = { readonly kind: 'run' | 'shrink'; readonly spec: RunSpec };

/** What it answers, once to each. */
export type HuntAnswer =
  | { readonly kind: 'run'; readonly report: SeedReport; readonly cpuSeconds: number }
  | { readonly kind: 'shrink'; readonly requests: number | undefined };

/** The run that found a bug, as plain data. */
export interface Found {
  readonly spec: RunSpec;
  /** `endless`: it did not come to any. */
  readonly outcome: RunOutcome | 'endless';
  /** The check that barked; the outcome where none is needed. */
  readonly check: string;
  readonly text: string;
  /** Seeds up to this one, with it, and runs that were made. */
  readonly seeds: number;
  readonly runs: number;
  /** Requests of the smallest run that fails in this way, if it was looked for. */
  readonly shrunk?: number;
}

/** What became of the hunt for one bug. */
export interface Hunted {
  /** Of the bug; '' of none: the code as it is. */
  readonly id: string;
  /** That were made, and how many seeds of the portfolio they were of. */
  readonly runs: number;
  readonly seeds: number;
  /** Of a core. */
  readonly seconds: number;
  readonly found?: Found;
  /** Why it ended before all seeds were tried. */
  readonly gaveUp?: string;
}

/** Whether the stock checks say that something is wrong. A run that came to nothing (`unknown`) says nothing. */
export function isFound({ outcome, finding }: Pick<SeedReport, 'outcome' | 'finding'>): boolean {
  return finding !== undefined && outcome !== 'unknown';
}
