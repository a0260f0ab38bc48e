import { parentPort } from 'node:worker_threads';
import { SCENARIOS } from '../catalogue/index.ts';
import { type RunSpec, runnerOf } from '../hunt/spec.ts';
import { labOf } from './lab-of.ts';
import { onDaemons } from './on-daemons.ts';
import { runSpec } from './sweep.ts';

// One thread of a sweep: answers each spec with what became of it. Formats are code: each thread loads its own.
const runner = onDaemons(runnerOf(SCENARIOS));
const formats = new Map<string, ReturnType<typeof labOf>>();
parentPort?.on('message', async (spec: RunSpec) => {
  const lab = formats.get(spec.format) ?? labOf(spec.format);
  formats.set(spec.format, lab);
  parentPort?.postMessage(runSpec(runner, spec, { lab: await lab }));
});
