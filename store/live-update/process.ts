import {
  type Actor,
  type Domain,
  ERROR,
  EVTCHN_PORT,
  type Listener,
  type Machine,
  type Port,
  REQ_CONS,
  REQ_PROD,
  RING_BYTES,
  type Task,
  used,
} from '../../sim/index.ts';
import { type CompatName, compat as compatOf } from '../daemon/compat.ts';
import type { Connection } from '../daemon/connection.ts';
import { makeInitialStore } from '../daemon/initial-store.ts';
import { DEFAULT_OPTIONS, type StoreOptions, type StorePolicy } from '../daemon/options.ts';
import type { RingPage, Stream } from '../daemon/platform.ts';
import { type Files, SimPlatform } from '../daemon/sim-platform.ts';
import { DaemonState } from '../daemon/state.ts';
import { Xenstored } from '../daemon/xenstored.ts';
import { type Dialect, formatFailure, v1, v2 } from '../format/index.ts';
import { STATE_ROWS } from '../format/model/carriage.ts';
import { type StateFormat, writeState } from '../format/model/convert.ts';
import { lossText } from '../format/model/losses.ts';
import { mergeShares } from '../format/model/split.ts';
import type { DaemonState as PortableState } from '../format/model/state.ts';
import { ERROR_COMM } from '../protocol/ring-words.ts';
import { dumpState, type Requester } from './dump.ts';
import { portableOf, restorePortable } from './neutral-state.ts';
import { restoreState } from './restore.ts';

/** Virtual time of an update: fixed for exec and start-up, and by record and octet for dump and restore. */
const EXEC_NS = 1_500_000;
/** From the end of the dump to exec(2), and for one ring to be mapped again. */
const ACTIVATE_NS = 5_000;
const MAP_NS = 400;
const NODE_NS = 120;
const OCTETS_PER_NS = 2;

const LISTENER_FD = 4;
const EVTCHN_FD = 7;
const NUMBERS = { listenerFd: LISTENER_FD, evtchnFd: EVTCHN_FD };
/** What the requester is told of a failed exec(2). Source: tools/xenstored/lu.c. */
const EXEC_FAILED = 'Error activating new binary.';
const NO_OCTETS = new Uint8Array(0);

/** The image's dialect by the version that the requester asked for. */
const DIALECTS: Readonly<Record<number, Dialect>> = { 1: v1, 2: v2 };

export interface ProcessOptions {
  readonly compat: CompatName;
  readonly policy: StorePolicy;
  /** Whether the write rate limit is on; as in the daemon where left out. */
  readonly limitsWrites?: boolean;
  /** Whether watch events that wait for 20 s are dropped; as in the daemon where left out. */
  readonly eventsExpire?: boolean;
  readonly listener: Listener | undefined;
  readonly files: Files;
  /** Execute the program of a live update on this image instead of going on in this process; why it could not. */
  readonly execute?: (image: Uint8Array, file: string, commandLine: string) => string;
  /** Port of dom0's kernel for its own ring (xsd_port; `--event` of a stub domain). */
  readonly dom0Port: number;
  /** The store has a domain to itself: port of that domain's own ring. Left out: it is a daemon of dom0. */
  readonly ownPort?: number | undefined;
  /** What stands between the dump and the successor of update `n`, such as a disk that flips a bit. */
  readonly passImage?: ((image: Uint8Array, n: number) => Uint8Array) | undefined;
  /** Whether exec(2) of the new program fails in update `n`. */
  readonly execFails?: ((n: number) => boolean) | undefined;
  /** Updates go through files of this format, whatever version the requester asked for; not with `execute`. */
  readonly format?: StateFormat | undefined;
  /** Start from this image instead of an empty store, as `-U` does. */
  readonly resume?: { readonly image: Uint8Array; readonly sockets: ReadonlyMap<number, Stream> };
}

