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
import { checkHistory } from '../judge/invariants/index.ts';
import { Host, type HostOptions, LIFELIKE, STORE_BINARY } from './host.ts';
import type { RunRequest, RunResult, UpdateReport } from './scenario.ts';
import type { Settings, StoreHome } from './settings.ts';

/** Virtual time after which a run that has not ended is stuck. */
const HORIZON_NS = 120_000_000_000;
/** How often a run is asked whether it has ended, virtual ns. */
const SLICE_NS = 1_000_000;
/** The machine checks itself so often: a few dozen times in the headline's run. */
const CHECK_EVERY_STEPS = 20_000;

/** What a scenario chooses of its host; the rest is the same for all. */
export interface RunPlan extends Partial<Pick<HostOptions, 'policy' | 'limitsWrites' | 'ownFaults'>> {
  /** Requests after which `host.traffic.stopping` is set; left out: it never is by itself. */
  readonly requestsMax?: number;
  /** How often the machine checks itself while the run is judged; left out: every 20,000 steps. */
  readonly checkEverySteps?: number;
  /** Whether faults strike no more; left out: when traffic stops. */
  readonly isOver?: (host: Host) => boolean;
}

/** Settings of which the host itself makes something. */
export type HostSettings = Settings & {
  readonly store?: StoreHome;
  readonly faults?: string;
};

/** A run on its way, from openRun to runAndJudge. */
export interface Run {
  readonly request: RunRequest;
  readonly host: Host;
  /** Those who change something: unless the scenario says otherwise, traffic stops when they have ended. */
  readonly writers: Thread[];
  readonly operators: Thread[];
  /** What the operator was told of each update, in their order. */
  readonly answers: string[];
}

/**
 * The host that a request asks for, with its faults armed, before anybody does anything: dom0, its kernel, and a store
 * that serves. Of the request's settings the host itself makes something of `store` and `faults`, where there are such.
 */
export function openRun(request: RunRequest<HostSettings>, plan: RunPlan = {}): Run {
  const { settings, seed, lab, checks } = request;
  const { policy = 'carry', limitsWrites = false, ownFaults } = plan;
  const { requestsMax = Number.POSITIVE_INFINITY, checkEverySteps = CHECK_EVERY_STEPS } = plan;
  const { isOver = ({ traffic }) => traffic.stopping } = plan;
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
    ownFaults,
    passImage: request.passImage,
    execFails: request.execFails,
    startStore: request.startStore,
  });
  const { faults } = host;
  if (request.traceLine !== undefined) host.traceTo(request.traceLine);
  if (faults.faults.length > 0) request.planned?.(faults.faults);
  faults.arm(host, () => isOver(host));
  host.store.movesInSteps = faults.storeMovesInSteps();
  return { request, host, writers: [], operators: [], answers: [] };
}

/** Whether guests may ask for watches with a depth: images of version 1, and formats that say so, lose it. */
export function keepsDepth({ lab, format }: Pick<RunRequest, 'lab' | 'format'>): boolean {
  return lab === undefined ? format !== 'v1' : extentOf(lab.carriage, 'watchDepth') !== 'none';
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
  /** In requests of `traffic`, ascending; those that are not reached come when traffic stops. */
  readonly atRequests: readonly number[];
  /** Opened by the operator when it starts; left out: a program of dom0. */
  readonly link?: () => XsLink;
  /** Left out: all traffic of the host. */
  readonly traffic?: Traffic;
  readonly force?: boolean;
  readonly lookNs?: readonly [least: number, more: number];
}

export interface Operator {
  readonly me: Thread;
  readonly answers: readonly string[];
}

/**
 * dom0's administrator, who live-updates the store at those moments, in the format that the request names.
 * What each update interrupted and was answered is in the result. Errors: none; an update that fails is answered so.
 */
export function startOperator({ host, request, operators, answers }: Run, plan: UpdatePlan): Operator {
  const atRequests = host.faults.updates(plan.atRequests);
  const me = host.dom0.os.start('operator', (own) =>
    operator(own, plan.link?.() ?? host.connect('operator'), plan.traffic ?? host.traffic, {
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
  operators.push(me);
  return { me, answers };
}

/** When a run is at its end, and what is done then. */
export interface RunEnd {
  readonly scenario: string;
  /** Left out: while one of the run's writers or operators works, or a request has no answer. */
  readonly isBusy?: () => boolean;
  /** Virtual time after which a run that has not ended is stuck; left out: the request's, or 120 s. */
  readonly horizonNs?: number;
  /** How often the run is asked whether it has ended, virtual ns; left out: every millisecond. */
  readonly sliceNs?: number;
  /** What is looked at before the tree is read. */
  readonly before?: (verifier: Thread) => Actor;
  /** Called when all is read. */
  readonly finish?: () => void;
  /** Domains that were created, for the report; left out: the guests that were booted. */
  readonly created?: () => number;
  /** Left out: the run's. */
  readonly answers?: readonly string[];
  /** Beside the families that judge every history. */
  readonly verdicts?: (history: History, isFinished: boolean) => readonly Verdict[];
  /** What devices did, for the report. */
  readonly devices?: () => NonNullable<RunResult['devices']>;
  /** What is missing in a run that does not come to end. */
  readonly missing?: () => string;
}

/** When the writers have ended traffic stops: those who only watch or poll end, and what the operator still has to do comes now. */
function isRunBusy({ host, writers, operators }: Run): boolean {
  if (writers.some(isWorking)) return true;
  host.traffic.stopping = true;
  return operators.some(isWorking) || host.inFlight > 0;
}

/**
 * Run until the work is done and nothing is on its way; then dom0 reads the whole tree, and the history is judged: by the
 * families of checks that judge every run, and by `verdicts`. Errors: throws what the machine's own checks find.
 */
export function runAndJudge(run: Run, end: RunEnd): RunResult {
  const { host, request } = run;
  const { machine, dom0 } = host;
  const { isBusy = () => isRunBusy(run), answers = run.answers } = end;
  const { horizonNs = request.horizonNs ?? HORIZON_NS, sliceNs = SLICE_NS } = end;
  const nodes: SeenNode[] = [];
  let finished = false;
  dom0.os.start('verifier', (me) =>
    quiesce(me, isBusy, function* (own): Actor {
      if (end.before !== undefined) yield* end.before(own);
      yield* readTree(own, dom0.client, nodes);
      finished = true;
    }),
  );
  const isFinished = machine.scheduler.runUntil(() => finished, horizonNs, sliceNs) === 'met';
  if (isFinished) {
    host.recorder?.snapshot(nodes);
    end.finish?.();
  }
  host.watch?.check();
  const history = host.recorder?.history();
  const verdicts =
    history === undefined ? [] : [...checkHistory(history), ...(end.verdicts?.(history, isFinished) ?? [])];
  const violated = verdicts.some((v) => v.violations.length > 0);
  const planned = host.faults.faults;
  const missing = end.missing?.() ?? `${host.inFlight} requests unanswered`;
  return host.result({
    request,
    scenario: end.scenario,
    outcome: violated ? 'violation' : isFinished ? 'pass' : 'unknown',
    reason: isFinished ? '' : `the run did not come to rest: ${missing} at ${machine.nowNs} ns`,
    created: end.created?.() ?? host.guests.length,
    ...(planned.length === 0 ? {} : { faults: planned }),
    ...(end.devices === undefined ? {} : { devices: end.devices() }),
    updates: host.store.updates.map((u, i): UpdateReport => ({ ...u, answer: answers[i] ?? '' })),
    verdicts,
    history,
  });
}
