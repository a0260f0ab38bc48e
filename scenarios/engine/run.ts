import {
  operator,
  quiesce,
  readTree,
  type SeenNode,
  type Thread,
  type Traffic,
  type UpdateWay,
  type XsLink,
} from '../../guests/index.ts';
import { type Actor, type Domain, type Stream, Universe } from '../../sim/index.ts';
import { extentOf } from '../../store/format/model/index.ts';
import type { StorePolicy } from '../../store/index.ts';
import type { PlannedFault } from '../faults/rule.ts';
import type { History, Verdict } from '../judge/history.ts';
import { collectConnections, judgeHistory, mappings, storeLives, toolstackIntends } from '../judge/invariants/index.ts';
import { countMarks, MARKS, type MarkName, type Traces } from '../judge/marks.ts';
import { logOf } from '../judge/recorded-history.ts';
import { armAsks } from './asked.ts';
import { cutsOf, jitterOf, LINGER_NS } from './cuts.ts';
import { Host, type HostOptions, LIFELIKE, STORE_BINARY } from './host.ts';
import { withoutHost } from './host-guard.ts';
import { addMarks, mergeVerdicts } from './merge.ts';
import { SETTLE_NS } from './patience.ts';
import { Progress } from './progress.ts';
import type { MarksSeen, RealTraits, RunRequest, RunResult, UpdateAttempt, UpdateReport } from './scenario.ts';
import type { Settings, StoreHome } from './settings.ts';
import { earlyFailure, type Failure } from './witness.ts';

/** Virtual time after which a run that goes on and on is not waited for any more. */
const HORIZON_NS = 120_000_000_000;
/** How often a run is asked whether it has ended, virtual ns. */
const SLICE_NS = 1_000_000;
/** How long a store may take to hear of a change in Xen's list of domains, how often that is looked at, and how long what
 *  comes of it takes, virtual ns. */
const NOTICE_NS = 20_000_000;
const LOOK_NS = 50_000;
const EVENTS_NS = 2_000_000;
/** The machine checks itself so often: a few dozen times in the headline's run. */
const CHECK_EVERY_STEPS = 20_000;

/** What a scenario chooses of its host; the rest is the same for all. */
export interface RunPlan extends Partial<Pick<HostOptions, 'policy' | 'limitsWrites' | 'ownFaults' | 'endsAtUnborn'>> {
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
  /** Where there are several hosts. */
  readonly name?: string;
  readonly host: Host;
  /** Those who change something: unless the scenario says otherwise, traffic stops when they have ended. */
  readonly writers: Thread[];
  readonly operators: Thread[];
  /** What was asked of the store's updates, and answered, in their order. */
  readonly attempts: UpdateAttempt[];
  /** The same of updates that somebody asked for beside the scenario. */
  readonly asked: UpdateAttempt[];
  /** Who asks for them. */
  readonly askers: Thread[];
  readonly policy: StorePolicy;
  /** Whether somebody was kept from a request that others may rely on. */
  readonly leftOut: { ofBound: boolean };
}

/**
 * The host that a request asks for, with its faults armed, before anybody does anything: dom0, its kernel, and a store
 * that serves. Of the request's settings the host itself makes something of `store` and `faults`, where there are such.
 */
export function openRun(request: RunRequest<HostSettings>, plan: RunPlan = {}): Run {
  const run = newRun(request, plan);
  arm(run, plan);
  return run;
}

/** A host of a run on several. */
export interface HostPlan extends RunPlan {
  /** Unique in the run. */
  readonly name: string;
  /** Which daemon serves there; left out: 4.22. */
  readonly compat?: HostOptions['compat'];
  /** Left out: what the settings say. */
  readonly storeIn?: StoreHome;
  /** What its wall clock is ahead of others', ns. */
  readonly clockAheadNs?: number;
}

/** The hosts of a run, and what lies between them. */
export interface Runs {
  readonly universe: Universe;
  readonly runs: readonly Run[];
}

/**
 * Hosts on one timeline, with one record and one seed, each as openRun opens one. What is counted as traffic is counted of all
 * together. The first draws as it would alone.
 */
