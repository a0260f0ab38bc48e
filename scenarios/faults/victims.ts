import type { Domain } from '../../sim/index.ts';
import type { Armed, Hooks } from './rule.ts';

/** So many guests are left alone: without any the traffic would never come to its end. */
const LEFT_ALONE = 4;
/** How often it is looked whether the time has come, and the domain runs, ns. */
const LOOK_NS = 50_000;
/** From the dump of an image to the first step of its successor, at least, ns. */
const UPDATE_NS = 1_500_000;

/** A running guest of the run, if this occasion is one. */
export function pickVictim({ host, draws, strikes }: Armed): Domain | undefined {
  if (!strikes()) return undefined;
  const running = host.guests.map((g) => g.os.domain).filter((d) => d.isRunning);
  return running.length <= LEFT_ALONE ? undefined : draws.pick(running);
}

/** A running guest whose pause does no harm: also one of the last. */
export function pickRunning({ host, draws, strikes }: Armed): Domain | undefined {
  if (!strikes()) return undefined;
  const running = host.guests.map((g) => g.os.domain).filter((d) => d.isRunning);
  return running.length === 0 ? undefined : draws.pick(running);
}

/** Now and then something ends, or stops, a running guest: that is for `act` to do and to record. */
export function befallsGuests(armed: Armed, act: (victim: Domain) => void): Hooks {
  return {
    now: {
      everyNs: [2_000_000, 12_000_000],
      act: () => {
        const victim = pickVictim(armed);
        if (victim !== undefined) act(victim);
      },
    },
  };
}

/** Call `act` at some moment of each live update, between the dump and the successor's first step. */
export function duringUpdates({ host, draws }: Armed, act: () => void): void {
  const { scheduler, trace } = host.machine;
  trace.observe((event) => {
    if (event.kind === 'store' && event.phase === 'dump') scheduler.at(scheduler.nowNs + draws.below(UPDATE_NS), act);
  });
}

/** Let `victim` crash within so many ns, and before the run is at its end, unless it is gone by then; one that is suspended as
 *  soon as it goes on. */
export function crashLater({ host, draws, isOver }: Armed, victim: Domain, withinNs: readonly [number, number]): void {
  const { machine } = host;
  const dueNs = machine.nowNs + draws.between(withinNs[0], withinNs[1]);
  const look = () => {
    if (victim.dying !== 'alive') return;
    const isDue = machine.nowNs >= dueNs || isOver();
    if (isDue && victim.shutdown === undefined) machine.shutdown(victim, 'crash');
    else if (victim.shutdown === undefined || victim.shutdown === 'suspend')
      machine.scheduler.at(machine.nowNs + LOOK_NS, look);
  };
  look();
}
