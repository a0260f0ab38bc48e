import type { WorkerOptions } from 'node:worker_threads';
import type { RunSpec } from '../hunt/spec.ts';
import { MemoryQueue } from './fleet/memory-queue.ts';
import { type CampaignQueue, type Share, shareOf } from './fleet/queue.ts';
import { work } from './fleet/work.ts';
import { Pool } from './hunt/pool.ts';
import { deathReport, type SeedReport } from './seed-report.ts';

/** A sweep that goes on until all runs are done, or until it is told to stop. */
export interface Sweeping {
  /** Resolves when all reports have been handed out, or when it has stopped. Errors: rejects with what `each` throws. */
  readonly done: Promise<void>;
  /** End all threads; what they are at is lost. */
  readonly stop: () => void;
}

/** So many runs for each thread are given out ahead: a long one does not make the others wait for their turn. */
const AHEAD = 6;

/** How the threads of a sweep are started: from where, and with what. */
export interface SweepThreads {
  readonly worker: URL;
  readonly options: WorkerOptions;
}

export const OWN_THREADS: SweepThreads = { worker: new URL('./sweep-worker.js', import.meta.url), options: {} };

/** Threads that run specs. A thread that dies is the error of the run that it was at. */
export function runPool(jobs: number, { worker, options } = OWN_THREADS): Pool<RunSpec, SeedReport> {
  return new Pool<RunSpec, SeedReport>(worker, jobs, deathReport, options);
}

/**
 * Run all specs on `jobs` threads. Reports arrive at `each` in the order of the specs, whichever thread is the first, so that the
 * output is the same for any number of threads.
 */
export function sweep(
  specs: Iterator<RunSpec>,
  jobs: number,
  each: (report: SeedReport) => void,
  threads = OWN_THREADS,
): Sweeping {
  const queue = new MemoryQueue();
  const pool = runPool(jobs, threads);
  const leave = new AbortController();
  const run = (spec: RunSpec) => pool.do(spec);
  for (let i = 0; i < jobs; i++) work(queue, run, leave.signal);
  const { done, stop } = sweepOn(queue, { campaign: '', perShare: 1, ahead: jobs * AHEAD }, specs, each);
  const end = async () => {
    leave.abort();
    await pool.close();
  };
  return { done: done.finally(end), stop };
}

/** How a campaign is given out. */
export interface Parting {
  /** Its name: shares of different campaigns are different. */
  readonly campaign: string;
  /** Runs in a share. */
  readonly perShare: number;
  /** Shares that are given out ahead. */
  readonly ahead: number;
}

/** The same on whoever claims what is put into a queue. */
export function sweepOn(
  queue: CampaignQueue,
  { campaign, perShare, ahead }: Parting,
  specs: Iterator<RunSpec>,
  each: (report: SeedReport) => void,
): Sweeping {
  let stop = () => {};
  const stopped = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined);
  });
  const out: Share[] = [];
  const more = async () => {
    const taken: RunSpec[] = [];
    for (let next = specs.next(); next.done !== true; next = specs.next()) {
      taken.push(next.value);
      if (taken.length === perShare) break;
    }
    if (taken.length === 0) return;
    const share = shareOf(campaign, taken);
    await queue.submit(share);
    out.push(share);
  };
  async function run() {
    for (let i = 0; i < ahead; i++) await more();
    for (let first = out.shift(); first !== undefined; first = out.shift()) {
      const reports = await Promise.race([queue.merge(first), stopped]);
      if (reports === undefined) return;
      for (const report of reports) each(report);
      await more();
    }
  }
  return { done: run().finally(() => queue.close()), stop };
}