export function openRuns(request: RunRequest<HostSettings>, plans: readonly HostPlan[]): Runs {
  const universe = new Universe({ seed: request.seed, jitter: LIFELIKE });
  const runs: Run[] = [];
  const hosts = () => runs.map(({ host }) => host);
  for (const plan of plans) {
    const machine = universe.add(plan.name);
    const traffic = runs[0]?.host.traffic;
    runs.push({ ...newRun(request, plan, { machine, hosts, traffic }), name: plan.name });
  }
  for (const [i, run] of runs.entries()) {
    const plan = plans[i] as HostPlan;
    arm(run, plan, i);
    if (plan.clockAheadNs !== undefined) run.host.store.jumpWallClock(plan.clockAheadNs);
  }
  return { universe, runs };
}

function newRun(
  request: RunRequest<HostSettings>,
  plan: RunPlan & Pick<Partial<HostPlan>, 'compat' | 'storeIn'>,
  place: Pick<HostOptions, 'machine' | 'hosts' | 'traffic'> = {},
): Run {
  const { settings, seed, lab, checks } = request;
  const { real } = request;
  const { ownFaults } = plan;
  const policy = real === undefined ? (plan.policy ?? 'carry') : 'daemon';
  const limitsWrites = real !== undefined || plan.limitsWrites === true;
  const { requestsMax = Number.POSITIVE_INFINITY, checkEverySteps = CHECK_EVERY_STEPS } = plan;
  const cuts = cutsOf(request.cuts ?? {});
  const leftOut = { ofBound: false };
  const host = new Host({
    ...place,
    seed,
    jitter: jitterOf(LIFELIKE, request.cuts?.pace),
    makesBareDomains: request.cuts?.domains === 'bare',
    requests: {
      cuts,
      noted: request.requestNoted,
      torn: request.tearNoted,
      leftOut: ({ isFree }) => {
        if (!isFree) leftOut.ofBound = true;
      },
    },
    requestsMax,
    policy,
    compat: real?.compat ?? plan.compat ?? '4.22',
    storeIn: plan.storeIn ?? settings.store,
    records: checks,
    ...(checks ? { checkEverySteps } : {}),
    limitsWrites,
    lab,
    faults: settings.faults,
    ownFaults,
    endsAtUnborn: plan.endsAtUnborn,
    does: request.does,
    passImage: request.passImage,
    execFails: request.execFails,
    startStore: request.startStore,
  });
  return { request, host, writers: [], operators: [], attempts: [], asked: [], askers: [], policy, leftOut };
}

/** From now on what is planned may break. */
function arm(run: Run, { isOver = ({ traffic }) => traffic.stopping }: RunPlan, number = 0): void {
  const { request, host } = run;
  const { faults, machine, traffic } = host;
  const isFirst = number === 0;
  const cuts = cutsOf(request.cuts ?? {});
  if (cuts !== undefined)
    machine.scheduler.at(cuts.endNs + LINGER_NS, () => {
      traffic.stopping = true;
    });
  if (request.traceLine !== undefined) host.traceTo(request.traceLine);
  request.opened?.(host);
  if (isFirst && request.observed !== undefined) machine.trace.observeAll(request.observed);
  if (isFirst && request.marksDigest !== undefined) machine.trace.markDigest(request.marksDigest);
  if (isFirst && faults.faults.length > 0) request.planned?.(faults.faults);
  faults.arm(host, () => isOver(host));
  const { askers, asked } = run;
  armAsks(request.cuts?.asks ?? [], number, { host, attempts: asked, askers, version: versionFor(request) });
  host.store.movesInSteps = faults.storeMovesInSteps();
}

/** Whether guests may ask for watches with a depth: images of version 1, and formats that say so, lose it. */
export function keepsDepth({ lab, format, real }: Pick<RunRequest, 'lab' | 'format' | 'real'>): boolean {
  if (real?.avoids === true) return false;
  return lab === undefined ? format !== 'v1' : extentOf(lab.carriage, 'watchDepth') !== 'none';
}

/** Whether what the store keeps of domains beside their nodes outlives an update: targets, quotas of their own, stale entries.
 *  Images of version 1 have no quotas; other formats have what they say. */
export function keepsStanding({ lab, format, real }: Pick<RunRequest, 'lab' | 'format' | 'real'>): boolean {
  if (real?.avoids === true) return false;
  if (lab === undefined) return format !== 'v1';
  return STANDING_ROWS.every((row) => extentOf(lab.carriage, row) !== 'none');
}
const STANDING_ROWS = ['target', 'domainQuotas', 'staleAcl'] as const;

