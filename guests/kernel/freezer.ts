import { type Actor, PARK } from '../../sim/index.ts';
import type { Thread } from './os.ts';

/** A part of a kernel that stands still from before a suspend until after it. */
export interface Freezable {
  /** Returns when it does (K2, K3). */
  freeze(me: Thread): Actor;
  /** It goes on; `new`: in another domain, where its ports, grants and pages of before are no more. */
  thaw(where: 'same' | 'new'): void;
}

/** Where one thread of a kernel stops while that is suspended: at a point at which it has no page in its hands. */
export class Freezer {
  #asker: Thread | undefined;
  #isAtRest = false;

  get isFrozen(): boolean {
    return this.#asker !== undefined;
  }

  /** Until the thread has stopped, or has ended. */
  *freeze(me: Thread, thread: Thread | undefined): Actor {
    this.#asker = me;
    thread?.wake();
    while (!this.#isAtRest && thread?.task !== undefined && thread.task.state !== 'done') yield PARK;
  }

  thaw(thread: Thread | undefined): void {
    this.#asker = undefined;
    this.#isAtRest = false;
    thread?.wake();
  }

  /** Called by the thread itself where it can stop: sleeps as long as it has to. */
  *rest(): Actor {
    while (this.#asker !== undefined) {
      this.#isAtRest = true;
      this.#asker.wake();
      yield PARK;
    }
  }
}
