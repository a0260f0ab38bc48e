import { type Me, operator, quiesce, readTree, type SeenNode } from '../../guests/index.ts';
import type { Stream } from '../../sim/index.ts';
import type { FaultPlan } from '../faults/plan.ts';
import { convergence, type ExpectedDevice } from '../invariants/convergence.ts';
import { devices } from '../invariants/devices.ts';
import { checkHistory } from '../invariants/index.ts';
import type { RunRequest, RunResult, UpdateReport } from '../scenario.ts';
import { LIFELIKE, STORE_BINARY, World } from '../world.ts';
import type { Backends } from './backends.ts';

/** How often a run is asked whether it has ended, virtual ns. */
const SLICE_NS = 5_000_000;
/** Virtual time after which a run that has not ended is stuck. */
const HORIZON_NS = 600_000_000_000;
/** How often the machine checks itself while a run is judged. */
const CHECK_EVERY_STEPS = 50_000;
/** How often the operator looks how far the storm is, ns: rarely, as storms last long. */
const LOOK_NS = [100_000, 1_000_000] as const;

/** A scenario whose work ends by itself: when all of it is done, everything is read and judged. */
export interface Storm {
  readonly scenario: string;
  readonly world: World;
  readonly backends: Backends;
  readonly faults: FaultPlan;
  readonly request: RunRequest;
  readonly operator: Operator;
  /** Whether domains or devices still come and go. */
  readonly isStorming: () => boolean;
  /** Asked when the storm is over: whether guests still have something to do. */
  readonly isBusy: () => boolean;
  readonly created: () => number;
  /** Devices that have to be there at the end. */
  readonly expected: () => readonly ExpectedDevice[];
}

export interface Operator {
  readonly me: Me;
  readonly answers: readonly string[];
}

/** The host of a storm, before anybody does anything. */
export function stormWorld(request: RunRequest, passImage: (image: Uint8Array) => Uint8Array): World {
  const world = new World({
    seed: request.seed,
    jitter: LIFELIKE,
    requestsMax: Number.POSITIVE_INFINITY,
    policy: 'carry',
    compat: '4.22',
    storeIn: String(request.settings.store ?? 'dom0'),
    records: request.checks,
    ...(request.checks ? { checkEverySteps: CHECK_EVERY_STEPS } : {}),
    limitsWrites: false,
    lab: request.lab,
    passImage: (image, n) => passImage(request.passImage?.(image, n) ?? image),
  });
  if (request.traceLine !== undefined) world.traceTo(request.traceLine);
  return world;
}

/** Moments of updates in requests, drawn within each share of the first nine tenths of `requests`. */
export function spread(updates: number, requests: number, draws: Stream): number[] {
  const share = Math.max(1, Math.floor((requests * 9) / 10 / Math.max(1, updates)));
  return Array.from({ length: updates }, (_, i) => i * share + draws.between(1, share));
}

/** dom0's administrator, who updates the store at those moments; stops with the traffic. */
export function startOperator(world: World, request: RunRequest, atRequests: readonly number[]): Operator {
  const answers: string[] = [];
  const me = world.dom0.os.start('operator', (own) =>
    operator(own, world.connect('operator'), world.traffic, {
      atRequests,
      file: STORE_BINARY,
      version: request.format === 'v1' ? 1 : 2,
      force: false,
      timeoutSeconds: 0,
      lookNs: LOOK_NS,
      answered: (n, answer) => {
        answers[n - 1] = answer;
      },
    }),
  );
  return { me, answers };
}

/** Run until the work is done and nothing is on its way; then read the tree, and judge. */
export function runStorm(storm: Storm): RunResult {
  const { world, request, faults, backends } = storm;
  const { machine, traffic, dom0 } = world;
  if (faults.faults.length > 0) request.planned?.(faults.faults);
  faults.arm(world, () => !storm.isStorming());
  const nodes: SeenNode[] = [];
  let finished = false;
  const isBusy = () => {
    if (storm.isStorming() || storm.isBusy()) return true;
    traffic.stopping = true; // those who only watch or poll end
    return isWorking(storm.operator.me) || world.inFlight > 0;
  };
  dom0.os.start('verifier', (me) =>
    quiesce(me, isBusy, function* (own) {
      yield* readTree(own, dom0.client, nodes);
      finished = true;
    }),
  );
  let horizon = SLICE_NS;
  while (!finished && horizon <= HORIZON_NS && machine.scheduler.run(horizon)) horizon += SLICE_NS;
  if (finished) {
    world.recorder?.snapshot(nodes);
    backends.noteDisks();
  }
  world.watch?.check();
  const history = world.recorder?.history();
  const verdicts =
    history === undefined
      ? []
      : [...checkHistory(history), devices(history), convergence(history, finished ? storm.expected() : [])];
  const violated = verdicts.some((v) => v.violations.length > 0);
  const updates = world.store.updates.map((u, i): UpdateReport => ({ ...u, answer: storm.operator.answers[i] ?? '' }));
  return world.result({
    request,
    scenario: storm.scenario,
    outcome: violated ? 'violation' : finished ? 'pass' : 'unknown',
    reason: finished
      ? ''
      : `the run did not come to rest: ${world.inFlight} requests unanswered at ${machine.nowNs} ns`,
    created: storm.created(),
    ...(faults.faults.length === 0 ? {} : { faults: faults.faults }),
    updates,
    verdicts,
    history,
  });
}

/** Whether an actor of a domain that runs has not come to its end. */
export function isWorking({ task }: Me): boolean {
  return task !== undefined && task.state !== 'done' && task.domain?.dying === 'alive' && !task.domain.shutdown;
}