/** Whether an actor has not come to its end, and its domain runs or will go on: who suspends a domain resumes it. A run that did
 *  not wait for those would read its tree while one comes back and writes. */
export function mayGoOn({ task }: Thread): boolean {
  return task !== undefined && task.state !== 'done' && task.domain !== undefined && livesOn(task.domain);
}

/** Whether a domain runs or will go on: who suspends it resumes it. */
export function livesOn({ dying, shutdown }: Pick<Domain, 'dying' | 'shutdown'>): boolean {
  return dying === 'alive' && (shutdown === undefined || shutdown === 'suspend');
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
  readonly atRequests?: readonly number[];
  /** In virtual ns, ascending; in place of `atRequests`. */
  readonly atNs?: readonly number[];
  /** Each update waits for its own, and nothing else; in place of `atRequests`. Called in the operator's thread. */
  readonly waits?: readonly ((me: Thread) => Actor)[];
  /** Called with each attempt, from 1, that was answered. */
  readonly answered?: (n: number) => void;
  /** Opened by the operator when it starts; left out: a program of dom0. */
  readonly link?: () => XsLink;
  /** Left out: all traffic of the host. */
  readonly traffic?: Traffic;
  /** An update would do harm while a domain is being built (DST-9): it waits, and holds up who would build one. Left out: it
   *  goes ahead. */
  readonly sparesBuilders?: boolean;
  /** Whether the store has versions of its image to choose from: those before 4.22 have none. Left out: it has. */
  readonly isVersioned?: boolean;
  /** Of the image of update `n`; left out: that of the request's format. */
  readonly version?: (n: number) => 1 | 2 | undefined;
  /** All are forced (-F); left out: as drawn. */
  readonly force?: boolean;
  readonly lookNs?: readonly [least: number, more: number];
}

export interface Operator {
  readonly me: Thread;
}

/**
 * dom0's administrator, who live-updates the store at those moments, in the format that the request names.
 * What each attempt was answered, and what each update interrupted, is in the result. Errors: none; an update that fails is
 * answered so.
 */
export function startOperator(run: Run, plan: UpdatePlan): Operator {
  const { host, request, operators, attempts } = run;
  const { machine, store } = host;
  const { atNs, atRequests = [], waits } = plan;
  const exactNs = request.cuts?.updatesAtNs;
  const moments = exactNs ?? waits?.map((_, n) => n) ?? host.faults.updates(atNs ?? atRequests);
  const way = waysOf(run, plan.force === true);
  /** Updates so far, when each was asked for. */
  const before: number[] = [];
  const me = host.dom0.os.start('operator', (own) =>
    operator(own, plan.link?.() ?? host.connect('operator'), plan.traffic ?? host.traffic, {
      moments,
      ...(atNs === undefined ? {} : { progress: () => machine.nowNs }),
      ...(exactNs === undefined ? {} : { isExact: true }),
      ...(exactNs !== undefined || waits === undefined ? {} : { waits: (n) => waits[n - 1]?.(own) ?? noWait() }),
      file: STORE_BINARY,
      version: (n) => {
        if (request.real === undefined && plan.isVersioned === false) return undefined;
        return (request.real === undefined ? plan.version?.(n) : undefined) ?? versionFor(request);
      },
      way,
      connect: (n) => host.connect(`holder-${n}`),
      os: host.dom0.os,
      ...(plan.lookNs === undefined ? {} : { lookNs: plan.lookNs }),
      ...(request.real?.avoids === true || plan.sparesBuilders === true
        ? { before: () => untilNoneIsBuilt(host), after: () => host.libxlFiles.hold(false) }
        : {}),
      asked: (n, command) => {
        const { timeNs } = attempts[n - 1] ?? { timeNs: machine.nowNs };
        attempts[n - 1] = { n, timeNs, command, answer: '', update: undefined };
        before[n - 1] = store.updates.length;
      },
      answered: (n, answer) => {
        // An update is over before anybody is told of it.
        const update = store.updates[before[n - 1] as number]?.n;
        attempts[n - 1] = { ...(attempts[n - 1] as UpdateAttempt), answer, update };
        plan.answered?.(n);
      },
    }),
  );
  operators.push(me);
  return { me };
}

