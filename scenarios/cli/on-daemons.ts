import type { Runner } from '../hunt/spec.ts';
import { RealDaemon } from '../real/lockstep/daemon.ts';

/**
 * Runs each spec on the daemon that it names, with processes of which nothing is left behind it, and others as `runner` does. Throws
 * for a daemon that cannot be started, before the run.
 */
export function onDaemons(runner: Runner): Runner {
  const started = new Map<string, RealDaemon>();
  return (spec, extras = {}) => {
    const { daemon: named } = spec;
    if (named === undefined) return runner(spec, extras);
    const key = JSON.stringify(named);
    const daemon = started.get(key) ?? new RealDaemon(named);
    started.set(key, daemon);
    try {
      return runner(spec, { ...extras, ...daemon.extras });
    } finally {
      daemon.close();
    }
  };
}
