import { availableParallelism } from 'node:os';
import type { RunSpec } from '../../hunt/spec.ts';
import { Progress } from '../progress.ts';
import type { SeedReport } from '../seed-report.ts';
import { runPool } from '../sweep.ts';
import { print } from '../terminal/output.ts';
import { openFleet } from './fleet.ts';
import { work } from './work.ts';

interface WorkerOptions {
  readonly queue: string;
  readonly jobs?: number;
  readonly patience: number;
}

const MINUTE_MS = 60_000;

/** Make the runs of whatever campaigns there are, until SIGINT or SIGTERM: what is claimed by then is still reported. Errors: Unusable. */
export async function workerCommand({
  queue: url,
  jobs = availableParallelism(),
  patience,
}: WorkerOptions): Promise<number> {
  const queue = await openFleet(url, patience);
  const pool = runPool(jobs);
  const leave = new AbortController();
  const goes = () => leave.abort();
  process.once('SIGINT', goes).once('SIGTERM', goes);
  const progress = new Progress(undefined, MINUTE_MS);
  let [runs, failed] = [0, 0];
  const told = ({ finding }: SeedReport) => {
    runs++;
    if (finding !== undefined) failed++;
    progress.at(() => `${runs} runs, ${failed} failed`);
  };
  print(`works for ${url}, ${jobs} at a time\n`);
  const run = (spec: RunSpec) => pool.do(spec);
  await Promise.all(Array.from({ length: jobs }, () => work(queue, run, leave.signal, told)));
  process.off('SIGINT', goes).off('SIGTERM', goes);
  progress.clear();
  await Promise.all([pool.close(), queue.close()]);
  print(`${runs} runs, ${failed} failed\n`);
  return 0;
}
