import { type Actor, PARK } from '../../sim/index.ts';
import { octetsOf as octets, textOf as text } from '../../store/protocol/octets.ts';
import { XS } from '../../store/protocol/wire.ts';
import type { Thread } from '../kernel/index.ts';
import type { EventQueue, Pending, Reply, WatchEvent, XsLink } from './link.ts';
import { split, strings } from './payload.ts';

/** One actor's view of a connection: operations by name, each returning its reply, and what is made of several. */
export class Xs {
  readonly #client: XsLink;
  readonly #queue: EventQueue;
  readonly me: Thread;

  constructor(client: XsLink, me: Thread) {
    this.#client = client;
    this.#queue = { events: [], me };
    this.me = me;
  }

  get client(): XsLink {
    return this.#client;
  }

  call(type: number, payload: Uint8Array, tx = 0): Actor<Reply> {
    return this.#client.request(this.me, type, payload, tx);
  }

  /** Send without waiting; `client.answer` waits. */
  submit(type: number, payload: Uint8Array, tx = 0): Pending {
    return this.#client.submit(this.me, type, payload, tx);
  }

  read(path: string, tx = 0): Actor<Reply> {
    return this.call(XS.READ, strings(path), tx);
  }

  write(path: string, value: string | Uint8Array, tx = 0): Actor<Reply> {
    return this.call(XS.WRITE, octets(path, '\0', value), tx);
  }

  mkdir(path: string, tx = 0): Actor<Reply> {
    return this.call(XS.MKDIR, strings(path), tx);
  }

  rm(path: string, tx = 0): Actor<Reply> {
    return this.call(XS.RM, strings(path), tx);
  }

  directory(path: string, tx = 0): Actor<Reply> {
    return this.call(XS.DIRECTORY, strings(path), tx);
  }

  directoryPart(path: string, offset: number, tx = 0): Actor<Reply> {
    return this.call(XS.DIRECTORY_PART, strings(path, String(offset)), tx);
  }

  getPerms(path: string, tx = 0): Actor<Reply> {
    return this.call(XS.GET_PERMS, strings(path), tx);
  }

  setPerms(path: string, perms: readonly string[], tx = 0): Actor<Reply> {
    return this.call(XS.SET_PERMS, strings(path, ...perms), tx);
  }

  /** WATCH; its events are those of `nextEvent`. */
  watch(path: string, token: string, depth?: number): Actor<Reply> {
    return this.#client.watch(this.#queue, path, token, depth);
  }

  unwatch(path: string, token: string): Actor<Reply> {
    return this.#client.unwatch(this.me, path, token);
  }

  /** The next event of this actor's watches; parks until there is one. */
  *nextEvent(): Actor<WatchEvent> {
    for (;;) {
      const event = this.#queue.events.shift();
      if (event !== undefined) return event;
      yield PARK;
    }
  }

  /** TRANSACTION_START; the id, or the errno name. */
  *begin(): Actor<{ readonly txId: number } | { readonly error: string }> {
    const reply = yield* this.call(XS.TRANSACTION_START, strings(''));
    return reply.error === undefined ? { txId: this.#client.startedTxId(reply) } : { error: reply.error };
  }

  /** TRANSACTION_END; the errno name, or undefined. */
  *end(txId: number, commit: boolean): Actor<string | undefined> {
    return (yield* this.call(XS.TRANSACTION_END, strings(commit ? 'T' : 'F'), txId)).error;
  }

  /**
   * Run `body` in a transaction until it commits: EAGAIN means once more from the start, without back-off, as all clients do.
   * @returns what `body` returned in the round that committed; an errno name if it could not.
   */
  *transaction<T>(body: (txId: number) => Actor<T | undefined>, roundsMax: number): Actor<Transacted<T>> {
    let error = 'EAGAIN';
    let rounds = 0;
    while (rounds < roundsMax) {
      rounds++;
      const begun = yield* this.begin();
      if ('error' in begun) return { error: begun.error, rounds };
      const value = yield* body(begun.txId);
      const failed = yield* this.end(begun.txId, value !== undefined);
      if (failed === undefined) return value === undefined ? { error: 'aborted', rounds } : { value, rounds };
      error = failed;
      if (!this.#client.retries.includes(failed)) break;
    }
    return { error, rounds };
  }

  /** xs_directory: a list that is too long for one message is fetched in parts, from the start again if it changes (LS-7). */
  *names(path: string, tx = 0): Actor<{ readonly names: readonly string[] } | { readonly error: string }> {
    const whole = yield* this.directory(path, tx);
    if (whole.error === undefined) return { names: split(whole.payload) };
    if (whole.error !== 'E2BIG') return { error: whole.error };
    let generation = '';
    let list = '';
    for (;;) {
      const part = yield* this.directoryPart(path, list.length, tx);
      if (part.error !== undefined) return { error: part.error === 'ENOSYS' ? 'E2BIG' : part.error };
      const said = text(part.payload);
      const cut = said.indexOf('\0');
      if (list.length > 0 && said.slice(0, cut) !== generation) {
        list = '';
        continue;
      }
      generation = said.slice(0, cut);
      list += said.slice(cut + 1);
      // An empty string ends the list.
      if (list.length <= 1) return { names: [] };
      if (list.endsWith('\0\0')) return { names: list.slice(0, -2).split('\0') };
    }
  }
}

/** How a transaction went, and how often it was tried. */
export type Transacted<T> =
  | { readonly value: T; readonly rounds: number }
  | { readonly error: string; readonly rounds: number };
