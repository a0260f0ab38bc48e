import type { Actor } from '../../sim/index.ts';
import { textOf as text } from '../../store/protocol/octets.ts';
import { XS } from '../../store/protocol/wire.ts';
import type { Me } from '../kernel/index.ts';
import type { EventQueue, Reply, XsLink } from './link.ts';
import { split, strings } from './payload.ts';

/** What every client does in the same way, whatever carries its octets. */

type Asks = Pick<XsLink, 'request'>;

/** A reply's octets as the caller gets them. */
export function toReply(type: number, payload: Uint8Array): Reply {
  return { type, payload, error: type === XS.ERROR ? text(payload).replace(/\0$/, '') : undefined };
}

/** WATCH; with a depth, its three-string form. */
export function askWatch(link: Asks, me: Me, path: string, token: string, depth: number | undefined): Actor<Reply> {
  const payload = depth === undefined ? strings(path, token) : strings(path, token, String(depth));
  return link.request(me, XS.WATCH, payload);
}

/** UNWATCH. */
export function askUnwatch(link: Asks, me: Me, path: string, token: string): Actor<Reply> {
  return link.request(me, XS.UNWATCH, strings(path, token));
}

/** See `XsLink.begin`. */
export function* begin(link: Asks, me: Me): Actor<{ readonly txId: number } | { readonly error: string }> {
  const reply = yield* link.request(me, XS.TRANSACTION_START, strings(''));
  return reply.error === undefined ? { txId: Number(text(reply.payload).slice(0, -1)) } : { error: reply.error };
}

/** See `XsLink.end`. */
export function* end(link: Asks, me: Me, txId: number, commit: boolean): Actor<string | undefined> {
  return (yield* link.request(me, XS.TRANSACTION_END, strings(commit ? 'T' : 'F'), txId)).error;
}

/** See `XsLink.transaction`. `retries`: errors of END after which it is tried again. */
export function* transaction<T>(
  link: Pick<XsLink, 'begin' | 'end'>,
  me: Me,
  body: (txId: number) => Actor<T | undefined>,
  roundsMax: number,
  retries: readonly string[] = ['EAGAIN', 'ENOENT'],
): Actor<{ readonly value: T; readonly rounds: number } | { readonly error: string; readonly rounds: number }> {
  let error = 'EAGAIN';
  let rounds = 0;
  while (rounds < roundsMax) {
    rounds++;
    const begun = yield* link.begin(me);
    if ('error' in begun) return { error: begun.error, rounds };
    const value = yield* body(begun.txId);
    const failed = yield* link.end(me, begun.txId, value !== undefined);
    if (failed === undefined) return value === undefined ? { error: 'aborted', rounds } : { value, rounds };
    error = failed;
    if (!retries.includes(failed)) break;
  }
  return { error, rounds };
}

/** xs_directory: a list that is too long for one message is fetched in parts, from the start again if it changes (LS-7). */
export function* directory(
  link: Asks,
  me: Me,
  path: string,
  txId: number,
): Actor<{ readonly names: readonly string[] } | { readonly error: string }> {
  const whole = yield* link.request(me, XS.DIRECTORY, strings(path), txId);
  if (whole.error === undefined) return { names: split(whole.payload) };
  if (whole.error !== 'E2BIG') return { error: whole.error };
  let generation = '';
  let list = '';
  for (;;) {
    const part = yield* link.request(me, XS.DIRECTORY_PART, strings(path, String(list.length)), txId);
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

/** Whose queue an event goes to, by the token of its watch; tokens are unique within a connection. */
export class WatchRoutes {
  readonly #queues = new Map<string, EventQueue>();

  add(token: string, queue: EventQueue): void {
    this.#queues.set(token, queue);
  }

  queueOf(token: string): EventQueue | undefined {
    return this.#queues.get(token);
  }

  remove(token: string): void {
    this.#queues.delete(token);
  }

  /** A WATCH_EVENT came. One whose token nobody knows (any more) is dropped, as every client does. */
  deliver(payload: Uint8Array): void {
    const [path, token] = split(payload);
    const queue = token === undefined ? undefined : this.#queues.get(token);
    if (queue === undefined || path === undefined || token === undefined) return;
    queue.events.push({ path, token });
    queue.me.wake();
  }
}