/** What a live update interrupted, at the moment of the dump. */
export interface UpdateRecord {
  readonly n: number;
  readonly format: string;
  /** Virtual ns at which the update began. */
  readonly atNs: number;
  readonly outcome: 'ok' | 'failed';
  /** Why it failed; '' otherwise. */
  readonly reason: string;
  readonly connections: number;
  /** Requests of which the store had consumed some octets, but not all. */
  readonly partialRequests: number;
  /** Octets of requests that were in rings, not consumed. */
  readonly requestOctetsInRings: number;
  /** Messages to clients of which some octets were written, but not all. */
  readonly partialReplies: number;
  readonly queuedReplies: number;
  readonly queuedEvents: number;
  readonly openTransactions: number;
  readonly watches: number;
  readonly nodes: number;
  readonly imageBytes: number;
  /** What the format does not carry, a line each; empty for `v1` and `v2`. */
  readonly losses: readonly string[];
  /** How many of each kind, in the order in which the kinds were met. */
  readonly lossCounts: readonly (readonly [kind: string, count: number])[];
  /** Virtual ns during which nobody was served. */
  readonly pauseNs: number;
}

/** The daemon's process: instance after instance, each built from the octets of the one before. */
export class XenstoredProcess {
  readonly task: Task;
  readonly updates: UpdateRecord[] = [];
  /** What the files of the last update through `format` told its successor. */
  told: PortableState | undefined = undefined;
  /** Why the process could not start from its image; undefined: it runs. */
  readonly startFailure: string | undefined;
  readonly #machine: Machine;
  readonly #platform: SimPlatform;
  readonly #options: ProcessOptions;
  readonly #store: StoreOptions;
  #daemon: Xenstored;

