import { type Actor, PARK } from '../../sim/index.ts';
import type { Me } from '../kernel/index.ts';
import { type EventQueue, type Reply, Xs, type XsProgram } from '../xenstore/index.ts';
import type { Traffic } from './traffic.ts';

export interface XenstoreScriptsPlan {
  /** Longest pause between two processes, ns. */
  readonly thinkNsMax: number;
  /** A process opens the store's socket under its name. */
  readonly connect: (program: string) => XsProgram;
}

/**
 * dom0's hotplug scripts: each access of the store is a process of its own, `xenstore-read` and the like, with a connection
 * of its own that it closes when it has its answer (guests.md HS-12). Some leave a watch or an open transaction behind.
 */
export function* xenstoreScripts(me: Me, traffic: Traffic, plan: XenstoreScriptsPlan): Actor {
  const { draws } = me;
  let processes = 0;

  function* process<T>(body: (client: XsProgram, xs: Xs) => Actor<T>): Actor<T> {
    const client = plan.connect(`hotplug-${++processes}`);
    const result = yield* body(client, new Xs(client, me));
    client.close();
    yield draws.below(plan.thinkNsMax);
    return result;
  }

  function* settled(asked: Actor<Reply>): Actor {
    const { error } = yield* asked;
    if (error !== undefined) traffic.refused(error);
  }

  while (!traffic.stopping) {
    const kind = draws.pick(['vif', 'vbd']);
    const found = yield* process((_, xs) => xs.names(`backend/${kind}`)); // below /local/domain/0
    if ('error' in found || found.names.length === 0) continue;
    const device = `/local/domain/0/backend/${kind}/${draws.pick(found.names)}/0`;
    for (const key of ['state', 'frontend', 'frontend-id'])
      yield* process((_, xs) => settled(xs.read(`${device}/${key}`)));
    if (draws.oneIn(3)) yield* process((client) => firstEvent(me, client, `${device}/state`, `script-${processes}`));
    if (draws.oneIn(3)) {
      yield* process(function* (_, xs) {
        const begun = yield* xs.begin();
        if ('error' in begun) return;
        yield* settled(xs.read(`${device}/online`, begun.txId));
        yield* settled(xs.write(`${device}/hotplug-error`, 'given up', begun.txId)); // exits without an end: it never was
      });
    }
    yield* process((_, xs) => settled(xs.write(`${device}/hotplug-status`, 'connected')));
  }
}

/** `xenstore-watch -n 1`: the event that each new watch gets. */
function* firstEvent(me: Me, client: XsProgram, path: string, token: string): Actor {
  const queue: EventQueue = { events: [], me };
  const { error } = yield* client.watch(queue, path, token);
  while (error === undefined && queue.events.length === 0 && client.isOpen) yield PARK;
}
