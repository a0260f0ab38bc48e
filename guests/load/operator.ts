import type { Actor } from '../../sim/index.ts';
import { textOf as text } from '../../store/protocol/octets.ts';
import { XS } from '../../store/protocol/wire.ts';
import type { GuestOs, Thread } from '../kernel/index.ts';
import { type Reply, strings, Xs, type XsLink, type XsProgram } from '../xenstore/index.ts';
import type { Traffic } from './traffic.ts';

/** How one update is asked for. */
export interface UpdateWay {
  /** `-t`: how long the store may wait for transactions to end. */
  readonly timeoutSeconds: number;
  /** `-F`: then they are broken. */
  readonly force: boolean;
  /** Given up (`-a`) so long after `-f`, ns, and never started; left out: it is started. */
  readonly abortAfterNs?: number;
  /** A program keeps a transaction open from before until the answer. */
  readonly isHeldUp?: true;
}

export interface OperatorPlan {
  /** When each update is asked for, in units of `progress`; ascending. Those that are not reached come when traffic stops. */
  readonly moments: readonly number[];
  /** How far the run is; left out: requests of all traffic so far. */
  readonly progress?: () => number;
  readonly file: string;
  /** Stream version to ask for in update `n`, as `-v` of CONTROL live-update. `undefined`: the daemon has only one, and does not know
   *  the flag. */
  readonly version: (n: number) => number | undefined;
  readonly way: (n: number) => UpdateWay;
  /** Another program's connection, for a transaction that holds an update up. */
  readonly connect: (n: number) => XsProgram;
  readonly os: GuestOs;
  /** Moments are virtual ns, and are kept to the ns, also when traffic has stopped. */
  readonly isExact?: true;
  /** In place of moments: waits until update `n` (from 1) is due. Left out: moments say. */
  readonly waits?: (n: number) => Actor;
  /** How often the operator looks how far the traffic is, ns: at least, and up to so much more. Left out: often. */
  readonly lookNs?: readonly [least: number, more: number];
  /** What is seen to before each update is asked for; left out: nothing. */
  readonly before?: () => Actor;
  /** Called when it has been answered, or given up. */
  readonly after?: () => void;
  /** Called with what is asked for in the end: the arguments of live-update. */
  readonly asked: (n: number, command: string) => void;
  /** Called with the answer to that. */
  readonly answered: (n: number, answer: string) => void;
}

/** dom0's administrator: `xenstore-control live-update`, in its messages (store.md 9.2). */
export function* operator(me: Thread, client: XsLink, traffic: Traffic, plan: OperatorPlan): Actor {
  const xs = new Xs(client, me);
  const { progress = () => traffic.requests } = plan;
  const [least, more] = plan.lookNs ?? [3_000, 4_000];
  let n = 0;
  for (const at of plan.moments) {
    if (plan.waits !== undefined) yield* plan.waits(n + 1);
    else if (plan.isExact === true) yield Math.max(0, at - plan.os.machine.nowNs);
    else {
      while (progress() < at && !traffic.stopping) yield least + me.draws.below(more);
      yield me.draws.below(20_000);
    }
    n++;
    const way = plan.way(n);
    let isAnswered = false;
    if (way.isHeldUp === true) {
      let isHeld = false;
      const holder = plan.os.start(`holder-${n}`, (own) =>
        hold(
          own,
          plan.connect(n),
          () => isAnswered,
          () => {
            isHeld = true;
          },
        ),
      );
      while (!isHeld && holder.task?.state !== 'done') yield HOLD_LOOK_NS;
    }
    if (plan.before !== undefined) yield* plan.before();
    yield* ask(xs, plan, n, way);
    plan.after?.();
    isAnswered = true;
  }
}

const SECOND_NS = 1_000_000_000;
/** How often it is looked whether a transaction is open, or has been open for long enough, ns. */
const HOLD_LOOK_NS = 50_000;

