import type { Thread } from '../../guests/index.ts';
import { type Actor, PARK } from '../../sim/index.ts';

/** Something that comes to pass once in a story: whoever waits for it goes on then. */
export class Moment {
  /** In words, as in 'the first write was answered'. */
  readonly what: string;
  /** A run in which it never comes means nothing, unless it is one that may be left out. */
  readonly isDue: boolean;
  readonly #waiting = new Set<Thread>();
  #hasCome = false;

  constructor(what: string, isDue = true) {
    this.what = what;
    this.isDue = isDue;
  }

  get hasCome(): boolean {
    return this.#hasCome;
  }

  /** It is now: those who wait go on in the order in which they began to wait. Nothing if it has been before. */
  comes(): void {
    if (this.#hasCome) return;
    this.#hasCome = true;
    for (const me of this.#waiting) me.wake();
    this.#waiting.clear();
  }

  /** Wait for it; at once if it has been. */
  *wait(me: Thread): Actor {
    while (!this.#hasCome) {
      this.#waiting.add(me);
      yield PARK;
    }
  }
}