/** Of the image that an update is asked for, if nothing else is said. */
function versionFor({ real, format }: RunRequest<HostSettings>): 1 | 2 | undefined {
  return real === undefined ? (format === 'v1' ? 1 : 2) : real.streamVersion;
}

/** Nobody says when: at once. */
function* noWait(): Actor {}

/** How often the administrator looks whether a domain is still being built, ns. */
const BUILDERS_LOOK_NS = 200_000;

/** Nobody begins to build a domain, and the store has been told of those that are being built. */
function* untilNoneIsBuilt({ libxlFiles: files }: Host): Actor {
  files.hold(true);
  while (files.building > 0) yield BUILDERS_LOOK_NS;
}

/** A time that is over within a second of virtual time, or within two. */
const SHORT_SECONDS = [1, 2] as const;
/** Long enough for every transaction of a guest to end meanwhile: no wall clock second is over sooner. */
const LONG_SECONDS = [2, 3] as const;
/** How long a session is open that comes to nothing, ns. */
const ABORT_NS_MAX = 3_000_000;

/**
 * How updates are asked for. A store that carries transactions never waits for them. The daemon waits for them, and puts those
 * aside that begin meanwhile: the operator lets it wait, or does not; now and then a program holds it up until the time is over, and
 * it is refused, or forced; now and then it is given up.
 */
function waysOf({ host, policy }: Run, force: boolean): (n: number) => UpdateWay {
  const draws = host.machine.streams.for('operator/ways');
  const atOnce = { timeoutSeconds: 0, force };
  if (policy === 'carry') return () => atOnce;
  return () => {
    const [short, long, abortAfterNs] = [
      draws.between(...SHORT_SECONDS),
      draws.between(...LONG_SECONDS),
      draws.below(ABORT_NS_MAX),
    ];
    const waits = { timeoutSeconds: long, force };
    const kinds: readonly UpdateWay[] = [
      waits,
      waits,
      waits,
      atOnce,
      { timeoutSeconds: short, force, isHeldUp: true },
      { timeoutSeconds: long, force: true, isHeldUp: true },
      { ...waits, abortAfterNs },
    ];
    return draws.pick(kinds);
  };
}

/** When a run is at its end, and what is done then. */
export interface RunEnd {
  readonly scenario: string;
  /** Left out: while one of the run's writers or operators works, or a request has no answer. */
  readonly isBusy?: () => boolean;
  /** Virtual time after which a run that goes on and on is not waited for any more; left out: the request's, or 120 s. */
  readonly horizonNs?: number;
  /** How often the run is asked whether it has ended, virtual ns; left out: every millisecond. */
  readonly sliceNs?: number;
  /** What is looked at before the tree is read. */
  readonly before?: (verifier: Thread) => Actor;
  /** Called when all is read. */
  readonly finish?: () => void;
  /** Domains that were created, for the report; left out: the guests that were booted. */
  readonly created?: () => number;
  /** The hosts' histories are not judged one by one: guests go from one into another without a word. Left out: they are. */
  readonly isJoint?: boolean;
  /** Beside the families that judge every history. */
  readonly verdicts?: (history: History, isFinished: boolean) => readonly Verdict[];
  /** Of all hosts together, by the order of hosts. */
  readonly joined?: (histories: readonly History[], isFinished: boolean) => readonly Verdict[];
  /** What was moved between hosts, for the report. */
  readonly migrations?: () => NonNullable<RunResult['migrations']>;
  /** What devices did, for the report. */
  readonly devices?: () => NonNullable<RunResult['devices']>;
  /** Beside traffic ends what cannot be gone on with: its guests are told more than they can read. Left out: nothing. */
  readonly giveUp?: () => void;
  /** What is missing in a run that does not come to end. */
  readonly missing?: () => string;
}

/** When the writers have ended traffic stops: those who only watch or poll end, and what the operator still has to do comes now. */
function isRunBusy({ host, writers, operators }: Run): boolean {
  if (writers.some(isWorking)) return true;
  host.traffic.stopping = true;
  return operators.some(isWorking) || host.inFlight > 0;
}

