import { MessageReader } from '../../../store/protocol/message-reader.ts';
import { type Action, formatAction, formatLine } from '../../drive/script.ts';
import { HUNG } from './daemon.ts';
import { causeOf, type Death, knownDeath } from './deaths.ts';
import { generateScript } from './generate.ts';
import { C_DAEMONS, type KnownDifference, knownDifference, OXENSTORED } from './known.ts';
import { DaemonDied, runScript } from './run-script.ts';
import { shrink } from './shrink.ts';

/**
 * Runs a script in whatever is compared with the daemon; for each action the lines it prints. It updates itself silently
 * after every so many actions, or never with 0.
 */
export type RunScript = (actions: readonly Action[], liveUpdateEvery: number) => Output | Promise<Output>;
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
  /** Both sides update themselves silently after so many actions each; 0 = never. */
  readonly liveUpdateEvery: number;
  /** Let in what this kind of daemon is known to break on. */
  readonly all?: boolean;
  /** Differences that are expected of this daemon; left out: those of the C daemons. */
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
  /** `known`: the class of such ends. */
  | { readonly kind: 'died'; readonly ended: Ended; readonly known?: string };

/** A script on which the two sides disagree, without an action that could be left out, and what its last action gave. */
export interface Difference {
  readonly seed: string;
  readonly script: readonly Action[];
  readonly daemon: readonly string[];
  readonly ours: readonly string[];
}

/** A script that the daemon does not survive, silent updates and all, without an action that could be left out. */
export interface Ended {
  readonly seed: string;
  readonly script: readonly Action[];
  readonly death: Death;
}

/** Compare on one script per seed; returns what each came to, differences and deaths shrunk. Errors: `DaemonNotStarted`. */
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
  const { count, compat, liveUpdates, liveUpdateEvery, all } = options;
  // A script that is to survive live updates keeps out what a daemon does not survive then.
  const dialect = options.known === OXENSTORED ? 'ocaml' : 'c';
  const script = generateScript({
    seed,
    count,
    compat,
    dialect,
    liveUpdates: liveUpdates || liveUpdateEvery > 0,
    silentUpdates: liveUpdateEvery > 0,
    all: all === true,
  });
  const seen = new Map<string, number>();
  const found = await compareScript(options, script, seen);
  if (found === undefined) return seen.size === 0 ? { kind: 'same' } : { kind: 'same', known: seen };
  if (!('death' in found)) return { kind: 'different', difference: { seed, ...found } };
  const known = knownDeath(found.death)?.name;
  const ended = { seed, ...found };
  return known === undefined ? { kind: 'died', ended } : { kind: 'died', ended, known };
}

type Sides = Pick<ConformOptions, 'daemon' | 'compat' | 'runOurs' | 'liveUpdateEvery' | 'known'>;
type Found = Omit<Difference, 'seed'> | Omit<Ended, 'seed'>;

/** Compare on one script; what is found comes back shrunk. `seen`: counts the known differences that were met. */
export async function compareScript(
  options: Sides,
  script: readonly Action[],
  seen?: Map<string, number>,
): Promise<Found | undefined> {
  const first = await firstFinding(options, script, seen);
  if (first === undefined) return undefined;
  return 'death' in first ? shrinkDeath(options, first) : shrinkDifference(options, script, first.at);
}

async function shrinkDifference(options: Sides, script: readonly Action[], at: number): Promise<Found> {
  const failing = script.slice(0, at + 1);
  const lastLine = formatAction(failing[at]!);
  // The same action must go on giving different answers: a shorter script that fails for another reason tells less.
  const stillFails = async (actions: readonly Action[]) => {
    const last = actions.at(-1);
    if (last === undefined || formatAction(last) !== lastLine || !isSound(actions)) return false;
    const finding = await firstFinding(options, actions);
    return finding !== undefined && !('death' in finding) && finding.at === actions.length - 1;
  };
  const least = await shrink(failing, stillFails);
  const last = await firstFinding(options, least);
  if (last === undefined || 'death' in last) throw new Error('a script that differed once does not differ again');
  return { script: least, daemon: last.daemon, ours: last.ours };
}

