import { parentPort } from 'node:worker_threads';
import { SCENARIOS } from '../catalogue/index.ts';
import { type RunSpec, runnerOf } from '../hunt/spec.ts';
import { RealDaemon } from '../real/lockstep/daemon.ts';
import { labOf } from './lab-of.ts';
import { runSpec } from './sweep.ts';

// One thread of a sweep: answers each spec with what became of it. Formats are code: each thread loads its own.
const runner = runnerOf(SCENARIOS);
const formats = new Map<string, ReturnType<typeof labOf>>();
const daemons = new Map<string, RealDaemon>();
parentPort?.on('message', async (spec: RunSpec) => {
  const lab = formats.get(spec.format) ?? labOf(spec.format);
  formats.set(spec.format, lab);
  const daemon = daemonFor(spec);
  try {
    parentPort?.postMessage(runSpec(runner, spec, { lab: await lab, ...daemon?.extras }));
  } finally {
    daemon?.close();
  }
});

function daemonFor({ daemon }: RunSpec): RealDaemon | undefined {
  if (daemon === undefined) return undefined;
  const found = daemons.get(daemon.binary) ?? new RealDaemon(daemon);
  daemons.set(daemon.binary, found);
  return found;
}