  constructor(machine: Machine, domain: Domain, options: ProcessOptions) {
    this.#machine = machine;
    this.#options = options;
    this.#platform = new SimPlatform(machine, domain, options.files);
    this.#store = {
      ...DEFAULT_OPTIONS,
      compat: options.compat,
      policy: options.policy,
      storeDomid: domain.domid,
      limitsWrites: options.limitsWrites ?? true,
      watchEventSeconds: options.eventsExpire === false ? 0 : DEFAULT_OPTIONS.watchEventSeconds,
    };
    const state = this.#firstState();
    if (typeof state === 'string') {
      this.startFailure = state;
      this.#daemon = new Xenstored(new DaemonState(this.#store), this.#platform, options.listener);
    } else {
      this.#daemon = new Xenstored(state, this.#platform, options.listener);
      if (options.resume === undefined) this.#begin();
      else for (const _ of this.#takeOver(state)); // before anybody else runs
    }
    this.task = machine.start(`${domain.name}/xenstored`, domain, this.#run());
    this.#platform.task = this.task;
  }

  /** Ports that the process has open, in no order that means anything. */
  get ports(): readonly Port[] {
    return this.#platform.ports;
  }

  /** Whether an allocation for a request of this domain fails; asked with each that needs one. */
  set allocationFails(fails: (domid: number) => boolean) {
    this.#platform.allocationFails = fails;
  }

  /** Set the wall clock, by which transactions and live updates are timed. */
  jumpWallClock(seconds: number): void {
    this.#platform.jumpWallClock(seconds);
  }

  /** Let others run between any two of the daemon's accesses to a ring (section 4.9): slower, and nearer to life. */
  set movesInSteps(is: boolean) {
    this.#platform.movesInSteps = is;
  }

  /** A guest waits until the write rate limit lets it be read again. */
  get waitsForCredit(): boolean {
    return this.#daemon.state.waitingForCredit.size > 0;
  }

  #firstState(): DaemonState | string {
    const { resume } = this.#options;
    this.#platform.bindDomainException();
    if (resume === undefined) return new DaemonState(this.#store);
    const restored = restoreState(resume.image, this.#platform, this.#store, resume.sockets);
    return restored.ok ? restored.state : restored.reason;
  }

  /** A fresh start: an empty store, and the rings that are there already. */
  #begin(): void {
    const { daemon } = this.#daemon;
    const { dom0Port, ownPort } = this.#options;
    daemon.records.make(this.#store.privDomid);
    makeInitialStore(daemon);
    daemon.introductions.connectPrivileged(dom0Port);
    if (ownPort !== undefined) daemon.introductions.connectOwn(ownPort);
    this.#daemon.lookAtAll();
  }

  *#run(): Actor {
    if (this.startFailure !== undefined) return;
    for (;;) {
      yield* this.#daemon.run();
      yield* this.#update();
    }
  }

  /** One live update; the old instance is frozen meanwhile, since it is this very actor. */
  *#update(): Actor {
    const { trace } = this.#machine;
    const old = this.#daemon.state;
    const session = old.liveUpdate;
    const requester = this.#requester(old);
    const dialect = DIALECTS[session?.version ?? 2] ?? v2;
    const n = this.updates.length + 1;
    const atNs = this.#machine.nowNs;
    const { format, execute } = this.#options;
    const before = this.#census(old, n, format?.name ?? `v${dialect.version}`, atNs);
    const dumped =
      format === undefined ? dumpImage(old, dialect, requester) : dumpFiles(old, format, this.#platform, requester);
    const lost = { losses: dumped.ok ? dumped.losses : [], lossCounts: dumped.ok ? dumped.lossCounts : [] };
    let reason = dumped.ok ? '' : dumped.reason;
    let imageBytes = 0;
    if (dumped.ok) {
      const images = dumped.images.map((image) => this.#options.passImage?.(image, n) ?? image);
      imageBytes = images.reduce((sum, image) => sum + image.length, 0);
      trace.mark('xenstored', 'dump', n, String(imageBytes));
      for (const image of images) trace.digest.octets(image, 0, image.length);
      yield before.nodes * NODE_NS + Math.floor(imageBytes / OCTETS_PER_NS);
      const [image = NO_OCTETS] = images;
      const told = format === undefined ? undefined : stateOfFiles(images, dumped.domids, format);
      const sockets = streamsOf(old);
      const restored =
        told !== undefined
          ? told.ok
            ? restorePortable(told.state, this.#platform, this.#store, sockets)
            : told
          : execute !== undefined && session !== undefined
            ? { ok: false as const, reason: execute(image, session.file, session.commandLine) }
            : restoreState(image, this.#platform, this.#store, sockets);
      if (restored.ok && this.#options.execFails?.(n) !== true) {
        this.told = told?.ok ? told.state : undefined;
        this.#platform.unbindDomainException();
        yield ACTIVATE_NS;
        if (this.told !== undefined) trace.mark('xenstored', 'exec', n);
        this.#retire(old);
        yield EXEC_NS + before.nodes * NODE_NS;
        let { state } = restored;
        if (this.told !== undefined) {
          // The first was to see that the files are good. The successor reads them when it has started: domains may be others.
          trace.mark('xenstored', 'started', n);
          const again = restorePortable(this.told, this.#platform, this.#store, sockets);
          if (again.ok) state = again.state;
        }
        this.#daemon = new Xenstored(state, this.#platform, this.#options.listener);
        yield* this.#takeOver(state);
        trace.mark('xenstored', 'up', n, String(imageBytes));
        const pauseNs = this.#machine.nowNs - atNs;
        this.updates.push({ ...before, outcome: 'ok', reason, imageBytes, ...lost, pauseNs });
        return;
      }
      if (restored.ok) yield* this.#failToExecute();
      reason = restored.ok ? EXEC_FAILED : restored.reason;
    }
    // Roll back: the old instance was not touched. Its requester learns why.
    trace.mark('xenstored', 'failed', n, String(imageBytes));
    if (session !== undefined) session.reply = reason;
    this.updates.push({
      ...before,
      outcome: 'failed',
      reason,
      imageBytes,
      ...lost,
      pauseNs: this.#machine.nowNs - atNs,
    });
  }

  #requester(state: DaemonState): Requester | undefined {
    const conn = state.liveUpdate?.owner;
    const delayed = conn?.delayed.find((d) => d.kind === 'live-update');
    return conn === undefined || delayed === undefined ? undefined : { conn, message: delayed.message };
  }

  /**
   * exec(2): mappings go, ports and sockets stay; the old instance's memory is emptied for good. A descriptor that nobody is
   * told of is of no more use: with the event channel device go its ports, with the listening socket whoever waits there.
   */
  #retire(old: DaemonState): void {
    this.#platform.dropMappings();
    if (this.told !== undefined && this.told.evtchn.fd === undefined)
      for (const { link } of old.connections) if (link.kind === 'ring') this.#platform.unbindPort(link.port);
    if (this.told !== undefined && this.told.listeners.rw === undefined) this.#options.listener?.reopen();
    old.scrap();
  }

  /**
   * The new program cannot be executed, and the VIRQ is let go of already: from here on the old instance hears of no death
   * (XSR-16). One that carries transactions makes good for it: it binds the VIRQ anew and looks for whom it has missed.
   * Source: tools/xenstored/lu.c, lu_activate_binary.
   */
  *#failToExecute(): Actor {
    this.#platform.unbindDomainException();
    yield ACTIVATE_NS;
    if (this.#store.policy === 'daemon') return;
    this.#platform.bindDomainException();
    this.#daemon.daemon.changes.checkEvery();
  }

  /** The new instance binds the VIRQ, maps the rings one by one, and looks for domains that went meanwhile. */
  *#takeOver(state: DaemonState): Actor {
    const { changes, connections, wakes } = this.#daemon.daemon;
    if (!this.#platform.hasDomainException) this.#platform.bindDomainException();
    for (const conn of state.connections) {
      if (conn.link.kind !== 'ring') continue;
      const isHeldOpen = this.told === undefined || this.told.evtchn.fd !== undefined;
      if (isHeldOpen && conn.link.port !== 0) this.#platform.adoptPort(conn.link.port);
      const page = this.#platform.mapRing(conn.domid, () => wakes.touched(conn));
      if (page.ok) conn.link.page = page.value;
      if (!isHeldOpen || (this.told !== undefined && conn.link.port === 0))
        conn.link.port = page.ok ? this.#bindAgain(conn.domid, page.value) : 0;
      if (!page.ok || conn.link.port === 0) {
        // The domain stays known, so that its end is still reported (XSR-17).
        connections.forget(conn);
        conn.isIgnored = true;
        if (page.ok) page.value.store32(ERROR, ERROR_COMM);
      }
      yield MAP_NS;
    }
    changes.checkEvery();
  }

  /**
   * Without the old daemon's port: bind to the guest's end, as told by the files, by dom0's kernel for its own ring
   * (xsd_port), or by the ring page. @returns the port; 0: nobody tells, or it cannot be bound.
   */
  #bindAgain(domid: number, page: RingPage): number {
    const { privDomid, compat } = this.#store;
    const ring = this.told?.connections.find(({ link }) => link.kind === 'ring' && link.domid === domid)?.link;
    const inPage = compatOf(compat).ringFeatures ? page.load32(EVTCHN_PORT) : 0;
    const own = domid === privDomid ? this.#options.dom0Port : 0;
    const guestPort = (ring?.kind === 'ring' ? ring.guestPort : undefined) ?? (own || inPage);
    const port = guestPort === 0 ? undefined : this.#platform.bindPort(domid, guestPort);
    return port?.ok ? port.value : 0;
  }

  #census(
    state: DaemonState,
    n: number,
    format: string,
    atNs: number,
  ): Omit<UpdateRecord, 'outcome' | 'reason' | 'imageBytes' | 'losses' | 'lossCounts' | 'pauseNs'> {
    let connections = 0;
    let partialRequests = 0;
    let requestOctetsInRings = 0;
    let partialReplies = 0;
    let queuedReplies = 0;
    let queuedEvents = 0;
    let watches = 0;
    for (const conn of state.connections) {
      connections++;
      watches += conn.watches.length;
      const inRing = octetsInRing(conn);
      requestOctetsInRings += inRing;
      if (conn.headerUsed > 0) partialRequests++;
      for (const out of conn.out) {
        if (out.sent > 0 || out.kind === 'restored') partialReplies++;
        else if (out.kind === 'event') queuedEvents++;
        else queuedReplies++;
      }
    }
    const { openTransactions, tree } = state;
    return {
      n,
      format,
      atNs,
      connections,
      partialRequests,
      requestOctetsInRings,
      partialReplies,
      queuedReplies,
      queuedEvents,
      openTransactions,
      watches,
      nodes: tree.size,
    };
  }
}

type Dumped =
  | {
      readonly ok: true;
      readonly images: readonly Uint8Array[];
      /** Whose file each is, in formats of one domain. */
      readonly domids: readonly (number | undefined)[];
      readonly losses: UpdateRecord['losses'];
      readonly lossCounts: UpdateRecord['lossCounts'];
    }
  | { readonly ok: false; readonly reason: string };

function dumpImage(state: DaemonState, dialect: Dialect, requester: Requester | undefined): Dumped {
  const dumped = dumpState(state, dialect, NUMBERS, requester);
  return dumped.ok ? { ok: true, images: [dumped.image], domids: [], losses: [], lossCounts: [] } : dumped;
}

function dumpFiles(
  state: DaemonState,
  format: StateFormat,
  platform: SimPlatform,
  requester: Requester | undefined,
): Dumped {
  const numbers = {
    ...NUMBERS,
    excPort: platform.domainExceptionPort,
    remotePortOf: (port: number) => platform.remotePortOf(port),
  };
  const written = writeState(portableOf(state, numbers, requester), format, { onLoss: 'silent' });
  if (!written.ok)
    return { ok: false, reason: written.failure === undefined ? 'not written' : formatFailure(written.failure) };
  const { files, losses } = written;
  const counts = new Map<string, number>();
  for (const { row } of losses) counts.set(STATE_ROWS[row], (counts.get(STATE_ROWS[row]) ?? 0) + 1);
  return {
    ok: true,
    images: files.map(({ octets }) => octets),
    domids: files.map(({ domid }) => domid),
    losses: losses.map(lossText),
    lossCounts: [...counts],
  };
}

/** The state that the files of a format say together. */
function stateOfFiles(
  images: readonly Uint8Array[],
  domids: readonly (number | undefined)[],
  format: StateFormat,
): { readonly ok: true; readonly state: PortableState } | { readonly ok: false; readonly reason: string } {
  const shares: { readonly state: PortableState }[] = [];
  for (const [i, image] of images.entries()) {
    const domid = domids[i];
    const read = format.read(image, domid === undefined ? {} : { domid });
    if (!read.ok) return { ok: false, reason: formatFailure(read.failure) };
    shares.push({ state: read.value.state });
  }
  const [first, ...others] = shares;
  return { ok: true, state: first !== undefined && others.length === 0 ? first.state : mergeShares(shares) };
}

function octetsInRing(conn: Connection): number {
  const page = conn.link.kind === 'ring' ? conn.link.page : undefined;
  const octets = page === undefined ? 0 : used(page.load32(REQ_PROD), page.load32(REQ_CONS));
  return octets > RING_BYTES ? 0 : octets; // indexes that cannot be say nothing
}

function streamsOf(state: DaemonState): Map<number, Stream> {
  const streams = new Map<number, Stream>();
  for (const { link } of state.connections) if (link.kind === 'socket') streams.set(link.stream.fd, link.stream);
  return streams;
}

export function startXenstored(machine: Machine, domain: Domain, options: ProcessOptions): XenstoredProcess {
  return new XenstoredProcess(machine, domain, options);
}
