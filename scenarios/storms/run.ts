import { type Me, operator, quiesce, readTree, type SeenNode } from '../../guests/index.ts';
import type { FaultPlan } from '../faults/plan.ts';
import type { History, Verdict } from '../history.ts';
import { checkHistory } from '../invariants/index.ts';
import type { RunRequest, RunResult, UpdateReport } from '../scenario.ts';
import { STORE_BINARY, type World } from '../world.ts';

/** How often a run is asked whether it has ended, virtual ns. */
const SLICE_NS = 5_000_000;

/** How often the operator looks how far the storm is, ns: rarely, as storms last long. */
const LOOK_NS = [100_000, 1_000_000] as const;

/** A scenario whose work ends by itself: when all of it is done, everything is read and judged. */
export interface Storm {
  readonly scenario: string;
  readonly world: World;
  readonly faults: FaultPlan;
  readonly request: RunRequest;
  /** Whether somebody still works. */
  readonly isBusy: () => boolean;
  readonly horizonNs: number;
  readonly created: () => number;
  /** What only this scenario can say. */
  readonly verdicts: (history: History) => readonly Verdict[];
}

/** dom0's administrator, who updates the store at those moments; stops with the traffic. */
export function startOperator(
  { world, request }: Pick<Storm, 'world' | 'request'>,
  atRequests: readonly number[],
): { readonly me: Me; readonly answers: readonly string[] } {
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
export function runStorm(storm: Storm, operators: ReturnType<typeof startOperator>): RunResult {
  const { world, request, faults } = storm;
  const { machine, traffic, dom0 } = world;
  const nodes: SeenNode[] = [];
  let finished = false;
  const isBusy = () => {
    if (storm.isBusy()) return true;
    traffic.stopping = true; // those who only watch or poll end
    return isWorking(operators.me) || world.inFlight > 0;
  };
  dom0.os.start('verifier', (me) =>
    quiesce(me, isBusy, function* (own) {
      yield* readTree(own, dom0.client, nodes);
      finished = true;
    }),
  );
  let horizon = SLICE_NS;
  while (!finished && horizon <= storm.horizonNs && machine.scheduler.run(horizon)) horizon += SLICE_NS;
  if (finished) world.recorder?.snapshot(nodes);
  world.watch?.check();
  const history = world.recorder?.history();
  const verdicts = history === undefined ? [] : [...checkHistory(history), ...storm.verdicts(history)];
  const violated = verdicts.some((v) => v.violations.length > 0);
  const updates = world.store.updates.map((u, i): UpdateReport => ({ ...u, answer: operators.answers[i] ?? '' }));
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
