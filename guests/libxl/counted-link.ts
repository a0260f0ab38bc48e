import type { Actor } from '../../sim/index.ts';
import type { Me } from '../kernel/index.ts';
import type { EventQueue, Pending, Reply, XsLink } from '../xenstore/index.ts';

/** What an operation has cost so far, those who did parts of it side by side included. */
export interface Tally {
  requests: number;
  /** Transactions that were done. */
  commits: number;
  /** Transactions that had to be done again. */
  conflicts: number;
}

/** A connection as one operation uses it: its requests are counted. */
export class CountedLink implements XsLink {
  readonly #link: XsLink;
  readonly #tally: Tally;

  constructor(link: XsLink, tally: Tally) {
    this.#link = link;
    this.#tally = tally;
  }

  get inFlight(): number {
    return this.#link.inFlight;
  }

  submit(me: Me, type: number, payload: Uint8Array, txId?: number): Pending {
    this.#tally.requests++;
    return this.#link.submit(me, type, payload, txId);
  }

  answer(pending: Pending): Actor<Reply> {
    return this.#link.answer(pending);
  }

  request(me: Me, type: number, payload: Uint8Array, txId?: number): Actor<Reply> {
    this.#tally.requests++;
    return this.#link.request(me, type, payload, txId);
  }

  watch(queue: EventQueue, path: string, token: string, depth?: number): Actor<Reply> {
    this.#tally.requests++;
    return this.#link.watch(queue, path, token, depth);
  }

  unwatch(me: Me, path: string, token: string): Actor<Reply> {
    this.#tally.requests++;
    return this.#link.unwatch(me, path, token);
  }

  begin(me: Me): Actor<{ readonly txId: number } | { readonly error: string }> {
    this.#tally.requests++;
    return this.#link.begin(me);
  }

  end(me: Me, txId: number, commit: boolean): Actor<string | undefined> {
    this.#tally.requests++;
    return this.#link.end(me, txId, commit);
  }

  *transaction<T>(
    me: Me,
    body: (txId: number) => Actor<T | undefined>,
    roundsMax: number,
  ): Actor<{ readonly value: T; readonly rounds: number } | { readonly error: string; readonly rounds: number }> {
    const done = yield* this.#link.transaction(me, body, roundsMax);
    this.#tally.requests += 2 * done.rounds;
    this.#tally.conflicts += done.rounds - 1;
    if ('value' in done) this.#tally.commits++;
    return done;
  }
}
