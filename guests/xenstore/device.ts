import { type Actor, PARK } from '../../sim/index.ts';
import { textOf as text } from '../../store/protocol/octets.ts';
import { HEADER_BYTES, PAYLOAD_MAX, XS } from '../../store/protocol/wire.ts';
import type { GuestOs, Me } from '../kernel/index.ts';
import { localError, PROGRAM_RETRIES, txIdIn, watchPayload } from './calls.ts';
import type { EventQueue, Pending, Reply, XsLink, XsProgram } from './link.ts';
import { split, strings } from './payload.ts';
import { Xs } from './xs.ts';

/** What a file takes as one message, its header included (LD-1). */
const MESSAGE_MAX = PAYLOAD_MAX;
const OK = Uint8Array.of(0x4f, 0x4b, 0);

interface FileWatch {
  readonly path: string;
  readonly token: string;
  readonly queue: EventQueue;
}

/** Something that the kernel does for a program that waits. */
interface Job {
  readonly run: (worker: Me) => Actor<Reply>;
  readonly me: Me;
  reply: Reply | undefined;
}

/**
 * One open file of `/dev/xen/xenbus`: a program's way to xenstore through its kernel, where there is no socket (LS-1). The
 * kernel watches on the file's behalf and answers WATCH and UNWATCH itself (LD-2); it knows which transactions are the file's
 * (LD-3); when the file is closed it lets go of both, in its own time (LD-5).
 * Source: linux drivers/xen/xenbus/xenbus_dev_frontend.c.
 */
export class XsDevice implements XsProgram {
  readonly #kernel: XsLink;
  readonly #program: string;
  readonly #transactions = new Set<number>();
  /** By the kernel's own token. */
  readonly #watches = new Map<string, FileWatch>();
  /** Where the kernel's watches of this file tell what happened. */
  readonly #queue: EventQueue;
  readonly #jobs: Job[] = [];
  #tokens = 0;
  #waiting = 0;
  isOpen = true;
  readonly retries = PROGRAM_RETRIES;
  readonly startedTxId = txIdIn;

  constructor(os: GuestOs, kernel: XsLink, program: string) {
    this.#kernel = kernel;
    this.#program = program;
    this.#queue = { events: [], me: os.start(`${program}/xenbus-dev`, (me) => this.#run(me)) };
  }

  get inFlight(): number {
    return this.#waiting;
  }

  close(): void {
    this.isOpen = false;
    this.#queue.me.wake();
  }

  submit(me: Me, type: number, payload: Uint8Array, txId = 0): Pending {
    if (!this.isOpen) return { reqId: 0, reply: localError('EBADF') };
    if (HEADER_BYTES + payload.length > MESSAGE_MAX) {
      if (payload.length <= PAYLOAD_MAX) this.close(); // the library has written the header, and gives the handle up
      return { reqId: 0, reply: localError('E2BIG') };
    }
    const refused = type === XS.TRANSACTION_END ? this.#refuseEnd(payload, txId) : undefined;
    if (refused !== undefined) return { reqId: 0, reply: localError(refused) };
    return this.#kernel.submit(me, type, payload, txId);
  }

  *answer(pending: Pending): Actor<Reply> {
    return pending.reply ?? (yield* this.#waits(this.#kernel.answer(pending)));
  }

  *request(me: Me, type: number, payload: Uint8Array, txId = 0): Actor<Reply> {
    if (type === XS.WATCH) return yield* this.#watch({ events: [], me }, payload);
    if (type === XS.UNWATCH) return yield* this.#unwatch(me, payload);
    const pending = this.submit(me, type, payload, txId);
    if (pending.reply !== undefined) return pending.reply; // it was not even sent
    const reply = yield* this.answer(pending);
    // What has begun or ended is the file's matter when the answer is there, not before.
    if (type === XS.TRANSACTION_START && reply.error === undefined) this.#transactions.add(txIdIn(reply));
    else if (type === XS.TRANSACTION_END) this.#transactions.delete(txId);
    return reply;
  }

  *watch(queue: EventQueue, path: string, token: string, depth?: number): Actor<Reply> {
    return yield* this.#watch(queue, watchPayload(path, token, depth));
  }

  unwatch(me: Me, path: string, token: string): Actor<Reply> {
    return this.request(me, XS.UNWATCH, strings(path, token));
  }

  /** What the kernel does not even send (LD-3). */
  #refuseEnd(payload: Uint8Array, txId: number): string | undefined {
    if (!['T\0', 'F\0'].includes(text(payload))) return 'EINVAL';
    return this.#transactions.has(txId) ? undefined : 'ENOENT';
  }

  /** A watch of the kernel's own. It looks at two strings only: a depth does not get through. */
  *#watch(queue: EventQueue, payload: Uint8Array): Actor<Reply> {
    const [path, token] = split(payload);
    if (!this.isOpen) return localError('EBADF');
    if (path === undefined || token === undefined) return localError('EILSEQ');
    const own = `${this.#program}:${++this.#tokens}`;
    this.#watches.set(own, { path, token, queue });
    const reply = yield* this.#have(queue.me, () => this.#kernel.watch(this.#queue, path, own));
    if (reply.error !== undefined) this.#watches.delete(own);
    return reply.error === undefined ? { type: XS.WATCH, payload: OK, error: undefined } : reply;
  }

  /** Nothing of that kind is no error. */
  *#unwatch(me: Me, payload: Uint8Array): Actor<Reply> {
    const [path, token] = split(payload);
    for (const [own, watch] of this.#watches) {
      if (watch.path !== path || watch.token !== token) continue;
      this.#watches.delete(own);
      yield* this.#have(me, (worker) => this.#kernel.unwatch(worker, watch.path, own));
      break;
    }
    return { type: XS.UNWATCH, payload: OK, error: undefined };
  }

  /** Have the kernel's side do something, and wait for it. */
  *#have(me: Me, run: (worker: Me) => Actor<Reply>): Actor<Reply> {
    const job: Job = { run, me, reply: undefined };
    this.#jobs.push(job);
    this.#queue.me.wake();
    return yield* this.#waits(untilDone(job));
  }

  *#waits<T>(call: Actor<T>): Actor<T> {
    this.#waiting++;
    const result = yield* call;
    this.#waiting--;
    return result;
  }

  /** Hands on what the kernel's watches tell, under the tokens of the program; the worker that cleans up in the end. */
  *#run(me: Me): Actor {
    const { events } = this.#queue;
    for (;;) {
      for (let event = events.shift(); event !== undefined; event = events.shift()) {
        const watch = this.#watches.get(event.token);
        watch?.queue.events.push({ path: event.path, token: watch.token });
        watch?.queue.me.wake();
      }
      const job = this.#jobs.shift();
      if (job !== undefined) {
        job.reply = yield* job.run(me);
        job.me.wake();
      } else if (!this.isOpen) break;
      else yield PARK;
    }
    const xs = new Xs(this.#kernel, me);
    for (const txId of this.#transactions) yield* xs.end(txId, false);
    for (const [own, { path }] of this.#watches) yield* this.#kernel.unwatch(me, path, own);
  }
}

function* untilDone(job: Job): Actor<Reply> {
  while (job.reply === undefined) yield PARK;
  return job.reply;
}
