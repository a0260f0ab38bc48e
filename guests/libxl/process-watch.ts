import type { Actor } from '../../sim/index.ts';
import type { EventQueue, WatchEvent } from '../xenstore/link.ts';
import type { Call } from './call.ts';
import { isBelow, type WatchSlot } from './watch-slots.ts';

/**
 * A watch of a process, in a slot of its own (TS-1). Its events wake the actor of `call`. What does not belong to it is not
 * shown. Source: libxl__ev_xswatch_register and watchfd_callback in tools/libs/light/libxl_event.c.
 */
export class ProcessWatch {
  readonly #call: Call;
  readonly #path: string;
  readonly #slot: WatchSlot;
  readonly #queue: EventQueue;

  private constructor(call: Call, path: string) {
    this.#call = call;
    this.#path = path;
    this.#slot = call.xl.watches.take();
    this.#queue = { events: [], me: call.me };
  }

  /** `undefined`: the store refused. */
  static *register(call: Call, path: string): Actor<ProcessWatch | undefined> {
    const watch = new ProcessWatch(call, path);
    const reply = yield* call.xs.client.watch(watch.#queue, path, watch.#slot.token);
    if (reply.error === undefined) return watch;
    call.xl.watches.giveBack(watch.#slot);
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
    yield* this.#call.xs.client.unwatch(this.#call.me, this.#path, this.#slot.token);
    this.#call.xl.watches.giveBack(this.#slot);
  }
}
