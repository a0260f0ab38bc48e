import {
  DOMID_INVALID,
  DOMSTATE_DEAD,
  DOMSTATE_DYING,
  DOMSTATE_SHUTDOWN,
  type Domain,
  type DomainState as DomainBits,
  GNTMAP_host_map,
  GNTST,
  GNTTAB_RESERVED_XENSTORE,
  Hypercalls,
  type Machine,
  type Port,
  type StoreNews,
  type StoreObserver,
  type Task,
  type Trace,
  VIRQ_DOM_EXC,
} from '../../sim/index.ts';
import { POLL_NS } from './costs.ts';
import { MappedRing, RingRecord, type RingWitness } from './mapped-ring.ts';
import type { AppendFile, DomainState, Files, Platform, PlatformResult, RingPage } from './platform.ts';

/** How a failed map looks to a program that calls xengnttab_map_grant_ref: the status as the kernel translates it. */
const MAP_ERRNO: Record<number, string> = {
  [GNTST.bad_domain]: 'EINVAL',
  [GNTST.bad_gntref]: 'EINVAL',
  [GNTST.general_error]: 'EINVAL',
  [GNTST.no_space]: 'ENOMEM',
  [GNTST.bad_page]: 'EINVAL',
};

/** A domain's bits as libxenmanage gives them; `undefined`: no bit, so there is no such domain any more (DOM-32). */
function stateOfBits({ state, uniqueId }: DomainBits): DomainState | undefined {
  if (state === 0) return undefined;
  const has = (bit: number) => (state & bit) !== 0;
  return { shutdown: has(DOMSTATE_SHUTDOWN), dying: has(DOMSTATE_DYING), dead: has(DOMSTATE_DEAD), uniqueId };
}

/** Of a ring that is served without one. */
const NO_PORT = 0;

/**
 * What the daemon's process has of the kernel and the hypervisor: the open event channel file (EVT-28), its grant mappings,
 * the domctls. The file outlives an exec, the mappings do not (GNT-14).
 */
export class SimPlatform implements Platform, RingWitness {
  readonly #machine: Machine;
  readonly #domain: Domain;
  readonly #hyper: Hypercalls;
  readonly #mapped = new Set<MappedRing>();
  /** Of who is told of a ring's stores, what it makes of them. */
  readonly #records = new WeakMap<StoreObserver, RingRecord>();
  /** Ports that were read from nowhere yet: the file's ring of ready ports. A port is in it at most once. */
  #ready: Port[] = [];
  #virqPort: Port | undefined;
  #hasVirq = false;
  readonly #bound = new Set<Port>();
  #wallOffset = 0;
  allocationFails: ((domid: number) => boolean) | undefined = undefined;
  /** Which image of the process it is: 1 for the first, one more with each exec. */
  instance = 1;
  /** The daemon's one thread; woken when poll(2) would return. */
  task: Task | undefined = undefined;
  /** Others run between any two of the daemon's accesses to a ring, as they do in life; otherwise a move is one step. */
  movesInSteps = false;
  readonly #files: Files;

  constructor(machine: Machine, domain: Domain, files: Files) {
    this.#machine = machine;
    this.#domain = domain;
    this.#hyper = new Hypercalls(machine, domain);
    this.#files = files;
  }

  get trace(): Trace {
    return this.#machine.trace;
  }

  /** Tell what the process does to whoever reads the machine's trace. */
  tell(news: StoreNews): void {
    this.#machine.trace.store(this.#domain.domid, this.instance, news);
  }