/** An end with everything that may be left out. */
type WholeEnd = RunEnd & Required<Pick<RunEnd, 'isBusy' | 'horizonNs' | 'sliceNs'>>;

/**
 * Run until the work is done and nothing is on its way; then dom0 reads the whole tree, and the history is judged: by the
 * families of checks that judge every run, and by `verdicts`. Errors: what is thrown under the scheduler is the outcome `error`.
 */
export function runAndJudge(run: Run, given: RunEnd): RunResult {
  return runAllAndJudge([run], given);
}

/** The same of several hosts: all come to rest, each's tree is read, each's history is judged. */
export function runAllAndJudge(runs: readonly Run[], given: RunEnd): RunResult {
  const first = runs[0] as Run;
  const { request } = first;
  const { horizonNs = request.horizonNs ?? HORIZON_NS, sliceNs = SLICE_NS } = given;
  const isBusy = given.isBusy ?? (() => runs.some(isRunBusy));
  const end: WholeEnd = { ...given, isBusy, horizonNs, sliceNs };
  const ended = runToEnd(runs, end);
  const histories = runs.flatMap(({ host }) => host.recorder?.history() ?? []);
  const planned = plannedOn(runs);
  const { verdicts, ...how } = judged(runs, end, ended, histories);
  const lastFault = ended.kind === 'finished' ? undefined : lastFaultOf(runs);
  const isAlone = runs.length === 1;
  const named = ({ name }: Run) => (name === undefined ? {} : { host: name });
  return first.host.result({
    request,
    scenario: end.scenario,
    ...how,
    ...(lastFault === undefined ? {} : { lastFault }),
    created: end.created?.() ?? runs.reduce((sum, { host }) => sum + host.guests.length, 0),
    ...(planned.length === 0 ? {} : { faults: planned }),
    ...(end.devices === undefined ? {} : { devices: end.devices() }),
    attempts: runs.flatMap((run) => attemptsOf(run).map((each) => ({ ...each, ...named(run) }))),
    updates: runs.flatMap((run) =>
      run.host.store.updates.map(
        (u): UpdateReport => ({ ...u, answer: answerTo(attemptsOf(run), u.n), ...named(run) }),
      ),
    ),
    verdicts,
    history: histories[0],
    ...(isAlone ? {} : { hosts: runs.map(({ name = '' }, i) => ({ name, history: histories[i] })) }),
    ...(end.migrations === undefined ? {} : { migrations: end.migrations() }),
  });
}

/** Each rule once, with what it did on all hosts. */
function plannedOn(runs: readonly Run[]): readonly PlannedFault[] {
  const planned = new Map<string, PlannedFault>();
  for (const { host } of runs)
    for (const fault of host.faults.faults) {
      const before = planned.get(fault.id);
      planned.set(fault.id, before === undefined ? fault : { ...before, injected: before.injected + fault.injected });
    }
  return [...planned.values()];
}

function lastFaultOf(runs: readonly Run[]): RunResult['lastFault'] {
  const faults = runs.flatMap(({ host }) => host.witness?.lastFault ?? []);
  return faults.reduce<RunResult['lastFault']>(
    (last, f) => (last === undefined || f.timeNs > last.timeNs ? f : last),
    undefined,
  );
}

/** All, in the order of time. */
function attemptsOf({ attempts, asked }: Run): readonly UpdateAttempt[] {
  if (asked.length === 0) return attempts;
  return [...attempts, ...asked].sort((a, b) => a.timeNs - b.timeNs).map((each, i) => ({ ...each, n: i + 1 }));
}

function answerTo(attempts: readonly UpdateAttempt[], update: number): string {
  return attempts.find((each) => each.update === update)?.answer ?? '';
}

/** How a run ended: at its end, in a mistake of ours, nowhere, or in the middle when its time was over. */
type Ended =
  | { readonly kind: 'finished' }
  | { readonly kind: 'failed'; readonly failure: Failure }
  | { readonly kind: 'stuck'; readonly sinceNs: number }
  | { readonly kind: 'late' };

