import { textOf as text } from '../../store/protocol/octets.ts';
import { XS } from '../../store/protocol/wire.ts';
import type { EventQueue, Reply } from './link.ts';
import { split, strings } from './payload.ts';

/** What every client does in the same way, whatever carries its octets. */

/** A reply's octets as the caller gets them. */
export function toReply(type: number, payload: Uint8Array): Reply {
  return { type, payload, error: type === XS.ERROR ? text(payload).replace(/\0$/, '') : undefined };
}

/** What the client itself says, without the store. */
export function localError(error: string): Reply {
  return { type: XS.ERROR, payload: strings(error), error };
}

/** Of WATCH; with a depth, its three-string form. */
export function watchPayload(path: string, token: string, depth: number | undefined): Uint8Array {
  return depth === undefined ? strings(path, token) : strings(path, token, String(depth));
}

/** The id in a reply to TRANSACTION_START. */
export function txIdIn({ payload }: Reply): number {
  return Number(text(payload).slice(0, -1));
}

/** ENOENT at the end means that the store lost the transaction in a forced update: it is as good as EAGAIN. */
export const PROGRAM_RETRIES: readonly string[] = ['EAGAIN', 'ENOENT'];

/** Whose queue an event goes to, by the token of its watch. Several watches of a program may have the same token, and then
 *  one queue. */
export class WatchRoutes {
  readonly #routes = new Map<string, { readonly queue: EventQueue; watches: number }>();

  add(token: string, queue: EventQueue): void {
    const route = this.#routes.get(token);
    if (route?.queue === queue) route.watches++;
    else this.#routes.set(token, { queue, watches: 1 });
  }

  queueOf(token: string): EventQueue | undefined {
    return this.#routes.get(token)?.queue;
  }

  /** One watch of that token is no more. */
  remove(token: string): void {
    const route = this.#routes.get(token);
    if (route !== undefined && --route.watches === 0) this.#routes.delete(token);
  }

  /** A WATCH_EVENT came. One whose token nobody knows (any more) is dropped, as every client does. */
  deliver(payload: Uint8Array): void {
    const [path, token] = split(payload);
    const queue = token === undefined ? undefined : this.queueOf(token);
    if (queue === undefined || path === undefined || token === undefined) return;
    queue.events.push({ path, token });
    queue.me.wake();
  }
}
