import { type Actor, type Frame, PARK, type Port, RING_BYTES, SHUTDOWN_REASONS } from '../../sim/index.ts';
import { textOf as text } from '../../store/protocol/octets.ts';
import { HEADER_BYTES, type Message, PAYLOAD_MAX, XS } from '../../store/protocol/wire.ts';
import type { GuestOs, Thread } from '../kernel/index.ts';
import { localError, toReply, txIdIn, watchPayload } from './calls.ts';
import type { ClientHabits } from './habits.ts';
import type { InFlight } from './in-flight.ts';
import { cutRequest } from './left-out.ts';
import type { EventQueue, Pending, Reply, XsLink } from './link.ts';
import { LINUX_HABITS } from './named.ts';
import { split, strings } from './payload.ts';
import { type Outgoing, type Request, Requests } from './requests.ts';
import { RingMover } from './ring-mover.ts';
import { Suspension } from './suspension.ts';
import { WatchList } from './watch-list.ts';
import { watchdog } from './watchdog.ts';

/** What the library tells of its messages: the history of what was put in and got out. */
export interface ClientObserver {
  /** The request's last octet is in the ring; `octetsSent` counts all request octets of this ring so far. */
  sent(actor: string, octetsSent: number, type: number, reqId: number, txId: number, payload: Uint8Array): void;
  /** A whole message was taken out; `octetsGot` counts all response octets so far. */
  got(octetsGot: number, type: number, reqId: number, txId: number, payload: Uint8Array): void;
  /** The client goes on in another domain, on another ring. */
  moved?(domid: number): void;
}

const CRASH = SHUTDOWN_REASONS.indexOf('crash');

/** Transaction ids of each life, where a client knows which of its lives one is of: it then is id + life * LIFE. */
const LIFE = 0x1_0000_0000;

/**
 * xenstore over the ring: one actor is the sole user of the ring; other actors queue requests and park until they are
 * answered. Several requests are in flight, as the client's habits allow.
 * Source of the protocol: docs/misc/xenstore-ring.txt; of the habits: named.ts.
 */
export class XsClient implements XsLink {
  readonly #os: GuestOs;
  readonly #habits: ClientHabits;
  readonly #ring: RingMover;
  readonly #requests: Requests;
  readonly #suspension: Suspension;
  readonly #watches: WatchList;
  /** Actors that want to add or remove a watch and wait for a suspend to be over. */
  readonly #lockedOut: Thread[] = [];
  #areWatchesLocked = false;
  #suspender: Thread | undefined;
  /** Oldest first. */
  readonly #unanswered = new Set<Request>();
  /** Without ids a reply that nobody waits for is kept for the next request (LXO-4). */
  readonly #early: Message[] = [];
  /** Domains that it has lived in before. */
  #life = 0;
  observer: ClientObserver | undefined = undefined;
  /** Replies whose req_id nobody waits for: dropped with a warning in life; a checker's business here. */
  strayReplies = 0;
  /** Replies that were thrown away for their type, and those that are flagged as too long although they are not (WN-4). */
  readonly oddReplies = { ignored: 0, flagged: 0 };

