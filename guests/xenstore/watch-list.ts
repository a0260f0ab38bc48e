import type { ClientHabits } from './habits.ts';
import type { EventQueue } from './link.ts';

/** A watch as its owner asked for it, and its token on the wire. */
export interface RegisteredWatch {
  readonly queue: EventQueue;
  readonly path: string;
  /** The owner's own. */
  readonly token: string;
  readonly depth: number | undefined;
  wire: string;
}

/** Where the kernel's allocator puts structures of a watch's size, and how far apart. */
const HEAP = 0xffff_8880_0300_0000n;
const WATCH_BYTES = 96n;

/** The watches that a client has registered, in order of registration. */
export class WatchList {
  readonly #habits: ClientHabits;
  readonly #watches: RegisteredWatch[] = [];
  readonly #byWire = new Map<string, RegisteredWatch>();
  /** Addresses that were given back: the last one is given out first, as the kernel's allocator does. */
  readonly #freed: bigint[] = [];
  #allocated = 0n;
  #ids = 0;
  /** Events whose token nobody knows (any more): dropped, as every client does. */
  strayEvents = 0;

  constructor(habits: ClientHabits) {
    this.#habits = habits;
  }

  /** In order of registration. */
  get all(): readonly RegisteredWatch[] {
    return this.#watches;
  }

  add(queue: EventQueue, path: string, token: string, depth: number | undefined): RegisteredWatch {
    const watch = { queue, path, token, depth, wire: this.#newToken(token) };
    this.#watches.push(watch);
    this.#byWire.set(watch.wire, watch);
    return watch;
  }

  find(path: string, token: string): RegisteredWatch | undefined {
    return this.#watches.find((w) => w.token === token && w.path === path);
  }

  remove(watch: RegisteredWatch): void {
    const at = this.#watches.indexOf(watch);
    if (at < 0) return;
    this.#watches.splice(at, 1);
    this.#forget(watch);
  }

  /** Its owner makes it anew: another structure, another token. */
  renew(watch: RegisteredWatch): void {
    this.#forget(watch);
    watch.wire = this.#newToken(watch.token);
    this.#byWire.set(watch.wire, watch);
  }

  /** An event came: to its watch's owner, under the owner's token. */
  deliver(path: string | undefined, wire: string | undefined): void {
    const watch = wire === undefined ? undefined : this.#byWire.get(wire);
    if (watch === undefined || path === undefined) this.strayEvents++;
    else this.signal(watch, path);
  }

  signal({ queue, token }: RegisteredWatch, path: string): void {
    if (this.#habits.events === 'newest first')
      queue.events.unshift({ path, token }); // MO-4
    else queue.events.push({ path, token });
    queue.me.wake();
  }

  #forget(watch: RegisteredWatch): void {
    if (this.#byWire.get(watch.wire) === watch) this.#byWire.delete(watch.wire);
    const address = /^(?:TOK\|)?([0-9A-F]{16})/.exec(watch.wire)?.[1];
    if (this.#habits.tokens !== 'own' && address !== undefined) this.#freed.push(BigInt(`0x${address}`));
  }

  #newToken(own: string): string {
    if (this.#habits.tokens === 'own') return own;
    const address = this.#freed.pop() ?? HEAP + WATCH_BYTES * this.#allocated++;
    const hex = address.toString(16).toUpperCase();
    if (this.#habits.tokens === 'address') return hex; // LX-13
    const id = (this.#ids++ & 0xffff).toString(16).toUpperCase().padStart(4, '0');
    return `TOK|${hex}|${id}`; // WN-5
  }
}
