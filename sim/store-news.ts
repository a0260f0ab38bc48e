import type { Domid, Port } from './ids.ts';

/**
 * What a store's process says of itself; every other way to know it, its octets apart, is from outside. `phase` names it.
 * Numbers of updates count from 1, and go on through all instances of a process.
 */
export type StoreNews =
  /** The state is written down, in `imageBytes` octets: from here on nobody is served, until `up`, `failed` or `ended`. */
  | { readonly phase: 'dump'; readonly update: number; readonly imageBytes: number }
  /** The old instance is no more. What it had and does not hand over is closed between here and `started`. Neither is told
   *  where everything goes over that is not memory. */
  | { readonly phase: 'exec'; readonly update: number }
  /** The new instance looks at what it was handed over. */
  | { readonly phase: 'started'; readonly update: number }
  /** The new instance serves. */
  | { readonly phase: 'up'; readonly update: number; readonly imageBytes: number }
  /** The old instance serves on. `imageBytes` is 0 where nothing could be written. */
  | { readonly phase: 'failed'; readonly update: number; readonly imageBytes: number }
  /** The process has ended, and no other comes after it. What it had is closed after this. */
  | { readonly phase: 'ended' }
  /** It has bound a port of its domain to that of a ring's owner: the one whose `port` event came just before. */
  | { readonly phase: 'bound'; readonly port: Port; readonly remoteDomid: Domid }
  /** It has closed a port of its domain, as the `port` event just before says. */
  | { readonly phase: 'unbound'; readonly port: Port }
  /** It has no memory for what a request of this domain needs. */
  | { readonly phase: 'no-memory'; readonly client: Domid }
  /** It has stored to the error word of this domain's ring. Source: xen/include/public/io/xs_wire.h. */
  | { readonly phase: 'error-word'; readonly client: Domid; readonly error: number };

/** The number and the text that stand for the news in a digest; `undefined`: the event before it stands for it already. */
export function digested(news: StoreNews): readonly [n: number, detail: string] | undefined {
  switch (news.phase) {
    case 'dump':
    case 'up':
    case 'failed':
      return [news.update, String(news.imageBytes)];
    case 'exec':
    case 'started':
      return [news.update, ''];
    case 'ended':
      return [0, ''];
    case 'no-memory':
      return [news.client, ''];
    case 'error-word':
      return [news.client, String(news.error)];
    case 'bound':
    case 'unbound':
      return undefined;
  }
}
