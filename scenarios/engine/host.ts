import {
  type BuiltDomain,
  buildDomain,
  type ClientHabits,
  type ClientObserver,
  GuestOs,
  LINUX_HABITS,
  type RequestPlan,
  type SocketHabits,
  type Thread,
  type ToolstackPlan,
  Traffic,
  toolstack,
  XsClient,
  XsDevice,
  type XsLink,
  type XsProgram,
  XsSocket,
} from '../../guests/index.ts';
import { DomidHistory, initXenstoreDomain, Libxl, type LibxlOptions, SharedFiles } from '../../guests/libxl/index.ts';
import {
  type Actor,
  DOMID_ANY,
  type Domain,
  type Domid,
  type Frame,
  GNTTAB_RESERVED_XENSTORE,
  type Jitter,
  Listener,
  loneMachine,
  type Machine,
  MachineWatch,
  type Port,
  STUBDOM_GRANT_LIMITS,
  VIRQ_DOM_EXC,
} from '../../sim/index.ts';
import {
  MemoryFiles,
  type StartStore,
  type StorePolicy,
  type StoreProcess,
  type StoreSetup,
  startXenstored,
} from '../../store/index.ts';
import type { Doing } from '../faults/doings.ts';
import { FaultPlan } from '../faults/plan.ts';
import type { FaultHost, FaultRule } from '../faults/rule.ts';
import type { Trip } from '../faults/trip.ts';
import { logOf } from '../judge/recorded-history.ts';
import { Recorder } from '../judge/recorder.ts';
import { gotIn } from './got.ts';
import type { RunRequest, RunResult } from './scenario.ts';
import type { StoreHome } from './settings.ts';
import type { Wait } from './wait.ts';
import { waitsOf } from './waits.ts';
import { Witness } from './witness.ts';

/** Unevenness of virtual CPUs: steps take up to 64 ns more, and one in 1,024 is followed by up to 200 us of absence. */
export const LIFELIKE: Jitter = { stepNs: 64, absentOneIn: 1024, absentNsMax: 200_000 };

/** dom0's tools share its kernel's ring; they begin again what a forced update took away. */
const DOM0_HABITS: ClientHabits = { ...LINUX_HABITS, retries: ['EAGAIN', 'ENOENT'], tokens: 'own' };

/** The program that a live update executes; the simulated file system holds just it, and one that is not executable. */
export const STORE_BINARY = '/usr/sbin/xenstored';
const PROGRAMS = new Map([
  [STORE_BINARY, 'executable'],
  ['/etc/hosts', 'not-executable'],
] as const);

/** Ports of 2-level event channels: init-xenstore-domain sets no other limit. */
const STUBDOM_PORTS = 4_095;

/** The first domain that a host gets; its name is that of init-xenstore-domain. */
const STUBDOM = { domid: 1, name: 'Xenstore' } as const;

/** A domain with its kernel, which starts threads, and with its xenstore client on the ring. */
export interface Guest {
  readonly os: GuestOs;
  readonly client: XsClient;
}

