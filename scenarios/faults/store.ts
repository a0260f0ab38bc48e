import { split, Xs } from '../../guests/index.ts';
import type { Actor } from '../../sim/index.ts';
import type { FaultRule } from './rule.ts';

/** In how many bursts a contender writes, and how long it rests between two at most, ns. */
const BURSTS = [1, 6] as const;
const REST_NS_MAX = 3_000_000;
/** A wall clock jumps by so many seconds at most. */
const JUMP_S = 7_200;
/** And is set right within so many ns. */
const RIGHT_NS = 5_000_000;

/** Faults of the store's own process and of those who contend for it. */
export const STORE_RULES: readonly FaultRule[] = [
  {
    id: 'INJ-R3',
    what: 'others run between any two of the store’s accesses to a ring, also between the two of one index',
    mustHold: 'two sides that keep to the rules meet in no word',
    needs: [],
    isSure: true,
    oneIn: [1, 2],
    arm: ({ injected }) => ({
      storeMovesInSteps: () => {
        injected('');
        return true;
      },
    }),
  },
  {
    id: 'INJ-T6',
    what: 'somebody writes to what transactions have read, again and again: commits fail many times in a row',
    mustHold: 'a failed commit leaves nothing behind, and another try sees what is there now',
    needs: ['transacts'],
    oneIn: [1, 3],
    arm: ({ host, draws, strikes, injected, isOver }) => {
      const { dom0, machine } = host;
      machine.scheduler.at(machine.nowNs, () => {
        dom0.os.start('contender', function* (me): Actor {
          const xs = new Xs(dom0.client, me);
          while (!isOver()) {
            yield draws.below(REST_NS_MAX);
            if (isOver() || !strikes()) continue;
            for (let burst = draws.between(...BURSTS); burst > 0 && !isOver(); burst--) {
              const names = yield* xs.directory('/shared');
              if (names.error !== undefined) break;
              const before = host.traffic.conflicts;
              // Looked at before each: a write that comes while the tree is read would make it one of no moment.
              for (const name of split(names.payload)) if (!isOver()) yield* xs.write(`/shared/${name}`, 'contended');
              if (host.traffic.conflicts > before) injected(`${host.traffic.conflicts - before} conflicts`);
            }
          }
        });
      });
      return {};
    },
  },
  {
    id: 'INJ-T10',
    what: 'the store has no memory for a request of a guest',
    mustHold: 'ENOMEM is the answer, and nothing else comes of the request',
    needs: ['creates', 'ours'],
    oneIn: [64, 512],
    arm: ({ host, strikes, injected }) => {
      host.store.allocationFails = (domid) => {
        // Hostile guests know what they are to get, and this is not it.
        if (!host.guests.some((g) => g.os.domain.domid === domid) || !strikes()) return false;
        injected(`domain ${domid}`);
        return true;
      };
      return {};
    },
  },
  {
    id: 'INJ-T11',
    what: 'the wall clock, by which transactions and live updates are timed, jumps to and fro',
    mustHold: 'an update comes to an end; what is timed by the monotonic clock does not change',
    needs: [],
    oneIn: [1, 3],
    arm: ({ host, draws, strikes, injected }) => ({
      now: {
        everyNs: [500_000, 4_000_000],
        act: () => {
          if (!strikes()) return;
          const seconds = draws.below(2 * JUMP_S) - JUMP_S;
          host.store.jumpWallClock(seconds);
          const rightNs = host.machine.nowNs + draws.below(RIGHT_NS);
          // Set back it is set right soon, and set forward it stays so. What began while it was ahead would else last for hours, as
          // it would in life: 1. It is set forward. 2. An update begins to wait, at most 2 s. 3. It is set back: in an hour that
          // will be over. Meanwhile nobody can begin a transaction.
          if (seconds < 0) host.machine.scheduler.at(rightNs, () => host.store.jumpWallClock(-seconds));
          injected(`${seconds} s`);
        },
      },
    }),
  },
];
