import {
  type Actor,
  CONSOLE_CONNECTION,
  CONSOLE_IN,
  CONSOLE_OUT,
  type Devpts,
  type Domid,
  EventFile,
  type Frame,
  GNTMAP_host_map,
  GNTTAB_RESERVED_CONSOLE,
  type Handle,
  type Port,
  type Pty,
  putOctets,
  takeOctets,
  used,
  XENCONSOLE_CONNECTED,
  XenError,
} from '../../sim/index.ts';
import { textOf as text } from '../../store/protocol/octets.ts';
import type { GuestOs } from '../kernel/index.ts';
import type { Xs } from '../xenstore/index.ts';
import { ConsoleBuffer } from './buffer.ts';

/** Events that a console may have in one period, and the period. Source: tools/console/daemon/io.c, RATE_LIMIT_*. */
const EVENTS_MAX = 30;
const PERIOD_MS = 200;
/** A period counts as over this much before its end. */
const FUZZ_MS = 5;
/** Input is read from the terminal so many octets at a time. */
const INPUT_BYTES = 80;

/** Virtual time of the daemon's own work. */
const LOAD_NS = 20;
const COPY_NS_PER_16 = 4;
const STORE_NS = 15;
const SEND_NS = 700;

/** What a console that is served has of its daemon. */
export interface ConsoleDaemon {
  readonly os: GuestOs;
  readonly devpts: Devpts;
  /** What happens to output beyond the limit (--overflow-data). */
  readonly overflow: 'discard' | 'keep';
  /** Something became ready: poll(2) is to look again. */
  wake(): void;
  connected(domid: Domid, ring: Frame, pty: Pty, limit: number): void;
  closed(domid: Domid): void;
}

/** One domain's first console, from its ring to its terminal. Source: struct console in tools/console/daemon/io.c. */
export class ServedConsole {
  readonly #daemon: ConsoleDaemon;
  readonly domid: Domid;
  readonly path: string;
  readonly #buffer = new ConsoleBuffer();
  #pty: Pty | undefined = undefined;
  #ring: { readonly frame: Frame; readonly handle: Handle } | undefined = undefined;
  /** One open event channel file a console. */
  #file: EventFile | undefined = undefined;
  #localPort: Port = 0;
  #remotePort: Port = 0;
  #events = 0;
  #periodEndMs: number;
  /** The look at the list of domains that has found it last. */
  lastSeen: number;
  isDead = false;

  constructor(daemon: ConsoleDaemon, domid: Domid, lastSeen: number) {
    this.#daemon = daemon;
    this.domid = domid;
    this.path = `/local/domain/${domid}/console`;
    this.#periodEndMs = this.#nowMs + PERIOD_MS;
    this.lastSeen = lastSeen;
  }

  get #nowMs(): number {
    return Math.floor(this.#daemon.os.machine.nowNs / 1_000_000);
  }

  get token(): string {
    return `dom${this.domid}`;
  }

  get isMapped(): boolean {
    return this.#ring !== undefined;
  }

  /** Whether all output that came in has been handed to the terminal. */
  get isIdle(): boolean {
    return this.#buffer.pending.length === 0 && this.#file?.isReadable !== true;
  }

  /** When the period ends whose events are used up; `undefined`: there are some left. */
  get silencedUntilMs(): number | undefined {
    return this.#events >= EVENTS_MAX ? this.#periodEndMs : undefined;
  }

