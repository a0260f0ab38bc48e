import {
  type Actor,
  CONSOLE_CONNECTION,
  CONSOLE_IN,
  CONSOLE_OUT,
  type Devpts,
  DOMID_FIRST_RESERVED,
  type Domid,
  EventFile,
  type Frame,
  GNTMAP_host_map,
  GNTTAB_RESERVED_CONSOLE,
  type Handle,
  PARK,
  type Port,
  type Pty,
  putOctets,
  takeOctets,
  used,
  XEN_DOMINF_dying,
  XENCONSOLE_CONNECTED,
  XenError,
} from '../../sim/index.ts';
import { textOf as text } from '../../store/protocol/octets.ts';
import type { GuestOs, Me } from '../kernel/index.ts';
import { type EventQueue, Xs, type XsLink } from '../xenstore/index.ts';
import { ConsoleBuffer } from './buffer.ts';

/** Events that a console may have in one period, and the period. Source: tools/console/daemon/io.c, RATE_LIMIT_*. */
const EVENTS_MAX = 30;
const PERIOD_MS = 200;
/** A period counts as over this much before its end. */
const FUZZ_MS = 5;
/** Input is read from the terminal so many octets at a time. */
const INPUT_BYTES = 80;

/** Virtual time of the daemon's own work. */
const PASS_NS = 1_000;
const LOAD_NS = 20;
const COPY_NS_PER_16 = 4;
const STORE_NS = 15;
const SEND_NS = 700;

export interface XenconsoledOptions {
  /** What happens to output beyond the limit (--overflow-data). */
  readonly overflow: 'discard' | 'keep';
  /** Told when a console begins and ends to be served. */
  readonly observer?: {
    connected(domid: Domid, ring: Frame, pty: Pty, limit: number): void;
    closed(domid: Domid): void;
  };
}

interface Served {
  readonly domid: Domid;
  readonly path: string;
  readonly buffer: ConsoleBuffer;
  pty: Pty | undefined;
  ring: { readonly frame: Frame; readonly handle: Handle } | undefined;
  /** One open event channel file a console. */
  file: EventFile | undefined;
  localPort: Port;
  remotePort: Port;
  events: number;
  periodEndMs: number;
  lastSeen: number;
  isDead: boolean;
}

/**
 * The console daemon: a loop around poll(2) that serves every domain's first console. Its watches: both special paths with the
 * token `domlist`, and `console` of each domain with the token `dom<N>`.
 * Source: tools/console/daemon/io.c. Not modelled: logs, and the map by frame number where there is no grant.
 */
export class Xenconsoled {
  readonly #os: GuestOs;
  readonly #link: XsLink;
  readonly #devpts: Devpts;
  readonly #options: XenconsoledOptions;
  /** Newest first, as the daemon's list is. */
  #served: Served[] = [];
  #pass = 0;
  #me: Me | undefined;
  #queue: EventQueue | undefined;
  /** When a timer for the end of a period is due; 0: none. */
  #alarmMs = 0;

  constructor(os: GuestOs, link: XsLink, devpts: Devpts, options: XenconsoledOptions = { overflow: 'discard' }) {
    this.#os = os;
    this.#link = link;
    this.#devpts = devpts;
    this.#options = options;
  }

  start(): Me {
    this.#me = this.#os.start('xenconsoled', (me) => this.#run(me));
    return this.#me;
  }

  /** Domids whose consoles are served now, ascending. */
  get domids(): Domid[] {
    return this.#served.flatMap((s) => (s.ring === undefined ? [] : [s.domid])).sort((a, b) => a - b);
  }

  /** Whether all output that came in has been handed to the terminals. */
  get isIdle(): boolean {
    return this.#served.every((s) => s.buffer.pending.length === 0 && s.file?.isReadable !== true);
  }

  get #nowMs(): number {
    return Math.floor(this.#os.machine.nowNs / 1_000_000);
  }

