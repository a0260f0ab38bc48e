import { SCENARIOS } from '../../catalogue/index.ts';
import { tryRun, tryWhole } from '../../hunt/facts.ts';
import { driveHere } from '../../hunt/shrink/drive.ts';
import { shrink } from '../../hunt/shrink/shrink.ts';
import type { RunSpec } from '../../hunt/spec.ts';
import { loader } from '../loader.ts';
import { runSpec } from '../seed-report.ts';
import type { HuntAnswer, HuntRequest } from './protocol.ts';

// A process that was started with bugs: makes the runs that it is asked for, one after the other, and answers with what came of each.
const runnerFor = loader();

process.on('message', async (request: HuntRequest) => {
  process.send?.(await answerTo(request));
});

async function answerTo({ kind, spec }: HuntRequest): Promise<HuntAnswer> {
  if (kind === 'shrink') return { kind, requests: await requestsLeft(spec) };
  const report = runSpec(await runnerFor(spec), spec);
  const { user, system } = process.cpuUsage();
  return { kind, report, cpuSeconds: (user + system) / 1e6 };
}

/** Requests of the smallest run that fails in this way; `undefined`: there is no way to tell one from another. */
async function requestsLeft(spec: RunSpec): Promise<number | undefined> {
  const runner = await runnerFor(spec);
  const { facts } = tryWhole(runner, spec);
  const [signature] = facts.signatures;
  const scenario = SCENARIOS.find(({ name }) => name === spec.scenario);
  if (signature === undefined || scenario === undefined) return undefined;
  const search = shrink({ spec, facts }, scenario.settings);
  return driveHere(search, signature.kin, (each) => tryRun(runner, each)).found.failing.facts.made.length;
}
