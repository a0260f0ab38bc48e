import type { RequestNoted, TearNoted } from '../../guests/index.ts';
import type { DigestMarks, TraceEvent } from '../../sim/index.ts';
import type { StateFormat } from '../../store/format/model/index.ts';
import type { CompatName, StartStore, StoreDeath, UpdateRecord } from '../../store/index.ts';
import { FAULT_RULES } from '../faults/catalogue.ts';
import { namedIn } from '../faults/choice.ts';
import { type Doing, EVERYTHING, lacking } from '../faults/doings.ts';
import type { PlannedFault } from '../faults/rule.ts';
import type { History, Verdict } from '../judge/history.ts';
import { MARKS, type MarkCounts, type MarkName } from '../judge/marks.ts';
import type { MigrationReport } from '../judge/migrations.ts';
import type { RunCuts } from './cuts.ts';
import type { LookedAt } from './looked-at.ts';
import { completeSettings, type SettingSpecs, type Settings, type SettingsOf } from './settings.ts';
import type { Wait } from './wait.ts';
import { earlyFailure, type Failure } from './witness.ts';

/** What can be run: from a seed to what it came to, in virtual time and without a trace in the process. */
export interface Scenario {
  readonly name: string;
  readonly story: string;
  /** What somebody in charge of such hosts lies awake over, as a question; each of the catalogue has one. */
  readonly worry?: string;
  readonly settings: SettingSpecs;
  /** What it takes of the store that no released daemon can do; left out: nothing. */
  readonly oursAlone?: string;
  /** What it does with these settings: faults that need more are not offered. */
  readonly does: (settings: Settings) => readonly Doing[];
  /** What must have happened with these settings. */
  readonly marks: (settings: Settings) => MarkPlan;
  /** Run to the end of virtual time or traffic. Settings that are not given have their defaults. What is thrown on the way is
   *  an outcome. Throws only for settings that it does not have and values that they may not have. */
  readonly run: (request: RunRequest) => RunResult;
}

const MARK_NAMES = Object.keys(MARKS) as MarkName[];

/** What must have happened for a verdict to mean something. */
export interface MarkPlan {
  /** In each run without faults: one that lacks any of them is `unknown`. */
  readonly run: readonly MarkName[];
  /** In a sweep, where single runs may lack it. */
  readonly sweep: readonly MarkName[];
}

/** A plan from marks that are wanted if something is so. */
export function marks(plan: Readonly<Record<keyof MarkPlan, Readonly<Partial<Record<MarkName, boolean>>>>>): MarkPlan {
  const wanted = (of: Readonly<Partial<Record<MarkName, boolean>>>) => MARK_NAMES.filter((name) => of[name] === true);
  return { run: wanted(plan.run), sweep: wanted(plan.sweep) };
}

/** Marks of a run that was judged. */
export interface MarksSeen {
  readonly counts: MarkCounts;
  /** Those that this run had to reach, and those that a sweep of such runs has to. */
  readonly ofRun: readonly MarkName[];
  readonly ofSweep: readonly MarkName[];
  /** Of those of the run. */
  readonly missing: readonly MarkName[];
}

/**
 * A scenario, whose `run` gets a value for each of its settings, of the setting's own type. `run` is most often: openRun,
 * startGuests, startOperator, runAndJudge. Errors: none; those of a run are told at Scenario.
 */
export function scenario<const S extends SettingSpecs>(
  definition: Omit<Scenario, 'settings' | 'does' | 'marks' | 'run'> & {
    readonly settings: S;
    /** What goes on in it; left out: everything, and a run tells what did not. */
    readonly does?: (settings: SettingsOf<S>) => readonly Doing[];
    /** Left out: none. */
    readonly marks?: (settings: SettingsOf<S>) => MarkPlan;
    readonly run: (request: RunRequest<SettingsOf<S>>) => RunResult;
  },
): Scenario {
  const { settings } = definition;
  const does = (given: Settings): readonly Doing[] => {
    const done = definition.does?.(completeSettings(settings, given));
    return done === undefined ? EVERYTHING : [...done, 'ours'];
  };
  const wanted = (given: Settings): MarkPlan => {
    const complete = completeSettings(settings, given);
    const { run, sweep } = definition.marks?.(complete) ?? { run: [], sweep: [] };
    // Faults may keep anything from happening but themselves.
    const hasFaults = 'faults' in complete && complete.faults !== 'off';
    return hasFaults ? { run: ['fault'], sweep: ['fault', ...run, ...sweep] } : { run, sweep };
  };
  return {
    ...definition,
    does,
    marks: wanted,
    run: (request) => {
      const plan = wanted(request.settings);
      const complete = {
        ...request,
        settings: completeSettings(settings, request.settings),
        does: does(request.settings).filter((doing) => request.real === undefined || doing !== 'ours'),
        marks: request.real === undefined ? plan : ofDaemon(plan),
      };
      const [strange] = unhosted(complete.does, complete.settings);
      if (strange !== undefined) throw new Error(`assertion: ${definition.name} has no occasion for ${strange.id}`);
      try {
        return definition.run(complete);
      } catch (thrown) {
        return neverBegun(definition.name, complete, thrown);
      }
    },
  };
}