  *#run(me: Me): Actor {
    const xs = new Xs(this.#link, me);
    const queue: EventQueue = { events: [], me };
    this.#queue = queue;
    for (const path of ['@introduceDomain', '@releaseDomain']) yield* this.#link.watch(queue, path, 'domlist');
    yield* this.#enumerate(xs, queue);
    for (;;) {
      for (const s of this.#served) this.#renew(s);
      if (!this.#isReady()) {
        this.#setAlarm();
        yield PARK;
        continue;
      }
      yield PASS_NS;
      // poll(2) has returned: what is not ready now waits for the next pass.
      const ringReady = this.#served.filter((s) => this.#hasEvent(s));
      const inputReady = this.#served.filter((s) => this.#hasInput(s));
      const outputReady = this.#served.filter((s) => this.#canWrite(s));
      const event = queue.events.shift();
      if (event !== undefined) yield* this.#changed(xs, queue, event.token);
      for (const s of [...this.#served]) {
        if (ringReady.includes(s)) yield* this.#drain(s);
        if (inputReady.includes(s)) yield* this.#input(xs, s);
        if (outputReady.includes(s) && !s.isDead) this.#output(s);
        if (s.lastSeen !== this.#pass) yield* this.#shutDown(xs, s);
        if (s.isDead) this.#forget(s);
      }
    }
  }

  /** A period is over: count anew, and let the port speak again if it was silenced (CON-3). */
  #renew(s: Served): void {
    if (s.file === undefined || this.#nowMs + FUZZ_MS <= s.periodEndMs) return;
    s.periodEndMs = this.#nowMs + PERIOD_MS;
    if (s.events >= EVENTS_MAX) s.file.write([s.localPort]);
    s.events = 0;
  }

  /** Whether poll(2) says that the file is readable; it is asked only of files that may speak and have room (CON-3, CON-4). */
  #hasEvent({ file, events, buffer, isDead }: Served): boolean {
    if (file === undefined || isDead || events >= EVENTS_MAX || !file.isReadable) return false;
    return this.#options.overflow === 'discard' || buffer.limit === 0 || buffer.size < buffer.limit;
  }

  #hasInput({ pty, ring, isDead }: Served): boolean {
    return !isDead && pty !== undefined && ring !== undefined && pty.readable('master') > 0 && room(ring.frame) > 0;
  }

  #canWrite({ pty, buffer }: Served): boolean {
    return pty !== undefined && buffer.pending.length > 0 && pty.room('master') > 0;
  }

  #isReady(): boolean {
    if ((this.#queue?.events.length ?? 0) > 0) return true;
    return this.#served.some((s) => this.#hasEvent(s) || this.#hasInput(s) || this.#canWrite(s));
  }

  /** Wake up at the first end of a period of those that are silenced. */
  #setAlarm(): void {
    let first = 0;
    for (const s of this.#served)
      if (s.events >= EVENTS_MAX && (first === 0 || s.periodEndMs < first)) first = s.periodEndMs;
    if (first === 0 || first === this.#alarmMs) return;
    this.#alarmMs = first;
    this.#os.machine.scheduler.at(first * 1_000_000, () => {
      if (this.#alarmMs === first) this.#alarmMs = 0;
      this.#me?.wake();
    });
  }

  *#changed(xs: Xs, queue: EventQueue, token: string): Actor {
    if (token === 'domlist') return yield* this.#enumerate(xs, queue);
    const served = this.#served.find((s) => `dom${s.domid}` === token);
    if (served !== undefined && !served.isDead) yield* this.#connect(xs, served);
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

  *#create(xs: Xs, queue: EventQueue, domid: Domid): Actor<Served | undefined> {
    const served: Served = {
      domid,
      path: `/local/domain/${domid}/console`,
      buffer: new ConsoleBuffer(),
      pty: undefined,
      ring: undefined,
      file: undefined,
      localPort: 0,
      remotePort: 0,
      events: 0,
      periodEndMs: this.#nowMs + PERIOD_MS,
      lastSeen: this.#pass,
      isDead: false,
    };
    const watched = yield* this.#link.watch(queue, served.path, `dom${domid}`);
    if (watched.error !== undefined) return undefined;
    yield* this.#connect(xs, served);
    this.#served.unshift(served);
    return served;
  }

  /** Read what the toolstack wrote, map the ring, bind the port, open a terminal: as far as it is not done (CON-5). */
  *#connect(xs: Xs, s: Served): Actor {
    const ringRef = yield* xs.read(`${s.path}/ring-ref`);
    if (ringRef.error !== undefined) return;
    const port = yield* xs.read(`${s.path}/port`);
    if (port.error !== undefined) return;
    const remotePort = Number.parseInt(text(port.payload), 10);
    if (Number.isNaN(Number.parseInt(text(ringRef.payload), 10)) || Number.isNaN(remotePort)) return;
    const type = yield* xs.read(`${s.path}/type`);
    if (type.error === undefined && text(type.payload) !== 'xenconsoled') return;
    s.ring ??= this.#map(s.domid);
    const { ring } = s;
    if (ring === undefined) return;
    if (remotePort !== s.remotePort || !this.#isBound(s.localPort)) {
      if (!this.#bind(s, remotePort)) return;
      if (s.pty === undefined && !(yield* this.#openTerminal(xs, s, ring.frame))) {
        this.#unbind(s);
        return;
      }
    }
    ring.frame.bytes[CONSOLE_CONNECTION] = XENCONSOLE_CONNECTED; // and no event for it
  }

  #map(domid: Domid): Served['ring'] {
    const { handle, frame } = this.#os.hyper.mapGrant(domid, GNTTAB_RESERVED_CONSOLE, GNTMAP_host_map);
    return handle === undefined || frame === undefined ? undefined : { frame, handle };
  }

