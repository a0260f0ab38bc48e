import type { Actor } from '../../sim/index.ts';
import { textOf as text } from '../../store/protocol/octets.ts';
import { XS } from '../../store/protocol/wire.ts';
import type { Thread } from '../kernel/index.ts';
import { type Reply, strings, Xs, type XsLink } from '../xenstore/index.ts';
import type { Traffic } from './traffic.ts';

export interface OperatorPlan {
  /** When each update is asked for, in requests of all traffic so far; ascending. */
  readonly atRequests: readonly number[];
  readonly file: string;
  /** Stream version to ask for, as `-v` of CONTROL live-update. */
  readonly version: number;
  readonly force: boolean;
  readonly timeoutSeconds: number;
  /** How often the operator looks how far the traffic is, ns: at least, and up to so much more. Left out: often. */
  readonly lookNs?: readonly [least: number, more: number];
  /** Called with each answer to `-s`. */
  readonly answered: (n: number, answer: string) => void;
}

/** dom0's administrator: `xenstore-control live-update`, in its three messages (store.md 9.2). */
export function* operator(me: Thread, client: XsLink, traffic: Traffic, plan: OperatorPlan): Actor {
  const xs = new Xs(client, me);
  const [least, more] = plan.lookNs ?? [3_000, 4_000];
  let n = 0;
  for (const at of plan.atRequests) {
    while (traffic.requests < at && !traffic.stopping) yield least + me.draws.below(more);
    n++;
    yield me.draws.below(20_000);
    const armed = yield* xs.call(XS.CONTROL, strings('live-update', '-f', plan.file));
    if (text(armed.payload) !== 'OK\0') {
      plan.answered(n, text(armed.payload).replace(/\0$/, ''));
      continue;
    }
    const flags = ['-v', String(plan.version), '-t', String(plan.timeoutSeconds), ...(plan.force ? ['-F'] : [])];
    const started = yield* xs.call(XS.CONTROL, strings('live-update', '-s', ...flags));
    plan.answered(n, text(started.payload).replace(/\0$/, ''));
  }
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
