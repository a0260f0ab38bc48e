import { Worker } from 'node:worker_threads';
import type { StateFormat } from '../../store/format/model/index.ts';
import { SCENARIOS } from '../catalogue/index.ts';
import type { MarksSeen, RunOutcome } from '../engine/scenario.ts';
import type { Settings } from '../engine/settings.ts';
import type { RealDaemon, RealDaemonOptions } from '../real/lockstep/daemon.ts';
import { runOn } from '../real/lockstep/run-on.ts';
import { type Cause, causeOf, shapeOf } from '../report/cause.ts';
import { replayArguments } from '../report/text.ts';

/** What every seed of a sweep is run with; plain data, since it goes to other threads. */
export interface SweepPlan {
  readonly scenario: string;
  /** `v1`, `v2`, or the name or path of the format that updates go through. */
  readonly format: string;
  readonly settings: Settings;
  /** What serves in place of the daemon of this package. */
  readonly daemon?: RealDaemonOptions | undefined;
}

/** Seeds from the first to the last, both included. */
export interface SeedRange {
  readonly from: number;
  readonly to: number;
}

/** What is kept of one run. */
export interface SeedReport {
  readonly seed: number;
  readonly outcome: RunOutcome;
  readonly requests: number;
  /** What happened; `undefined`: it was not judged. */
  readonly marks: MarksSeen | undefined;
  /** Why it did not pass. */
  readonly cause: Cause | undefined;
  /** Labels of the known defects that it showed. */
  readonly known: readonly string[];
  /** What replays it, from `run` on; '' if it passed. */
  readonly replay: string;
}

/** Run one seed of a plan. `daemon`: that of the plan. Errors: none but for a scenario that there is not. */
export function runSeed(
  plan: SweepPlan,
  lab: StateFormat | undefined,
  seed: number,
  daemon: RealDaemon | undefined = undefined,
): SeedReport {
  const { format, settings } = plan;
  const scenario = SCENARIOS.find((s) => s.name === plan.scenario);
  if (scenario === undefined) throw new Error(`assertion: no scenario '${plan.scenario}'`);
  const result = runOn(daemon, scenario, { seed: String(seed), format, lab, settings, checks: true });
  const { outcome, requests, marks } = result;
  const known = result.verdicts.flatMap((verdict) => verdict.known ?? []).map(({ label }) => label);
  const replay = outcome === 'pass' ? '' : replayArguments(result);
  return { seed, outcome, requests, marks, cause: causeOf(result), known, replay };
}

/** A sweep that goes on until all seeds are done, or until it is told to stop. */
export interface Sweeping {
  /** Resolves when all reports have been handed out, or when it has stopped. Errors: rejects if threads do not start. */
  readonly done: Promise<void>;
  /** End all threads; what they were at is lost. */
  readonly stop: () => void;
}

/**
 * Run all seeds on `jobs` threads. Reports arrive at `each` in the order of the seeds, whichever thread is the first, so that
 * the output is the same for any number of threads. A thread that dies is the error of the seed that it was at.
 */
export function sweep(plan: SweepPlan, seeds: SeedRange, jobs: number, each: (report: SeedReport) => void): Sweeping {
  const workers = new Set<Worker>();
  /** Finished before their turn. */
  const early = new Map<number, SeedReport>();
  let next = seeds.from;
  let due = seeds.from;
  let stop = () => {};
  const done = new Promise<void>((resolve, reject) => {
    stop = resolve;
    const take = (report: SeedReport) => {
      early.set(report.seed, report);
      for (let ready = early.get(due); ready !== undefined; ready = early.get(due)) {
        early.delete(due++);
        each(ready);
      }
      if (due > seeds.to) resolve();
    };
    const start = () => {
      const worker = new Worker(new URL('./sweep-worker.js', import.meta.url), { workerData: plan });
      workers.add(worker);
      let current: number | undefined;
      const give = () => {
        current = next <= seeds.to ? next++ : undefined;
        if (current !== undefined) worker.postMessage(current);
      };
      worker.on('message', (report: SeedReport) => {
        try {
          take(report);
          give();
        } catch (error) {
          reject(error);
        }
      });
      worker.on('error', (error) => {
        workers.delete(worker);
        if (current === undefined) return reject(error);
        take(deadThread(plan, current, error));
        if (next <= seeds.to) start();
      });
      give();
    };
    for (let i = 0; i < Math.min(jobs, seeds.to - seeds.from + 1); i++) start();
  }).finally(async () => {
    await Promise.all([...workers].map((worker) => worker.terminate()));
  });
  return { done, stop: () => stop() };
}

function deadThread({ scenario, format, settings }: SweepPlan, seed: number, error: unknown): SeedReport {
  const text = error instanceof Error ? error.message : String(error);
  const replay = replayArguments({ scenario, format, settings, seed: String(seed) });
  return {
    seed,
    outcome: 'error',
    requests: 0,
    marks: undefined,
    cause: { key: `error ${shapeOf(text)}`, text },
    known: [],
    replay,
  };
}
