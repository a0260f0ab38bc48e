import type { Actor, BackRing, FrontRing } from '../../sim/index.ts';

const LOAD_NS = 20;
const STORE_NS = 15;

/**
 * What a driver does before it sleeps, when a look at its ring has found nothing: ask for an event with the next item, then look
 * once more. The look that found nothing, the store of the threshold and the last look are steps of their own: what the peer
 * publishes between the first two is announced by nobody, and found by the last alone (RNG-3).
 * @param left items that are there, and too few to go on with.
 * @param isInUse whether the ring still is; asked between the steps. One that is not is left as it is.
 * @returns whether the driver has to look again, and does not sleep.
 * Source: RING_FINAL_CHECK_FOR_REQUESTS, RING_FINAL_CHECK_FOR_RESPONSES in xen/include/public/io/ring.h.
 */
export function* finalCheck(ring: FrontRing | BackRing, left = 0, isInUse = () => true): Actor<boolean> {
  yield LOAD_NS;
  if (!isInUse()) return true;
  ring.arm(left);
  yield STORE_NS;
  return !isInUse() || ring.hasMore(left);
}
