import type { Actor, Domid } from '../../sim/index.ts';
import type { Thread } from '../kernel/index.ts';
import type { Xenbus } from './xenbus.ts';
import type { RingInUse, XenbusDevice } from './xenbus-device.ts';
import { XenbusState } from './xenbus-state.ts';

/** One device of a domain, and what its backend does when that moves. */
interface Moving {
  readonly device: XenbusDevice;
  readonly ring: RingInUse;
}

/**
 * [sim] What the backends of a host do when a guest moves that is not asked (NC-28 to NC-34). No Linux has such an order; what each
 * step does is what its drivers can do: stop a ring (xen_blkif_disconnect), and attach to one in use (BACK_RING_ATTACH).
 */
export class BackendMoves {
  readonly #bus: Xenbus;

  /** @param bus that of the host's backends. */
  constructor(bus: Xenbus) {
    this.#bus = bus;
  }

  /** NF1: whether all is connected and served. @returns why the guest has to stay. */
  *check(me: Thread, domid: Domid): Actor<string | undefined> {
    const self = this;
    return yield* this.#bus.errand(me, function* () {
      for (const { device, driver } of self.#bus.devicesOf(domid)) {
        const isUp = device.state === XenbusState.Connected && driver.ring?.isServed === true;
        if (!isUp || (yield* device.otherendState()) !== XenbusState.Connected)
          return `${device.name} is not connected`;
      }
      return undefined;
    });
  }

  /** NF4: each ring is stopped at a place where all that was taken is answered, and nothing of the guest is mapped any more. */
  *drain(me: Thread, domid: Domid): Actor {
    const self = this;
    yield* this.#bus.errand(me, function* () {
      for (const { ring } of self.#of(domid)) yield* ring.drain();
    });
  }

  /** NC-31, before the guest runs: rings are mapped and ports bound, of devices that have come, and of those that were here all the
   *  time. Nothing is served: there is somebody yet who may go back. @returns why it cannot be. */
  *attach(me: Thread, domid: Domid): Actor<string | undefined> {
    const self = this;
    return yield* this.#bus.errand(me, function* (xs) {
      const missing = yield* self.#bus.adoptOf(xs, domid);
      if (missing !== undefined) return missing;
      for (const { device, ring } of self.#of(domid)) {
        const why = ring.isServed ? undefined : yield* ring.attach();
        if (why !== undefined) return `${device.name}: ${why}`;
      }
      return undefined;
    });
  }

  /** The guest runs, and nobody else has it (NC-33). */
  *serve(me: Thread, domid: Domid): Actor {
    const self = this;
    yield* this.#bus.errand(me, function* () {
      for (const { ring } of self.#of(domid)) ring.serve();
    });
  }

  #of(domid: Domid): Moving[] {
    return this.#bus
      .devicesOf(domid)
      .flatMap(({ device, driver: { ring } }) => (ring === undefined ? [] : [{ device, ring }]));
  }
}
