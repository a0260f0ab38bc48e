import { parentPort, workerData } from 'node:worker_threads';
import { RealDaemon } from '../real/lockstep/daemon.ts';
import { labOf } from './lab-of.ts';
import { runSeed, type SweepPlan } from './sweep.ts';

// One thread of a sweep: answers each seed with what became of it. Formats are code: each thread loads its own.
const plan = workerData as SweepPlan;
const lab = await labOf(plan.format);
const daemon = plan.daemon === undefined ? undefined : new RealDaemon(plan.daemon);
parentPort?.on('message', (seed: number) => parentPort?.postMessage(runSeed(plan, lab, seed, daemon)));
