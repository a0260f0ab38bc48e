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
  /** The id of a transaction that `reply` has started, as the caller is to know it. */
  startedTxId(reply: Reply): number;
  /** Errors at the end of a transaction upon which the whole of it is tried again. */
  readonly retries: readonly string[];
}

/** A connection as libxenstore gives it to a program of user space, which may close it, or lose it. */
export interface XsProgram extends XsLink {
  /** Whether it is of use: neither closed nor broken. */
  readonly isOpen: boolean;
  /** xs_close, or the end of the process. */
  close(): void;
}
