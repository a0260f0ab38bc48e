import { type Actor, PARK } from '../../sim/index.ts';
import { Call } from './call.ts';
import type { Rc } from './process.ts';

/**
 * Parts of an operation that are done side by side, each by an actor of its own. What a part does before its first wait is
 * done at once, before the next one begins; the rest goes on as events come. Source: libxl__multidev in libxl_device.c.
 */
export class Parts {
  readonly #call: Call;
  readonly #what: string;
  readonly #rcs: (Rc | undefined)[] = [];

  constructor(call: Call, what: string) {
    this.#call = call;
    this.#what = what;
  }

  /** Begin one more part. The caller has the lock, and so has the part where it begins. */
  *begin(body: (part: Call) => Actor<Rc>): Actor {
    const { xl, me, tally } = this.#call;
    const rcs = this.#rcs;
    const i = rcs.push(undefined) - 1;
    const own = xl.os.start(xl.actorName(me, this.#what), function* (self): Actor {
      const part = new Call(xl, self, tally);
      rcs[i] = yield* body(part);
      part.leave();
      me.wake();
    });
    yield* xl.lock.lend(me, own);
  }

  /** Until all have ended. The last of those that failed says how. */
  *finish(): Actor<Rc> {
    const call = this.#call;
    while (this.#rcs.includes(undefined)) {
      call.leave();
      yield PARK;
      yield* call.enter();
    }
    return this.#rcs.reduce<Rc>((worst, rc) => (rc === undefined || rc === 0 ? worst : rc), 0);
  }
}