  nowMs(): number {
    return Math.floor(this.#machine.nowNs / 1_000_000);
  }

  wallSecond(): number {
    return Math.floor(this.#machine.nowNs / 1_000_000_000) + this.#wallOffset;
  }

  jumpWallClock(seconds: number): void {
    this.#wallOffset += seconds;
  }

  lacksMemory(domid: number): boolean {
    if (this.allocationFails === undefined || !this.allocationFails(domid)) return false;
    this.tell({ phase: 'no-memory', client: domid });
    return true;
  }

  /** Every port that was bound and not let go of, the VIRQ's included. */
  get ports(): readonly Port[] {
    return [...this.#bound];
  }

  domainState(domid: number): DomainState | undefined {
    const state = this.#hyper.domctl.getDomainState(domid);
    return state.ok ? stateOfBits(state.value) : undefined;
  }

  popChangedDomain(): { readonly domid: number; readonly state: DomainState | undefined } | undefined {
    const popped = this.#hyper.domctl.getDomainState(DOMID_INVALID);
    return popped.ok ? { domid: popped.value.domid, state: stateOfBits(popped.value) } : undefined;
  }

  mapRing(domid: number, touched: () => void): PlatformResult<RingPage> {
    const {
      status,
      handle,
      frame,
      page: mapped,
    } = this.#hyper.mapGrant(domid, GNTTAB_RESERVED_XENSTORE, GNTMAP_host_map);
    if (frame === undefined || handle === undefined || mapped === undefined)
      return { ok: false, errno: MAP_ERRNO[status] ?? 'EINVAL' };
    for (const observer of frame.observers) this.#records.get(observer)?.end();
    const record = new RingRecord(this, domid, frame);
    this.#records.set(record.observer, record);
    const detach = record.attach(touched);
    const page = new MappedRing(frame, mapped, record, () => {
      this.#mapped.delete(page);
      detach();
      this.#hyper.unmapGrant(handle);
    });
    this.#mapped.add(page);
    return { ok: true, value: page };
  }

  bindPort(domid: number, remotePort: number, goesOn = false): PlatformResult<number> {
    const port = this.#hyper.bindInterdomain(domid, remotePort);
    if (!port.ok) {
      if (goesOn) this.tell({ phase: 'bound', port: NO_PORT, remoteDomid: domid });
      return port;
    }
    this.tell({ phase: 'bound', port: port.value, remoteDomid: domid });
    this.adoptPort(port.value);
    return port;
  }

  /** Let upcalls of a bound port make the file readable; masked until its number is written back. */
  adoptPort(port: Port): void {
    const { ports } = this.#domain;
    this.#bound.add(port);
    ports.handle(port, () => {
      ports.mask(port);
      if (!this.#ready.includes(port)) this.#ready.push(port);
      this.task?.wake(POLL_NS);
    });
    ports.unmask(port); // the number may have been used before, and its mask bit is as it was left (EVT-6)
  }

  unbindPort(port: number): void {
    if (this.#hyper.close(port).ok) this.tell({ phase: 'unbound', port });
    this.#bound.delete(port);
    this.#ready = this.#ready.filter((p) => p !== port);
  }

  notify(port: number): void {
    this.#hyper.send(port);
  }

  /** Bind VIRQ_DOM_EXC, as at start-up and after an exec. */
  bindDomainException(): void {
    const port = this.#hyper.bindVirq(VIRQ_DOM_EXC);
    if (!port.ok) throw new Error(`assertion: VIRQ_DOM_EXC: ${port.errno}`);
    this.#virqPort = port.value;
    this.#hasVirq = true;
    this.adoptPort(port.value);
  }

  /** Close the VIRQ's port. The process still knows its number: whoever gets it next is taken for the VIRQ (XSR-16). */
  unbindDomainException(): void {
    if (this.#virqPort !== undefined) this.unbindPort(this.#virqPort);
    this.#hasVirq = false;
  }

  get hasDomainException(): boolean {
    return this.#hasVirq;
  }

  /** The port that VIRQ_DOM_EXC is bound to. */
  get domainExceptionPort(): Port | undefined {
    return this.#virqPort;
  }

  /** The guest's end of a bound port. */
  remotePortOf(port: Port): Port | undefined {
    const channel = this.#domain.ports.get(port);
    return channel?.state === 'interdomain' ? channel.remotePort : undefined;
  }

  /** One ready port, its event acknowledged and the port enabled again; `undefined`: none. */
  nextPort(): { readonly port: Port; readonly isDomainException: boolean } | undefined {
    const port = this.#ready.shift();
    if (port === undefined) return undefined;
    const { ports } = this.#domain;
    ports.clear(port);
    ports.unmask(port);
    return { port, isDomainException: port === this.#virqPort };
  }

  get hasReadyPort(): boolean {
    return this.#ready.length > 0;
  }

  /** exec(2): every mapping of the old image is gone (GNT-14). */
  dropMappings(): void {
    for (const page of [...this.#mapped]) page.unmap();
  }

  /** Let poll(2) return at this time of the monotonic clock. */
  wakeAtMs(ms: number): void {
    this.#machine.scheduler.at(ms * 1_000_000, () => this.task?.wake());
  }

  fileMode(path: string): 'absent' | 'not-executable' | 'executable' {
    return this.#files.get(path) ?? 'absent';
  }

  appendTo(path: string): AppendFile | undefined {
    return this.#files.appendTo(path);
  }

  writeFile(path: string, octets: Uint8Array): boolean {
    return this.#files.write(path, octets);
  }

  readFile(path: string): Uint8Array | undefined {
    return this.#files.read(path);
  }
}
