import { readFileSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { BUGS } from '../../bugs/index.ts';
import type { RunSpec } from '../../hunt/spec.ts';
import { loader } from '../loader.ts';
import { runSpec } from '../seed-report.ts';
import { takeCoverage } from './coverage.ts';
import { moduleUrl } from './modules.ts';
import { Reaching } from './reach.ts';

// One thread that runs the clean code, and answers each spec with what the run reaches of each bug.
const runnerFor = loader();
const reaching = new Reaching(BUGS, (file) => {
  const url = moduleUrl(file);
  return { url: url.href, text: readFileSync(url, 'utf8') };
});
parentPort?.on('message', async (spec: RunSpec) => {
  const runner = await runnerFor(spec);
  reaching.loaded(takeCoverage());
  runSpec(runner, spec);
  parentPort?.postMessage(reaching.ran(takeCoverage()));
});
