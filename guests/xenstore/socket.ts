import { type Actor, PARK, type UnixSocket } from '../../sim/index.ts';
import { MessageReader } from '../../store/protocol/message-reader.ts';
import { textOf as text } from '../../store/protocol/octets.ts';
import { type Message, message, PAYLOAD_MAX, XS } from '../../store/protocol/wire.ts';
import type { GuestOs, Thread } from '../kernel/index.ts';
import { PROGRAM_RETRIES, toReply, txIdIn, WatchRoutes, watchPayload } from './calls.ts';
import type { ClientObserver } from './client.ts';
import type { InFlight } from './in-flight.ts';
import { cutRequest } from './left-out.ts';
import type { EventQueue, Pending, Reply, XsProgram } from './link.ts';
import { strings } from './payload.ts';

/** Virtual time of the library's own work. */
const SYSCALL_NS = 300;
const COPY_NS_PER_16 = 4;
const PARSE_NS = 60;
/** From readiness of the socket to the first step of the thread that waits for it. */
const WAKE_NS = 500;

/** How a program treats its handle. */
export interface SocketHabits {
  /** XS_UNWATCH_FILTER: queued events of a watch are dropped with it. */
  readonly unwatchFilter: boolean;
  /** One request in this many is written in two parts, cut at a random octet; 0 = never. */
  readonly tornOneIn: number;
  /** Longest absence between the two parts, ns. */
  readonly tornNsMax: number;
  /** What the program does before it asks for something, ns; left out: nothing that takes time. */
  readonly workNs?: readonly [min: number, max: number];
}

export const LIBXENSTORE_HABITS: SocketHabits = { unwatchFilter: false, tornOneIn: 0, tornNsMax: 0 };

interface Call extends Pending {
  readonly me: Thread;
  readonly type: number;
  readonly txId: number;
  readonly payload: Uint8Array;
  readonly bytes: Uint8Array;
  readonly sinceNs: number;
}

/**
 * xenstore over the daemon's unix socket, as libxenstore does it for programs of dom0. One request at a time: others wait for
 * the handle (LS-2). req_id is 0; the next message that is no event is the answer. The library's reader thread is one actor,
 * here for every handle, also one without watches: nothing on the socket shows the difference.
 * A handle stands for a whole process: it opens no second one when it is broken.
 * Source: tools/libs/store/xs.c.
 */
export class XsSocket implements XsProgram {
  readonly #os: GuestOs;
  readonly #socket: UnixSocket;
  readonly #habits: SocketHabits;
  /** The first one has the handle. */
  readonly #calls: Call[] = [];
  readonly #routes = new WatchRoutes();
  readonly #incoming = new MessageReader('refused');
  #thread: Thread | undefined;
  #features: string | undefined;
  #octetsSent = 0;
  #octetsGot = 0;
  readonly retries = PROGRAM_RETRIES;
  readonly startedTxId = txIdIn;
  observer: ClientObserver | undefined = undefined;

  constructor(os: GuestOs, socket: UnixSocket, habits: SocketHabits = LIBXENSTORE_HABITS) {
    this.#os = os;
    this.#socket = socket;
    this.#habits = habits;
  }

  /** Start the handle's thread. `program` names it; unique in a run. */
  start(program: string): void {
    const thread = this.#os.start(`${program}/xs`, (me) => this.#run(me));
    this.#thread = thread;
    this.#socket.onReady = () => thread.task?.wake(WAKE_NS);
  }

  /** Octets of requests that left so far. */
  get octetsSent(): number {
    return this.#octetsSent;
  }

  get isOpen(): boolean {
    return !this.#socket.isClosed;
  }

  get inFlight(): number {
    return this.#calls.length;
  }

