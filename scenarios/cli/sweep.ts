import type { WorkerOptions } from 'node:worker_threads';
import type { MarksSeen, RunOutcome, RunResult } from '../engine/scenario.ts';
import { signatureOf } from '../hunt/signature.ts';
import { situationsIn } from '../hunt/situations.ts';
import type { Runner, RunSpec } from '../hunt/spec.ts';
import { causeOf } from '../report/cause.ts';
import { replayArguments } from '../report/text.ts';
import { Pool } from './hunt/pool.ts';
import { tokenFor } from './hunt/ticket.ts';

/** Seeds from the first to the last, both included. */
export interface SeedRange {
  readonly from: number;
  readonly to: number;
}

/** Why a run did not pass: what a sweep groups by, and one sentence of this run. */
export interface Finding {
  readonly key: string;
  readonly text: string;
  /** What replays it, from the name of the command on. */
  readonly replay: string;
  readonly token: string;
}

/** What is kept of one run; plain data, since it comes from another thread. */
export interface SeedReport {
  readonly spec: RunSpec;
  readonly outcome: RunOutcome;
  readonly requests: number;
  /** What happened; `undefined`: it was not judged. */
  readonly marks: MarksSeen | undefined;
  /** `undefined`: it passed. */
  readonly finding: Finding | undefined;
  /** Labels of the known defects that it showed. */
  readonly known: readonly string[];
  /** What its updates met. */
  readonly situations: readonly string[];
}

/** Run one spec. Errors: none but for a scenario that there is not. */
export function runSpec(runner: Runner, spec: RunSpec): SeedReport {
  const result = runner(spec);
  const { outcome, requests, marks, history } = result;
  const known = result.verdicts.flatMap((verdict) => verdict.known ?? []).map(({ label }) => label);
  const situations = history === undefined ? [] : [...situationsIn(history)];
  return { spec, outcome, requests, marks, finding: findingOf(result), known, situations };
}

function findingOf(result: RunResult): Finding | undefined {
  const { key } = signatureOf(result) ?? { key: '' };
  const cause = causeOf(result);
  if (cause === undefined) return undefined;
  return { key, text: cause.text, replay: replayArguments(result), token: tokenFor(result) };
}

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

const OWN_THREADS: SweepThreads = { worker: new URL('./sweep-worker.js', import.meta.url), options: {} };

/**
 * Run all specs on `jobs` threads. Reports arrive at `each` in the order of the specs, whichever thread is the first, so that the
 * output is the same for any number of threads. A thread that dies is the error of the run that it was at.
 */
export function sweep(
  specs: Iterator<RunSpec>,
  jobs: number,
  each: (report: SeedReport) => void,
  { worker, options } = OWN_THREADS,
): Sweeping {
  const pool = new Pool<RunSpec, SeedReport>(worker, jobs, deadThread, options);
  let stop = () => {};
  const stopped = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined);
  });
  const ahead: Promise<SeedReport>[] = [];
  const more = () => {
    const next = specs.next();
    if (next.done !== true) ahead.push(pool.do(next.value));
  };
  async function run() {
    for (let i = 0; i < jobs * AHEAD; i++) more();
    for (let first = ahead.shift(); first !== undefined; first = ahead.shift()) {
      const report = await Promise.race([first, stopped]);
      if (report === undefined) return;
      each(report);
      more();
    }
  }
  return { done: run().finally(() => pool.close()), stop };
}

function deadThread(spec: RunSpec, why: string): SeedReport {
  const finding = { key: `error: ${why}`, text: why, replay: replayArguments(spec), token: '' };
  return { spec, outcome: 'error', requests: 0, marks: undefined, finding, known: [], situations: [] };
}