function* ask(xs: Xs, plan: OperatorPlan, n: number, way: UpdateWay): Actor {
  function* tell(...words: string[]): Actor<string> {
    plan.asked(n, words.join(' '));
    const reply = yield* xs.call(XS.CONTROL, strings('live-update', ...words));
    return text(reply.payload).replace(/\0$/, '');
  }
  const armed = yield* tell('-f', plan.file);
  if (armed !== 'OK') return plan.answered(n, armed);
  const { timeoutSeconds, force, abortAfterNs } = way;
  if (abortAfterNs !== undefined) {
    yield abortAfterNs;
    return plan.answered(n, yield* tell('-a'));
  }
  const { scheduler } = plan.os.machine;
  // Whoever looks whether anything goes on sees that somebody waits, and until when.
  if (timeoutSeconds > 0) scheduler.at(scheduler.nowNs + timeoutSeconds * SECOND_NS, () => xs.me.wake());
  const version = plan.version(n);
  const flags = [
    ...(version === undefined ? [] : ['-v', String(version)]),
    '-t',
    String(timeoutSeconds),
    ...(force ? ['-F'] : []),
  ];
  // While it is BUSY it is asked again, a second later, until its time is over. Source: xenstore_control.c, live_update_start.
  const untilNs = scheduler.nowNs + timeoutSeconds * SECOND_NS;
  let answer = yield* tell('-s', ...flags);
  while (answer === 'BUSY' && scheduler.nowNs + SECOND_NS < untilNs) {
    yield SECOND_NS;
    answer = yield* tell('-s', ...flags);
  }
  plan.answered(n, answer);
}

/** A program that has a transaction open until `isOver`, and gives it up. */
function* hold(me: Thread, link: XsProgram, isOver: () => boolean, held: () => void): Actor {
  const xs = new Xs(link, me);
  const begun = yield* xs.begin();
  if (!('error' in begun)) {
    yield* xs.directory('/', begun.txId);
    held();
    while (!isOver()) yield HOLD_LOOK_NS;
    yield* xs.end(begun.txId, false);
  }
  link.close();
}

/** One node as a client sees it. */
export interface SeenNode {
  readonly path: string;
  readonly value: Uint8Array;
  readonly perms: readonly string[];
}

/**
 * Read the whole tree over the ring, depth first, children in the store's order; then the special nodes' permissions. A list that
 * is too long for one message is read in parts; a node of which the store will not tell everything is not among those seen.
 */
export function* readTree(me: Thread, client: XsLink, into: SeenNode[]): Actor {
  const xs = new Xs(client, me);
  const todo = ['/'];
  for (let path = todo.pop(); path !== undefined; path = todo.pop()) {
    const [value, perms, children] = [
      xs.submit(XS.READ, strings(path)),
      xs.submit(XS.GET_PERMS, strings(path)),
      xs.submit(XS.DIRECTORY, strings(path)),
    ];
    const [read, permitted, listed] = [
      yield* client.answer(value),
      yield* client.answer(perms),
      yield* client.answer(children),
    ];
    if (read.error === undefined && permitted.error === undefined)
      into.push({ path, value: read.payload, perms: terms(permitted.payload) });
    const names = yield* whole(xs, path, listed);
    for (const name of names.reverse()) todo.push(path === '/' ? `/${name}` : `${path}/${name}`);
  }
  for (const path of ['@releaseDomain', '@introduceDomain']) {
    const reply = yield* xs.getPerms(path);
    if (reply.error === undefined) into.push({ path, value: new Uint8Array(0), perms: terms(reply.payload) });
  }
}

function* whole(xs: Xs, path: string, listed: Reply): Actor<string[]> {
  if (listed.error === undefined) return terms(listed.payload);
  const parts = listed.error === 'E2BIG' ? yield* xs.names(path) : listed;
  return 'names' in parts ? [...parts.names] : [];
}

function terms(payload: Uint8Array): string[] {
  const parts = text(payload).split('\0');
  parts.pop();
  return parts;
}

/** After the traffic: wait until nobody has a request in flight, then call `then` and end. */
export function* quiesce(me: Thread, busy: () => boolean, then: (me: Thread) => Actor): Actor {
  while (busy()) yield 50_000;
  yield 2_000_000; // events of the last requests
  yield* then(me);
}
