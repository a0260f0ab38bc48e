import { type Actor, PARK } from '../../sim/index.ts';
import type { Me } from '../kernel/index.ts';

/** A lock of one process: whoever finds it taken waits for its turn, in order. */
export class Mutex {
  readonly #waiting: Me[] = [];
  #isHeld = false;

  /** Run `body` while nobody else does. */
  *with<T>(me: Me, body: () => Actor<T>): Actor<T> {
    if (this.#isHeld) {
      this.#waiting.push(me);
      while (this.#isHeld || this.#waiting[0] !== me) yield PARK;
      this.#waiting.shift();
    }
    this.#isHeld = true;
    const value = yield* body();
    this.#isHeld = false;
    this.#waiting[0]?.wake();
    return value;
  }
}
