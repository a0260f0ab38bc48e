import {
  type Actor,
  type Devpts,
  DOMID_FIRST_RESERVED,
  type Domid,
  type Frame,
  PARK,
  type Pty,
  XEN_DOMINF_dying,
} from '../../sim/index.ts';
import type { GuestOs, Me } from '../kernel/index.ts';
import { type EventQueue, Xs, type XsLink } from '../xenstore/index.ts';
import { type ConsoleDaemon, ServedConsole } from './served-console.ts';

/** Virtual time of the daemon's own work. */
const PASS_NS = 1_000;

export interface XenconsoledOptions {
  /** What happens to output beyond the limit (--overflow-data). */
  readonly overflow: 'discard' | 'keep';
  /** Told when a console begins and ends to be served. */
  readonly observer?: {
    connected(domid: Domid, ring: Frame, pty: Pty, limit: number): void;
    closed(domid: Domid): void;
  };
}

/**
 * The console daemon: a loop around poll(2) that serves every domain's first console. Its watches: both special paths with the
 * token `domlist`, and `console` of each domain with the token `dom<N>`.
 * Source: tools/console/daemon/io.c. Not modelled: logs, and the map by frame number where there is no grant.
 */
export class Xenconsoled {
  readonly #os: GuestOs;
  readonly #link: XsLink;
  readonly #daemon: ConsoleDaemon;
  /** Newest first, as the daemon's list is. */
  #served: ServedConsole[] = [];
  #pass = 0;
  #me: Me | undefined;
  #queue: EventQueue | undefined;
  /** When a timer for the end of a period is due; 0: none. */
  #alarmMs = 0;

  constructor(os: GuestOs, link: XsLink, devpts: Devpts, options: XenconsoledOptions = { overflow: 'discard' }) {
    this.#os = os;
    this.#link = link;
    this.#daemon = {
      os,
      devpts,
      overflow: options.overflow,
      wake: () => this.#me?.wake(),
      connected: (...console) => options.observer?.connected(...console),
      closed: (domid) => options.observer?.closed(domid),
    };
  }

  start(): Me {
    this.#me = this.#os.start('xenconsoled', (me) => this.#run(me));
    return this.#me;
  }

  /** Domids whose consoles are served now, ascending. */
  get domids(): Domid[] {
    return this.#served.flatMap((s) => (s.isMapped ? [s.domid] : [])).sort((a, b) => a - b);
  }

  /** Whether all output that came in has been handed to the terminals. */
  get isIdle(): boolean {
    return this.#served.every((s) => s.isIdle);
  }

  *#run(me: Me): Actor {
    const xs = new Xs(this.#link, me);
    const queue: EventQueue = { events: [], me };
    this.#queue = queue;
    for (const path of ['@introduceDomain', '@releaseDomain']) yield* this.#link.watch(queue, path, 'domlist');
    yield* this.#enumerate(xs, queue);
    for (;;) {
      for (const s of this.#served) s.renew();
      if (!this.#isReady()) {
        this.#setAlarm();
        yield PARK;
        continue;
      }
      yield PASS_NS;
      // poll(2) has returned: what is not ready now waits for the next pass.
      const ringReady = this.#served.filter((s) => s.hasEvent);
      const inputReady = this.#served.filter((s) => s.hasInput);
      const outputReady = this.#served.filter((s) => s.canWrite);
      const event = queue.events.shift();
      if (event !== undefined) yield* this.#changed(xs, queue, event.token);
      for (const s of [...this.#served]) {
        if (ringReady.includes(s)) yield* s.drain();
        if (inputReady.includes(s) && (yield* s.input()) === 'gone') yield* this.#shutDown(xs, s);
        if (outputReady.includes(s) && !s.isDead) s.output();
        if (s.lastSeen !== this.#pass) yield* this.#shutDown(xs, s);
        if (s.isDead) this.#forget(s);
      }
    }
  }

  #isReady(): boolean {
    if ((this.#queue?.events.length ?? 0) > 0) return true;
    return this.#served.some((s) => s.hasEvent || s.hasInput || s.canWrite);
  }

  /** Wake up at the first end of a period of those that are silenced. */
  #setAlarm(): void {
    let first = 0;
    for (const { silencedUntilMs } of this.#served)
      if (silencedUntilMs !== undefined && (first === 0 || silencedUntilMs < first)) first = silencedUntilMs;
    if (first === 0 || first === this.#alarmMs) return;
    this.#alarmMs = first;
    this.#os.machine.scheduler.at(first * 1_000_000, () => {
      if (this.#alarmMs === first) this.#alarmMs = 0;
      this.#me?.wake();
    });
  }

  *#changed(xs: Xs, queue: EventQueue, token: string): Actor {
    if (token === 'domlist') return yield* this.#enumerate(xs, queue);
    const served = this.#served.find((s) => s.token === token);
    if (served !== undefined && !served.isDead) yield* served.connect(xs);
  }

  /** Look at all domains but dom0, by hypercall (MT-1): serve the new ones, let go of the dead ones. */
  *#enumerate(xs: Xs, queue: EventQueue): Actor {
    this.#pass++;
    const list = this.#os.hyper.domctl.getDomainInfoList(1, DOMID_FIRST_RESERVED - 1);
    yield PASS_NS;
    if (!list.ok) return;
    for (const { domid, flags } of list.value) {
      let served = this.#served.find((s) => s.domid === domid);
      if ((flags & XEN_DOMINF_dying) !== 0) {
        if (served !== undefined) yield* this.#shutDown(xs, served);
      } else served ??= yield* this.#create(xs, queue, domid);
      if (served !== undefined) served.lastSeen = this.#pass;
    }
  }

  *#create(xs: Xs, queue: EventQueue, domid: Domid): Actor<ServedConsole | undefined> {
    const served = new ServedConsole(this.#daemon, domid, this.#pass);
    const watched = yield* this.#link.watch(queue, served.path, served.token);
    if (watched.error !== undefined) return undefined;
    yield* served.connect(xs);
    this.#served.unshift(served);
    return served;
  }

  /** The domain is dead: let go of all that keeps it. Otherwise it would stay as a zombie (DOM-8). */
  *#shutDown(xs: Xs, s: ServedConsole): Actor {
    s.isDead = true;
    yield* this.#link.unwatch(xs.me, s.path, s.token);
    s.release();
  }

  #forget(s: ServedConsole): void {
    s.closeTerminal();
    this.#served = this.#served.filter((other) => other !== s);
  }
}
