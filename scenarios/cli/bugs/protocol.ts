import type { RunOutcome } from '../../engine/scenario.ts';
import type { RunSpec } from '../../hunt/spec.ts';
import type { SeedReport } from '../seed-report.ts';

/** What a hunting process is asked for. */
export interface HuntRequest {
  /** What is to be run, one after the other: so many seeds of the portfolio, or just this run. */
  readonly runs: { readonly seeds: number } | { readonly only: RunSpec };
  /** Make what it finds small. */
  readonly shrink: boolean;
}

/** What it answers: a report of each run, the last of which is the first that fails, and then that there is no more. */
export type HuntAnswer =
  | { readonly kind: 'run'; readonly report: SeedReport }
  | { readonly kind: 'end'; readonly shrunk: number | undefined };

/** The run that found a bug, as plain data. */
export interface Found {
  readonly spec: RunSpec;
  /** `endless`: it did not come to any. */
  readonly outcome: RunOutcome | 'endless';
  /** The check that barked; the outcome where none is needed. */
  readonly check: string;
  readonly text: string;
  /** Runs up to this one, with it: of its scenario and settings, and of the whole portfolio. */
  readonly seedsOfPlace: number;
  readonly runs: number;
  /** Requests of the smallest run that fails in this way, if it was looked for. */
  readonly shrunk?: number;
}

/** What became of the hunt for one bug. */
export interface Hunted {
  /** Of the bug; '' of none: the code as it is. */
  readonly id: string;
  readonly runs: number;
  readonly seconds: number;
  readonly found?: Found;
  /** Why it ended before all seeds were tried. */
  readonly gaveUp?: string;
}

/** Whether the stock checks say that something is wrong. A run that came to nothing (`unknown`) says nothing. */
export function isFound({ outcome, finding }: Pick<SeedReport, 'outcome' | 'finding'>): boolean {
  return finding !== undefined && outcome !== 'unknown';
}
