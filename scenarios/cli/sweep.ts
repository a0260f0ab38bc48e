import { Worker } from 'node:worker_threads';
import type { StateFormat } from '../../store/format/model/index.ts';
import { SCENARIOS } from '../catalogue/index.ts';
import type { RunResult } from '../engine/scenario.ts';
import type { Setting } from '../engine/settings.ts';
import { replayLine } from '../report/text.ts';

/** What every seed of a sweep is run with; plain data, since it goes to other threads. */
export interface SweepPlan {
  readonly scenario: string;
  /** `v1`, `v2`, or the name or path of the format that updates go through. */
  readonly format: string;
  readonly settings: Readonly<Record<string, Setting>>;
}

/** Seeds from the first to the last, both included. */
export interface SeedRange {
  readonly from: number;
  readonly to: number;
}

/** What is kept of one run. */
export interface SeedReport {
  readonly outcome: RunResult['outcome'] | 'error';
  readonly requests: number;
  /** The line that replays the run if it failed; the stack if it ended in a mistake of ours. */
  readonly detail: string;
}

/** Run a range of seeds one after the other; the range ends early at a mistake of ours. */
export function runSeeds(plan: SweepPlan, lab: StateFormat | undefined, { from, to }: SeedRange): SeedReport[] {
  const { format, settings } = plan;
  const scenario = SCENARIOS.find((s) => s.name === plan.scenario);
  if (scenario === undefined) throw new Error(`assertion: no scenario '${plan.scenario}'`);
  const reports: SeedReport[] = [];
  for (let seed = from; seed <= to; seed++) {
    try {
      const result = scenario.run({ seed: String(seed), format, lab, settings, checks: true });
      const { outcome, requests } = result;
      reports.push({ outcome, requests, detail: outcome === 'pass' ? '' : replayLine(result) });
    } catch (error) {
      const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
      reports.push({ outcome: 'error', requests: 0, detail: `seed ${seed}: ${stack}` });
      break;
    }
  }
  return reports;
}

/** Seeds that a thread is given at once: enough to keep it busy, few enough that all threads end together. */
const PIECE_MAX = 8;

/**
 * Run all seeds on `jobs` threads. Reports arrive at `each` in the order of the seeds, whichever thread is the first, so that
 * the output is the same for any number of threads. `lab` is the plan's format, if it is loaded. Errors: rejects at the first seed that ended in a mistake of ours.
 */
export async function sweep(
  plan: SweepPlan,
  lab: StateFormat | undefined,
  seeds: SeedRange,
  jobs: number,
  each: (report: SeedReport) => void,
): Promise<void> {
  const count = seeds.to - seeds.from + 1;
  const piece = Math.max(1, Math.min(PIECE_MAX, Math.floor(count / (4 * jobs))));
  const pieces = Math.ceil(count / piece);
  const rangeOf = (n: number): SeedRange => {
    const from = seeds.from + n * piece;
    return { from, to: Math.min(seeds.to, from + piece - 1) };
  };
  const take = (reports: readonly SeedReport[]) => {
    for (const report of reports) {
      if (report.outcome === 'error') throw new Error(report.detail);
      each(report);
    }
  };
  if (jobs === 1 || pieces === 1) {
    for (let n = 0; n < pieces; n++) take(runSeeds(plan, lab, rangeOf(n)));
    return;
  }
  const workers: Worker[] = [];
  /** Finished before their turn, by number of the piece. */
  const early = new Map<number, readonly SeedReport[]>();
  let given = 0;
  let taken = 0;
  try {
    await new Promise<void>((resolve, reject) => {
      const start = () => {
        const worker = new Worker(new URL('./sweep-worker.js', import.meta.url), { workerData: plan });
        workers.push(worker);
        let current = given++;
        worker.postMessage(rangeOf(current));
        worker.on('error', reject);
        worker.on('message', (reports: readonly SeedReport[]) => {
          early.set(current, reports);
          if (given < pieces) {
            current = given++;
            worker.postMessage(rangeOf(current));
          }
          try {
            for (let next = early.get(taken); next !== undefined; next = early.get(taken)) {
              early.delete(taken++);
              take(next);
            }
          } catch (error) {
            reject(error);
          }
          if (taken === pieces) resolve();
        });
      };
      for (let i = 0; i < Math.min(jobs, pieces); i++) start();
    });
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}
