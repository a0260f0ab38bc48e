import type { Actor } from '../../sim/index.ts';
import type { Thread } from '../kernel/index.ts';
import type { EventQueue, Pending, Reply, XsLink } from '../xenstore/index.ts';

/** What an operation has cost so far, those who did parts of it side by side included. */
export interface Tally {
  requests: number;
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

  submit(me: Thread, type: number, payload: Uint8Array, txId?: number): Pending {
    this.#tally.requests++;
    return this.#link.submit(me, type, payload, txId);
  }

  answer(pending: Pending): Actor<Reply> {
    return this.#link.answer(pending);
  }

  request(me: Thread, type: number, payload: Uint8Array, txId?: number): Actor<Reply> {
    this.#tally.requests++;
    return this.#link.request(me, type, payload, txId);
  }

  watch(queue: EventQueue, path: string, token: string, depth?: number): Actor<Reply> {
    this.#tally.requests++;
    return this.#link.watch(queue, path, token, depth);
  }

  unwatch(me: Thread, path: string, token: string): Actor<Reply> {
    this.#tally.requests++;
    return this.#link.unwatch(me, path, token);
  }

  startedTxId(reply: Reply): number {
    return this.#link.startedTxId(reply);
  }

  get retries(): readonly string[] {
    return this.#link.retries;
  }
}
