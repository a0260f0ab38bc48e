import {
  type BuiltDomain,
  buildDomain,
  type ClientHabits,
  GuestOs,
  LINUX_HABITS,
  Traffic,
  XsClient,
} from '../guests/index.ts';
import { type Jitter, Listener, Machine, MachineWatch } from '../sim/index.ts';
import { type ProcessOptions, type StorePolicy, startXenstored, type XenstoredProcess } from '../store/index.ts';
import type { History } from './history.ts';
import { Recorder } from './recorder.ts';
import type { RunRequest, RunResult } from './scenario.ts';

/** Unevenness of virtual CPUs: steps take up to 64 ns more, and one in 1,024 is followed by up to 200 us of absence. */
export const LIFELIKE: Jitter = { stepNs: 64, absentOneIn: 1024, absentNsMax: 200_000 };

/** dom0's tools share its kernel's ring; they begin again what a forced update took away. */
const DOM0_HABITS: ClientHabits = { ...LINUX_HABITS, retries: ['EAGAIN', 'ENOENT'], tokens: 'own' };

/** The program that a live update executes; the simulated file system holds just it, and one that is not executable. */
export const STORE_BINARY = '/usr/sbin/xenstored';
const FILES = new Map([
  [STORE_BINARY, 'executable'],
  ['/etc/hosts', 'not-executable'],
] as const);

/** A domain with its kernel and its xenstore client. */
export interface Guest {
  readonly os: GuestOs;
  readonly client: XsClient;
}

export interface WorldOptions {
  readonly seed: string;
  readonly jitter: Jitter;
  readonly requestsMax: number;
  readonly policy: StorePolicy;
  readonly compat: ProcessOptions['compat'];
  /** Whether the history is recorded. */
  readonly records: boolean;
  /** The machine checks itself every so many steps; left out: never. A finding is thrown: the run is an error. */
  readonly checkEverySteps?: number;
  readonly limitsWrites?: boolean;
  readonly eventsExpire?: boolean;
  readonly passImage?: ProcessOptions['passImage'];
  /** Of live updates; left out: the daemon's own images. */
  readonly lab?: ProcessOptions['format'];
}

/** What only the scenario knows of its run. */
export interface RunSummary
  extends Pick<RunResult, 'scenario' | 'outcome' | 'reason' | 'updates' | 'verdicts' | 'history' | 'faults'> {
  readonly request: RunRequest;
  readonly created: number;
}

/** One host with dom0 and a running xenstored: what every scenario starts from. */
export class World {
  readonly machine: Machine;
  readonly watch: MachineWatch | undefined;
  readonly traffic: Traffic;
  readonly recorder: Recorder | undefined;
  readonly listener = new Listener(9);
  readonly dom0: Guest;
  readonly store: XenstoredProcess;
  readonly guests: Guest[] = [];

  constructor(options: WorldOptions) {
    this.machine = new Machine({ seed: options.seed, jitter: options.jitter });
    this.watch =
      options.checkEverySteps === undefined ? undefined : new MachineWatch(this.machine, options.checkEverySteps);
    this.traffic = new Traffic(options.requestsMax);
    this.recorder = options.records ? new Recorder(this.machine, 0, options.policy, options.compat) : undefined;
    const domain = this.machine.createDomain(0, 'dom0');
    this.machine.unpause(domain);
    const os = new GuestOs(this.machine, domain);
    // dom0's kernel offers its own ring page and port to the daemon (xsd_kva, xsd_port); both ends live in dom0.
    const ring = os.allocPage();
    os.hyper.seedGrant(0, 1, 0, ring);
    const port = os.hyper.allocUnbound(0, 0);
    if (!port.ok) throw new Error(`assertion: dom0's store port: ${port.errno}`);
    this.store = startXenstored(this.machine, domain, {
      compat: options.compat,
      policy: options.policy,
      listener: this.listener,
      files: FILES,
      dom0Port: port.value,
      limitsWrites: options.limitsWrites ?? true,
      eventsExpire: options.eventsExpire ?? true,
      ...(options.passImage === undefined ? {} : { passImage: options.passImage }),
      format: options.lab,
    });
    this.dom0 = this.#guest(os, { domain, ring, port: port.value }, DOM0_HABITS);
  }

  /** Start the kernel of a built domain: its client, observed. The domain must have been introduced. */
  boot(built: BuiltDomain, habits: ClientHabits): Guest {
    const guest = this.#guest(new GuestOs(this.machine, built.domain), built, habits);
    this.guests.push(guest);
    return guest;
  }

  /** A domain outside of any toolstack, for tests: built, not introduced. */
  build(domid: number, name: string): BuiltDomain {
    const built = buildDomain(this.dom0.os, domid, name, 0);
    if (built === undefined) throw new Error(`assertion: domain ${domid} could not be created`);
    return built;
  }

  #guest(os: GuestOs, built: BuiltDomain, habits: ClientHabits): Guest {
    const client = new XsClient(os, built.ring, built.port, habits);
    if (this.recorder === undefined) client.observer = { sent: () => this.traffic.sent(), got: () => {} };
    else this.recorder.follow(client, built.domain.domid, () => this.traffic.sent());
    client.start();
    return { os, client };
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

  /** What every scenario reports of its run. */
  result(run: RunSummary): RunResult {
    const { machine, traffic } = this;
    const { request, created, history, ...rest } = run;
    const count = (is: (record: History['records'][number]) => boolean) => history?.records.filter(is).length ?? 0;
    return {
      ...rest,
      seed: request.seed,
      format: request.format,
      settings: request.settings,
      digest: machine.trace.digest.hex(),
      virtualNs: machine.nowNs,
      steps: machine.scheduler.steps,
      traceEvents: machine.trace.count,
      requests: traffic.requests,
      replies: count((r) => r.kind === 'got' && r.type !== 15),
      watchEvents: count((r) => r.kind === 'got' && r.type === 15),
      domainsCreated: created,
      domainsDestroyed: count((r) => r.kind === 'life' && r.what === 'gone'),
      commits: traffic.commits,
      conflicts: traffic.conflicts,
      refusals: [...traffic.refusals].sort((a, b) => (a[0] < b[0] ? -1 : 1)),
      history,
    };
  }

  /** Requests without an answer of domains that are still there. */
  get inFlight(): number {
    let n = this.dom0.client.inFlight;
    for (const { os, client } of this.guests) if (os.domain.isRunning) n += client.inFlight;
    return n;
  }
}
