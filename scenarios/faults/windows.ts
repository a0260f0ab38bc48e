import { buildDomain } from '../../guests/index.ts';
import type { Domain } from '../../sim/index.ts';
import type { Armed, FaultRule } from './rule.ts';
import { duringUpdates, pickVictim } from './victims.ts';

/** How often somebody looks whether an id is free, and how long at most, ns. */
const LOOK_NS = 10_000;
const LOOKS = 400;
/** Longest life of an heir, ns. */
const HEIR_NS = 8_000_000;

/** Faults of live updates: what happens to domains between two images of the store. */
export const WINDOW_RULES: readonly FaultRule[] = [
  {
    id: 'INJ-D5',
    what: 'a guest dies and another domain has its id, with a ring and a port as it had them, before the new image looks',
    mustHold: 'the unique id tells them apart: the old one is let go of, the new one is not taken for it',
    needs: ['updates', 'spares', 'bare'],
    oneIn: [1, 3],
    arm: (armed) => {
      duringUpdates(armed, () => {
        const victim = pickVictim(armed);
        if (victim === undefined) return;
        armed.host.machine.destroy(victim);
        inherit(armed, victim, (heir) => armed.injected(`domain ${heir.domid}`));
      });
      return {};
    },
  },
  {
    id: 'INJ-E8',
    what: 'the heir of a domain id binds the port that the store had for the dead one, and sends on it',
    mustHold: 'an event says nothing of who sent it: the store looks at unique ids',
    needs: ['updates', 'spares', 'alone'],
    oneIn: [1, 3],
    arm: (armed) => {
      const { host, injected } = armed;
      const { events } = host.machine;
      const { storeDomain } = host;
      duringUpdates(armed, () => {
        const victim = pickVictim(armed);
        if (victim === undefined) return;
        host.machine.destroy(victim);
        inherit(armed, victim, (heir) => {
          for (const port of host.store.ports) {
            const channel = storeDomain.ports.get(port);
            if (channel?.state !== 'unbound' || channel.remoteDomid !== heir.domid) continue;
            const own = events.bindInterdomain(heir, storeDomain.domid, port);
            events.send(heir, own);
            injected(`domain ${heir.domid} port ${port}`);
          }
        });
      });
      return {};
    },
  },
  {
    id: 'INJ-D6',
    what: 'a guest dies, or a domain comes and goes, while the store has let go of VIRQ_DOM_EXC',
    mustHold: 'the new image looks at every domain that it knows',
    needs: ['updates'],
    oneIn: [1, 2],
    arm: (armed) => {
      const { host, draws, injected } = armed;
      duringUpdates(armed, () => {
        if (draws.oneIn(2)) {
          const victim = pickVictim(armed);
          if (victim === undefined) return;
          host.machine.destroy(victim);
          injected(`domain ${victim.domid} dies`);
        } else if (armed.strikes()) {
          const domid = 1 + Math.max(...host.machine.domains().map((d) => d.domid));
          const built = buildDomain(host.dom0.os, domid, `brief${domid}`, host.storeDomid);
          if (built === undefined) return;
          host.machine.destroy(built.domain);
          injected(`domain ${domid} comes and goes`);
        }
      });
      return {};
    },
  },
];

/** Build another domain with the victim's id as soon as that is free; the heir is destroyed some time later. */
function inherit({ host, draws }: Armed, victim: Domain, made: (heir: Domain) => void): void {
  const { machine, dom0, storeDomid } = host;
  const { scheduler } = machine;
  const { domid } = victim;
  let looks = 0;
  const look = () => {
    const now = machine.domain(domid);
    if (now !== undefined && (now !== victim || looks++ > LOOKS)) return; // somebody else was quicker, or it stays a zombie
    if (now === victim) return scheduler.at(scheduler.nowNs + LOOK_NS, look);
    const built = buildDomain(dom0.os, domid, `heir${domid}`, storeDomid);
    if (built === undefined) return;
    machine.unpause(built.domain);
    made(built.domain);
    scheduler.at(scheduler.nowNs + draws.between(100_000, HEIR_NS), () => machine.destroy(built.domain));
  };
  look();
}
