import type { StateFormat } from '../../store/format/model/index.ts';
import type { StartStore, UpdateRecord } from '../../store/index.ts';
import type { PlannedFault } from '../faults/rule.ts';
import type { History, Verdict } from '../judge/history.ts';
import { completeSettings, type SettingSpecs, type Settings, type SettingsOf } from './settings.ts';

/** What can be run: from a seed to what it came to, in virtual time and without a trace in the process. */
export interface Scenario {
  readonly name: string;
  readonly story: string;
  readonly settings: SettingSpecs;
  /** Run to the end of virtual time or traffic. Settings that are not given have their defaults. Throws only for our own
   *  mistakes, as are settings that it does not have and values that they may not have. */
  readonly run: (request: RunRequest) => RunResult;
}

/**
 * A scenario, whose `run` gets a value for each of its settings, of the setting's own type. `run` is most often: openRun,
 * startGuests, startOperator, runAndJudge. Errors: none; those of a run are told at Scenario.
 */
export function scenario<const S extends SettingSpecs>(
  definition: Omit<Scenario, 'settings' | 'run'> & {
    readonly settings: S;
    readonly run: (request: RunRequest<SettingsOf<S>>) => RunResult;
  },
): Scenario {
  const { settings } = definition;
  return {
    ...definition,
    run: (request) => definition.run({ ...request, settings: completeSettings(settings, request.settings) }),
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
  /** Guests ask for watches with a depth although the format does not carry it; left out: only where it does. */
  readonly asksForDepth?: boolean;
  /** Virtual time after which a run that has not ended is stuck; left out: long enough for any run. */
  readonly horizonNs?: number;
  /** Called once, before the first step, with the faults that are planned; not in a run without any. */
  readonly planned?: (faults: readonly PlannedFault[]) => void;
  /** Called with each line of the trace, if one is wanted. */
  readonly traceLine?: (line: string) => void;
  /** What stands between the dump and the successor of update `n`: how a run meets a broken image. */
  readonly passImage?: ((image: Uint8Array, n: number) => Uint8Array) | undefined;
  /** Whether exec(2) of the successor fails in update `n`. */
  readonly execFails?: ((n: number) => boolean) | undefined;
  /** What serves xenstore; left out: the daemon of this package. */
  readonly startStore?: StartStore | undefined;
  /** Whether the history is recorded and judged; without, only the traffic runs (benchmarks). */
  readonly checks: boolean;
}

/** What one live update interrupted, and what its requester was told. */
export interface UpdateReport extends UpdateRecord {
  readonly answer: string;
}

/**
 * What a run came to. `pass`: it ended, and every check holds; `violation`: one does not; `unknown`: it did not come to rest.
 * Times are virtual, in ns.
 */
export interface RunResult {
  readonly outcome: 'pass' | 'violation' | 'unknown';
  /** Why the outcome is unknown; '' otherwise. */
  readonly reason: string;
  readonly scenario: string;
  readonly seed: string;
  readonly format: string;
  readonly settings: Settings;
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
  /** What was planned to break, and how often it did; absent in a run without faults. */
  readonly faults?: readonly PlannedFault[];
  /** What the devices did; absent in a run without any. */
  readonly devices?: readonly (readonly [what: string, count: number])[];
  readonly verdicts: readonly Verdict[];
  readonly history: History | undefined;
}
