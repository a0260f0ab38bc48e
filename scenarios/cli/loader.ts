import { type Runner, type RunSpec, runnerOf } from '../hunt/spec.ts';
import { labOf } from './lab-of.ts';
import { onDaemons } from './on-daemons.ts';
import { scenariosOf } from './scenarios-of.ts';

/**
 * A runner for each spec: scenarios and formats are code, of the catalogue or of modules, each of which a loader loads once. Threads
 * and processes have their own. Errors: rejects with Unusable.
 */
export function loader(): (spec: Pick<RunSpec, 'scenario' | 'format'>) => Promise<Runner> {
  const runners = new Map<string, Promise<Runner>>();
  return ({ scenario, format }) => {
    const key = `${scenario}\0${format}`;
    const runner = runners.get(key) ?? loadRunner(scenario, format);
    runners.set(key, runner);
    return runner;
  };
}

async function loadRunner(scenario: string, format: string): Promise<Runner> {
  const lab = await labOf(format);
  return onDaemons(runnerOf(await scenariosOf(scenario), { lab }));
}
