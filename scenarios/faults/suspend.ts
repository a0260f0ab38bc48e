import { strings, XS, Xs } from '../../guests/index.ts';
import type { Actor, Domain } from '../../sim/index.ts';
import type { Armed, FaultRule } from './rule.ts';
import { befallsGuests, pickRunning } from './victims.ts';

/** Faults of shutdowns: preserved, resumed, subscribed, slow, or by a watchdog. */
export const SUSPEND_RULES: readonly FaultRule[] = [
  {
    id: 'INJ-D8',
    what: 'a guest powers off or reboots, and nobody destroys it',
    mustHold: 'its end is told once for each image of the store; what it owns stays',
    needs: ['spares'],
    oneIn: [1, 6],
    arm: (armed) =>
      befallsGuests(armed, (victim) => {
        const reason = armed.draws.pick(['poweroff', 'reboot'] as const);
        armed.injected(`domain ${victim.domid} ${reason}`);
        armed.host.machine.shutdown(victim, reason);
      }),
  },
  {
    id: 'INJ-D9',
    what: 'a guest is suspended and resumed before the store has polled',
    mustHold: 'nobody need hear of it, and its ring goes on where it was',
    needs: ['creates'],
    oneIn: [1, 3],
    arm: (armed) => ({
      now: {
        everyNs: [500_000, 5_000_000],
        act: () => {
          const guest = pickRunning(armed);
          if (guest === undefined) return;
          armed.injected(`domain ${guest.domid}`);
          armed.host.machine.shutdown(guest, 'suspend');
          resumeAfter(armed, guest, armed.draws.below(2_000));
        },
      },
    }),
  },
  {
    id: 'INJ-D10',
    what: 'the suspend of a guest is subscribed to: the event alone, and no VIRQ',
    mustHold: 'the store hears of it with the next VIRQ, or never; the ring goes on where it was',
    needs: ['creates'],
    oneIn: [1, 3],
    arm: (armed) => ({
      now: {
        everyNs: [1_000_000, 6_000_000],
        act: () => {
          const guest = pickRunning(armed);
          if (guest === undefined) return;
          const { machine, dom0 } = armed.host;
          const port = machine.events.allocUnbound(guest, guest, dom0.os.domain.domid);
          if (!dom0.os.hyper.domctl.subscribe(guest.domid, port).ok) return;
          armed.injected(`domain ${guest.domid} port ${port}`);
          machine.shutdown(guest, 'suspend');
          resumeAfter(armed, guest, armed.draws.between(10_000, 2_000_000), () => {
            machine.closePort(guest, port);
            guest.suspendPort = 0;
          });
        },
      },
    }),
  },
  {
    id: 'INJ-D17',
    what: 'a guest’s watchdog fires in the middle of whatever it does',
    mustHold: 'as with any other shutdown: nobody else notices more than @releaseDomain',
    needs: ['spares'],
    oneIn: [1, 6],
    arm: (armed) =>
      befallsGuests(armed, (victim) => {
        armed.injected(`domain ${victim.domid}`);
        armed.host.machine.lives.watchdog(victim, 0, 0); // fires at once
      }),
  },
  {
    id: 'INJ-D18',
    what: 'a vCPU waits for its device model when its domain shuts down: the shutdown is complete only later',
    mustHold: 'nothing of the guest runs meanwhile, and nobody is told before',
    needs: ['spares'],
    oneIn: [1, 6],
    arm: (armed) =>
      befallsGuests(armed, (victim) => {
        const { machine } = armed.host;
        if (!machine.lives.deferShutdown(victim, 0)) return;
        armed.injected(`domain ${victim.domid}`);
        machine.shutdown(victim, 'poweroff');
        machine.scheduler.at(machine.nowNs + armed.draws.below(8_000_000), () => machine.lives.endDeferral(victim, 0));
      }),
  },
];

/** What libxl does for a suspend that was cancelled: XEN_DOMCTL_resumedomain, then XS_RESUME. If somebody has resumed the guest
 *  before, and its kernel has parked it since, that is its toolstack's to resume. */
function resumeAfter({ host }: Armed, guest: Domain, ns: number, first = () => {}): void {
  const { machine, dom0 } = host;
  machine.scheduler.at(machine.nowNs + ns, () => {
    const isParked = host.guests.some(({ os }) => os.domain === guest && os.isParked);
    if (guest.dying !== 'alive' || guest.shutdown !== 'suspend' || isParked) return;
    first();
    machine.resume(guest);
    dom0.os.start(`xl-resume-${guest.domid}`, function* (me): Actor {
      yield* new Xs(dom0.client, me).call(XS.RESUME, strings(String(guest.domid)));
    });
  });
}
