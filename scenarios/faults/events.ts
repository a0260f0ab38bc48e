import { VIRQ_DOM_EXC } from '../../sim/index.ts';
import type { FaultRule } from './rule.ts';

/** Longest time for which an event may be on its way, ns; much more than any pause between two events of a busy ring. */
export const EVENT_DELAY_NS_MAX = 400_000;
/** After a lost VIRQ the next one comes at the latest after so long, ns. */
const NEXT_VIRQ_NS = 5_000_000;

/** Faults of event channels and of those who wait for them. */
export const DELAY_RULES: readonly FaultRule[] = [
  {
    id: 'INJ-E1',
    what: 'events coalesce: the bit is set at once, the upcall comes later',
    mustHold: 'the receiver drains by level',
    needs: ['creates'],
    isSure: true,
    oneIn: [8, 128],
    arm: ({ draws, strikes, injected }) => ({
      edge: (domain, port) => {
        if (!strikes()) return undefined;
        injected(`domain ${domain.domid} port ${port}`);
        return { kind: 'coalesce', delayNs: draws.below(EVENT_DELAY_NS_MAX) };
      },
    }),
  },
  {
    id: 'INJ-E2',
    what: 'events are late',
    mustHold: 'nothing in the protocol has a time-out',
    needs: ['creates'],
    isSure: true,
    oneIn: [8, 128],
    arm: ({ draws, strikes, injected }) => ({
      edge: (domain, port) => {
        if (!strikes()) return undefined;
        injected(`domain ${domain.domid} port ${port}`);
        return { kind: 'delay', delayNs: draws.below(EVENT_DELAY_NS_MAX) };
      },
    }),
  },
  {
    id: 'INJ-E3',
    what: 'spurious events on any bound port',
    mustHold: 'no state changes without data in the ring',
    needs: ['creates'],
    isSure: true,
    oneIn: [1, 4],
    arm: ({ host, draws, strikes, injected }) => ({
      now: {
        everyNs: [20_000, 200_000],
        act: () => {
          if (!strikes()) return;
          const domain = draws.pick(host.machine.domains());
          if (domain.dying !== 'alive') return;
          const open = domain.ports.ports();
          if (open.length === 0) return;
          const port = draws.pick(open);
          // A guest that is asked over its channel to suspend has nothing but the event to go by, and does.
          if (host.guests.some(({ os }) => os.domain === domain && os.messagePorts.has(port))) return;
          host.machine.events.spurious(domain, port);
          injected(`domain ${domain.domid} port ${port}`);
        },
      },
    }),
  },
  {
    id: 'INJ-E12',
    what: 'VIRQ_DOM_EXC is dropped, its lock being taken; another one comes later',
    mustHold: 'the next VIRQ drains the whole bitmap: no death stays unnoticed',
    needs: ['destroys'],
    oneIn: [1, 4],
    arm: ({ host, strikes, injected }) => {
      let isRepair = false;
      return {
        virqContended: () => {
          if (isRepair || !strikes()) return false;
          const { scheduler, events, lives } = host.machine;
          // If its id is used again before the next VIRQ, the daemon takes the new domain for the old one, and ends it
          // (INJ-D4; test/guests/libxl/reuse.test.ts). The toolstack's own list of ids is there to prevent that (DOM-5).
          if (lives.changed.some((domid) => lives.get(domid) === undefined)) return false;
          scheduler.at(scheduler.nowNs + NEXT_VIRQ_NS, () => {
            if (lives.changed.isEmpty) return; // another one came first
            isRepair = true;
            events.raiseGlobal(VIRQ_DOM_EXC);
            isRepair = false;
          });
          injected('');
          return true;
        },
      };
    },
  },
  {
    id: 'INJ-R7',
    what: 'guests publish requests in small pieces, with absences in the middle of a copy',
    mustHold: 'a message may come in any pieces',
    needs: ['creates'],
    oneIn: [1, 3],
    arm: ({ strikes, injected }) => ({
      habits: (habits) => {
        if (!strikes()) return habits;
        injected('');
        return { ...habits, tornOneIn: 1, tornNsMax: 100_000 };
      },
    }),
  },
  {
    id: 'INJ-R9',
    what: 'slow consumers: guests take their replies with long pauses',
    mustHold: 'the store waits for room, and nobody else waits for a slow one but those whose events it holds',
    needs: ['creates'],
    oneIn: [1, 4],
    arm: ({ draws, strikes, injected }) => ({
      habits: (habits) => {
        if (!strikes()) return habits;
        injected('');
        return { ...habits, slowReadNsMax: draws.between(200_000, 1_500_000) };
      },
    }),
  },
];
