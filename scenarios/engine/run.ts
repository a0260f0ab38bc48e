import {
  operator,
  quiesce,
  readTree,
  type SeenNode,
  type Thread,
  type Traffic,
  type XsLink,
} from '../../guests/index.ts';
import type { Actor, Stream } from '../../sim/index.ts';
import { extentOf } from '../../store/format/model/index.ts';
import type { History, Verdict } from '../judge/history.ts';
import { checkHistory, toolstackIntends } from '../judge/invariants/index.ts';
import { Host, type HostOptions, LIFELIKE, STORE_BINARY } from './host.ts';
import type { RunRequest, RunResult, UpdateReport } from './scenario.ts';
import type { Settings, StoreHome } from './settings.ts';

/** What a scenario chooses of its host; the rest is the same for all. */
export interface RunPlan extends Partial<Pick<HostOptions, 'policy' | 'limitsWrites'>> {
  readonly requestsMax: number;
  /** How often the machine checks itself while the run is judged. */
  readonly checkEverySteps: number;
  /** Whether faults strike no more. */
  readonly isOver: (host: Host) => boolean;
}

/** Settings of which the host itself makes something. */
export type HostSettings = Settings & {
  readonly store?: StoreHome;
  readonly faults?: string;
};

export interface Run {
  readonly request: RunRequest;
  readonly host: Host;
}

/** The host that a request asks for, with its faults armed, before anybody does anything. */
export function openRun(request: RunRequest<HostSettings>, plan: RunPlan): Run {
  const { settings, seed, lab, checks } = request;
  const { requestsMax, checkEverySteps, isOver, policy = 'carry', limitsWrites = false } = plan;
  const host = new Host({
    seed,
    jitter: LIFELIKE,
    requestsMax,
    policy,
    compat: '4.22',
    storeIn: settings.store,
    records: checks,
    ...(checks ? { checkEverySteps } : {}),
    limitsWrites,
    lab,
    faults: settings.faults,
    passImage: request.passImage,
    execFails: request.execFails,
    startStore: request.startStore,
  });
  const { faults } = host;
  if (request.traceLine !== undefined) host.traceTo(request.traceLine);
  if (faults.faults.length > 0) request.planned?.(faults.faults);
  faults.arm(host, () => isOver(host));
  host.store.movesInSteps = faults.storeMovesInSteps();
  return { request, host };
}

/** Whether guests may ask for watches with a depth: images of version 1, and formats that say so, lose it. */
export function keepsDepth({ lab, format }: Pick<RunRequest, 'lab' | 'format'>): boolean {
  return lab === undefined ? format !== 'v1' : extentOf(lab.carriage, 'watchDepth') !== 'none';
}

/** Whether an actor has not come to its end, and its domain runs or will go on: who suspends a domain resumes it. A run that did
 *  not wait for those would read its tree while one comes back and writes. */
export function mayGoOn({ task }: Thread): boolean {
  if (task === undefined || task.state === 'done' || task.domain?.dying !== 'alive') return false;
  return task.domain.shutdown === undefined || task.domain.shutdown === 'suspend';
}

/** Whether an actor of a domain that runs has not come to its end. */
export function isWorking({ task }: Thread): boolean {
  return task !== undefined && task.state !== 'done' && task.domain?.dying === 'alive' && !task.domain.shutdown;
}

/** Moments of updates in requests: one in each equal share of `share` requests, from `first` on. */
export function moments(updates: number, first: number, share: number, draws: Stream): number[] {
  return Array.from({ length: updates }, (_, i) => first + i * share + draws.below(Math.max(1, share)));
}

export interface UpdatePlan {
  /** In requests of `traffic`. */
  readonly atRequests: readonly number[];
  /** Opened by the operator when it starts. */
  readonly link: () => XsLink;
  /** Left out: all traffic of the host. */
  readonly traffic?: Traffic;
  readonly force?: boolean;
  readonly lookNs?: readonly [least: number, more: number];
}

export interface Operator {
  readonly me: Thread;
  readonly answers: readonly string[];
}

/** dom0's administrator, who updates the store at those moments. */
export function startOperator({ host, request }: Run, plan: UpdatePlan): Operator {
  const answers: string[] = [];
  const atRequests = host.faults.updates(plan.atRequests);
  const me = host.dom0.os.start('operator', (own) =>
    operator(own, plan.link(), plan.traffic ?? host.traffic, {
      atRequests,
      file: STORE_BINARY,
      version: request.format === 'v1' ? 1 : 2,
      force: plan.force === true,
      timeoutSeconds: 0,
      ...(plan.lookNs === undefined ? {} : { lookNs: plan.lookNs }),
      answered: (n, answer) => {
        answers[n - 1] = answer;
      },
    }),
  );
  return { me, answers };
}

/** When a run is at its end, and what is done then. */
export interface RunEnd {
  readonly scenario: string;
  readonly isBusy: () => boolean;
  /** Virtual time after which a run that has not ended is stuck. */
  readonly horizonNs: number;
  /** How often the run is asked whether it has ended. */
  readonly sliceNs: number;
  /** What is looked at before the tree is read. */
  readonly before?: (verifier: Thread) => Actor;
  /** Called when all is read. */
  readonly finish?: () => void;
  readonly created: () => number;
  readonly answers: readonly string[];
  /** Beside the families that judge every history. */
  readonly verdicts?: (history: History, isFinished: boolean) => readonly Verdict[];
  /** What devices did, for the report. */
  readonly devices?: () => NonNullable<RunResult['devices']>;
  /** What is missing in a run that does not come to rest. */
  readonly missing?: () => string;
}

/** Run until the work is done and nothing is on its way; then read the tree, and judge. */
export function runAndJudge({ host, request }: Run, end: RunEnd): RunResult {
  const { machine, dom0 } = host;
  const nodes: SeenNode[] = [];
  let finished = false;
  dom0.os.start('verifier', (me) =>
    quiesce(me, end.isBusy, function* (own): Actor {
      if (end.before !== undefined) yield* end.before(own);
      yield* readTree(own, dom0.client, nodes);
      finished = true;
    }),
  );
  const isFinished = machine.scheduler.runUntil(() => finished, end.horizonNs, end.sliceNs) === 'met';
  if (isFinished) {
    host.recorder?.snapshot(nodes);
    end.finish?.();
  }
  host.watch?.check();
  const history = host.recorder?.history();
  const verdicts =
    history === undefined
      ? []
      : [
          ...checkHistory(history),
          ...(history.toolstack === undefined ? [] : [toolstackIntends(history)]),
          ...(end.verdicts?.(history, isFinished) ?? []),
        ];
  const violated = verdicts.some((v) => v.violations.length > 0);
  const planned = host.faults.faults;
  const missing = end.missing?.() ?? `${host.inFlight} requests unanswered`;
  return host.result({
    request,
    scenario: end.scenario,
    outcome: violated ? 'violation' : isFinished ? 'pass' : 'unknown',
    reason: isFinished ? '' : `the run did not come to rest: ${missing} at ${machine.nowNs} ns`,
    created: end.created(),
    ...(planned.length === 0 ? {} : { faults: planned }),
    ...(end.devices === undefined ? {} : { devices: end.devices() }),
    updates: host.store.updates.map((u, i): UpdateReport => ({ ...u, answer: end.answers[i] ?? '' })),
    verdicts,
    history,
  });
}
