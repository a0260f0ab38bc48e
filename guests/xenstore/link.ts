import type { Actor } from '../../sim/index.ts';
import type { Me } from '../kernel/index.ts';

/** An answer. `error` is the errno name of an ERROR reply, without its NUL. */
export interface Reply {
  readonly type: number;
  readonly payload: Uint8Array;
  readonly error: string | undefined;
}

/** A request on its way. */
export interface Pending {
  readonly reqId: number;
  reply: Reply | undefined;
}

export interface WatchEvent {
  readonly path: string;
  readonly token: string;
}

/** Where an actor receives events: it parks, and is woken when one arrives. */
export interface EventQueue {
  readonly events: WatchEvent[];
  readonly me: Me;
}

/** A program's connection to xenstore, whatever carries its octets. */
export interface XsLink {
  /** Requests that have no answer yet. */
  readonly inFlight: number;
  /** Queue a request without waiting for it. `me` is woken when the answer is there. */
  submit(me: Me, type: number, payload: Uint8Array, txId?: number): Pending;
  /** Park until the answer is there. */
  answer(pending: Pending): Actor<Reply>;
  /** One request and its answer. */
  request(me: Me, type: number, payload: Uint8Array, txId?: number): Actor<Reply>;
  /** Register a watch whose events go to `queue`. The queue is known before the request leaves (LX-14). */
  watch(queue: EventQueue, path: string, token: string, depth?: number): Actor<Reply>;
  /** Remove a watch; events of it that are still on their way are dropped from now on. */
  unwatch(me: Me, path: string, token: string): Actor<Reply>;
  /** TRANSACTION_START; the id, or the errno name. */
  begin(me: Me): Actor<{ readonly txId: number } | { readonly error: string }>;
  /** TRANSACTION_END; the errno name, or undefined. */
  end(me: Me, txId: number, commit: boolean): Actor<string | undefined>;
  /**
   * Run `body` in a transaction until it commits: EAGAIN means once more from the start, without back-off, as all clients do.
   * ENOENT at the end (the store lost the transaction in a forced update) is treated the same.
   * @returns what `body` returned in the round that committed; an errno name if it could not.
   */
  transaction<T>(
    me: Me,
    body: (txId: number) => Actor<T | undefined>,
    roundsMax: number,
  ): Actor<{ readonly value: T; readonly rounds: number } | { readonly error: string; readonly rounds: number }>;
}

/** A connection as libxenstore gives it to a program of user space, which may close it, or lose it. */
export interface XsProgram extends XsLink {
  /** Whether it is of use: neither closed nor broken. */
  readonly isOpen: boolean;
  /** xs_close, or the end of the process. */
  close(): void;
  /** xs_directory (LS-7). */
  directory(
    me: Me,
    path: string,
    txId?: number,
  ): Actor<{ readonly names: readonly string[] } | { readonly error: string }>;
}
