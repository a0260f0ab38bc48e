import { parentPort, workerData } from 'node:worker_threads';
import { labOf } from './lab-of.ts';
import { runSeeds, type SeedRange, type SweepPlan } from './sweep.ts';

// One thread of a sweep: answers each range of seeds with what became of them. Formats are code: each thread loads its own.
const plan = workerData as SweepPlan;
const lab = await labOf(plan.format);
parentPort?.on('message', (range: SeedRange) => parentPort?.postMessage(runSeeds(plan, lab, range)));