  /** What has no answer yet; the first one has the handle. */
  requestsInFlight(): readonly InFlight[] {
    return this.#calls.map(({ me, type, txId, payload, sinceNs }, i) => {
      return { actor: me.name, type, txId, payload, sinceNs, isBegun: i === 0 };
    });
  }

  /** Octets that the store has sent and the handle's thread has not read, and octets that the store has not read. */
  get unread(): { readonly here: number; readonly there: number } {
    return { here: this.#socket.readable(), there: this.#socket.peer?.readable() ?? 0 };
  }

  /** xs_close, or the end of the process: whoever still waits gets EBADF, the store finds a closed socket. */
  close(): void {
    this.#socket.close();
    this.#socket.onReady = undefined;
    for (const call of this.#calls.splice(0)) answer(call, BROKEN);
    this.#thread?.wake();
  }

  submit(me: Thread, type: number, whole: Uint8Array, txId = 0): Pending {
    const going = cutRequest(this.#os, me, type, whole, txId);
    if ('reply' in going) return going;
    const { payload, atNs } = going;
    const { scheduler } = this.#os.machine;
    const bytes = message(type, 0, txId, payload);
    const call: Call = { reqId: 0, reply: undefined, me, type, txId, payload, bytes, sinceNs: this.#os.machine.nowNs };
    if (payload.length > PAYLOAD_MAX) call.reply = failure('E2BIG');
    else if (!this.isOpen) call.reply = BROKEN;
    else if (atNs > scheduler.nowNs) scheduler.at(atNs, () => this.#enter(call));
    else this.#enter(call);
    return call;
  }

  #enter(call: Call): void {
    if (!this.isOpen) return answer(call, BROKEN);
    this.#calls.push(call);
    this.#thread?.wake();
  }

  *answer(pending: Pending): Actor<Reply> {
    while (pending.reply === undefined) yield PARK;
    return pending.reply;
  }

  *request(me: Thread, type: number, payload: Uint8Array, txId = 0): Actor<Reply> {
    const { workNs } = this.#habits;
    if (workNs !== undefined) yield me.draws.between(workNs[0], workNs[1]);
    return yield* this.answer(this.submit(me, type, payload, txId));
  }

  *watch(queue: EventQueue, path: string, token: string, depth?: number): Actor<Reply> {
    this.#routes.add(token, queue);
    const reply = yield* this.request(queue.me, XS.WATCH, watchPayload(path, token, depth));
    if (reply.error !== undefined) this.#routes.remove(token);
    return reply;
  }

  /** As `XsLink.unwatch`, but what came before the answer stays queued unless the filter is on (LS-6). */
  *unwatch(me: Thread, path: string, token: string): Actor<Reply> {
    const reply = yield* this.request(me, XS.UNWATCH, strings(path, token));
    const events = this.#routes.queueOf(token)?.events;
    if (reply.error === undefined) this.#routes.remove(token); // nothing of it can come behind the answer: the store's output is one queue
    if (!this.#habits.unwatchFilter || events === undefined) return reply;
    const kept = events.filter((event) => event.token !== token || !isSubpath(path, event.path));
    events.splice(0, events.length, ...kept);
    return reply;
  }

  /** xs_get_features_supported: asked for once in the life of the process (LS-8). */
  *features(me: Thread): Actor<Reply> {
    if (this.#features !== undefined)
      return { type: XS.GET_FEATURE, payload: strings(this.#features), error: undefined };
    const reply = yield* this.request(me, XS.GET_FEATURE, new Uint8Array(0));
    if (reply.error === undefined) this.#features = text(reply.payload).replace(/\0$/, '');
    return reply;
  }

  // The handle's thread ----------------------------------------------------------------------------------------------

  *#run(me: Thread): Actor {
    const socket = this.#socket;
    const { draws } = me;
    let current: Call | undefined;
    let written = 0;
    while (this.isOpen) {
      let worked = false;

      if (socket.readable() > 0) {
        worked = true;
        yield SYSCALL_NS;
        if (!this.isOpen) return;
        const got = this.#read();
        if (got > 0) yield PARSE_NS + COPY_NS_PER_16 * (got >> 4);
      } else if (socket.atEof()) {
        this.close(); // LS-4
        return;
      }

      const head = this.#calls[0];
      if (current !== head) {
        current = head;
        written = 0;
      }
      const rest = current === undefined ? 0 : current.bytes.length - written;
      if (current !== undefined && rest > 0 && socket.writable() > 0) {
        worked = true;
        const isTorn = written === 0 && this.#habits.tornOneIn > 0 && draws.oneIn(this.#habits.tornOneIn);
        const wanted = isTorn ? draws.between(1, rest - 1) : rest;
        yield SYSCALL_NS + COPY_NS_PER_16 * (wanted >> 4);
        if (!this.isOpen) return;
        const put = socket.write(current.bytes, written, wanted);
        written += put;
        this.#octetsSent += put;
        if (written === current.bytes.length) {
          const { type, txId, payload } = current;
          this.observer?.sent(current.me.name, this.#octetsSent, type, 0, txId, payload);
        }
        if (isTorn) yield draws.below(this.#habits.tornNsMax);
      }
      if (!worked) yield PARK;
    }
  }

  /** One read(2): of a header first, then of exactly its body. @returns octets read. */
  #read(): number {
    const incoming = this.#incoming;
    const count = incoming.pull(this.#socket);
    this.#octetsGot += count;
    const whole = incoming.shift();
    if (whole !== undefined) this.#got(whole);
    else if (incoming.isRefused) this.close();
    return count;
  }

  #got({ type, reqId, txId, payload }: Message): void {
    this.observer?.got(this.#octetsGot, type, reqId, txId, payload);
    if (type === XS.WATCH_EVENT) {
      this.#routes.deliver(payload);
      return;
    }
    const call = this.#calls[0];
    if (call === undefined || (type !== XS.ERROR && type !== call.type)) {
      this.close(); // LS-4
      return;
    }
    this.#calls.shift();
    answer(call, toReply(type, payload));
  }
}

/** What the library itself says, without the store. */
function failure(errno: string): Reply {
  return { type: XS.ERROR, payload: new Uint8Array(0), error: errno };
}

const BROKEN = failure('EBADF');

function answer(call: Call, reply: Reply): void {
  call.reply = reply;
  call.me.wake();
}

/** The watched node itself or one below it. */
function isSubpath(path: string, of: string): boolean {
  return of === path || of.startsWith(path === '/' ? '/' : `${path}/`);
}