export interface HostOptions {
  readonly seed: string;
  readonly jitter: Jitter;
  /** One of several hosts of a universe, which has seed and jitter already; left out: it is alone. */
  readonly machine?: Machine | undefined;
  /** All hosts of its universe, this one among them. */
  readonly hosts?: (() => readonly Host[]) | undefined;
  readonly requestsMax: number;
  /** Counted together with another host's; left out: its own. */
  readonly traffic?: Traffic | undefined;
  readonly policy: StorePolicy;
  readonly compat: StoreSetup['compat'];
  /** Left out: dom0. */
  readonly storeIn?: StoreHome | undefined;
  /** Some of FAULT_WORDS: what is planned to break, once that is armed; left out: nothing. */
  readonly faults?: string | undefined;
  /** What the run does: rules that need more are never planned; left out: everything. */
  readonly does?: readonly Doing[] | undefined;
  /** What breaks besides, in every run; left out: nothing. */
  readonly ownFaults?: readonly FaultRule[] | undefined;
  /** Whether the history is recorded. */
  readonly records: boolean;
  /** The machine checks itself every so many steps; left out: never. A finding is thrown: the run is an error. */
  readonly checkEverySteps?: number;
  readonly limitsWrites?: boolean;
  readonly eventsExpire?: boolean;
  readonly passImage?: StoreSetup['passImage'];
  readonly execFails?: StoreSetup['execFails'];
  readonly endsAtUnborn?: StoreSetup['endsAtUnborn'];
  /** Others run between any two of the store's accesses to a ring. */
  readonly movesInSteps?: boolean;
  /** What `format` of the store is at first; left out: the daemon's own images. */
  readonly lab?: StoreSetup['format'];
  /** How the store's process opens a file that it appends to; left out: in a file system in memory. */
  readonly appendTo?: StoreSetup['files']['appendTo'] | undefined;
  /** What serves xenstore; left out: the daemon of this package. */
  readonly startStore?: StartStore | undefined;
  /** Toolstacks make domains with nothing but a ring and a home; left out: as libxl does. */
  readonly makesBareDomains?: boolean;
  /** What becomes of threads' requests; left out: they go out as they are made. */
  readonly requests?: RequestPlan | undefined;
}

/** What only the scenario knows of its run. */
export interface RunSummary
  extends Pick<
    RunResult,
    | 'scenario'
    | 'outcome'
    | 'reason'
    | 'failure'
    | 'waits'
    | 'lastFault'
    | 'updates'
    | 'attempts'
    | 'verdicts'
    | 'marks'
    | 'history'
    | 'faults'
    | 'devices'
    | 'hosts'
    | 'migrations'
  > {
  readonly request: RunRequest;
  readonly created: number;
}

/**
 * One host with dom0 and a running xenstored: what every scenario starts from. `machine` is the hypervisor, `connect` makes
 * a program of dom0, `recorder` writes the history (none without checks), `traffic` counts requests.
 */
export class Host implements FaultHost {
  readonly machine: Machine;
  readonly faults: FaultPlan;
  readonly watch: MachineWatch | undefined;
  readonly traffic: Traffic;
  readonly recorder: Recorder | undefined;
  readonly listener: Listener;
  readonly dom0: Guest;
  readonly store: StoreProcess;
  /** The domain in which the store runs. */
  readonly storeDomid: number;
  readonly storeDomain: Domain;
  readonly guests: Guest[] = [];
  /** The kernel of the store's own domain, where there is one: a client as any other. */
  readonly stubdom: Guest | undefined;
  /** In a run that is checked. */
  readonly witness: Witness | undefined;
  /** dom0's file system, as far as the store's process asks for it. */
  readonly files = new MemoryFiles(PROGRAMS);
  /** What processes of its toolstack share; an id may be used again at once. */
  readonly libxlFiles = new SharedFiles(new DomidHistory(0));
  /** Handles of the daemon's socket that are open, and some that are not any more. */
  #sockets: XsSocket[] = [];
  #socketsMax = 64;
  readonly #hosts: () => readonly Host[];
  readonly #requests: RequestPlan;
  readonly #isBare: boolean;
  /** Programs of dom0 that have a connection to the store open. */
  #programs: XsProgram[] = [];

