import { parentPort } from 'node:worker_threads';
import { SCENARIOS } from '../../catalogue/index.ts';
import { tryRun } from '../../hunt/facts.ts';
import { type RunSpec, runnerOf } from '../../hunt/spec.ts';
import { labOf } from '../lab-of.ts';
import { onDaemons } from '../on-daemons.ts';

// One thread of a search: answers each spec with what became of it. Formats are code: each thread loads its own.
const runner = onDaemons(runnerOf(SCENARIOS));
const formats = new Map<string, ReturnType<typeof labOf>>();
parentPort?.on('message', async (spec: RunSpec) => {
  const lab = formats.get(spec.format) ?? labOf(spec.format);
  formats.set(spec.format, lab);
  parentPort?.postMessage(tryRun(runner, spec, { lab: await lab }));
});
