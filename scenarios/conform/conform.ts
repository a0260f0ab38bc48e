import type { Action } from '../drive/script.ts';
import { generateScript } from './generate.ts';
import { DaemonDied, runScript } from './run-script.ts';
import { shrink } from './shrink.ts';

/** Runs a script in whatever is compared with the daemon; for each action the lines it prints. */
export type RunScript = (actions: readonly Action[]) => readonly (readonly string[])[];

export interface ConformOptions {
  /** Path of the daemon that judges. */
  readonly daemon: string;
  readonly compat: '4.17' | '4.22';
  /** Decimal digits each; one script per seed. */
  readonly seeds: Iterable<string>;
  /** Actions a script. */
  readonly count: number;
  readonly liveUpdates: boolean;
  readonly runOurs: RunScript;
  /** Called after every seed. */
  readonly onSeed?: (seed: string, difference: Difference | undefined) => void;
}

/** A script on which the two sides disagree, without an action that could be left out, and what its last action gave. */
export interface Difference {
  readonly seed: string;
  readonly script: readonly Action[];
  readonly daemon: readonly string[];
  readonly ours: readonly string[];
}

/** Compare on one script per seed; returns the differences, each shrunk. Errors: a daemon that does not start, or dies. */
export async function conform(options: ConformOptions): Promise<readonly Difference[]> {
  const found: Difference[] = [];
  for (const seed of options.seeds) {
    const { count, compat, liveUpdates } = options;
    const script = generateScript({ seed, count, compat, liveUpdates });
    const difference = await compareScript(options, script);
    if (difference !== undefined) found.push({ seed, ...difference });
    options.onSeed?.(seed, difference && { seed, ...difference });
  }
  return found;
}

/** Compare on one script; a difference comes back shrunk. */
export async function compareScript(
  options: Pick<ConformOptions, 'daemon' | 'runOurs'>,
  script: readonly Action[],
): Promise<Omit<Difference, 'seed'> | undefined> {
  const first = await firstDifference(options, script);
  if (first === undefined) return undefined;
  const failing = async (actions: readonly Action[]) => {
    try {
      return (await firstDifference(options, actions)) !== undefined;
    } catch (error) {
      if (error instanceof DaemonDied) return false; // what is left of the script asks for what the daemon does not survive
      throw error;
    }
  };
  const least = await shrink(script.slice(0, first.at + 1), failing);
  const last = await firstDifference(options, least);
  return { script: least, daemon: last!.daemon, ours: last!.ours };
}

interface Disagreement {
  /** Index of the action. */
  readonly at: number;
  readonly daemon: readonly string[];
  readonly ours: readonly string[];
}

async function firstDifference(
  options: Pick<ConformOptions, 'daemon' | 'runOurs'>,
  script: readonly Action[],
): Promise<Disagreement | undefined> {
  const daemon = await runScript({ binary: options.daemon }, script);
  const ours = options.runOurs(script);
  for (const [at, lines] of daemon.entries()) {
    const other = ours[at] ?? [];
    if (lines.join('\n') !== other.join('\n')) return { at, daemon: lines, ours: other };
  }
  return undefined;
}