function runToEnd(runs: readonly Run[], end: WholeEnd): Ended {
  const { host, request } = runs[0] as Run;
  const { machine } = host;
  const readings = runs.map((run) => ({ host: run.host, nodes: [] as SeenNode[], isDone: false }));
  /** A host that is down reads nothing, and is judged by what it did. */
  const isRead = () => readings.every((each) => each.isDone || each.host.machine.scheduler.isHalted);
  /** Somebody may ask for an update while the tree is read: it has its end, too. */
  const isFinished = () => isRead() && !runs.some(({ askers }) => askers.some(isWorking));
  try {
    for (const reading of readings) startVerifier(reading, end);
    const progress = progressOf(runs, end);
    let stuck = false;
    const isOver = () => {
      request.looked?.({ virtualNs: machine.nowNs, requests: host.traffic.requests });
      const finished = isFinished();
      // Whoever waits for a store that has ended waits for ever, whatever else goes on.
      if (!finished) stuck = runs.some(hasLostStore) || progress?.isStuck() === true;
      return finished || stuck;
    };
    withoutHost(() => machine.scheduler.runUntil(isOver, end.horizonNs, end.sliceNs));
    const finished = isFinished();
    if (finished) {
      for (const each of readings) if (each.isDone) each.host.recorder?.snapshot(each.nodes);
      end.finish?.();
    }
    for (const each of runs) each.host.watch?.check();
    if (finished) return { kind: 'finished' };
    const sinceNs = progress?.lastNs ?? machine.nowNs;
    return !stuck && machine.scheduler.nextNs !== undefined && machine.nowNs - sinceNs < SETTLE_NS
      ? { kind: 'late' }
      : { kind: 'stuck', sinceNs };
  } catch (thrown) {
    return { kind: 'failed', failure: host.witness?.failure(thrown) ?? earlyFailure(thrown) };
  }
}

function hasLostStore({ host }: Run): boolean {
  return host.store.ended !== undefined && !host.machine.scheduler.isHalted;
}

/** dom0 of a host waits for the end, and reads the whole tree. */
function startVerifier(
  reading: { readonly host: Host; readonly nodes: SeenNode[]; isDone: boolean },
  end: WholeEnd,
): void {
  const { host, nodes } = reading;
  const { dom0 } = host;
  dom0.os.start('verifier', (me) =>
    quiesce(me, end.isBusy, function* (own): Actor {
      yield* untilNoticed(host);
      if (end.before !== undefined) yield* end.before(own);
      yield* readTree(own, dom0.client, nodes);
      reading.isDone = true;
    }),
  );
}

/**
 * What a domain owned that has ended goes in the middle of the reading, which is then of no one moment, where that was not waited for:
 * 1. A domain dies, and its VIRQ is dropped (INJ-E12), or it was never introduced and somebody keeps it by a mapping (INJ-G7): the
 * store knows no end of it before it is gone. 2. The traffic ends. 3. The tree is read. 4. Another VIRQ, or the last unmap. A store that
 * never looks is not waited for, and neither is a mapping that never goes.
 */
function* untilNoticed({ machine }: Host): Actor {
  // Of one that was made Xen tells nobody by itself.
  const hasEnded = (domid: number) => machine.domain(domid)?.dying !== 'alive';
  const isComing = () =>
    machine.lives.changed.some(hasEnded) || machine.domains().some(({ dying }) => dying !== 'alive');
  let waitedNs = 0;
  for (; isComing() && waitedNs < NOTICE_NS; waitedNs += LOOK_NS) yield LOOK_NS;
  if (waitedNs > 0) yield EVENTS_NS;
}

function progressOf(runs: readonly Run[], { devices, giveUp }: WholeEnd): Progress | undefined {
  const { machine, traffic, recorder } = (runs[0] as Run).host;
  const witnesses = runs.flatMap(({ host }) => host.witness ?? []);
  if (witnesses.length === 0) return undefined;
  const all = {
    get lives() {
      return witnesses.reduce((sum, { lives }) => sum + lives, 0);
    },
    get messages() {
      return witnesses.reduce((sum, { messages }) => sum + messages, 0);
    },
  };
  return new Progress(machine, all, {
    payload: devices === undefined ? undefined : () => devices().reduce((sum, [, count]) => sum + count, 0),
    isOver: () => traffic.stopping,
    hush: () => {
      if (traffic.stopping) return false;
      giveUp?.();
      for (const { host } of runs) host.traffic.stopping = true;
      return true;
    },
    // A hostile guest looks again and again, and gives up by itself.
    givesUp: ({ domain }) => domain !== undefined && recorder?.isHostile(domain.domid) === true,
  });
}