  constructor(os: GuestOs, ring: Frame, port: Port, habits: ClientHabits = LINUX_HABITS) {
    this.#os = os;
    this.#habits = habits;
    this.#requests = new Requests(habits);
    this.#suspension = new Suspension(habits);
    this.#watches = new WatchList(habits);
    this.#ring = new RingMover(os, ring, port, habits, {
      next: () => this.#requests.shift(),
      written: (out, end) => this.#written(out, end),
      failed: ({ request }) => this.#failed(request),
      got: (message, end) => this.#got(message, end),
      stopped: () => this.#suspender?.wake(),
    });
  }

  /** Start the ring's actor. `resetDevices`: a kernel that was started with that word leaves the responses alone (LX-19). */
  start({ resetDevices = false } = {}): void {
    if (this.#ring.isToConnect) this.#close();
    else if (this.#habits.skipsStaleResponses && !resetDevices) this.#ring.skipResponses();
    this.#ring.start();
    if (this.#habits.watchdogNs > 0) {
      this.#os.start('xenbus-watchdog', () => watchdog(this.#ring, this.#habits.watchdogNs));
    }
  }

  /** LX-15: what a kernel that may have been started over another one does first. */
  *resetWatches(me: Thread): Actor {
    if (!this.#habits.resetsWatches || !this.#os.domain.memory.translated) return;
    const feature = yield* this.request(me, XS.READ, strings('control/platform-feature-xs_reset_watches'));
    if (feature.error !== undefined || Number.parseInt(text(feature.payload), 10) === 0) return;
    yield* this.request(me, XS.RESET_WATCHES, strings(''));
  }

  /** LX-4: the system goes down. Whoever waits gets EIO; of a request that is half written the rest never comes. */
  powerOff(): void {
    this.#ring.abandon();
    for (const request of this.#requests.abandon()) this.#answer(request, localError('EIO'));
  }

  /** While true the client consumes nothing of what the store sends it. */
  get held(): boolean {
    return this.#ring.held;
  }

  set held(held: boolean) {
    this.#ring.held = held;
  }

  /** Let go of a hold: consume again. */
  release(): void {
    this.held = false;
    this.#ring.wake();
  }

  /** Stop in the middle: of requests no octet goes in after so many more, of responses none is taken out. Infinity: go on. */
  stopAfter({ sent, got }: { readonly sent?: number; readonly got?: number }): void {
    const { moved } = this.#ring;
    if (sent !== undefined) this.#ring.writesUpTo = moved.sent + sent;
    if (got !== undefined) this.#ring.readsUpTo = moved.got + got;
    this.#ring.wake();
  }

  /** Octets of requests that went into the ring since it began, and of responses that were taken out. */
  get octets(): { readonly sent: number; readonly got: number } {
    return this.#ring.moved;
  }

  get inFlight(): number {
    return this.#unanswered.size;
  }

  /** What has no answer yet, oldest first. */
  requestsInFlight(): readonly InFlight[] {
    return [...this.#unanswered].map(({ me, type, txId, payload, sinceNs, reqId }) => {
      return { actor: me.name, type, txId, payload, sinceNs, isBegun: reqId >= 0 };
    });
  }

  /** The page and the port that it uses. */
  get ring(): { readonly frame: Frame; readonly port: Port } {
    return this.#ring.place;
  }

  get retries(): readonly string[] {
    return this.#habits.retries;
  }

  get rewatch(): ClientHabits['rewatch'] {
    return this.#habits.rewatch;
  }

  /** Events whose token nobody knew. */
  get strayEvents(): number {
    return this.#watches.strayEvents;
  }

  submit(me: Thread, type: number, payload: Uint8Array, txId = 0): Pending {
    if (payload.length > PAYLOAD_MAX) throw new Error(`assertion: payload of ${payload.length} octets`);
    if (this.#habits.writes === 'messages' && HEADER_BYTES + payload.length > RING_BYTES)
      this.#os.hyper.domctl.shutdown(CRASH); // MO-1: BUG_ON
    const number = me.requests;
    const going = cutRequest(this.#os, me, type, payload, txId % LIFE);
    if ('reply' in going) return going;
    const { scheduler } = this.#os.machine;
    const request: Request = {
      me,
      number,
      type,
      txId,
      wireTxId: txId % LIFE,
      payload: going.payload,
      sinceNs: this.#os.machine.nowNs,
      reqId: -1,
      reply: undefined,
    };
    this.#unanswered.add(request);
    if (going.atNs > scheduler.nowNs) scheduler.at(going.atNs, () => this.#enter(request));
    else this.#enter(request);
    return request;
  }

  *answer(pending: Pending): Actor<Reply> {
    while (pending.reply === undefined) yield PARK;
    return pending.reply;
  }

  *request(me: Thread, type: number, payload: Uint8Array, txId = 0): Actor<Reply> {
    return yield* this.answer(this.submit(me, type, payload, txId));
  }

  *watch(queue: EventQueue, path: string, token: string, depth?: number): Actor<Reply> {
    yield* this.#unlockedWatches(queue.me);
    const watch = this.#watches.add(queue, path, token, depth);
    const reply = yield* this.request(queue.me, XS.WATCH, watchPayload(path, watch.wire, depth));
    if (reply.error !== undefined) this.#watches.remove(watch);
    return reply;
  }

  *unwatch(me: Thread, path: string, token: string): Actor<Reply> {
    yield* this.#unlockedWatches(me);
    const watch = this.#watches.find(path, token);
    if (watch !== undefined) this.#watches.remove(watch);
    const reply = yield* this.request(me, XS.UNWATCH, strings(path, watch?.wire ?? token));
    if (watch !== undefined && this.#habits.unwatchDropsEvents) {
      const { events } = watch.queue; // LX-14
      for (let i = events.length - 1; i >= 0; i--) if (events[i]?.token === token) events.splice(i, 1);
    }
    return reply;
  }

  // Suspend and resume (guests.md 1.2; linux xenbus_xs.c, xs_suspend, xs_resume, xs_suspend_cancel) ------------------------

  /** Quiesce: returns when the guest may be suspended. Unbounded, as in life. */
  *suspend(me: Thread): Actor {
    this.#suspender = me;
    this.#suspension.isClosed = true;
    this.#areWatchesLocked = true;
    const sinceNs = this.#os.machine.nowNs;
    const lost = 'the end of a transaction that the store has lost, which the kernel counts for ever (LX-16)';
    this.#os.waitsFor(me.name, () => (this.hangs ? { what: lost, sinceNs } : undefined));
    while (!this.#suspension.isQuiet) yield PARK;
    this.#os.waitsFor(me.name);
    this.#ring.stop();
    while (!this.#ring.isStopped) yield PARK;
    this.#suspender = undefined;
  }

  /** Whether it waits in a suspend for the end of what has no end any more (LX-16). */
  get hangs(): boolean {
    return this.#suspender !== undefined && this.#suspension.isForEver;
  }

  /** The same domain goes on (SUS-5): nothing is done anew. */
  resumeCancelled(): void {
    this.#ring.go();
    this.#letIn();
    this.#unlockWatches();
  }

  /** A new domain, or one that must begin anew: another page and port, no watch and no transaction stands. */
  *resume(me: Thread, frame: Frame, port: Port): Actor {
    this.#life++;
    this.#ring.moveTo(frame, port);
    this.observer?.moved?.(this.#os.domain.domid);
    if (this.#habits.skipsStaleResponses) this.#ring.skipResponses();
    this.#ring.go();
    const { rewatch } = this.#habits;
    const watches = [...this.#watches.all];
    if (rewatch === 'by owners') for (const watch of watches) this.#watches.signal(watch, watch.path); // WN-6
    this.#letIn(); // LX-18: before the watches are there
    if (rewatch === 'newest first') watches.reverse();
    for (const watch of watches) {
      if (rewatch === 'by owners') this.#watches.renew(watch);
      yield* this.request(me, XS.WATCH, watchPayload(watch.path, watch.wire, watch.depth)); // errors are ignored
    }
    this.#unlockWatches();
  }

  // Reconnection (docs/misc/xenstore-ring.txt, The ring reconnection feature) ------------------------------------------

  /**
   * Wait for the store in a domain that was started before the store knew it, and whose ring says so. What others have asked for
   * meanwhile goes out then. Source: linux drivers/xen/xenbus/xenbus_probe.c, xenbus_init, xenbus_late_init.
   */
  *untilConnected(me: Thread): Actor {
    if (!this.#suspension.isClosed) return;
    yield* this.#connected(me);
    this.#letIn();
    this.#unlockWatches();
  }

  /**
   * Begin the connection anew, in the middle of whatever is on its way: who waits for an answer gets EIO, no transaction stands, and
   * watches are sent anew. Source: xenbus_shutdown in tools/firmware/hvmloader/xenbus.c does so before it starts another kernel.
   */
  *reconnect(me: Thread): Actor {
    this.#close();
    this.#suspender = me;
    while (!this.#ring.isStopped) yield PARK;
    for (const request of this.#requests.abandon()) this.#answer(request, localError('EIO'));
    this.#early.length = 0;
    this.#suspension.forgetTransactions();
    this.#ring.askToConnect();
    yield* this.#connected(me);
    const { frame, port } = this.#ring.place;
    yield* this.resume(me, frame, port);
  }

  /** Nothing goes into the ring, and nothing is taken out, until it is connected. */
  #close(): void {
    this.#suspension.isClosed = true;
    this.#areWatchesLocked = true;
    this.#ring.stopAtOnce();
  }

  *#connected(me: Thread): Actor {
    this.#suspender = me;
    while (this.#ring.isToConnect) yield PARK;
    this.#suspender = undefined;
    this.#ring.go();
  }

  #letIn(): void {
    for (const request of this.#suspension.open()) this.#enter(request);
  }

  #unlockWatches(): void {
    this.#areWatchesLocked = false;
    for (const me of this.#lockedOut.splice(0)) me.wake();
  }

  *#unlockedWatches(me: Thread): Actor {
    while (this.#areWatchesLocked) {
      this.#lockedOut.push(me);
      yield PARK;
    }
  }

  // Messages --------------------------------------------------------------------------------------------------------

  #enter(request: Request): void {
    if (!this.#suspension.admits(request)) return;
    const isLost = request.txId !== 0 && this.#habits.knowsLostTransactions && this.#isOfFormerLife(request.txId);
    if (isLost) return this.#answer(request, localError('EAGAIN')); // WN-7
    this.#requests.push(request);
    this.#ring.wake();
  }

  #written({ request }: Outgoing, end: number): void {
    const { me, type, reqId, wireTxId, payload } = request;
    this.observer?.sent(me.name, end, type, reqId, wireTxId, payload);
    const early = this.#early.shift();
    if (early !== undefined && this.#requests.match(early.reqId) === request) this.#reply(request, early);
  }

  #failed(request: Request): void {
    this.#requests.forget(request);
    this.#answer(request, localError('EIO'));
  }

  #got(message: Message, end: number): void {
    const { type, reqId, txId, payload } = message;
    this.observer?.got(end, type, reqId, txId, payload);
    if (type === XS.WATCH_EVENT) {
      const [path, token] = split(payload);
      this.#watches.deliver(path, token);
      return;
    }
    if (this.#habits.ignoredTypes.includes(type)) {
      this.oddReplies.ignored++;
      return;
    }
    if (payload.length >= PAYLOAD_MAX) this.oddReplies.flagged++;
    const request = this.#requests.match(reqId);
    if (request === undefined) {
      if (this.#habits.ids === 'zero') this.#early.push(message);
      else this.strayReplies++;
      return;
    }
    this.#reply(request, message);
  }

  #reply(request: Request, { type, payload }: Message): void {
    const odd = type === request.type ? undefined : 'EINVAL'; // LX-3
    const { error = odd } = toReply(type, payload);
    this.#answer(request, { type, payload, error });
    if (this.#requests.queued > 0) this.#ring.wake();
  }

  #answer(request: Request, reply: Reply): void {
    request.reply = reply;
    this.#unanswered.delete(request);
    this.#suspension.answered(request, request.type === XS.TRANSACTION_START ? this.startedTxId(reply) : 0);
    this.#suspender?.wake();
    request.me.wake();
  }

  startedTxId(reply: Reply): number {
    const id = txIdIn(reply);
    return this.#habits.knowsLostTransactions ? id + this.#life * LIFE : id;
  }

  #isOfFormerLife(txId: number): boolean {
    return Math.floor(txId / LIFE) !== this.#life;
  }
}
