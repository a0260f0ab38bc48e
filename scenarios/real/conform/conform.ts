import { MessageReader } from '../../../store/protocol/message-reader.ts';
import { type Action, formatAction } from '../../drive/script.ts';
import { generateScript } from './generate.ts';
import { type KnownDifference, knownDifference } from './known.ts';
import { DaemonDied, runScript } from './run-script.ts';
import { shrink } from './shrink.ts';

/** Runs a script in whatever is compared with the daemon; for each action the lines it prints. */
export type RunScript = (actions: readonly Action[]) => Output | Promise<Output>;
export type Output = readonly (readonly string[])[];

export interface ConformOptions {
  /** Path of the daemon that judges. */
  readonly daemon: string;
  readonly compat: '4.17' | '4.22';
  /** Decimal digits each; one script per seed. */
  readonly seeds: Iterable<string>;
  /** Actions a script. */
  readonly count: number;
  readonly liveUpdates: boolean;
  /** Both sides update themselves silently after so many actions each; 0 = never. Ours has to do it in `runOurs`. */
  readonly liveUpdateEvery: number;
  /** Differences that are expected of this daemon; none for the C daemons. */
  readonly known?: readonly KnownDifference[];
  readonly runOurs: RunScript;
  /** Called after every seed. */
  readonly onSeed?: (seed: string, outcome: Outcome) => void;
}

/** What a seed came to: the two agree, they disagree, or the daemon ended in the middle of the script. */
export type Outcome =
  /** `known`: how often each class of known differences was seen on the way. */
  | { readonly kind: 'same'; readonly known?: ReadonlyMap<string, number> }
  | { readonly kind: 'different'; readonly difference: Difference }
  | { readonly kind: 'died'; readonly reason: string };

/** A script on which the two sides disagree, without an action that could be left out, and what its last action gave. */
export interface Difference {
  readonly seed: string;
  readonly script: readonly Action[];
  readonly daemon: readonly string[];
  readonly ours: readonly string[];
}

/** Compare on one script per seed; returns what each came to, differences shrunk. Errors: a daemon that does not start. */
export async function conform(options: ConformOptions): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const seed of options.seeds) {
    const outcome = await conformSeed(options, seed);
    outcomes.push(outcome);
    options.onSeed?.(seed, outcome);
  }
  return outcomes;
}

async function conformSeed(options: ConformOptions, seed: string): Promise<Outcome> {
  const { count, compat, liveUpdates, liveUpdateEvery } = options;
  // A script that is to survive live updates keeps out what a daemon does not survive then.
  const dialect = options.known === undefined ? 'c' : 'ocaml';
  const script = generateScript({ seed, count, compat, dialect, liveUpdates: liveUpdates || liveUpdateEvery > 0 });
  try {
    const seen = new Map<string, number>();
    const difference = await compareScript(options, script, seen);
    if (difference === undefined) return seen.size === 0 ? { kind: 'same' } : { kind: 'same', known: seen };
    return { kind: 'different', difference: { seed, ...difference } };
  } catch (error) {
    if (!(error instanceof DaemonDied)) throw error;
    return { kind: 'died', reason: error.message }; // its own fault: there is nothing to compare with
  }
}

type Sides = Pick<ConformOptions, 'daemon' | 'runOurs' | 'liveUpdateEvery' | 'known'>;

/** Compare on one script; a difference comes back shrunk. `seen`: counts the known ones that were met. */
export async function compareScript(
  options: Sides,
  script: readonly Action[],
  seen?: Map<string, number>,
): Promise<Omit<Difference, 'seed'> | undefined> {
  const first = await firstDifference(options, script, seen);
  if (first === undefined) return undefined;
  const failing = script.slice(0, first.at + 1);
  const lastLine = formatAction(failing[first.at]!);
  // The same action must go on giving different answers: a shorter script that fails for another reason tells less.
  const stillFails = async (actions: readonly Action[]) => {
    const last = actions.at(-1);
    if (last === undefined || formatAction(last) !== lastLine || !isSound(actions)) return false;
    try {
      return (await firstDifference(options, actions))?.at === actions.length - 1;
    } catch (error) {
      if (error instanceof DaemonDied) return false; // what is left asks for what the daemon does not survive
      throw error;
    }
  };
  const least = await shrink(failing, stillFails);
  const last = await firstDifference(options, least);
  return { script: least, daemon: last!.daemon, ours: last!.ours };
}

/** False for a script with pieces missing that belong together: a name opened while it is open, half of a raw message. */
export function isSound(actions: readonly Action[]): boolean {
  const open = new Set<string>();
  const raw = new Map<string, MessageReader>();
  for (const action of actions) {
    const name = connectionOf(action);
    switch (action.kind) {
      case 'domain':
      case 'socket':
        if (open.has(name)) return false;
        open.add(name);
        raw.delete(name);
        break;
      case 'destroy':
      case 'close':
        open.delete(name);
        raw.delete(name);
        break;
      case 'raw':
        {
          const reader = raw.get(name) ?? new MessageReader('refused');
          reader.push(action.octets);
          while (reader.shift() !== undefined);
          raw.set(name, reader);
          if (!reader.isRefused) break;
          raw.delete(name);
          open.delete(name); // the daemon closes a socket there
        }
        break;
      case 'message':
        if ((raw.get(name)?.held ?? 0) > 0) return false;
        break;
    }
  }
  return true;
}

function connectionOf(action: Action): string {
  if ('on' in action) return action.on;
  if ('name' in action) return action.name;
  return 'domid' in action ? String(action.domid) : '';
}

interface Disagreement {
  /** Index of the action. */
  readonly at: number;
  readonly daemon: readonly string[];
  readonly ours: readonly string[];
}

async function firstDifference(
  options: Sides,
  script: readonly Action[],
  seen?: Map<string, number>,
): Promise<Disagreement | undefined> {
  const daemon = await runDaemon(options.daemon, script, options.liveUpdateEvery);
  const ours = await options.runOurs(script);
  for (const [at, lines] of daemon.entries()) {
    const other = ours[at] ?? [];
    if (comparable(lines) === comparable(other)) continue;
    const known = options.known && knownDifference({ action: script[at]!, daemon: lines, ours: other }, options.known);
    if (known === undefined) return { at, daemon: lines, ours: other };
    seen?.set(known.name, (seen.get(known.name) ?? 0) + 1);
    if (known.parts) return undefined; // the rest of the script cannot be compared
  }
  return undefined;
}

/** The script on the daemon; its own updates after every so many actions leave only what they made others see. */
async function runDaemon(binary: string, script: readonly Action[], every: number): Promise<Output> {
  if (every === 0) return runScript({ binary }, script);
  const update: Action = { kind: 'liveUpdate', format: 'v1' };
  const spread = script.flatMap((action, i) => ((i + 1) % every === 0 ? [action, update] : [action]));
  const output = await runScript({ binary }, spread);
  const groups: string[][] = [];
  for (const [at, action] of spread.entries()) {
    if (action === update) groups.at(-1)?.push(...output[at]!.slice(1));
    else groups.push([...output[at]!]);
  }
  return groups;
}

/** Lines without what depends on how fast a machine is: the ages of transactions in a refused live update. */
export function comparable(lines: readonly string[]): string {
  return lines.map((line) => (line.startsWith('{"liveUpdate"') ? line.replace(/: \d+ s/g, ': N s') : line)).join('\n');
}