/** Families that compare what there is at the end with what there ought to be. */
const OF_THE_END: readonly string[] = ['final-tree', 'devices-converge'];

/**
 * What a run without an end has done, and not what it has left undone. What is missing is found with the last record: it is
 * missing where rings and sockets have been silent for long, but 1. a request is consumed, 2. guests in the background go on, 3. the
 * run is found to be stuck in its payload, 4. its reply would have come.
 */
function soFar({ machine, witness }: Host, all: readonly Verdict[], history: History | undefined): readonly Verdict[] {
  const isSilent = machine.nowNs - (witness?.messageNs ?? 0) >= SETTLE_NS;
  const last = history && logOf(history).at(-1)?.seq;
  return all
    .filter(({ invariant }) => !OF_THE_END.includes(invariant))
    .map((verdict) => {
      if (isSilent) return verdict;
      return { ...verdict, violations: verdict.violations.filter(({ seq }) => seq !== last) };
    });
}

/** What holds of any xenstored, and asks no model: no octet is lost, nobody touches what is not mapped, the process lives. */
const OF_ANY: readonly string[] = ['ring-octets', 'mappings', 'store-lives'];

function ofRun({ host, request }: Run, all: readonly Verdict[]): readonly Verdict[] {
  return request.real === undefined ? all : ofReal(host, request.real, all);
}

/** What is said of a daemon of somebody else. Of one whose answers are not the model's the model's findings are a known difference. */
function ofReal(host: Host, { differs }: RealTraits, all: readonly Verdict[]): readonly Verdict[] {
  const upTo = upToDeath(host, all);
  if (differs === undefined) return upTo;
  return upTo.map((verdict) => {
    const { invariant, violations } = verdict;
    if (OF_ANY.includes(invariant) || violations.length === 0) return verdict;
    return { ...verdict, violations: [], known: [...(verdict.known ?? []), { ...differs, seen: violations }] };
  });
}

/**
 * A store that is a process of its own may die: that is a finding, or a known defect; what comes behind it is none. 1. It dies.
 * 2. Its kernel closes its ports. 3. What guests wait for does not come.
 */
function upToDeath({ store, recorder }: Host, all: readonly Verdict[]): readonly Verdict[] {
  const { death } = store;
  const end = recorder?.storeEnd;
  if (death === undefined || end === undefined) return [...all, storeLives(undefined)];
  const before = all.map((verdict) => {
    return { ...verdict, violations: verdict.violations.filter(({ seq }) => seq < end.seq) };
  });
  return [...before, storeLives({ ...end, ...death })];
}

