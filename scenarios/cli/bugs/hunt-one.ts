import type { Bug } from '../../bugs/index.ts';
import type { RunSpec } from '../../hunt/spec.ts';
import type { SeedReport } from '../seed-report.ts';
import { Hunter } from './hunter.ts';
import { type Found, type Hunted, isFound } from './protocol.ts';
import type { Reaches } from './reaches.ts';

/** A run that tells nothing for so long has no end: others take seconds. */
const ENDLESS_MS = 60_000;
/** How long all the smaller runs may take. */
const SHRINK_MS = 300_000;

export interface HuntPlan {
  /** What is to be run, seed by seed. */
  readonly runs: () => Iterable<readonly RunSpec[]>;
  /** Tells which of them cannot find a bug. Left out: all are made. */
  readonly reaches?: Reaches;
  /** Of a core, for one bug, without what it takes to make the run smaller. */
  readonly minutes: number;
  /** Make what it finds small. */
  readonly shrink: boolean;
}

/** Make the runs of a plan in a process of its own with one bug on, or with none, until one fails. Errors: none. */
export async function huntOne(bug: Bug | undefined, plan: HuntPlan): Promise<Hunted> {
  const hunter = new Hunter(bug);
  try {
    return { id: bug?.id ?? '', ...(await huntWith(hunter, bug, plan)) };
  } finally {
    hunter.end();
  }
}

async function huntWith(hunter: Hunter, bug: Bug | undefined, plan: HuntPlan): Promise<Omit<Hunted, 'id'>> {
  let [runs, seeds, cpuSeconds] = [0, 0, 0];
  const counts = () => ({ runs, seeds, seconds: Math.round(cpuSeconds) });
  for (const specs of plan.runs()) {
    seeds++;
    const worth = bug === undefined ? specs : ((await plan.reaches?.worthwhile(specs, bug)) ?? specs);
    for (const spec of worth) {
      if (cpuSeconds > plan.minutes * 60) return { ...counts(), gaveUp: `its ${plan.minutes} minutes are over` };
      runs++;
      const answer = await hunter.ask({ kind: 'run', spec }, ENDLESS_MS);
      if (answer.kind === 'silent') return { ...counts(), found: { ...endless(spec), runs, seeds } };
      if (answer.kind === 'gone') return { ...counts(), gaveUp: answer.why };
      if (answer.kind !== 'run') throw new Error('assertion: it was asked for a run');
      cpuSeconds = answer.cpuSeconds;
      if (!isFound(answer.report)) continue;
      const found = { ...foundBy(answer.report), runs, seeds };
      const shrunk = plan.shrink ? await requestsLeft(hunter, spec) : undefined;
      return { ...counts(), found: shrunk === undefined ? found : { ...found, shrunk } };
    }
  }
  return counts();
}

async function requestsLeft(hunter: Hunter, spec: RunSpec): Promise<number | undefined> {
  const answer = await hunter.ask({ kind: 'shrink', spec }, SHRINK_MS);
  return answer.kind === 'shrink' ? answer.requests : undefined;
}

type Finder = Omit<Found, 'runs' | 'seeds'>;

function endless(spec: RunSpec): Finder {
  const text = `the run has not ended after ${ENDLESS_MS / 1_000} s: a step of it does not come to its end`;
  return { spec, outcome: 'endless', check: 'endless', text };
}

function foundBy({ spec, outcome, finding }: SeedReport): Finder {
  const { key = '', text = '' } = finding ?? {};
  return { spec, outcome, check: outcome === 'violation' ? key.slice(0, key.indexOf(':')) : outcome, text };
}
