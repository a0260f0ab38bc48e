import { type Actor, PARK } from '../../sim/index.ts';
import { XS } from '../../store/protocol/wire.ts';
import type { Thread } from '../kernel/index.ts';
import { type EventQueue, type Pending, split, type WatchEvent, Xs, type XsLink } from '../xenstore/index.ts';
import type { Traffic } from './traffic.ts';

export interface WorkerPlan {
  readonly domid: number;
  /** Names of nodes below /shared that every guest may write: where transactions of different guests meet. */
  readonly sharedNodes: number;
  /** Longest pause between two operations, ns. */
  readonly thinkNsMax: number;
  /** Longest time that a transaction is kept open between two of its operations, ns. */
  readonly txThinkNsMax: number;
  /** Whether watches with a depth are asked for now and then. */
  readonly hasDepth: boolean;
  readonly peers: readonly number[];
  /** Drivers use the connection, too: it leaves their devices and watches alone. Left out: there are none. */
  readonly hasDrivers?: boolean;
  /** Operations that its kernel has no use for: it does something else instead. */
  readonly avoids?: readonly number[];
  /** Longest value, in octets; left out: near the limit of a node. */
  readonly valueMax?: number;
  /** It leaves to the kernel what is the kernel's: `control/shutdown`, and what RESET_WATCHES forgets. Left out: it does not. */
  readonly sparesKernel?: true;
}

const VALUE_MAX = 1_990;

const NAMES = [
  'a',
  'b',
  'name',
  'state',
  'feature-sg',
  'ring-ref',
  'event-channel',
  'mac',
  'x_1',
  'long-key-name-of-an-agent',
];

/**
 * A guest's agent that mixes reads, writes, watches and transactions at random sizes, below its own home (relative paths),
 * in a directory that all may write, and at places where it has no business.
 * Size and mix: guests.md 4.6.
 */
export function* worker(me: Thread, client: XsLink, traffic: Traffic, plan: WorkerPlan): Actor {
  me.isFree = true;
  const xs = new Xs(client, me);
  const { draws } = me;
  const queue: EventQueue = { events: [], me };
  const watched: { readonly path: string; readonly token: string }[] = [];
  let tokens = 0;
  const pipeline: Pending[] = [];

  const may = (type: number) => plan.avoids?.includes(type) !== true;

  function* settle(pending: Pending): Actor {
    const reply = yield* client.answer(pending);
    if (reply.error !== undefined) traffic.refused(reply.error);
  }

  while (!traffic.stopping) {
    queue.events.length = 0;
    const what = draws.below(100);
    if (what < 30) pipeline.push(xs.submit(XS.READ, bytesOf(`${place(me, plan)}\0`)));
    else if (what < 58) pipeline.push(xs.submit(XS.WRITE, withValue(place(me, plan), value(me, plan))));
    else if (what < 62 && may(XS.MKDIR)) pipeline.push(xs.submit(XS.MKDIR, bytesOf(`${place(me, plan)}\0`)));
    else if (what < 67) pipeline.push(xs.submit(XS.RM, bytesOf(`${place(me, plan)}\0`)));
    else if (what < 71) pipeline.push(xs.submit(XS.DIRECTORY, bytesOf(`${folder(me, plan)}\0`)));
    else if (what < 73 && may(XS.GET_PERMS)) pipeline.push(xs.submit(XS.GET_PERMS, bytesOf(`${place(me, plan)}\0`)));
    else if (what < 75 && may(XS.SET_PERMS))
      pipeline.push(xs.submit(XS.SET_PERMS, bytesOf(`${place(me, plan)}\0${perms(me, plan)}`)));
    else if (what < 76 && may(XS.DIRECTORY_PART))
      pipeline.push(xs.submit(XS.DIRECTORY_PART, bytesOf(`${folder(me, plan)}\0${draws.below(40)}\0`)));
    else if (what < 82) {
      if (watched.length < 12) {
        const w = { path: draws.oneIn(6) ? '@releaseDomain' : folder(me, plan), token: `${me.name}-${tokens++}` };
        const depth = plan.hasDepth && draws.oneIn(5) ? draws.below(4) : undefined;
        const reply = yield* client.watch(queue, w.path, w.token, depth);
        if (reply.error === undefined) watched.push(w);
        else traffic.refused(reply.error);
      } else {
        const [w] = watched.splice(draws.below(watched.length), 1);
        if (w !== undefined) yield* client.unwatch(me, w.path, w.token);
      }
    } else if (what < 83 && plan.sparesKernel !== true && draws.oneIn(8)) {
      // A kernel that forgets its past: every watch and transaction of the connection goes, those of its siblings too.
      if (plan.hasDrivers === true) continue;
      yield* xs.call(XS.RESET_WATCHES, bytesOf('\0'));
      watched.length = 0;
    } else yield* transaction(xs, traffic, plan);

    // Several requests in flight; now and then wait for all of them.
    const room = draws.below(6);
    while (pipeline.length > room) yield* settle(pipeline.shift() as Pending);
    if (draws.oneIn(3)) yield draws.below(plan.thinkNsMax);
  }
  for (const pending of pipeline) yield* settle(pending);
}

