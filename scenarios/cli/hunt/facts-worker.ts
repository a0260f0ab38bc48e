import { parentPort } from 'node:worker_threads';
import { tryRun } from '../../hunt/facts.ts';
import type { RunSpec } from '../../hunt/spec.ts';
import { loader } from '../loader.ts';

// One thread of a search: answers each spec with what became of it. Scenarios and formats may be code: each thread loads its own.
const runnerFor = loader();
parentPort?.on('message', async (spec: RunSpec) => {
  parentPort?.postMessage(tryRun(await runnerFor(spec), spec));
});
