/** What a policy is told before each pass, and between its end and the next look. Source: struct precopy_stats in tools/include/xenguest.h. */
export interface PrecopyStats {
  /** Passes sent so far. */
  readonly iteration: number;
  /** Pages sent so far. */
  readonly totalWritten: number;
  /** Pages that the next pass would send; -1: not looked yet. */
  readonly dirtyCount: number;
}

export type PrecopyDecision = 'continue' | 'stop-and-copy' | 'abort';
export type PrecopyPolicy = (stats: PrecopyStats) => PrecopyDecision;

const ITERATIONS_MAX = 5;
const TARGET_DIRTY_COUNT = 50;

/**
 * Go on until fewer than 50 pages are dirty, or five passes were sent (PC-1, PC-2); nothing is asked of the link, nor whether the
 * passes converge (PC-6). Source: simple_precopy_policy in tools/libs/guest/xg_sr_save.c; hypervisor.md 5.4.
 */
export const simplePolicy: PrecopyPolicy = ({ iteration, dirtyCount }) => {
  const isFew = dirtyCount >= 0 && dirtyCount < TARGET_DIRTY_COUNT;
  return isFew || iteration >= ITERATIONS_MAX ? 'stop-and-copy' : 'continue';
};
