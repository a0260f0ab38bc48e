import { type Actor, REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD } from '../../sim/index.ts';
import type { RingMover } from './ring-mover.ts';

const WORDS = [REQ_PROD, REQ_CONS, RSP_PROD, RSP_CONS] as const;

/** WN-3: where a producer has moved and its consumer has not, the peer gets a signal, and the ring's own actor is woken. Never
 *  ends. Source: win-xenbus store.c, StoreWatchdog. */
export function* watchdog(ring: RingMover, everyNs: number): Actor {
  let before = WORDS.map((word) => ring.load(word));
  for (;;) {
    yield everyNs;
    const now = WORDS.map((word) => ring.load(word));
    const moved = now.map((index, i) => index !== before[i]);
    if ((moved[0] === true && moved[1] === false) || (moved[2] === true && moved[3] === false)) {
      ring.signal();
      ring.wake();
    }
    before = now;
  }
}
