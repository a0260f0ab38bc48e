import type { Domain, Port } from '../../sim/index.ts';
import type { Armed, FaultRule } from './rule.ts';
import { crashLater, duringUpdates, pickRunning, pickVictim } from './victims.ts';

/** A lost event is made good for at the latest after so long, ns: by another one, or by a kick. */
const REPAIR_NS = 300_000;
/** Events of a storm, and the pause between two. */
const STORM_EVENTS = 2_000;
const STORM_NS = 250;

/** Faults of ports: events that go nowhere, are lost or come in another order; ports that are masked, closed, or flooded. */
export const PORT_RULES: readonly FaultRule[] = [
  {
    id: 'INJ-E4',
    what: 'a domain sends on its store port before the store has bound it: the event goes nowhere, with success',
    mustHold: 'a send says nothing of the peer; the bind makes up for it',
    needs: ['creates'],
    oneIn: [1, 2],
    arm: ({ host, draws, strikes, injected }) => ({
      beforeIntroduce: ({ domain }) => {
        if (!strikes()) return;
        for (const port of domain.ports.ports())
          for (let n = draws.between(1, 3); n > 0; n--) {
            const outcome = host.machine.events.send(domain, port);
            if (outcome === 'dropped') injected(`domain ${domain.domid} port ${port}`);
          }
      },
    }),
  },
  {
    id: 'INJ-E5',
    what: 'an event is dropped on its way, as a FIFO one is whose queue changes; a later one finds its port',
    mustHold: 'the next look at the levels finds what the lost event was for',
    needs: ['creates'],
    oneIn: [16, 128],
    arm: ({ host, draws, strikes, injected }) => {
      const { scheduler, events } = host.machine;
      let isRepair = false;
      return {
        edge: (domain, port) => {
          if (isRepair || !strikes()) return undefined;
          injected(`domain ${domain.domid} port ${port}`);
          scheduler.at(scheduler.nowNs + draws.below(REPAIR_NS), () => {
            isRepair = true;
            events.spurious(domain, port);
            isRepair = false;
          });
          return { kind: 'drop' };
        },
      };
    },
  },
  {
    id: 'INJ-E6',
    what: 'a guest masks its store port for a while, as around a handler',
    mustHold: 'unmasking looks for what came meanwhile',
    needs: ['creates'],
    oneIn: [1, 4],
    arm: (armed) => ({
      now: {
        everyNs: [50_000, 500_000],
        act: () => {
          const victim = pickRunning(armed);
          if (victim === undefined) return;
          const { machine } = armed.host;
          for (const port of victim.ports.ports()) {
            if (victim.ports.isMasked(port)) continue;
            victim.ports.mask(port);
            armed.injected(`domain ${victim.domid} port ${port}`);
            machine.scheduler.at(machine.nowNs + armed.draws.below(REPAIR_NS), () => {
              if (victim.dying === 'alive') machine.events.unmask(victim, port);
            });
          }
        },
      },
    }),
  },
  {
    id: 'INJ-E7',
    what: 'a guest closes its store port and says nothing; some time later it crashes',
    mustHold: 'the store’s sends go nowhere, its own do not arrive, nobody else notices',
    needs: ['spares'],
    oneIn: [1, 4],
    arm: (armed) => ({
      now: {
        everyNs: [1_000_000, 8_000_000],
        act: () => {
          const victim = pickVictim(armed);
          const port = victim === undefined ? undefined : storePort(armed, victim);
          if (victim === undefined || port === undefined) return;
          armed.host.machine.closePort(victim, port);
          armed.injected(`domain ${victim.domid} port ${port}`);
          crashLater(armed, victim, [0, 4_000_000]);
        },
      },
    }),
  },
  {
    id: 'INJ-E9',
    what: 'events come to both ends of a store port before INTRODUCE is answered and the guest has a handler',
    mustHold: 'the ring is looked at after the bind, and when the handler is there',
    needs: ['creates'],
    oneIn: [1, 2],
    arm: ({ host, draws, strikes, injected }) => {
      const { scheduler, events, trace } = host.machine;
      const { storeDomain, storeDomid } = host;
      trace.observe((event) => {
        if (event.kind !== 'port' || event.what !== 'bind' || event.domid !== storeDomid) return;
        // Not one that a toolstack binds: an event on its suspend channel is all that a guest waits for.
        if (host.machine.domain(event.remoteDomid)?.startInfo?.storePort !== event.remotePort || !strikes()) return;
        const ends: [Domain | undefined, Port][] = [
          [host.machine.domain(event.remoteDomid), event.remotePort],
          [storeDomain, event.port],
        ];
        scheduler.at(scheduler.nowNs + draws.below(10_000), () => {
          for (const [domain, port] of ends) if (domain?.dying === 'alive') events.spurious(domain, port);
        });
        injected(`domain ${event.remoteDomid}`);
      });
      return {};
    },
  },
  {
    id: 'INJ-E11',
    what: 'ports of the store were read by the old image and are still disabled when the new one begins',
    mustHold: 'the new image enables them again, or looks at their rings',
    needs: ['updates'],
    oneIn: [1, 2],
    arm: (armed) => {
      const { host, strikes, injected } = armed;
      const { ports } = host.storeDomain;
      const disabled = new Set<Port>();
      let isUpdating = false;
      host.machine.trace.observe((event) => {
        if (event.kind !== 'store') return;
        const { phase } = event;
        if (phase === 'dump') isUpdating = true;
        if (phase !== 'up' && phase !== 'failed' && phase !== 'ended') return;
        isUpdating = false;
        // The old image goes on, and enables what it has read.
        if (phase === 'failed') for (const port of disabled) ports.unmask(port);
        disabled.clear();
      });
      duringUpdates(armed, () => {
        if (!isUpdating) return;
        for (const port of host.store.ports) {
          if (!strikes() || ports.isMasked(port)) continue;
          ports.mask(port);
          disabled.add(port);
          injected(`port ${port}`);
        }
      });
      return {};
    },
  },
  {
    id: 'INJ-E13',
    what: 'several guests crash at one instant: one VIRQ for all of them',
    mustHold: 'the store drains the bitmap until there is no more',
    needs: ['spares'],
    oneIn: [1, 4],
    arm: (armed) => ({
      now: {
        everyNs: [1_000_000, 8_000_000],
        act: () => {
          const first = pickVictim(armed);
          if (first === undefined) return;
          const { host, draws, injected } = armed;
          const running = host.guests.map((g) => g.os.domain).filter((d) => d.isRunning && d !== first);
          const others = running.slice(0, Math.min(draws.between(1, 3), Math.max(0, running.length - 4)));
          for (const victim of [first, ...others]) host.machine.shutdown(victim, 'crash');
          injected(`domains ${[first, ...others].map((d) => d.domid).join(' ')}`);
        },
      },
    }),
  },
  {
    id: 'INJ-E14',
    what: 'one guest sends events at full rate, without data',
    mustHold: 'the others are served on',
    needs: ['creates'],
    oneIn: [1, 4],
    arm: (armed) => ({
      now: {
        everyNs: [1_000_000, 5_000_000],
        act: () => {
          const sender = pickRunning(armed);
          const port = sender?.ports.ports()[0];
          if (sender === undefined || port === undefined) return;
          const { machine } = armed.host;
          armed.injected(`domain ${sender.domid} port ${port}`);
          for (let n = 0; n < STORM_EVENTS; n++)
            machine.scheduler.at(machine.nowNs + n * STORM_NS, () => {
              if (sender.isRunning && sender.ports.isUsable(port)) machine.events.send(sender, port);
            });
        },
      },
    }),
  },
  {
    id: 'INJ-E15',
    what: 'events of different ports overtake one another',
    mustHold: 'nobody takes an order of ports for an order of time',
    needs: ['creates'],
    oneIn: [8, 64],
    arm: ({ host, strikes, injected }) => {
      const { scheduler, events } = host.machine;
      const held = new Map<Domain, Port>();
      const release = (domain: Domain, port: Port) => {
        if (held.get(domain) !== port) return;
        held.delete(domain);
        events.spurious(domain, port);
      };
      return {
        edge: (domain, port) => {
          const waiting = held.get(domain);
          if (waiting !== undefined && waiting !== port) scheduler.at(scheduler.nowNs, () => release(domain, waiting)); // behind this one
          if (waiting !== undefined || !strikes()) return undefined;
          held.set(domain, port);
          scheduler.at(scheduler.nowNs + REPAIR_NS, () => release(domain, port));
          injected(`domain ${domain.domid} port ${port}`);
          return { kind: 'drop' };
        },
      };
    },
  },
];

/** A guest's port to the store, where the store has bound it: its drivers have others. */
function storePort({ host }: Armed, { ports }: Domain): Port | undefined {
  return ports.ports().find((port) => {
    const channel = ports.get(port);
    if (channel?.state !== 'interdomain' || channel.remote.domain.domid !== host.storeDomid) return false;
    return host.store.ports.includes(channel.remotePort);
  });
}
