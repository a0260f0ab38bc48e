import { type Actor, DOMID_FIRST_RESERVED, type Domid, PARK, XEN_DOMINF_shutdown } from '../../sim/index.ts';
import { textOf as text } from '../../store/protocol/octets.ts';
import type { GuestOs, Thread } from '../kernel/index.ts';
import type { Traffic } from '../load/index.ts';
import { type EventQueue, split, type WatchEvent, Xs, type XsLink } from '../xenstore/index.ts';
import { type Pace, paced, sleep } from './pace.ts';

/** Where a program of dom0 runs, and what it has there. */
export interface MonitorPlace {
  readonly os: GuestOs;
  readonly traffic: Traffic;
  readonly pace: Pace;
  /** A program, by its name, opens a connection to the store; again when one is broken, if it does that (MT-3). */
  readonly connect: (program: string) => Session;
}

export interface Session {
  readonly link: XsLink;
  readonly isOpen: () => boolean;
  readonly close: () => void;
}

/** One entry of a list of domains. */
export interface Listed {
  readonly domid: Domid;
  readonly isShutDown: boolean;
}

/** All domains, by hypercall, dom0 among them, and dead ones whose pages somebody holds. */
export function listDomains(os: GuestOs): Listed[] {
  const list = os.hyper.domctl.getDomainInfoList(0, DOMID_FIRST_RESERVED);
  if (!list.ok) return [];
  return list.value.map(({ domid, flags }) => ({ domid, isShutDown: (flags & XEN_DOMINF_shutdown) !== 0 }));
}

/** A hypercall that lists `count` domains, in virtual time. */
export const LIST_NS = (count: number): number => 1_500 + 60 * count;

/** What one monitor does; the loop around it is `watchDomains`. */
export interface DomainWatcher {
  readonly program: string;
  /** Tokens of the watches of both special paths. */
  readonly specialToken: string;
  /** Look at the list of domains, as after every special event (MT-1). */
  listChanged(xs: Xs, queue: EventQueue): Actor;
  /** Any other event. */
  fired(xs: Xs, queue: EventQueue, event: WatchEvent): Actor;
  /** A new connection: nothing is watched yet. */
  reset(): void;
}

/** After an exception, before the thread starts over. Source: Thread.delay in ez_xenstore_watch.ml and squeeze_xen.ml. */
const RESTART_SECONDS = 5;

/** The thread of a monitor: both special watches, then events for ever; over a new connection when the old one is broken (MT-3). */
export function* watchDomains(me: Thread, place: MonitorPlace, watcher: DomainWatcher): Actor {
  const { traffic, os, pace } = place;
  for (;;) {
    const session = place.connect(watcher.program);
    const xs = new Xs(session.link, me);
    const queue: EventQueue = { events: [], me };
    watcher.reset();
    for (const path of ['@introduceDomain', '@releaseDomain'])
      yield* session.link.watch(queue, path, watcher.specialToken);
    while (session.isOpen() && !traffic.stopping) {
      const event = queue.events.shift();
      if (event === undefined) yield PARK;
      else if (event.path.startsWith('@')) yield* watcher.listChanged(xs, queue);
      else yield* watcher.fired(xs, queue, event);
    }
    if (traffic.stopping) {
      session.close(); // the program ends, and with it what it watched
      return;
    }
    yield* sleep(os, me, traffic, paced(pace, RESTART_SECONDS));
  }
}

/** The value of a node; `undefined`: it cannot be read. */
export function* readText(xs: Xs, path: string): Actor<string | undefined> {
  const reply = yield* xs.read(path);
  return reply.error === undefined ? text(reply.payload) : undefined;
}

/** Names of the children; none if the node cannot be listed. */
export function* list(xs: Xs, path: string, tx = 0): Actor<string[]> {
  const reply = yield* xs.directory(path, tx);
  return reply.error === undefined ? split(reply.payload) : [];
}

/** READ of a node and all below it, until `budget.left` is used up. */
export function* readDown(xs: Xs, path: string, budget: { left: number }, tx = 0): Actor {
  for (const name of yield* list(xs, path, tx)) {
    if (budget.left-- <= 0) return;
    yield* xs.read(`${path}/${name}`, tx);
    yield* readDown(xs, `${path}/${name}`, budget, tx);
  }
}
