import type { Stream } from '../../../sim/index.ts';
import { isWorking, type Operator, openRun, type Run, runAndJudge, startOperator } from '../../engine/run.ts';
import type { RunRequest, RunResult } from '../../engine/scenario.ts';
import { convergence, type ExpectedDevice } from '../../judge/invariants/convergence.ts';
import { devices } from '../../judge/invariants/devices.ts';
import type { Backends } from './backends.ts';

/** How often a run is asked whether it has ended, virtual ns. */
const SLICE_NS = 5_000_000;
/** Virtual time after which a run that has not ended is stuck. */
const HORIZON_NS = 600_000_000_000;
/** How often the machine checks itself while a run is judged. */
const CHECK_EVERY_STEPS = 50_000;
/** So long after a storm its devices may take to connect, ns, as long as libxl waits for a backend. Those that have not by
 *  then never will, and the checks say which. */
const SETTLE_NS = 10_000_000_000;
/** How often the operator looks how far the storm is, ns: rarely, as storms last long. */
const LOOK_NS = [100_000, 1_000_000] as const;

/** A scenario in which domains or devices come and go, many at a time, until all have. */
export interface Storm {
  readonly scenario: string;
  readonly backends: Backends;
  readonly operator: Operator;
  /** Whether domains or devices still come and go. */
  readonly isStorming: () => boolean;
  /** Asked when the storm is over: whether a device of a guest that is there is still to connect. */
  readonly isConnecting: () => boolean;
  /** Called when none is, or the time for it is over. */
  readonly ready?: () => void;
  /** Asked then: whether a guest still uses a device. */
  readonly isUsing: () => boolean;
  readonly created: () => number;
  /** Devices that have to be there at the end. */
  readonly expected: () => readonly ExpectedDevice[];
}

/** The host of a storm, before anybody does anything. */
export function openStorm(request: RunRequest, isStorming: () => boolean): Run {
  return openRun(request, {
    checkEverySteps: CHECK_EVERY_STEPS,
    isOver: () => !isStorming(),
  });
}

/** Moments of updates in requests, drawn within each share of the first nine tenths of `requests`. */
export function spread(updates: number, requests: number, draws: Stream): number[] {
  const share = Math.max(1, Math.floor((requests * 9) / 10 / Math.max(1, updates)));
  return Array.from({ length: updates }, (_, i) => i * share + draws.between(1, share));
}

/** The administrator of a storm; stops with the traffic. */
export function startStormOperator(run: Run, atRequests: readonly number[]): Operator {
  return startOperator(run, { atRequests, link: () => run.host.connect('operator'), lookNs: LOOK_NS });
}

/** Run until the storm is over and all devices are at rest; then judge. */
export function runStorm(run: Run, storm: Storm): RunResult {
  const { host } = run;
  const { machine } = host;
  let overNs: number | undefined;
  return runAndJudge(run, {
    scenario: storm.scenario,
    isBusy: () => {
      if (storm.isStorming()) return true;
      overNs ??= machine.nowNs;
      if (storm.isConnecting() && machine.nowNs - overNs < SETTLE_NS) return true;
      storm.ready?.();
      if (storm.isUsing()) return true;
      host.traffic.stopping = true; // those who only watch or poll end
      return isWorking(storm.operator.me) || host.inFlight > 0;
    },
    horizonNs: HORIZON_NS,
    sliceNs: SLICE_NS,
    finish: () => storm.backends.noteDisks(),
    created: storm.created,
    verdicts: (history, isFinished) => [devices(history), convergence(history, isFinished ? storm.expected() : [])],
  });
}
