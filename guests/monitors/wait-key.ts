import { type Actor, PARK } from '../../sim/index.ts';
import type { Me } from '../kernel/index.ts';
import { type EventQueue, Xs } from '../xenstore/index.ts';
import { type MonitorHost, readText, type Session } from './domain-watcher.ts';
import { paced } from './pace.ts';

/** Unless the caller says otherwise. Source: xen-api, ocaml/libs/ezxenstore/core/watch.ml. */
const TIMEOUT_SECONDS = 300;

/** What stands in a key that is waited for: `undefined`: there is no such node. */
export type KeyTest = (value: string | undefined) => boolean;

/**
 * Wait until a key is as it should be: a watch whose events say when to look, and a time-out (MT-4).
 * @returns whether it came to be.
 */
export function* waitForKey(
  me: Me,
  host: MonitorHost,
  { link }: Session,
  path: string,
  isIt: KeyTest,
  seconds = TIMEOUT_SECONDS,
): Actor<boolean> {
  const { scheduler } = host.os.machine;
  const xs = new Xs(link, me);
  const queue: EventQueue = { events: [], me };
  const token = `${me.name}/${path}`; // an actor waits for one thing at a time
  const until = scheduler.nowNs + paced(host.pace, seconds);
  scheduler.at(until, () => me.wake());
  yield* link.watch(queue, path, token);
  let isSo = false;
  while (!isSo && scheduler.nowNs < until) {
    if (queue.events.shift() === undefined) yield PARK;
    else isSo = isIt(yield* readText(xs, path));
  }
  yield* link.unwatch(me, path, token);
  return isSo;
}