/** What a run came to, and why. What compares the end is left out where there was none. */
function judged(
  runs: readonly Run[],
  end: WholeEnd,
  ended: Ended,
  histories: readonly History[],
): Pick<RunResult, 'outcome' | 'reason' | 'failure' | 'waits' | 'verdicts' | 'marks'> {
  const { host, request } = runs[0] as Run;
  if (ended.kind === 'failed') return { outcome: 'error', reason: '', failure: ended.failure, verdicts: [] };
  const isFinished = ended.kind === 'finished';
  let verdicts: readonly Verdict[];
  let marks: MarksSeen | undefined;
  try {
    const perHost = runs.map((run, i) =>
      (end.isJoint === true ? countedHost : judgedHost)(run, end, isFinished, histories[i]),
    );
    const leavesOut = runs.some(({ leftOut }) => leftOut.ofBound);
    const joined = histories.length === 0 || leavesOut ? [] : (end.joined?.(histories, isFinished) ?? []);
    const told = perHost.map(({ verdicts: all }, i) =>
      ofRun(
        runs[i] as Run,
        isFinished || request.judgesUnfinished === true ? all : soFar((runs[i] as Run).host, all, histories[i]),
      ),
    );
    verdicts = [...(runs.length === 1 ? (told[0] ?? []) : mergeVerdicts(told)), ...joined];
    if (histories.length > 0)
      marks = addMarks(
        perHost.flatMap((each) => each.marks ?? []),
        countMarks({ ...OF_NOBODY, verdicts: joined }),
      );
  } catch (thrown) {
    const failure = { ...earlyFailure(thrown), actor: 'the judge', timeNs: host.machine.nowNs };
    return { outcome: 'error', reason: '', failure, verdicts: [] };
  }
  const violated = verdicts.some((v) => v.violations.length > 0);
  const seen = marks === undefined ? {} : { marks };
  const { death } = host.store;
  if (death?.known !== undefined && !violated)
    return { outcome: 'pass', reason: `judged up to the known defect ${death.known.label}`, verdicts, ...seen };
  if (isFinished && !violated && marks !== undefined && marks.missing.length > 0)
    return { outcome: 'unknown', reason: `not reached: ${namesOf(marks.missing)}`, verdicts, ...seen };
  if (isFinished) return { outcome: violated ? 'violation' : 'pass', reason: '', verdicts, ...seen };
  const inFlight = runs.reduce((sum, run) => sum + run.host.inFlight, 0);
  const missing = end.missing?.() ?? `${inFlight} requests unanswered`;
  const waits = runs.flatMap((run) => run.host.waits());
  // Whoever was kept from a request may be what others wait for.
  if (ended.kind === 'stuck' && !runs.some(({ leftOut }) => leftOut.ofBound))
    return {
      outcome: violated ? 'violation' : 'stuck',
      reason: `the run does not come to rest, and nothing has moved since ${ended.sinceNs} ns: ${missing}`,
      waits,
      verdicts,
      ...seen,
    };
  return {
    outcome: violated ? 'violation' : 'unknown',
    reason:
      ended.kind === 'stuck'
        ? `the run does not come to rest, and requests of it were left out: ${missing}`
        : `the run was not at its end after ${end.horizonNs} ns, and still moved: ${missing}`,
    waits,
    verdicts,
    ...seen,
  };
}

/** Of what hosts have together nothing is counted but what its checks say. */
const OF_NOBODY: Omit<Traces, 'verdicts'> = {
  history: { epochs: [], records: [], transactionPolicy: 'carry', compat: '4.22' },
  kept: [],
  connections: [],
  updates: [],
  attempts: [],
  strikes: 0,
};

/** What happened on a host whose history is not judged by itself. */
function countedHost(
  run: Run,
  _end: WholeEnd,
  _isFinished: boolean,
  history: History | undefined,
): ReturnType<typeof judgedHost> {
  if (history === undefined) return { verdicts: [] };
  const log = logOf(history);
  const connections = collectConnections(history, log);
  return { verdicts: [], marks: marksOf(run, { history, kept: log.kept, connections, verdicts: [] }) };
}

/**
 * What is said of one host's history: of the store always; of what guests and toolstacks do only where none of them was kept from what is
 * due of it.
 */
function judgedHost(
  run: Run,
  end: WholeEnd,
  isFinished: boolean,
  history: History | undefined,
): { readonly verdicts: readonly Verdict[]; readonly marks?: MarksSeen } {
  if (history === undefined) return { verdicts: [] };
  const judgement = judgeHistory(history);
  const ofClients = () => [
    ...(history.toolstack === undefined ? [] : [toolstackIntends(history)]),
    ...(end.verdicts?.(history, isFinished) ?? []),
  ];
  const verdicts = [...judgement.verdicts, mappings(history), ...(run.leftOut.ofBound ? [] : ofClients())];
  return {
    verdicts,
    marks: marksOf(run, { history, kept: logOf(history).kept, connections: judgement.connections, verdicts }),
  };
}

function marksOf(
  { host, request, attempts }: Run,
  judged: Pick<Traces, 'history' | 'kept' | 'connections' | 'verdicts'>,
): MarksSeen {
  const { faults, store } = host;
  const strikes = faults.asked.reduce((sum, { injected }) => sum + injected, 0);
  const counts = countMarks({ ...judged, updates: store.updates, attempts, strikes });
  const { run: ofRun, sweep: ofSweep } = request.marks ?? { run: [], sweep: [] };
  return { counts, ofRun, ofSweep, missing: ofRun.filter((name) => counts[name] === 0) };
}

/** Marks with what they mean. */
function namesOf(names: readonly MarkName[]): string {
  return names.map((name) => `${name} (${MARKS[name].what})`).join(', ');
}
