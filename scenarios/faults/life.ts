import { GNTMAP_host_map, GNTST, GNTTAB_RESERVED_XENSTORE } from '../../sim/index.ts';
import type { FaultRule } from './rule.ts';
import { befallsGuests, pickRunning } from './victims.ts';

/** Faults of domains and of their grants: they may come between any two steps of anybody. */
export const LIFE_RULES: readonly FaultRule[] = [
  {
    id: 'INJ-G4',
    what: "the store's map of a new domain's ring is refused: paged out, no maptrack, unstable entry",
    mustHold: 'INTRODUCE answers an error and leaves nothing behind; the toolstack destroys the domain',
    needs: ['creates'],
    oneIn: [2, 8],
    arm: ({ draws, strikes, injected, host }) => ({
      beforeIntroduce: ({ domain: { domid } }) => {
        if (!strikes()) return;
        const status = draws.pick([GNTST.eagain, GNTST.no_space, GNTST.general_error]);
        host.machine.grants.refuse({ mapper: host.storeDomid, granter: domid, gref: GNTTAB_RESERVED_XENSTORE }, status);
        injected(`domain ${domid} status ${status}`);
      },
    }),
  },
  {
    id: 'INJ-D1',
    what: 'a guest crashes at any step and is kept as it is (INJ-D8) until its time is over',
    mustHold: 'its requests may stay unanswered, nobody else notices more than @releaseDomain',
    needs: ['spares'],
    oneIn: [1, 6],
    arm: (armed) =>
      befallsGuests(armed, (victim) => {
        armed.injected(`domain ${victim.domid}`);
        armed.host.machine.shutdown(victim, 'crash');
      }),
  },
  {
    id: 'INJ-D2',
    what: 'a guest is destroyed at any step of the store',
    mustHold: 'everything of it goes, the others are served on',
    needs: ['spares'],
    oneIn: [1, 6],
    arm: (armed) =>
      befallsGuests(armed, (victim) => {
        armed.injected(`domain ${victim.domid}`);
        armed.host.machine.destroy(victim);
      }),
  },
  {
    id: 'INJ-D3',
    what: 'a guest is paused at any step, and goes on later',
    mustHold: 'nothing is lost, it is only late',
    needs: ['creates'],
    oneIn: [1, 4],
    arm: (armed) => ({
      now: {
        everyNs: [200_000, 3_000_000],
        act: () => {
          const victim = pickRunning(armed);
          if (victim === undefined) return;
          const { machine } = armed.host;
          const { scheduler } = machine;
          armed.injected(`domain ${victim.domid}`);
          machine.pause(victim);
          scheduler.at(scheduler.nowNs + armed.draws.below(2_000_000), () => {
            if (victim.dying === 'alive') machine.unpause(victim);
          });
        },
      },
    }),
  },
  {
    id: 'INJ-D4',
    what: 'the id of a domain is used again at once',
    mustHold: 'nothing of the old one is taken for the new one',
    needs: ['remakes'],
    oneIn: [1, 2],
    arm: ({ strikes, injected }) => ({
      reusesDomid: () => (strikes() ? (domid) => injected(`domain ${domid}`) : undefined),
    }),
  },
  {
    id: 'INJ-D7',
    what: 'somebody still maps a page of a dead domain: it stays a zombie for a while (INJ-G8)',
    mustHold: 'its id is not free before the last unmap; the store lets go of it when it is dead',
    needs: ['destroys'],
    oneIn: [1, 4],
    arm: ({ host, draws, strikes, injected }) => ({
      beforeDestroy: ({ domid }) => {
        if (!strikes()) return;
        const { machine, storeDomain } = host;
        const { status, handle } = machine.mapGrant(storeDomain, domid, GNTTAB_RESERVED_XENSTORE, GNTMAP_host_map);
        if (status !== GNTST.okay || handle === undefined) return;
        injected(`domain ${domid}`);
        const untilNs = machine.nowNs + draws.between(1_000_000, 40_000_000);
        machine.scheduler.at(untilNs, () => machine.unmapGrant(storeDomain, handle));
      },
    }),
  },
];
