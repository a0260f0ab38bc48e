import type { RunRequest, RunResult, Scenario } from '../../engine/scenario.ts';
import type { RealDaemon } from './daemon.ts';

/** Run a scenario on a real daemon, of which nothing is left behind it; without one, on this package's own. Errors: as `run`. */
export function runOn(daemon: RealDaemon | undefined, scenario: Scenario, request: RunRequest): RunResult {
  if (daemon === undefined) return scenario.run(request);
  try {
    return scenario.run({ ...request, ...daemon.extras });
  } finally {
    daemon.close();
  }
}
