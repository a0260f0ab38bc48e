import { type Actor, PARK } from '../../sim/index.ts';
import type { GuestOs, Thread } from '../kernel/index.ts';
import type { SuspendOutcome } from '../libxl/index.ts';
import { isCommand, takeCommand } from '../power/index.ts';
import { type EventQueue, Xs, type XsClient } from '../xenstore/index.ts';

/** A guest that does not suspend as it should. */
export interface BadSuspender {
  readonly name: string;
  readonly id: string;
  readonly does: string;
  /** What a toolstack that asks it gets. */
  readonly gets: SuspendOutcome['kind'];
  readonly run: (me: Thread, os: GuestOs, client: XsClient) => Actor;
}

/** Every such kind. Source: guests.md 5. */
export const BAD_SUSPENDERS: readonly BadSuspender[] = [
  {
    name: 'never-acks',
    id: 'BAD-31',
    does: 'looks at the request to suspend, and leaves it there',
    gets: 'no ack',
    *run(me, _os, client) {
      const xs = new Xs(client, me);
      const asked: EventQueue = { events: [], me };
      yield* client.watch(asked, 'control/shutdown', 'shutdown');
      for (;;) {
        if (asked.events.shift() === undefined) yield PARK;
        else yield* xs.read('control/shutdown');
      }
    },
  },
  {
    name: 'acks-only',
    id: 'BAD-32',
    does: 'takes the request to suspend, and runs on',
    gets: 'runs on',
    *run(me, _os, client) {
      const xs = new Xs(client, me);
      const asked: EventQueue = { events: [], me };
      yield* client.watch(asked, 'control/shutdown', 'shutdown');
      for (;;) {
        if (asked.events.shift() === undefined) yield PARK;
        else yield* takeCommand(xs, isCommand);
      }
    },
  },
  {
    name: 'parks-itself',
    id: 'BAD-33',
    does: 'suspends without being asked, again and again; it stays parked until somebody resumes it',
    gets: 'no ack',
    *run(me, os) {
      for (;;) yield* os.suspend(me);
    },
  },
];
