import { type Actor, PARK } from '../../sim/index.ts';
import type { Me } from '../kernel/index.ts';

/** The lock around a process' state: who has it runs, the others wait in order. Source: CTX_LOCK in libxl_internal.h. */
export class Lock {
  #owner: Me | undefined = undefined;
  readonly #waiting: Me[] = [];

  *enter(me: Me): Actor {
    if (this.#owner === undefined) {
      this.#owner = me;
      return;
    }
    this.#waiting.push(me);
    while (this.#owner !== me) yield PARK;
  }

  /** Hand the lock to `to`, and have it back as soon as it leaves for the first time, before anybody who waits. */
  *lend(me: Me, to: Me): Actor {
    if (this.#owner !== me) throw new Error(`assertion: ${me.name} lends a lock that is not its own`);
    this.#owner = to;
    this.#waiting.unshift(me);
    while (this.#owner !== me) yield PARK;
  }

  leave(me: Me): void {
    if (this.#owner !== me) throw new Error(`assertion: ${me.name} leaves a lock that is not its own`);
    this.#owner = this.#waiting.shift();
    this.#owner?.wake();
  }
}
