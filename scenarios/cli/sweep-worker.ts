import { parentPort } from 'node:worker_threads';
import type { RunSpec } from '../hunt/spec.ts';
import { loader } from './loader.ts';
import { runSpec } from './seed-report.ts';

// One thread of a sweep: answers each spec with what became of it. Scenarios and formats may be code: each thread loads its own.
const runnerFor = loader();
parentPort?.on('message', async (spec: RunSpec) => {
  parentPort?.postMessage(runSpec(await runnerFor(spec), spec));
});
