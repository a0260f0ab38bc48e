import type { Actor } from '../../sim/index.ts';
import type { Thread } from '../kernel/index.ts';
import { Xs, type XsLink } from '../xenstore/index.ts';
import type { Traffic } from './traffic.ts';

// Guests that live on what the store keeps of them beside nodes and watches: whose model they are, and who an entry once meant.

export interface StandingPlan {
  readonly path: string;
  /** Longest pause between two requests, ns. */
  readonly thinkNsMax: number;
}

/** A device model in a domain of its own looks and writes where only the domain that it serves may: SET_TARGET lets it. */
export function* deviceModel(me: Thread, client: XsLink, traffic: Traffic, plan: StandingPlan): Actor {
  const xs = new Xs(client, me);
  for (let n = 0; !traffic.stopping; n++) {
    const reply = yield* xs.write(`${plan.path}/model`, String(n)); // its own from then on
    if (reply.error !== undefined) traffic.refused(reply.error);
    yield* xs.read(plan.path);
    yield 1 + me.draws.below(plan.thinkNsMax);
  }
}

/** Somebody looks again and again whether it may read a node: the entry with its number was made before it was born. */
export function* curious(me: Thread, client: XsLink, traffic: Traffic, plan: StandingPlan): Actor {
  me.isFree = true;
  const xs = new Xs(client, me);
  while (!traffic.stopping) {
    const reply = yield* xs.read(plan.path);
    if (reply.error !== undefined) traffic.refused(reply.error);
    yield 1 + me.draws.below(plan.thinkNsMax);
  }
}