/** A daemon waits for transactions: none is carried, and an update may come to nothing. */
export function ofDaemon({ run, sweep }: MarkPlan): MarkPlan {
  const isDue = (name: MarkName) => name !== 'transaction-carried';
  const wanted = run.includes('update') ? [...sweep, 'update' as const] : sweep;
  return { run: run.filter((name) => name !== 'update' && isDue(name)), sweep: wanted.filter(isDue) };
}

/** Rules that are asked for by name, and never strike in what is done; what they need for it. */
export function unhosted(
  does: readonly Doing[],
  settings: Settings,
): { readonly id: string; readonly lacks: readonly Doing[] }[] {
  const named = namedIn(String(settings.faults ?? 'off'));
  return FAULT_RULES.filter(({ id }) => named.includes(id))
    .map(({ id, needs }) => ({ id, lacks: lacking(needs, does) }))
    .filter(({ lacks }) => lacks.length > 0);
}

/** The result of a run that threw before its host was there, or after it was judged. */
function neverBegun(scenario: string, { seed, format, settings, cuts }: RunRequest, thrown: unknown): RunResult {
  return {
    outcome: 'error',
    reason: '',
    failure: earlyFailure(thrown),
    scenario,
    seed,
    format,
    settings,
    ...(cuts === undefined ? {} : { cuts }),
    digest: '',
    virtualNs: 0,
    steps: 0,
    traceEvents: 0,
    requests: 0,
    replies: 0,
    watchEvents: 0,
    domainsCreated: 0,
    domainsDestroyed: 0,
    commits: 0,
    conflicts: 0,
    refusals: [],
    updates: [],
    attempts: [],
    verdicts: [],
    history: undefined,
  };
}

/**
 * One run, whole: the same request gives the same result, to the digest of its trace.
 * @typeParam V what is known of the settings.
 */
export interface RunRequest<V = Settings> {
  /** Decimal digits. */
  readonly seed: string;
  /** Name of the format of the image: `v1`, `v2` or that of `lab`. */
  readonly format: string;
  /** Updates go through the neutral state and files of this format; left out: through the daemon's own images. */
  readonly lab?: StateFormat | undefined;
  readonly settings: V;
  /** What the scenario does with them; left out: everything. */
  readonly does?: readonly Doing[];
  /** What must have happened; left out: nothing. */
  readonly marks?: MarkPlan;
  /** Guests ask for watches with a depth although the format does not carry it; left out: only where it does. */
  readonly asksForDepth?: boolean;
  /** Virtual time after which a run is not waited for any more; left out: long enough for any run. */
  readonly horizonNs?: number;
  /** What of it is left out, or put elsewhere; left out: nothing. */
  readonly cuts?: RunCuts | undefined;
  /** Called once, before the first step, with the faults that are planned; not in a run without any. */
  readonly planned?: (faults: readonly PlannedFault[]) => void;
  /** Called now and then, with how far the run is. */
  readonly looked?: (at: { readonly virtualNs: number; readonly requests: number }) => void;
  /** A run that does not come to its end is judged as if that were its end: the laboratory asks who misses what. */
  readonly judgesUnfinished?: boolean;
  /** Called once with each host, in their order, before anybody does anything: who looks into a run. Nothing may be changed in it. */
  readonly opened?: ((host: LookedAt) => void) | undefined;
  /** Called with each event of the trace, of whatever host; its octets are shared. */
  readonly observed?: ((event: TraceEvent) => void) | undefined;
  /** Called with each line of the trace, if one is wanted. */
  readonly traceLine?: (line: string) => void;
  /** Called with each request that a guest or a program makes, and that goes out; left out: nobody asks. */
  readonly requestNoted?: RequestNoted | undefined;
  /** Called with each chunk of a request that was torn in its ring; left out: nobody asks. */
  readonly tearNoted?: TearNoted | undefined;
  /** Called with the digest of all events so far, when and as often as it asks for it; left out: nobody asks. */
  readonly marksDigest?: DigestMarks | undefined;
  /** What stands between the dump and the successor of update `n`: how a run meets a broken image. */
  readonly passImage?: ((image: Uint8Array, n: number) => Uint8Array) | undefined;
  /** Whether exec(2) of the successor fails in update `n`. */
  readonly execFails?: ((n: number) => boolean) | undefined;
  /** What serves xenstore; left out: the daemon of this package. */
  readonly startStore?: StartStore | undefined;
  /** What serves it is a daemon of somebody else: what follows from that; left out: it is not. */
  readonly real?: RealTraits | undefined;
  /** Whether the history is recorded and judged; without, only the traffic runs (benchmarks). */
  readonly checks: boolean;
}

