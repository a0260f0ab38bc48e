import {
  type Actor,
  PARK,
  type Port,
  SHUTDOWN_REASONS,
  XEN_DOMINF_dying,
  XEN_DOMINF_shutdown,
  XEN_DOMINF_shutdownshift,
} from '../../sim/index.ts';
import { textOf as text } from '../../store/protocol/octets.ts';
import { XS } from '../../store/protocol/wire.ts';
import type { GuestOs, Thread } from '../kernel/index.ts';
import { type EventQueue, strings, type Xs } from '../xenstore/index.ts';

/** How long the toolstack waits for each answer of a guest. Source: libxl_dom_suspend.c, 60 s twice. */
export const PATIENCE_NS = 60_000_000_000;
const SUSPEND = SHUTDOWN_REASONS.indexOf('suspend');

/** How a request to suspend ended. */
export type SuspendOutcome =
  /** The guest is parked. `heard`: over a subscribed channel, or by xenstore's `@releaseDomain`. */
  | { readonly kind: 'suspended'; readonly heard: 'channel' | 'watch' }
  /** It left the request where it was, which has been taken back (M3). */
  | { readonly kind: 'no ack' }
  /** It took the request, and runs on (M4). */
  | { readonly kind: 'runs on' }
  /** It shut down for another reason. */
  | { readonly kind: 'shut down'; readonly reason: string }
  | { readonly kind: 'gone' };

export interface SuspendRequest {
  readonly domid: number;
  /** The guest has no drivers that could be asked: it is parked as it is (SUS-9). */
  readonly isAskable?: boolean;
  /** Longest wait for each answer, ns; left out: libxl's. */
  readonly patienceNs?: number;
  /** The guest's suspend channel, if it was looked for before; left out: it is looked for now. */
  readonly channel?: SuspendChannel | 'none';
}

/** A guest's port for the request, and this one's end of it. */
export interface SuspendChannel {
  readonly remote: Port;
  readonly local: Port;
}

/** SO5: bind the port that a guest offers, and have Xen send its suspend there (DOM-20). `undefined`: it offers none. */
export function* openSuspendChannel(xs: Xs, os: GuestOs, domid: number): Actor<SuspendChannel | undefined> {
  const published = yield* xs.read(`/local/domain/${domid}/device/suspend/event-channel`);
  const remote = published.error === undefined ? Number.parseInt(text(published.payload), 10) : Number.NaN;
  const local = remote > 0 ? os.hyper.bindInterdomain(domid, remote) : undefined;
  if (local?.ok !== true) return undefined;
  os.hyper.domctl.subscribe(domid, remote);
  return { remote, local: local.value };
}

/** Nothing is sent there any more. */
export function closeSuspendChannel(os: GuestOs, domid: number, { local }: SuspendChannel): void {
  os.hyper.domctl.subscribe(domid, 0);
  os.hyper.close(local);
}

/**
 * Have a guest suspend itself, and wait until it has: over its suspend channel if it offers one, else through
 * `control/shutdown`. Source: libxl_dom_suspend.c, domain_suspend_callback_common; guests.md 3.5, M2 to M4.
 */
export function* suspendGuest(xs: Xs, os: GuestOs, request: SuspendRequest): Actor<SuspendOutcome> {
  const { domid, isAskable = true, patienceNs = PATIENCE_NS } = request;
  const clock = new Clock(os, xs.me);
  if (!isAskable) {
    os.hyper.domctl.remoteShutdown(domid, SUSPEND);
    return yield* awaitPark(xs, os, clock, domid, patienceNs);
  }
  const channel = request.channel ?? (yield* openSuspendChannel(xs, os, domid));
  if (channel !== undefined && channel !== 'none') {
    const outcome = yield* askByChannel(xs, os, clock, { domid, ...channel, patienceNs });
    closeSuspendChannel(os, domid, channel);
    return outcome;
  }
  const acked = yield* askByStore(xs, clock, domid, patienceNs);
  return acked ? yield* awaitPark(xs, os, clock, domid, patienceNs) : { kind: 'no ack' };
}

interface Channel extends SuspendChannel {
  readonly domid: number;
  readonly patienceNs: number;
}

/** TS-16: subscribed, it hears of the suspend from Xen; nobody else does (DOM-20). */
function* askByChannel(xs: Xs, os: GuestOs, clock: Clock, channel: Channel): Actor<SuspendOutcome> {
  const { domid, local, patienceNs } = channel;
  os.handle(local, xs.me);
  os.domain.ports.unmask(local); // the number may have been used before (EVT-6)
  os.acknowledge(local); // a bind raises once
  os.hyper.send(local);
  const deadlineNs = clock.in(patienceNs);
  for (;;) {
    const isHeard = os.acknowledge(local);
    const found = look(os, domid);
    if (found !== undefined) return found.kind === 'suspended' && isHeard ? { ...found, heard: 'channel' } : found;
    if (clock.isOver(deadlineNs)) return { kind: 'runs on' };
    yield PARK;
  }
}