  constructor(options: HostOptions) {
    this.machine = options.machine ?? loneMachine({ seed: options.seed, jitter: options.jitter });
    this.#hosts = options.hosts ?? (() => [this]);
    this.#isBare = options.makesBareDomains === true;
    this.#requests = options.requests ?? {};
    this.faults = new FaultPlan(this.machine, options.faults ?? 'off', options.ownFaults, options.does);
    this.listener = new Listener(9, this.machine.trace);
    this.watch =
      options.checkEverySteps === undefined ? undefined : new MachineWatch(this.machine, options.checkEverySteps);
    this.witness = options.records ? new Witness(this.machine) : undefined;
    this.traffic = options.traffic ?? new Traffic(options.requestsMax);
    this.storeDomid = options.storeIn === 'stubdom' ? STUBDOM.domid : 0;
    this.recorder = options.records
      ? new Recorder(this.machine, this.storeDomid, options.policy, options.compat, options.limitsWrites ?? true)
      : undefined;
    const domain = this.machine.createDomain(0, 'dom0');
    this.machine.unpause(domain);
    const os = new GuestOs(this.machine, domain, this.#requests);
    const home = options.storeIn === 'stubdom' ? this.#makeStubdom(os) : domain;
    this.storeDomain = home;
    // dom0's kernel offers its own ring page and port to the store: to the daemon both in dom0 (xsd_kva, xsd_port).
    const { ring, port } = offerRing(os, domain, home);
    const own = home === domain ? undefined : offerRing(os, home, home);
    const start = options.startStore ?? startXenstored;
    this.store = start(this.machine, home, {
      compat: options.compat,
      policy: options.policy,
      listener: this.listener,
      files:
        options.appendTo === undefined
          ? this.files
          : {
              get: (path) => this.files.get(path),
              appendTo: options.appendTo,
              write: (path, octets) => this.files.write(path, octets),
              read: (path) => this.files.read(path),
            },
      dom0Port: port,
      ownPort: own?.port,
      limitsWrites: options.limitsWrites ?? true,
      eventsExpire: options.eventsExpire ?? true,
      passImage: (image, n) => this.faults.passImage(options.passImage?.(image, n) ?? image),
      execFails: (n) => options.execFails?.(n) === true || this.faults.execFails(options.policy),
      endsAtUnborn: options.endsAtUnborn,
      format: options.lab,
    });
    this.store.movesInSteps = options.movesInSteps ?? false;
    this.dom0 = this.#guest(os, { domain, ring, port }, DOM0_HABITS);
    if (own !== undefined)
      this.stubdom = this.#guest(
        new GuestOs(this.machine, home, this.#requests),
        { domain: home, ...own },
        LINUX_HABITS,
      );
  }

  /** Start the kernel of a built domain: its client, observed. The domain must have been introduced. Faults may change its habits.
   *  @param kernelsBefore that ran in this domain. */
  boot(built: BuiltDomain, habits: ClientHabits, kernelsBefore = 0): Guest {
    const before = this.guests.findIndex(({ os }) => os.domain === built.domain);
    if (before >= 0) this.guests.splice(before, 1);
    const guest = this.#guest(
      new GuestOs(this.machine, built.domain, this.#requests, kernelsBefore),
      built,
      this.faults.habits(habits),
    );
    this.guests.push(guest);
    return guest;
  }

  /** A process of dom0 that uses libxl over this connection. What it does is told to the history, and faults come between. */
  libxl(link: XsLink, options: Partial<Omit<LibxlOptions, 'mishaps'>> = {}): Libxl {
    return new Libxl(this.dom0.os, link, { ...this.#ofLibxl(), ...options });
  }

  /** A guest of this host sets out for another one: what breaks on the way is put into its trip. */
  setOut(trip: Trip): void {
    this.faults.trip(trip);
  }

  /** dom0's hand, as `toolstack` is; made and destroyed as `libxl` does it. */
  toolstack(me: Thread, link: XsLink, plan: ToolstackPlan): Actor {
    return toolstack(me, this.dom0.os, link, this.traffic, { ...plan, libxl: { ...this.#ofLibxl(), ...plan.libxl } });
  }

  #ofLibxl(): LibxlOptions {
    const bareBeside = this.#isBare ? this.storeDomid : undefined;
    return { shared: this.libxlFiles, observer: this.recorder?.toolstack, mishaps: this.faults, bareBeside };
  }

  /** A program of dom0 opens the daemon's socket, or, where the store has a domain of its own, its kernel's device (LS-1).
   *  `program` names its actors and the connection; unique in a run. */
  connect(program: string, habits?: SocketHabits): XsProgram {
    const { os, client: kernel } = this.dom0;
    return this.storeDomid === 0 ? this.socket(program, habits) : this.#opened(new XsDevice(os, kernel, program));
  }

  /** A handle of the daemon's socket. */
  socket(program: string, habits?: SocketHabits): XsSocket {
    const client = new XsSocket(this.dom0.os, this.listener.connect(program), habits);
    client.observer = this.#observers(this.recorder?.ofNewestSocket());
    client.start(program);
    this.#sockets.push(client);
    if (this.#sockets.length > this.#socketsMax) {
      this.#sockets = this.#sockets.filter(({ isOpen }) => isOpen);
      this.#socketsMax = 64 + this.#sockets.length * 2;
    }
    return this.#opened(client);
  }

  #opened<T extends XsProgram>(program: T): T {
    this.#programs = this.#programs.filter((each) => each.isOpen);
    this.#programs.push(program);
    return program;
  }

  /** What has to be in the store before any toolstack does something: where the store is, if it is not in dom0. */
  *initStore(me: Thread): Actor {
    if (this.storeDomid !== 0) yield* initXenstoreDomain(me, this.dom0.client, this.storeDomid, STUBDOM.name);
  }

  /** A domain outside of any toolstack, for tests: built, not introduced. */
  build(domid: number, name: string): BuiltDomain {
    const built = buildDomain(this.dom0.os, domid, name, this.storeDomid);
    if (built === undefined) throw new Error(`assertion: domain ${domid} could not be created`);
    return built;
  }

  #guest(os: GuestOs, built: BuiltDomain, habits: ClientHabits): Guest {
    const client = new XsClient(os, built.ring, built.port, habits);
    this.watch?.trust(built.domain, built.ring);
    const guest = { os, client };
    this.#listenTo(guest, this.recorder?.ofClient(client, os.domain.domid));
    client.start();
    return guest;
  }

  /** Everything that the guest's client says is said of the host where it is. */
  #listenTo(guest: Guest, recorded: ClientObserver | undefined): void {
    const { os, client } = guest;
    const told = this.#observers(recorded);
    const moved = (domid: Domid) => {
      const home = this.homeOf(os);
      if (home === this) told.moved?.(domid);
      else home.#takeIn(guest, this);
    };
    client.observer = { ...told, moved };
    os.moved = () => moved(os.domain.domid);
  }

  /** A guest goes on here that was at another host. */
  #takeIn(guest: Guest, from: Host): void {
    const at = from.guests.findIndex(({ os }) => os === guest.os);
    if (at >= 0) from.guests.splice(at, 1);
    this.guests.push(guest);
    this.watch?.trust(guest.os.domain, guest.client.ring.frame);
    const { os, client } = guest;
    this.#listenTo(guest, this.recorder?.ofArrived(client, os.domain.domid));
  }

  /** The host where a kernel runs now. */
  homeOf({ machine }: GuestOs): Host {
    return this.#hosts().find((host) => host.machine === machine) ?? this;
  }

  /** Who listens to each client: the history, if one is written, and the count of requests. */
  #observers(recorded: ClientObserver | undefined): ClientObserver {
    const counting: ClientObserver = { sent: () => this.traffic.sent(), got: () => {} };
    return recorded === undefined ? counting : tellingAll([recorded, counting]);
  }