  #isBound(port: Port): boolean {
    const status = this.#os.hyper.evtchn.status(this.#os.domain.domid, port);
    return port !== 0 && status.ok && status.value.state === 'interdomain';
  }

  #bind(s: Served, remotePort: Port): boolean {
    this.#unbind(s);
    const file = new EventFile(this.#os.machine.events, this.#os.domain);
    file.onReadable = () => this.#me?.wake();
    s.file = file;
    try {
      s.localPort = file.bindInterdomain(s.domid, remotePort);
      s.remotePort = remotePort;
      return true;
    } catch (error) {
      if (!(error instanceof XenError)) throw error;
      this.#unbind(s);
      return false;
    }
  }

  #unbind(s: Served): void {
    s.file?.release();
    s.file = undefined;
    s.localPort = 0;
    s.remotePort = 0;
  }

  *#openTerminal(xs: Xs, s: Served, ring: Frame): Actor<boolean> {
    const pty = this.#devpts.open();
    const limit = yield* xs.read(`${s.path}/limit`);
    if (limit.error === undefined) s.buffer.limit = Number.parseInt(text(limit.payload), 10) || 0;
    this.#options.observer?.connected(s.domid, ring, pty, s.buffer.limit);
    const written = yield* xs.write(`${s.path}/tty`, pty.name);
    if (written.error !== undefined) {
      this.#devpts.close(pty);
      return false;
    }
    pty.onMaster = () => this.#me?.wake();
    s.pty = pty;
    return true;
  }

  /** CON-1: everything that is there, at once; an impossible index is no reason to do anything. */
  *#drain(s: Served): Actor {
    const { file, ring, buffer } = s;
    if (file === undefined || ring === undefined || s.isDead) return;
    const [port] = file.read(1);
    if (port !== s.localPort) return;
    s.events++;
    const { frame } = ring;
    const cons = frame.load32(CONSOLE_OUT.cons);
    const prod = frame.load32(CONSOLE_OUT.prod);
    yield LOAD_NS;
    const size = used(prod, cons);
    if (size > 0 && size <= CONSOLE_OUT.size) {
      buffer.append(takeOctets(frame.bytes, CONSOLE_OUT, cons, size));
      yield LOAD_NS + COPY_NS_PER_16 * (size >> 4);
      frame.store32(CONSOLE_OUT.cons, prod, false);
      yield STORE_NS;
      file.notify(s.localPort);
      yield SEND_NS;
      if (this.#options.overflow === 'discard') buffer.discard();
    }
    if (s.events < EVENTS_MAX) file.write([port]);
  }

  /** CON-2: from the terminal into the ring. */
  *#input(xs: Xs, s: Served): Actor {
    const { pty, ring, file } = s;
    if (pty === undefined || ring === undefined || file === undefined) return;
    const { frame } = ring;
    const free = room(frame);
    if (free === 0) return;
    const bytes = pty.read('master', Math.min(free, INPUT_BYTES));
    if (!this.#os.hyper.domctl.getDomainInfo(s.domid).ok) {
      yield* this.#shutDown(xs, s);
      return;
    }
    const prod = frame.load32(CONSOLE_IN.prod);
    putOctets(frame.bytes, CONSOLE_IN, prod, bytes);
    yield LOAD_NS + STORE_NS; // the fence between octets and index
    frame.store32(CONSOLE_IN.prod, (prod + bytes.length) >>> 0, false);
    yield STORE_NS;
    file.notify(s.localPort);
    yield SEND_NS;
  }

  #output({ buffer, pty }: Served): void {
    if (buffer.pending.length > 0) buffer.advance(pty?.write('master', buffer.pending) ?? 0);
  }

  /** The domain is dead: let go of all that keeps it. Otherwise it would stay as a zombie (DOM-8). */
  *#shutDown(xs: Xs, s: Served): Actor {
    s.isDead = true;
    yield* this.#link.unwatch(xs.me, s.path, `dom${s.domid}`);
    if (s.ring !== undefined) {
      this.#os.hyper.unmapGrant(s.ring.handle);
      this.#options.observer?.closed(s.domid);
    }
    s.ring = undefined;
    this.#unbind(s);
  }

  #forget(s: Served): void {
    if (s.pty !== undefined) {
      s.pty.onMaster = undefined;
      this.#devpts.close(s.pty);
    }
    this.#served = this.#served.filter((other) => other !== s);
  }
}

/** Free octets for input; none where the indexes cannot be. */
function room(frame: Frame): number {
  const held = used(frame.load32(CONSOLE_IN.prod), frame.load32(CONSOLE_IN.cons));
  return held > CONSOLE_IN.size ? 0 : CONSOLE_IN.size - held;
}
