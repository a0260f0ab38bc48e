import type { Actor } from '../../sim/index.ts';
import type { EventQueue, WatchEvent, Xs } from '../xenstore/index.ts';
import { isBelow, type WatchSlot, type WatchSlots } from './watch-slots.ts';

/**
 * A watch of a process, in a slot of its own (TS-1). Its events wake the actor of `xs`. What does not belong to it is not
 * shown. Source: libxl__ev_xswatch_register and watchfd_callback in tools/libs/light/libxl_event.c.
 */
export class ProcessWatch {
  readonly #slots: WatchSlots;
  readonly #xs: Xs;
  readonly #path: string;
  readonly #slot: WatchSlot;
  readonly #queue: EventQueue;

  private constructor(slots: WatchSlots, xs: Xs, path: string) {
    this.#slots = slots;
    this.#xs = xs;
    this.#path = path;
    this.#slot = slots.take();
    this.#queue = { events: [], me: xs.me };
  }

  /** `undefined`: the store refused. */
  static *register(slots: WatchSlots, xs: Xs, path: string): Actor<ProcessWatch | undefined> {
    const watch = new ProcessWatch(slots, xs, path);
    const reply = yield* xs.client.watch(watch.#queue, path, watch.#slot.token);
    if (reply.error === undefined) return watch;
    slots.giveBack(watch.#slot);
    return undefined;
  }

  get hasEvents(): boolean {
    return this.#queue.events.length > 0;
  }

  take(): WatchEvent | undefined {
    for (let event = this.#queue.events.shift(); event !== undefined; event = this.#queue.events.shift())
      if (event.token === this.#slot.token && isBelow(this.#path, event.path)) return event;
    return undefined;
  }

  *deregister(): Actor {
    yield* this.#xs.client.unwatch(this.#xs.me, this.#path, this.#slot.token);
    this.#slots.giveBack(this.#slot);
  }
}