  /** What init-xenstore-domain does of its own, but for the rings (tools/helpers/init-xenstore-domain.c): DOM-38. */
  #makeStubdom({ hyper }: GuestOs): Domain {
    const config = { capabilities: { xenstore: true }, grants: STUBDOM_GRANT_LIMITS, maxEvtchnPort: STUBDOM_PORTS };
    const made = hyper.createDomain(DOMID_ANY, STUBDOM.name, config);
    if (!made.ok || made.value.domid !== STUBDOM.domid) throw new Error("assertion: the store's domain is the first");
    const handler = hyper.evtchn.setVirqHandler(STUBDOM.domid, VIRQ_DOM_EXC);
    if (!handler.ok) throw new Error(`assertion: VIRQ_DOM_EXC is moved: ${handler.errno}`);
    hyper.unpause(STUBDOM.domid);
    return made.value;
  }

  /** Hand each event of the trace to `line` as one JSON object, without pages. */
  traceTo(line: (text: string) => void): void {
    this.machine.trace.observe((event) =>
      line(
        JSON.stringify(event, (key, value: unknown) =>
          key === 'bytes' ? undefined : typeof value === 'bigint' ? String(value) : value,
        ),
      ),
    );
  }

  /** What every scenario reports of its run, in which there may have been other hosts. */
  result(run: RunSummary): RunResult {
    const { machine } = this;
    const { request, created, history, hosts = [], ...rest } = run;
    const histories = [history, ...hosts.slice(1).map((host) => host.history)].flatMap((each) => each ?? []);
    const got = gotIn(histories.map(logOf));
    const traffic = totalOf(this.#hosts().map((host) => host.traffic));
    return {
      ...rest,
      seed: request.seed,
      format: request.format,
      settings: request.settings,
      ...(request.cuts === undefined ? {} : { cuts: request.cuts }),
      digest: machine.trace.digest.hex(),
      virtualNs: machine.nowNs,
      steps: machine.scheduler.steps,
      traceEvents: machine.trace.count,
      ...(request.real === undefined ? {} : { real: request.real }),
      ...(this.store.death === undefined ? {} : { death: this.store.death }),
      requests: traffic.requests,
      replies: got.replies,
      watchEvents: got.events,
      domainsCreated: created,
      domainsDestroyed: got.gone,
      commits: got.commits,
      conflicts: got.conflicts,
      refusals: [...traffic.refusals].sort((a, b) => (a[0] < b[0] ? -1 : 1)),
      history,
      ...(hosts.length === 0 ? {} : { hosts }),
    };
  }

  /** Who waits for what, in a run that is checked. */
  waits(): Wait[] {
    const { machine, store, witness } = this;
    if (witness === undefined) return [];
    const guests = this.stubdom === undefined ? [this.dom0] : [this.dom0, this.stubdom];
    return waitsOf({
      machine,
      store,
      witness,
      kernels: [...guests, ...this.guests].map(({ os }) => os),
      rings: [...guests, ...this.guests].map(({ os, client }) => ({ domain: os.domain, client })),
      devices: this.recorder?.history().devices ?? [],
      sockets: this.#sockets.filter(({ isOpen }) => isOpen),
    });
  }

  /** Requests without an answer of domains that are still there, and of programs that have not closed their socket. */
  get inFlight(): number {
    let n = this.dom0.client.inFlight;
    for (const { os, client } of this.guests) if (os.domain.isRunning) n += client.inFlight;
    for (const client of this.#programs) n += client.inFlight;
    return n;
  }
}

/** Requests of one run; hosts that share their traffic count it together. */
function totalOf(traffics: readonly Traffic[]): Pick<Traffic, 'requests' | 'refusals'> {
  const refusals = new Map<string, number>();
  const total = { requests: 0, refusals };
  for (const traffic of new Set(traffics)) {
    total.requests += traffic.requests;
    for (const [errno, n] of traffic.refusals) refusals.set(errno, (refusals.get(errno) ?? 0) + n);
  }
  return total;
}

/** Each is told everything, in their order. */
function tellingAll(observers: readonly ClientObserver[]): ClientObserver {
  return {
    sent: (...news) => {
      for (const each of observers) each.sent(...news);
    },
    got: (...news) => {
      for (const each of observers) each.got(...news);
    },
    moved: (domid) => {
      for (const each of observers) each.moved?.(domid);
    },
  };
}

/** A page of `owner` granted to the store's domain through the reserved entry, and a port for it. */
function offerRing({ hyper }: GuestOs, owner: Domain, store: Domain): { readonly ring: Frame; readonly port: Port } {
  const ring = owner.memory.alloc();
  hyper.seedGrant(owner.domid, GNTTAB_RESERVED_XENSTORE, store.domid, ring);
  const port = hyper.allocUnbound(owner.domid, store.domid);
  if (!port.ok) throw new Error(`assertion: store port of domain ${owner.domid}: ${port.errno}`);
  return { ring, port: port.value };
}