/** The fewest actions that still end it for the same cause. What makes it hang takes too long to be tried again and again. */
async function shrinkDeath(options: Sides, first: Omit<Ended, 'seed'>): Promise<Found> {
  if (first.death.lastWords.includes(HUNG)) return first;
  const cause = causeOf(first.death);
  const alone = { ...options, liveUpdateEvery: 0 }; // its updates are in the script by now
  const stillDies = async (actions: readonly Action[]) => {
    if (!isSound(actions)) return false;
    const finding = await firstFinding(alone, actions);
    return finding !== undefined && 'death' in finding && causeOf(finding.death) === cause;
  };
  const least = await shrink(first.script, stillDies);
  const last = await firstFinding(alone, least);
  return last !== undefined && 'death' in last ? last : first;
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

async function firstFinding(
  options: Sides,
  script: readonly Action[],
  seen?: Map<string, number>,
): Promise<Disagreement | Omit<Ended, 'seed'> | undefined> {
  const { output: daemon, died } = await runDaemon(options, script);
  const { liveUpdateEvery } = options;
  const ours = await options.runOurs(script, liveUpdateEvery);
  for (const [at, lines] of daemon.entries()) {
    const other = ours[at] ?? [];
    if (comparable(lines) === comparable(other)) continue;
    const classes = options.known ?? C_DAEMONS;
    const before = liveUpdateEvery === 0 ? script.slice(0, at) : script.slice(0, at).flatMap((one) => [one, SILENT]);
    const known = knownDifference({ action: script[at]!, daemon: lines, ours: other, before }, classes);
    if (known === undefined) return { at, daemon: lines, ours: other };
    seen?.set(known.name, (seen.get(known.name) ?? 0) + 1);
    if (known.parts) return undefined; // the rest of the script cannot be compared
  }
  if (died === undefined) return undefined;
  const { action, lastWords } = died.error;
  const before = died.script.slice(0, -1);
  return { script: died.script, death: { action, lastWords, before, ours: ours[daemon.length] ?? [] } };
}

/** Stands for silent updates, which may have been at any place. */
const SILENT: Action = { kind: 'liveUpdate', format: 'v2' };
const UPDATED = formatLine({ kind: 'liveUpdate' });

interface DaemonRun {
  /** As far as it lived; the action during which it ended is not in it. */
  readonly output: Output;
  /** Its end, and what it was given until then, silent updates as actions. */
  readonly died: { readonly error: DaemonDied; readonly script: readonly Action[] } | undefined;
}

/** The script on the daemon; its own updates after every so many actions leave only what they made others see, and refusals. */
async function runDaemon(options: Sides, script: readonly Action[]): Promise<DaemonRun> {
  const { daemon: binary, liveUpdateEvery: every, compat } = options;
  const update: Action = { kind: 'liveUpdate', format: compat === '4.17' ? 'v1' : 'v2' };
  const spread =
    every === 0 ? script : script.flatMap((action, i) => ((i + 1) % every === 0 ? [action, update] : [action]));
  let output: Output;
  let died: DaemonRun['died'];
  try {
    output = await runScript({ binary }, spread);
  } catch (error) {
    if (!(error instanceof DaemonDied)) throw error;
    output = error.output;
    died = { error, script: spread.slice(0, output.length + 1) };
  }
  const groups: string[][] = [];
  for (const [at, lines] of output.entries()) {
    const [own, ...others] = lines;
    if (spread[at] === update) groups.at(-1)?.push(...(own === UPDATED ? others : [own!, ...others]));
    else groups.push([...lines]);
  }
  // What a silent update made others see is not known of the one that it did not survive.
  if (died?.error.action === update) groups.pop();
  return { output: groups, died };
}

/** Lines without what depends on how fast a machine is: the ages of transactions in a refused live update. */
export function comparable(lines: readonly string[]): string {
  const isRefusal = (line: string) => line.includes('Domains with long running transactions');
  return lines.map((line) => (isRefusal(line) ? line.replace(/: \d+ s/g, ': N s') : line)).join('\n');
}