/** Read-modify-write over a few nodes, some shared; removes and creates, looks into directories, and sometimes lets go. */
function* transaction(xs: Xs, traffic: Traffic, plan: WorkerPlan): Actor {
  const { me } = xs;
  const { draws } = me;
  const steps = draws.between(1, 8);
  const giveUp = draws.oneIn(8);
  const done = yield* xs.transaction(function* (tx) {
    for (let i = 0; i < steps; i++) {
      const path = draws.oneIn(2) ? shared(me, plan) : place(me, plan);
      const what = draws.below(10);
      const reply =
        what < 4
          ? yield* xs.read(path, tx)
          : what < 7
            ? yield* xs.write(path, value(me, plan), tx)
            : what < 8
              ? yield* xs.rm(path, tx)
              : what < 9 || plan.avoids?.includes(XS.MKDIR) === true
                ? yield* xs.directory(folder(me, plan), tx)
                : yield* xs.mkdir(path, tx);
      if (reply.error !== undefined) traffic.refused(reply.error);
      if (draws.oneIn(3)) yield draws.below(plan.txThinkNsMax);
    }
    return giveUp ? undefined : true;
  }, 3);
  if ('error' in done && done.error !== 'aborted') traffic.refused(`${done.error} at commit`);
  traffic.conflicts += done.rounds - ('value' in done ? 1 : 0);
}

function shared(me: Thread, plan: WorkerPlan): string {
  return `/shared/${me.draws.pick(NAMES)}-${me.draws.below(plan.sharedNodes)}`;
}

/** A node somewhere: mostly at home, sometimes shared, rarely where this guest may not look. */
function place(me: Thread, plan: WorkerPlan): string {
  const { draws } = me;
  const r = draws.below(20);
  if (r < 12) return `data/${draws.pick(NAMES)}${draws.oneIn(3) ? `/${draws.pick(NAMES)}` : ''}`;
  if (r < 17) return shared(me, plan);
  if (r < 18) return `/local/domain/${draws.pick(plan.peers)}/data/${draws.pick(NAMES)}`;
  if (r < 19) return `device/${plan.hasDrivers === true ? 'none' : 'vif'}/0/${draws.pick(NAMES)}`;
  return draws.pick([
    '/tool/xenstored',
    '/local',
    plan.sparesKernel === true ? 'control' : 'control/shutdown',
    '/',
    'nowhere/at/all',
    '/local/domain/0/name',
    'bad//path',
    'data/',
  ]);
}

function folder(me: Thread, plan: WorkerPlan): string {
  const { draws } = me;
  return draws.pick([
    'data',
    '/shared',
    'device',
    `data/${draws.pick(NAMES)}`,
    `/local/domain/${draws.pick(plan.peers)}`,
    '/local/domain',
    '/',
  ]);
}

function perms(me: Thread, plan: WorkerPlan): string {
  const { draws } = me;
  const own = `${draws.pick(['n', 'r', 'b', 'w'])}${plan.domid}\0`;
  return draws.oneIn(2) ? `${own}${draws.pick(['r', 'b', 'w', 'n'])}${draws.pick(plan.peers)}\0` : own;
}

/** Half up to 8 octets, most up to 40, some up to 500, one in sixteen near the limit of a node; any octet may occur. */
function value(me: Thread, { valueMax = VALUE_MAX }: WorkerPlan): Uint8Array {
  const { draws } = me;
  const r = draws.below(100);
  const drawn =
    r < 50 ? draws.below(9) : r < 84 ? draws.below(41) : r < 94 ? draws.below(501) : draws.between(1_100, VALUE_MAX);
  const length = Math.min(drawn, valueMax);
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = draws.bits() & 0xff;
  return bytes;
}

function withValue(path: string, bytes: Uint8Array): Uint8Array {
  const payload = new Uint8Array(path.length + 1 + bytes.length);
  payload.set(bytesOf(path));
  payload.set(bytes, path.length + 1);
  return payload;
}

function bytesOf(s: string): Uint8Array {
  const bytes = new Uint8Array(s.length);
  for (let i = 0; i < s.length; i++) bytes[i] = s.charCodeAt(i);
  return bytes;
}

export interface MonitorPlan {
  /** Paths to watch, special ones among them; a depth where given. */
  readonly watches: readonly { readonly path: string; readonly depth?: number }[];
  /** What to do with an event: look at the node, or only note it. */
  readonly readsEvents: boolean;
  /** Longest time for one event, ns. */
  readonly perEventNsMax: number;
}

/** Watches large subtrees and special paths, and looks at what changed, as xenconsoled, xenopsd and qmemmand do (guests.md 4.1). */
export function* monitor(me: Thread, client: XsLink, traffic: Traffic, plan: MonitorPlan): Actor {
  me.isFree = true;
  const xs = new Xs(client, me);
  const queue: EventQueue = { events: [], me };
  for (const [i, w] of plan.watches.entries()) {
    const reply = yield* client.watch(queue, w.path, `${me.name}/${i}`, w.depth);
    if (reply.error !== undefined) traffic.refused(reply.error);
  }
  while (!traffic.stopping) {
    const event: WatchEvent | undefined = queue.events.shift();
    if (event === undefined) {
      yield PARK;
      continue;
    }
    if (plan.readsEvents && me.draws.oneIn(4)) {
      if (event.path.startsWith('@')) {
        const reply = yield* xs.directory('/local/domain');
        if (reply.error === undefined && me.draws.oneIn(4)) {
          for (const domid of split(reply.payload)) yield* xs.read(`/local/domain/${domid}/name`);
        }
      } else yield* xs.read(event.path);
    }
    yield me.draws.below(plan.perEventNsMax);
  }
}