  /** A period is over: count anew, and let the port speak again if it was silenced (CON-3). */
  renew(): void {
    if (this.#file === undefined || this.#nowMs + FUZZ_MS <= this.#periodEndMs) return;
    this.#periodEndMs = this.#nowMs + PERIOD_MS;
    if (this.#events >= EVENTS_MAX) this.#file.write([this.#localPort]);
    this.#events = 0;
  }

  /** Whether poll(2) says that the file is readable; it is asked only of files that may speak and have room (CON-3, CON-4). */
  get hasEvent(): boolean {
    if (this.#file === undefined || this.isDead || this.#events >= EVENTS_MAX || !this.#file.isReadable) return false;
    const { limit, size } = this.#buffer;
    return this.#daemon.overflow === 'discard' || limit === 0 || size < limit;
  }

  get hasInput(): boolean {
    if (this.isDead || this.#pty === undefined || this.#ring === undefined) return false;
    return this.#pty.readable('master') > 0 && room(this.#ring.frame) > 0;
  }

  get canWrite(): boolean {
    return this.#pty !== undefined && this.#buffer.pending.length > 0 && this.#pty.room('master') > 0;
  }

  /** Read what the toolstack wrote, map the ring, bind the port, open a terminal: as far as it is not done (CON-5). */
  *connect(xs: Xs): Actor {
    const ringRef = yield* xs.read(`${this.path}/ring-ref`);
    if (ringRef.error !== undefined) return;
    const port = yield* xs.read(`${this.path}/port`);
    if (port.error !== undefined) return;
    const remotePort = Number.parseInt(text(port.payload), 10);
    if (Number.isNaN(Number.parseInt(text(ringRef.payload), 10)) || Number.isNaN(remotePort)) return;
    const type = yield* xs.read(`${this.path}/type`);
    if (type.error === undefined && text(type.payload) !== 'xenconsoled') return;
    this.#ring ??= this.#map();
    const ring = this.#ring;
    if (ring === undefined) return;
    if (remotePort !== this.#remotePort || !this.#isBound(this.#localPort)) {
      if (!this.#bind(remotePort)) return;
      if (this.#pty === undefined && !(yield* this.#openTerminal(xs, ring.frame))) {
        this.#unbind();
        return;
      }
    }
    ring.frame.bytes[CONSOLE_CONNECTION] = XENCONSOLE_CONNECTED; // and no event for it
  }

  #map(): { readonly frame: Frame; readonly handle: Handle } | undefined {
    const { handle, frame } = this.#daemon.os.hyper.mapGrant(this.domid, GNTTAB_RESERVED_CONSOLE, GNTMAP_host_map);
    return handle === undefined || frame === undefined ? undefined : { frame, handle };
  }

  #isBound(port: Port): boolean {
    const status = this.#daemon.os.hyper.evtchn.status(this.#daemon.os.domain.domid, port);
    return port !== 0 && status.ok && status.value.state === 'interdomain';
  }

  #bind(remotePort: Port): boolean {
    this.#unbind();
    const file = new EventFile(this.#daemon.os.machine.events, this.#daemon.os.domain);
    file.onReadable = () => this.#daemon.wake();
    this.#file = file;
    try {
      this.#localPort = file.bindInterdomain(this.domid, remotePort);
      this.#remotePort = remotePort;
      return true;
    } catch (error) {
      if (!(error instanceof XenError)) throw error;
      this.#unbind();
      return false;
    }
  }

  #unbind(): void {
    this.#file?.release();
    this.#file = undefined;
    this.#localPort = 0;
    this.#remotePort = 0;
  }

  *#openTerminal(xs: Xs, ring: Frame): Actor<boolean> {
    const pty = this.#daemon.devpts.open();
    const limit = yield* xs.read(`${this.path}/limit`);
    if (limit.error === undefined) this.#buffer.limit = Number.parseInt(text(limit.payload), 10) || 0;
    this.#daemon.connected(this.domid, ring, pty, this.#buffer.limit);
    const written = yield* xs.write(`${this.path}/tty`, pty.name);
    if (written.error !== undefined) {
      this.#daemon.devpts.close(pty);
      return false;
    }
    pty.onMaster = () => this.#daemon.wake();
    this.#pty = pty;
    return true;
  }

  /** CON-1: everything that is there, at once; an impossible index is no reason to do anything. */
  *drain(): Actor {
    const file = this.#file;
    const ring = this.#ring;
    const buffer = this.#buffer;
    if (file === undefined || ring === undefined || this.isDead) return;
    const [port] = file.read(1);
    if (port !== this.#localPort) return;
    this.#events++;
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
      file.notify(this.#localPort);
      yield SEND_NS;
      if (this.#daemon.overflow === 'discard') buffer.discard();
    }
    if (this.#events < EVENTS_MAX) file.write([port]);
  }

  /** CON-2: from the terminal into the ring. 'gone': there is no such domain any more. */
  *input(): Actor<'gone' | undefined> {
    const pty = this.#pty;
    const ring = this.#ring;
    const file = this.#file;
    if (pty === undefined || ring === undefined || file === undefined) return undefined;
    const { frame } = ring;
    const free = room(frame);
    if (free === 0) return undefined;
    const bytes = pty.read('master', Math.min(free, INPUT_BYTES));
    if (!this.#daemon.os.hyper.domctl.getDomainInfo(this.domid).ok) return 'gone';
    const prod = frame.load32(CONSOLE_IN.prod);
    putOctets(frame.bytes, CONSOLE_IN, prod, bytes);
    yield LOAD_NS + STORE_NS; // the fence between octets and index
    frame.store32(CONSOLE_IN.prod, (prod + bytes.length) >>> 0, false);
    yield STORE_NS;
    file.notify(this.#localPort);
    yield SEND_NS;
    return undefined;
  }

  output(): void {
    const buffer = this.#buffer;
    if (buffer.pending.length > 0) buffer.advance(this.#pty?.write('master', buffer.pending) ?? 0);
  }

  /** Let go of the guest's page and port. */
  release(): void {
    if (this.#ring !== undefined) {
      this.#daemon.os.hyper.unmapGrant(this.#ring.handle);
      this.#daemon.closed(this.domid);
    }
    this.#ring = undefined;
    this.#unbind();
  }

  closeTerminal(): void {
    if (this.#pty === undefined) return;
    this.#pty.onMaster = undefined;
    this.#daemon.devpts.close(this.#pty);
  }
}

/** Free octets for input; none where the indexes cannot be. */
function room(frame: Frame): number {
  const held = used(frame.load32(CONSOLE_IN.prod), frame.load32(CONSOLE_IN.cons));
  return held > CONSOLE_IN.size ? 0 : CONSOLE_IN.size - held;
}