/** What a run has to know of a daemon that it did not bring along. It waits for transactions, and its limits are on. */
export interface RealTraits {
  /** Whose rules it is judged by. */
  readonly compat: CompatName;
  /** Highest version that `live-update -v` may ask for; `undefined`: it does not know that word. */
  readonly streamVersion: 1 | 2 | undefined;
  /** Whether it holds up domains that write a lot. */
  readonly limitsWrites: boolean;
  /** The run keeps away from what released daemons do not survive: nobody builds a domain while one is updated, nobody asks for a
   *  watch with a depth, and no entry names a domain before it is born. */
  readonly avoids: boolean;
  /** Its answers are not those of the model: what only the model tells is told as this known difference; left out: they are. */
  readonly differs?: { readonly label: string; readonly what: string } | undefined;
  /** What has to be said to have it again. */
  readonly daemon: DaemonNamed;
}

/** A daemon of somebody else, as command lines and tokens name it. */
export interface DaemonNamed {
  readonly binary: string;
  /** What its live updates execute; left out: itself. */
  readonly successor?: string | undefined;
  /** Runs do what released daemons are known not to survive, too. */
  readonly all?: boolean | undefined;
  /** Of the octets of both, 16 hex digits: whether it is the same daemon. */
  readonly digest: string;
}

/** One try to update the store: what was asked of it in the end, and what it said. */
export interface UpdateAttempt {
  /** Counts from 1. */
  readonly n: number;
  readonly timeNs: number;
  /** The arguments of CONTROL live-update, with spaces between. */
  readonly command: string;
  /** '': none so far. */
  readonly answer: string;
  /** Where there are several. */
  readonly host?: string;
  /** Number of the update that came of it; `undefined`: it was refused, or given up. */
  readonly update: number | undefined;
}

/** What one live update interrupted, and what its requester was told. */
export interface UpdateReport extends UpdateRecord {
  readonly answer: string;
  /** Where there are several. */
  readonly host?: string;
}

/** One of several hosts of a run. */
export interface HostResult {
  readonly name: string;
  readonly history: History | undefined;
}

/**
 * What a run came to. `pass`: it ended, and every check holds. `violation`: something was done that must not be. `error`: a mistake
 * of ours, or one of a guest's that the simulator met with an assertion. `stuck`: nobody does anything any more, and the run is not
 * at its end. `unknown`: it cannot be told.
 */
export type RunOutcome = 'pass' | 'violation' | 'error' | 'stuck' | 'unknown';

/** One run and what is said of it. Times are virtual, in ns. */
export interface RunResult {
  readonly outcome: RunOutcome;
  /** Why the run is stuck, or its outcome unknown; '' otherwise. */
  readonly reason: string;
  /** What was thrown, of an error. */
  readonly failure?: Failure;
  /** Who waits for what, in a run that did not come to its end; at first who asked the store for something. */
  readonly waits?: readonly Wait[];
  /** The last fault that struck, in a run that ended before its end. */
  readonly lastFault?: { readonly id: string; readonly timeNs: number; readonly detail: string };
  readonly scenario: string;
  /** Of the octets of a user's module, whose path `scenario` is; absent: it is one of the catalogue. */
  readonly module?: string;
  readonly seed: string;
  readonly format: string;
  readonly settings: Settings;
  /** What of it was left out, or put elsewhere; absent: nothing. */
  readonly cuts?: RunCuts;
  readonly digest: string;
  readonly virtualNs: number;
  readonly steps: number;
  readonly traceEvents: number;
  readonly requests: number;
  readonly replies: number;
  readonly watchEvents: number;
  readonly domainsCreated: number;
  readonly domainsDestroyed: number;
  readonly commits: number;
  readonly conflicts: number;
  readonly refusals: readonly (readonly [errno: string, count: number])[];
  readonly updates: readonly UpdateReport[];
  /** In their order; those that came to nothing among them. */
  readonly attempts: readonly UpdateAttempt[];
  /** What was planned to break, and how often it did; absent in a run without faults. */
  readonly faults?: readonly PlannedFault[];
  /** What the devices did; absent in a run without any. */
  readonly devices?: readonly (readonly [what: string, count: number])[];
  readonly verdicts: readonly Verdict[];
  /** What happened, counted; absent in a run that was not judged. */
  readonly marks?: MarksSeen;
  /** Of the only host, or of the first. */
  readonly history: History | undefined;
  /** The daemon of somebody else that served; absent in a run of this package's own. */
  readonly real?: RealTraits;
  /** What that died of; absent where it lives. */
  readonly death?: StoreDeath;
  /** In a run on several: each, the first among them. Violations say by number at which they are. */
  readonly hosts?: readonly HostResult[];
  /** In their order; absent in a run without any. */
  readonly migrations?: readonly MigrationReport[];
}
