import { type Actor, PARK, type Port } from '../../sim/index.ts';
import type { Freezable, GuestOs, Thread } from '../kernel/index.ts';
import { type EventQueue, Xs, type XsClient } from '../xenstore/index.ts';
import { takeCommand } from './take-command.ts';

export interface SuspenderPlan {
  /** Whether it offers an event channel for the request, in `device/suspend/event-channel`. */
  readonly hasChannel: boolean;
  /** Called when the guest goes on: in the same domain, or in a new one. */
  readonly resumed?: (where: 'same' | 'new') => void;
}

/** Commands that a kernel carries out: others stay where they are. Source: linux drivers/xen/manage.c, shutdown_handlers. */
const COMMANDS: readonly string[] = ['poweroff', 'halt', 'reboot', 'suspend'];

export const isCommand = (said: string): said is string => COMMANDS.includes(said);

/**
 * The part of a guest's kernel that suspends it: asked by `control/shutdown` or over a channel, it quiesces xenstore as
 * the client's habits say, makes the hypercall, and begins anew if it finds itself in another domain. Never ends.
 * Source: linux drivers/xen/manage.c, shutdown_handler, do_suspend; guests.md 2.7, HS-9.
 */
export function* suspender(me: Thread, os: GuestOs, client: XsClient, plan: SuspenderPlan): Actor {
  const xs = new Xs(client, me);
  const asked: EventQueue = { events: [], me };
  yield* client.watch(asked, 'control/shutdown', 'shutdown');
  yield* xs.write('control/feature-suspend', '1');
  let channel = plan.hasChannel ? yield* offerChannel(xs, os) : undefined;
  for (;;) {
    let command = '';
    if (channel !== undefined && os.acknowledge(channel)) command = 'suspend';
    else if (asked.events.shift() !== undefined) command = (yield* takeCommand(xs, isCommand)) ?? '';
    else {
      yield PARK;
      continue;
    }
    if (command !== 'suspend') continue; // its domain's end is another's business
    const where = yield* suspendSelf(me, os, client);
    if (where === 'nowhere') return;
    if (where === 'new' && channel !== undefined) {
      os.messagePorts.delete(channel);
      channel = yield* offerChannel(xs, os);
    }
    plan.resumed?.(where);
  }
}

/**
 * Quiesce xenstore as the client's habits say, make the hypercall, and go on: in the same domain, or in a new one where
 * everything begins anew. 'nowhere': a kernel without a store page is lost. Source: linux drivers/xen/manage.c, do_suspend.
 * @param parts what has to stand still meanwhile, in the order in which it stops and goes on: consoles before buses of devices,
 * which need a store that answers (K3, K11).
 */
export function* suspendSelf(
  me: Thread,
  os: GuestOs,
  client: XsClient,
  parts: readonly Freezable[] = [],
): Actor<'same' | 'new' | 'nowhere'> {
  const thaw = (where: 'same' | 'new') => {
    for (const part of parts) part.thaw(where);
  };
  for (const part of parts) yield* part.freeze(me);
  yield* client.suspend(me);
  if ((yield* os.suspend(me)) === 1) {
    client.resumeCancelled();
    thaw('same');
    return 'same';
  }
  const { startInfo, memory } = os.domain;
  const ring = startInfo === undefined ? undefined : memory.frame(startInfo.storeGfn);
  if (startInfo === undefined || ring === undefined) return 'nowhere';
  yield* client.resume(me, ring, startInfo.storePort);
  thaw('new');
  return 'new';
}

/**
 * A classic kernel's other ear for its toolstack: the port of its suspend channel. Whenever that is called it does `suspends`, and
 * offers another one where it finds itself in a new domain. Never ends. Source: drivers/xen/core/reboot.c of the classic kernels.
 */
export function* suspendChannel(
  me: Thread,
  os: GuestOs,
  client: XsClient,
  suspends: (me: Thread) => Actor<'same' | 'new' | 'nowhere'>,
): Actor {
  const xs = new Xs(client, me);
  let channel = yield* offerChannel(xs, os);
  while (channel !== undefined) {
    if (!os.acknowledge(channel)) {
      yield PARK;
      continue;
    }
    const where = yield* suspends(me);
    os.acknowledge(channel); // who has asked meanwhile has asked for this one
    if (where !== 'new') continue;
    os.messagePorts.delete(channel);
    channel = yield* offerChannel(xs, os);
  }
}

/** A port for dom0 to bind, published where the toolstack looks for it. */
function* offerChannel(xs: Xs, os: GuestOs): Actor<Port | undefined> {
  const port = os.hyper.allocUnbound(os.domain.domid, 0);
  if (!port.ok) return undefined;
  os.handle(port.value, xs.me);
  os.domain.ports.unmask(port.value);
  os.messagePorts.add(port.value);
  yield* xs.write('device/suspend/event-channel', String(port.value));
  return port.value;
}
