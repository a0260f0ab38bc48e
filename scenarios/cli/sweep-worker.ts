import { parentPort, workerData } from 'node:worker_threads';
import { runSeeds, type SeedRange, type SweepPlan } from './sweep.ts';

// One thread of a sweep: answers each range of seeds with what became of them.
const plan = workerData as SweepPlan;
parentPort?.on('message', (range: SeedRange) => parentPort?.postMessage(runSeeds(plan, range)));
