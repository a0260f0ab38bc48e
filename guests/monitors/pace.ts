import { type Actor, PARK } from '../../sim/index.ts';
import type { GuestOs, Me } from '../kernel/index.ts';
import type { Traffic } from '../load/index.ts';

/** How the periods of programs that do something every so often look in virtual time. */
export interface Pace {
  /** Seconds of the programs' own periods in one virtual second: 1 is life, more brings a day's traffic into a minute. */
  readonly speedup: number;
  /** 100: all programs of one period beat together, as after a host's boot; 0: their beats are spread over the period. */
  readonly alignedPercent: number;
}

/** `seconds` of a program's life in virtual ns. */
export function paced(pace: Pace, seconds: number): number {
  return Math.max(1, Math.floor((seconds * 1e9) / pace.speedup));
}

/** Sleep in virtual time; ends early, at some wake, when the traffic stops. */
export function* rest(os: GuestOs, me: Me, traffic: Traffic, ns: number): Actor {
  const { scheduler } = os.machine;
  const until = scheduler.nowNs + ns;
  scheduler.at(until, () => me.wake());
  while (scheduler.nowNs < until && !traffic.stopping) yield PARK;
}

/** Sleep until the first beat of a period: a multiple of it since the host's boot, and this program's own share of it later. */
export function* firstBeat(os: GuestOs, me: Me, traffic: Traffic, pace: Pace, seconds: number): Actor {
  const periodNs = paced(pace, seconds);
  const spreadUs = Math.floor((periodNs * (100 - pace.alignedPercent)) / 100_000); // ns would be more than a draw can be
  const phaseNs = 1_000 * me.draws.below(spreadUs + 1);
  const sinceNs = (os.machine.nowNs + periodNs - (phaseNs % periodNs)) % periodNs;
  yield* rest(os, me, traffic, (periodNs - sinceNs) % periodNs);
}
