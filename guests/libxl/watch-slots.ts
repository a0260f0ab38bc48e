/** A slot that a watch occupies, and its use of it. */
export interface WatchSlot {
  readonly slot: number;
  readonly token: string;
}

/**
 * Names for watches (TS-1): the number of a slot, and how many watches there were before, in hex. A late event of a slot's
 * former use is told by that. Free slots are taken last freed first, the table grows to (n + 1) * 4 slots, highest first.
 * Source: libxl__ev_xswatch_register in tools/libs/light/libxl_event.c.
 */
export class WatchSlots {
  readonly #prefix: string;
  readonly #free: number[] = [];
  #slots = 0;
  #counter = 0;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  take(): WatchSlot {
    if (this.#free.length === 0) {
      const grown = (this.#slots + 1) << 2;
      while (this.#slots < grown) this.#free.push(this.#slots++);
    }
    const slot = this.#free.pop() as number;
    return { slot, token: `${this.#prefix}${slot}/${(this.#counter++ >>> 0).toString(16)}` };
  }

  giveBack({ slot }: WatchSlot): void {
    this.#free.push(slot);
  }
}

/** Whether an event is one of this watch: its path is the watched one, or lies below. Source: xs_path_is_subpath in xs.c. */
export function isBelow(watched: string, path: string): boolean {
  return path === watched || path.startsWith(`${watched}/`);
}
