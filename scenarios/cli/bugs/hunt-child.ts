import { SCENARIOS } from '../../catalogue/index.ts';
import { tryRun, tryWhole } from '../../hunt/facts.ts';
import { driveHere } from '../../hunt/shrink/drive.ts';
import { shrink } from '../../hunt/shrink/shrink.ts';
import type { RunSpec } from '../../hunt/spec.ts';
import { loader } from '../loader.ts';
import { runSpec } from '../seed-report.ts';
import { runsOf } from './portfolio.ts';
import { type HuntAnswer, type HuntRequest, isFound } from './protocol.ts';

// A process that was started with bugs: runs the portfolio until a run fails, and answers with what came of each.
const runnerFor = loader();

process.once('message', async (message) => {
  const { runs, shrink: isToShrink } = message as HuntRequest;
  let shrunk: number | undefined;
  for (const spec of runsOf(runs)) {
    const report = runSpec(await runnerFor(spec), spec);
    await tell({ kind: 'run', report });
    if (!isFound(report)) continue;
    if (isToShrink) shrunk = await requestsLeft(spec);
    break;
  }
  await tell({ kind: 'end', shrunk });
  process.disconnect();
});

/** Resolves when the other process has it: this one runs on without giving way. */
function tell(answer: HuntAnswer): Promise<void> {
  return new Promise((resolve) => process.send?.(answer, undefined, {}, () => resolve()));
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
