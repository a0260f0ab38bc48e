import { spawnSync } from 'node:child_process';
import { whyNot } from '../../scenarios/real/conform/standin.ts';

/**
 * Whether programs are there. Where one is absent the tests that need it skip with a visible line; with XENARIUM_NO_SKIP set,
 * as in CI, its absence is a failure.
 */
export function has(what: string, ...programs: readonly string[]): boolean {
  const absent = programs.filter((program) => spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0);
  if (absent.length === 0) return true;
  const line = `${what}: skipped, for want of ${absent.join(', ')}`;
  if (process.env.XENARIUM_NO_SKIP !== undefined) throw new Error(line);
  console.warn(line);
  return false;
}

/**
 * Whether no real daemon can be run here: the same rule as `has`.
 * @param binary path of the daemon.
 */
export async function daemonIsMissing(what: string, binary: string): Promise<boolean> {
  const reason = await whyNot(binary);
  if (reason === undefined) return false;
  const line = `${what}: skipped: ${reason}`;
  if (process.env.XENARIUM_NO_SKIP !== undefined) throw new Error(line);
  console.warn(line);
  return true;
}

/** Other versions of Node than this one, by path: those that XENARIUM_NODES names, with colons between. None: the rule of `has`. */
export function otherNodes(what: string): readonly string[] {
  const named = process.env.XENARIUM_NODES?.split(':').filter((path) => path !== '') ?? [];
  if (named.length > 0) return named;
  const line = `${what}: skipped, for want of other Nodes: XENARIUM_NODES names their paths`;
  if (process.env.XENARIUM_NO_SKIP !== undefined) throw new Error(line);
  console.warn(line);
  return [];
}