/** M2, M3: true once the guest has taken the request. */
function* askByStore(xs: Xs, clock: Clock, domid: number, patienceNs: number): Actor<boolean> {
  const path = `/local/domain/${domid}/control/shutdown`;
  const queue: EventQueue = { events: [], me: xs.me };
  const token = `${xs.me.name}/ack`;
  yield* xs.write(path, 'suspend');
  yield* xs.client.watch(queue, path, token);
  const deadlineNs = clock.in(patienceNs);
  let isAcked = false;
  while (!isAcked && !clock.isOver(deadlineNs)) {
    if (queue.events.shift() === undefined) {
      yield PARK;
      continue;
    }
    const state = yield* xs.read(path);
    isAcked = state.error !== undefined || text(state.payload) !== 'suspend'; // a node that is gone counts as an answer
  }
  yield* xs.client.unwatch(xs.me, path, token);
  return isAcked || (yield* takeBack(xs, path)) === 'acked';
}

/** M3, HS-9: the guest's transaction and this one meet on one node; whichever commits first has decided. */
function* takeBack(xs: Xs, path: string): Actor<'acked' | 'taken back'> {
  const done = yield* xs.transaction<'acked' | 'taken back'>(function* (tx) {
    const state = yield* xs.read(path, tx);
    if (state.error !== undefined || text(state.payload) !== 'suspend') return 'acked';
    yield* xs.write(path, '', tx);
    return 'taken back';
  }, 1_000);
  return 'value' in done ? done.value : 'taken back';
}

/** M4: `@releaseDomain` says that some domain changed; whether it is this one, and why, Xen is asked. */
function* awaitPark(xs: Xs, os: GuestOs, clock: Clock, domid: number, patienceNs: number): Actor<SuspendOutcome> {
  const queue: EventQueue = { events: [], me: xs.me };
  const token = `${xs.me.name}/park`;
  yield* xs.client.watch(queue, '@releaseDomain', token);
  const deadlineNs = clock.in(patienceNs);
  let outcome: SuspendOutcome | undefined;
  while (outcome === undefined) {
    if (queue.events.shift() !== undefined) outcome = look(os, domid);
    else if (clock.isOver(deadlineNs)) outcome = { kind: 'runs on' };
    else yield PARK;
  }
  yield* xs.client.unwatch(xs.me, '@releaseDomain', token);
  return outcome;
}

/** What Xen says of the domain; `undefined`: it runs. */
function look(os: GuestOs, domid: number): SuspendOutcome | undefined {
  const info = os.hyper.domctl.getDomainInfo(domid);
  if (!info.ok || (info.value.flags & XEN_DOMINF_dying) !== 0) return { kind: 'gone' };
  if ((info.value.flags & XEN_DOMINF_shutdown) === 0) return undefined;
  const code = info.value.flags >>> XEN_DOMINF_shutdownshift;
  if (code === SUSPEND) return { kind: 'suspended', heard: 'watch' };
  return { kind: 'shut down', reason: SHUTDOWN_REASONS[code] ?? String(code) };
}

export interface ResumeRequest {
  readonly domid: number;
  /** `fast`: the guest is told that nothing has changed. `slow`: it begins anew in its old domain (SUS-8). */
  readonly how: 'fast' | 'slow';
  /** Left out: the store is told. A toolstack that died before leaves it believing in a shutdown (INJ-D11, DOM-24). */
  readonly tellsStore?: boolean;
}

/** Let a suspended guest go on where it is; of one that is not suspended nothing happens. @returns the errno of XS_RESUME, which libxl only logs (TS-17). Source: libxl_domain.c. */
export function* resumeGuest(xs: Xs, os: GuestOs, request: ResumeRequest): Actor<string | undefined> {
  const { domid, how, tellsStore = true } = request;
  if (look(os, domid)?.kind !== 'suspended') return undefined; // xc_domain_resume fails, and that ends it
  if (how === 'fast') os.hyper.domctl.setReturnRegister(domid, 1);
  os.hyper.resume(domid);
  if (!tellsStore) return undefined;
  return (yield* xs.call(XS.RESUME, strings(String(domid)))).error;
}

/** Waiting with an end. */
class Clock {
  readonly #os: GuestOs;
  readonly #me: Thread;

  constructor(os: GuestOs, me: Thread) {
    this.#os = os;
    this.#me = me;
  }

  /** The moment `ns` from now: whoever rests then is woken. */
  in(ns: number): number {
    const { scheduler } = this.#os.machine;
    const deadlineNs = scheduler.nowNs + ns;
    scheduler.at(deadlineNs, () => this.#me.wake());
    return deadlineNs;
  }

  isOver(deadlineNs: number): boolean {
    return this.#os.machine.nowNs >= deadlineNs;
  }
}
