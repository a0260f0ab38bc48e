import type { Domain, EdgeVerdict, Port } from '../../sim/index.ts';
import type { Armed, FaultRule } from './rule.ts';
import type { Trip } from './trip.ts';
import { befallsTrips, cutAt } from './trips.ts';

/** How long xl waits where it waits in vain, ns: its 60 s are nothing but time. */
const PATIENCE_NS = [20_000_000, 60_000_000] as const;
/** So long behind the end of that patience comes what comes too late, ns. */
const LATE_NS = [100_000, 8_000_000] as const;

/** An event of a guest's suspend channel that is to break: the request on its way to the guest, or the answer to whoever asked. */
interface Struck {
  readonly guest: Domain;
  readonly which: 'request' | 'answer';
  readonly verdict: EdgeVerdict;
  /** Once, or for as long as it is asked. */
  isOver: boolean;
}

/** What else goes wrong with a guest that is to suspend itself, and with those who move it. */
export const TRIP_GUEST_RULES: readonly FaultRule[] = [
  {
    id: 'INJ-M21',
    what: 'a guest does not hear that it is to suspend itself, hears it and runs on, or parks when nobody waits any more',
    mustHold: 'xl gives it up; one that parks all the same is a hole that is known (FP-7)',
    needs: ['migrates'],
    oneIn: [3, 20],
    arm: (armed) =>
      befallsTrips(armed, (trip) => {
        const patienceNs = patience(armed, trip);
        trip.will = armed.draws.pick(['deaf', 'runs on', { lateNs: patienceNs + armed.draws.between(...LATE_NS) }]);
        armed.injected(typeof trip.will === 'string' ? trip.will : `parks ${trip.will.lateNs} ns late`);
      }),
  },
  {
    id: 'INJ-M23',
    what: 'an event of the suspend channel is lost, comes late, or comes for nothing',
    mustHold:
      'xl looks for itself, and gives up what it does not find; a guest that parks all the same is known (FP-7)',
    needs: ['migrates', 'channels'],
    oneIn: [1, 4],
    arm: (armed) => {
      const struck: Struck[] = [];
      return {
        ...befallsTrips(armed, (trip) => strikeChannel(armed, trip, struck)),
        edge: (domain, port) => {
          const found = struck.find((one) => !one.isOver && isEventOf(one, domain, port));
          if (found === undefined) return undefined;
          found.isOver = true;
          armed.injected(`${found.which} of domain ${found.guest.domid}: ${found.verdict.kind}`);
          return found.verdict;
        },
      };
    },
  },
  {
    id: 'INJ-M25',
    what: 'somebody else renames a guest while it is moved, and takes that back',
    mustHold: 'who finds another name than it knows gives up: the guest stays (FP-19), or is given back (FP-15)',
    needs: ['migrates'],
    oneIn: [3, 20],
    arm: (armed) =>
      befallsTrips(armed, (trip) => {
        const { draws, injected } = armed;
        const at = draws.pick(['source', 'target'] as const);
        trip.renamer = { at, afterNs: draws.below(600_000), holdNs: draws.between(100_000, 2_000_000) };
        injected(`at the ${at}, for ${trip.renamer.holdNs} ns`);
      }),
  },
  {
    id: 'INJ-M26',
    what: 'the link of a migration is cut when the guest is parked; it is resumed at its source, and the store is not told',
    mustHold:
      'it goes on; that it parks once more the store tells nobody, and who waits for that is known to wait (MIG-19)',
    needs: ['migrates'],
    oneIn: [3, 20],
    arm: (armed) =>
      befallsTrips(armed, (trip) => {
        trip.losesResume = true;
        cutAt(trip, 'SO9', (link) => link.cut());
        trip.told.push((news) => {
          if (news.what === 'store not told') armed.injected(`domain ${trip.domain.domid}`);
        });
      }),
  },
];

/** xl does not wait for its own 60 s. */
function patience({ draws }: Armed, trip: Trip): number {
  const drawn = draws.between(...PATIENCE_NS);
  trip.patienceNs = Math.min(drawn, trip.patienceNs ?? drawn);
  return trip.patienceNs;
}

function strikeChannel(armed: Armed, trip: Trip, struck: Struck[]): void {
  const { draws, host } = armed;
  const guest = trip.domain;
  const patienceNs = patience(armed, trip);
  const which = draws.pick(['request', 'answer'] as const);
  const how = draws.pick(['drop', 'delay', 'spurious'] as const);
  const delayNs = draws.oneIn(2) ? draws.below(patienceNs) : patienceNs + draws.between(...LATE_NS);
  cutAt(trip, 'SO7', () => {
    if (guest.suspendPort === 0) return; // it has none
    if (how !== 'spurious') {
      struck.push({
        guest,
        which,
        verdict: how === 'drop' ? { kind: 'drop' } : { kind: 'delay', delayNs },
        isOver: false,
      });
      return;
    }
    const answer = peerOf(guest);
    if (answer === undefined) return;
    armed.injected(`answer of domain ${guest.domid} that runs`);
    host.machine.events.spurious(host.dom0.os.domain, answer);
  });
}

function isEventOf({ guest, which }: Struck, domain: Domain, port: Port): boolean {
  if (which === 'request') return domain === guest && guest.suspendPort !== 0 && port === guest.suspendPort;
  return domain.domid === 0 && guest.shutdown === 'suspend' && port === peerOf(guest);
}

/** The toolstack's end of a guest's suspend channel. */
function peerOf(guest: Domain): Port | undefined {
  const channel = guest.suspendPort === 0 ? undefined : guest.ports.get(guest.suspendPort);
  return channel?.state === 'interdomain' ? channel.remotePort : undefined;
}
