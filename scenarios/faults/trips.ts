import type { MigrationStep } from '../../guests/libxl/index.ts';
import type { Link } from '../../sim/index.ts';
import type { Armed, FaultRule } from './rule.ts';
import type { Trip } from './trip.ts';

/** Octets of a migration of a small guest: where a cut may come. */
const STREAM_BYTES = 420_000;
/** Octets of the handover's texts. */
const [READY, GO, REPORT] = [34, 44, 40] as const;
const S_STEPS = ['SO2', 'SO4', 'SO6', 'SO13', 'SO14', 'SO15', 'SO16', 'SO17'] as const;
const R_STEPS = ['DE3', 'DE4', 'DE7', 'DE11', 'DE12', 'DE14', 'DE15', 'DE16', 'DE17', 'DE18', 'DE19'] as const;
const V_STEPS = ['SO6', 'SO7', 'SO9'] as const;
const NS_PER_S = 1_000_000_000;
const NS_PER_MS = 1_000_000;

/** What breaks while a guest is on its way. */
export const TRIP_RULES: readonly FaultRule[] = [
  {
    id: 'INJ-M1',
    what: 'the link of a migration is cut after some octet',
    mustHold: 'one copy runs at a time; the guest goes on where the protocol says',
    needs: ['migrates'],
    oneIn: [2, 10],
    arm: (armed) =>
      befallsTrips(armed, (trip) => {
        const n = armed.draws.below(STREAM_BYTES);
        armed.injected(`after octet ${n}`);
        trip.linked.push((link) => link.forth.cutAfter(n));
      }),
  },
  {
    id: 'INJ-M2',
    what: 'the link of a migration is cut in a text of the handover',
    mustHold: 'each side acts upon what it has read, and nobody runs twice',
    needs: ['migrates'],
    oneIn: [2, 10],
    arm: (armed) =>
      befallsTrips(armed, (trip) => {
        const which = armed.draws.pick(['ready', 'go', 'report'] as const);
        const n = armed.draws.below({ ready: READY, go: GO, report: REPORT }[which]);
        armed.injected(`after octet ${n} of ${which}`);
        if (which === 'go') cutAt(trip, 'SO15', (link) => link.forth.cutAfter(link.forth.taken + n));
        else cutAt(trip, which === 'ready' ? 'DE15' : 'DE19', (link) => link.back.cutAfter(link.back.taken + n));
      }),
  },
  {
    id: 'INJ-M3',
    what: 'one direction of the link of a migration is cut, and the other is not',
    mustHold: 'one copy runs at a time',
    needs: ['migrates'],
    oneIn: [3, 20],
    arm: (armed) =>
      befallsTrips(armed, (trip) => {
        const isForth = armed.draws.oneIn(2);
        const n = armed.draws.below(isForth ? STREAM_BYTES : 128);
        armed.injected(`${isForth ? 'to' : 'from'} the destination, after octet ${n}`);
        trip.isHalved = true;
        trip.linked.push((link) => (isForth ? link.forth : link.back).cutAfter(n));
      }),
  },
  {
    id: 'INJ-M4',
    what: 'the link of a migration stalls for a while',
    mustHold: 'everybody waits, and goes on',
    needs: ['migrates'],
    oneIn: [3, 20],
    arm: (armed) =>
      befallsTrips(armed, (trip) => {
        const step = armed.draws.pick(['SO6', 'SO9', 'SO13', 'SO16'] as const);
        const seconds = armed.draws.between(1, 10);
        armed.injected(`${seconds} s at ${step}`);
        cutAt(trip, step, (link) => link.stall(seconds * NS_PER_S));
      }),
  },
  {
    id: 'INJ-M5',
    what: 'the link of a migration is slow: latency times 100, a twentieth of its bandwidth',
    mustHold: 'the guest is gone for longer, and nothing else',
    needs: ['migrates'],
    oneIn: [2, 10],
    arm: (armed) =>
      befallsTrips(armed, (trip) => {
        armed.injected('slow link');
        const { latencyNs, bandwidth } = trip.traits;
        trip.traits = { ...trip.traits, latencyNs: latencyNs * 100, bandwidth: Math.ceil(bandwidth / 20) };
      }),
  },
  {
    id: 'INJ-M6',
    what: 'reads and writes of a migration move a few octets each',
    mustHold: 'nothing changes but time',
    needs: ['migrates'],
    oneIn: [3, 20],
    arm: (armed) =>
      befallsTrips(armed, (trip) => {
        const pieceBytes = armed.draws.between(7, 4_000);
        armed.injected(`${pieceBytes} octets each`);
        trip.traits = { ...trip.traits, pieceBytes };
      }),
  },
  {
    id: 'INJ-M11',
    what: 'a process of a migration is killed before a step',
    mustHold: 'one copy runs at a time; what is left is what the protocol leaves',
    needs: ['migrates'],
    oneIn: [2, 8],
    arm: (armed) =>
      befallsTrips(armed, (trip) => {
        const process = armed.draws.pick(['S', 'V', 'R', 'W'] as const);
        const step = armed.draws.pick<MigrationStep>(
          { S: S_STEPS, V: V_STEPS, R: R_STEPS, W: ['DE7'] as const }[process],
        );
        armed.injected(`${process} before ${step}`);
        trip.dies.push((who, where) => who === process && where === step);
      }),
  },
  {
    id: 'INJ-M22',
    what: 'a guest crashes or powers off while it is on its way',
    mustHold: 'it ends once, and no copy of it runs',
    needs: ['migrates', 'spares'],
    oneIn: [6, 30],
    arm: (armed) =>
      befallsTrips(armed, (trip) => {
        const reason = armed.draws.pick(['crash', 'poweroff'] as const);
        const step = armed.draws.pick(['SO4', 'SO6', 'SO7'] as const);
        armed.injected(`${reason} at ${step}`);
        cutAt(trip, step, () => trip.endGuest(reason));
      }),
  },
  {
    id: 'INJ-M12',
    what: 'a destination has no memory for a guest that comes',
    mustHold: 'it refuses before anything is made, and the guest never stops',
    needs: ['migrates'],
    oneIn: [3, 20],
    arm: (armed) =>
      befallsTrips(armed, (trip) => {
        armed.injected('no memory');
        trip.lacksMemory = true;
      }),
  },
  {
    id: 'INJ-M13',
    what: "a script of a guest's device fails at the destination, or hangs",
    mustHold: 'the copy is destroyed, and the source goes on',
    needs: ['migrates'],
    oneIn: [3, 20],
    arm: (armed) =>
      befallsTrips(armed, (trip) => {
        trip.script = armed.draws.oneIn(5) ? 'hangs' : 'error';
        armed.injected(`script: ${trip.script}`);
      }),
  },
  {
    id: 'INJ-M14',
    what: "the destination's store cannot take a guest that comes",
    mustHold: 'who looks at the answer destroys the copy, and the source goes on',
    needs: ['migrates', 'looks'],
    oneIn: [3, 20],
    arm: (armed) =>
      befallsTrips(armed, (trip) => {
        armed.injected('INTRODUCE fails');
        trip.isNotIntroduced = true;
      }),
  },
  {
    id: 'INJ-M20',
    what: 'the source is destroyed late',
    mustHold: 'it stays parked, and nobody takes it for its guest',
    needs: ['migrates'],
    oneIn: [3, 20],
    arm: (armed) =>
      befallsTrips(armed, (trip) => {
        const ms = armed.draws.between(1, 3_000);
        armed.injected(`${ms} ms late`);
        trip.destroysAfterNs = ms * NS_PER_MS;
      }),
  },
  {
    id: 'INJ-M24',
    what: 'xl gives a guest up in the moment in which it answers',
    mustHold: 'the answer and the blanking exclude each other; a guest that parks all the same is a hole that is known',
    needs: ['migrates'],
    oneIn: [3, 20],
    arm: (armed) =>
      befallsTrips(armed, (trip) => {
        const us = armed.draws.between(100, 4_000);
        armed.injected(`patience of ${us} us`);
        trip.patienceNs = Math.min(us * 1_000, trip.patienceNs ?? us * 1_000);
      }),
  },
];

/** Some of the migrations that begin. */
export function befallsTrips({ strikes, isOver }: Armed, befall: (trip: Trip) => void) {
  return {
    trip: (trip: Trip) => {
      if (!isOver() && strikes()) befall(trip);
    },
  };
}

/** Once, when a process is about to take that step. */
export function cutAt(trip: Trip, step: MigrationStep, act: (link: Link) => void): void {
  let isDone = false;
  trip.told.push((news, link) => {
    if (isDone || news.what !== 'step' || news.step !== step) return;
    isDone = true;
    act(link);
  });
}
