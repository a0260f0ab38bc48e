import { Domain, type ShutdownReason } from './domain.ts';
import { fail } from './errors.ts';
import { Events } from './events/hub.ts';
import { VIRQ_DOM_EXC } from './events/virq.ts';
import { GNTST, type GrantStatus, type MapResult } from './grants/abi.ts';
import { Grants } from './grants/grants.ts';
import { DOMID_ANY, DOMID_FIRST_RESERVED, type Domid, type Gref, type Handle, type Port } from './ids.ts';
import type { Frame } from './memory.ts';
import { Streams } from './random.ts';
import { type Actor, type Jitter, NO_JITTER, Scheduler, type Task } from './scheduler.ts';
import { Trace } from './trace.ts';

export interface MachineOptions {
  /** Decimal digits. */
  readonly seed: string;
  readonly jitter?: Jitter;
}

/** What XEN_DOMCTL_get_domain_state tells. Source: xen/include/public/domctl.h. */
export interface DomainInfo {
  readonly domid: Domid;
  readonly shutdown: boolean;
  readonly dying: boolean;
  readonly dead: boolean;
  readonly uniqueId: bigint;
}

/** One simulated host: domains, the hypervisor's state about them, virtual time, and the record of it all. */
export class Machine {
  readonly trace = new Trace();
  readonly streams: Streams;
  readonly scheduler: Scheduler;
  readonly grants: Grants;
  readonly events: Events;
  readonly #domains = new Map<Domid, Domain>();
  /** Domains of which VIRQ_DOM_EXC's handler has not been told; exists only while the VIRQ is bound (DOM-30). */
  #changed: Set<Domid> | undefined = undefined;
  #lastAutoDomid: Domid = 0;
  #uniqueId: bigint;

  constructor(options: MachineOptions) {
    this.streams = new Streams(options.seed);
    this.scheduler = new Scheduler(this.trace, options.jitter ?? NO_JITTER);
    this.grants = new Grants({
      trace: this.trace,
      domain: (domid) => this.domain(domid),
      crash: (domain) => this.shutdown(domain, 'crash'),
      released: (granter) => this.#freeIfUnreferenced(granter), // the last unmap frees a zombie (GNT-30)
    });
    this.events = new Events({
      trace: this.trace,
      scheduler: this.scheduler,
      domain: (domid) => this.domain(domid),
      domExcBound: (isBound) => {
        this.#changed = isBound ? new Set(this.#domains.keys()) : undefined;
      },
    });
    const draws = this.streams.for('xen/unique-id');
    this.#uniqueId = (BigInt(draws.bits()) << 32n) | BigInt(draws.bits()) | 1n;
  }

  get nowNs(): number {
    return this.scheduler.nowNs;
  }

  domain(domid: Domid): Domain | undefined {
    return this.#domains.get(domid);
  }

  /** Every domain that lookups find, ascending by domid. */
  domains(): Domain[] {
    return [...this.#domains.values()].sort((a, b) => a.domid - b.domid);
  }

  /** Start an actor on a domain's virtual CPU, with a stream of its own that bears its name. */
  start(name: string, domain: Domain | undefined, actor: Actor, delayNs = 0): Task {
    return this.scheduler.spawn(name, domain, actor, this.streams.for(`sched/${name}`), delayNs);
  }

  /**
   * XEN_DOMCTL_createdomain: a new domain, paused by its controller. Errors: EEXIST id taken; ENOMEM no id free (DOM-2).
   * @param uniqueId given only where a host is set up as it was found elsewhere; otherwise drawn.
   */
  createDomain(domid: Domid, name: string, uniqueId?: bigint): Domain {
    let id = domid;
    if (domid === DOMID_ANY) {
      id = this.#lastAutoDomid;
      do {
        id = id + 1 >= DOMID_FIRST_RESERVED ? 1 : id + 1;
        if (id === this.#lastAutoDomid) fail('ENOMEM', 'no domid is free');
      } while (this.#domains.has(id));
      this.#lastAutoDomid = id;
    } else if (domid >= DOMID_FIRST_RESERVED) fail('EINVAL', `domid ${domid} is reserved`);
    else if (this.#domains.has(id)) fail('EEXIST', `domid ${id}`);
    const domain = new Domain(id, uniqueId ?? this.#nextUniqueId(), name);
    domain.controllerPauses = 1;
    if (id === 0) domain.ports.maxPort = Number.MAX_SAFE_INTEGER; // dom0 is built without max_evtchn_port
    this.events.adopt(domain);
    this.#domains.set(id, domain);
    this.trace.life(id, domain.uniqueId, 'created');
    this.#changed?.add(id); // the state bit, but no VIRQ (T1)
    return domain;
  }

  pause(domain: Domain): void {
    if (domain.controllerPauses >= 255) fail('EOVERFLOW', `domain ${domain.domid}`);
    domain.controllerPauses++;
    this.trace.life(domain.domid, domain.uniqueId, 'paused');
  }

  unpause(domain: Domain): void {
    if (domain.controllerPauses === 0) fail('EINVAL', `domain ${domain.domid} is not paused`);
    domain.controllerPauses--;
    this.trace.life(domain.domid, domain.uniqueId, 'unpaused');
    if (domain.isRunning) this.scheduler.unstall(domain);
  }

  /** SCHEDOP_shutdown or remote_shutdown: the first reason wins (DOM-15); parks the domain as it is. */
  shutdown(domain: Domain, reason: ShutdownReason): void {
    if (domain.shutdown !== undefined || domain.dying !== 'alive') return;
    domain.shutdown = reason;
    this.trace.life(domain.domid, domain.uniqueId, 'shutdown');
    this.#domainChanged(domain.domid);
  }

  /** XEN_DOMCTL_resumedomain: neither state bit nor VIRQ (DOM-24). */
  resume(domain: Domain): void {
    if (domain.shutdown === undefined) return;
    domain.shutdown = undefined;
    this.trace.life(domain.domid, domain.uniqueId, 'resumed');
    if (domain.isRunning) this.scheduler.unstall(domain);
  }

  /**
   * XEN_DOMCTL_destroydomain: dying at once, the rest in preemptible steps of which others run in between (DOM-9, DOM-10).
   * Whoever still maps a page of the domain keeps it as a zombie.
   */
  destroy(domain: Domain): void {
    if (domain.dying !== 'alive') return;
    domain.dying = 'dying';
    this.trace.life(domain.domid, domain.uniqueId, 'dying');
    this.start(`xen/destroy-${domain.domid}-${domain.uniqueId}`, undefined, this.#tearDown(domain));
  }

  *#tearDown(domain: Domain): Actor {
    for (const handle of domain.maptrack.handles()) {
      this.unmapGrant(domain, handle);
      yield 300;
    }
    for (const port of domain.ports.ports()) {
      this.closePort(domain, port);
      yield 300;
    }
    domain.memory.release();
    yield 2_000;
    domain.dying = 'dead';
    this.trace.life(domain.domid, domain.uniqueId, 'dead');
    this.#domainChanged(domain.domid);
    this.#freeIfUnreferenced(domain);
  }

  #freeIfUnreferenced(domain: Domain): void {
    if (domain.dying !== 'dead' || domain.foreignMaps > 0 || this.#domains.get(domain.domid) !== domain) return;
    this.#domains.delete(domain.domid);
    this.trace.life(domain.domid, domain.uniqueId, 'gone');
    this.#domainChanged(domain.domid);
  }

  // Event channels ------------------------------------------------------------------------------------------------

  /** A host as it was found: an interdomain channel at given ports, nothing pending. The ports must be free. */
  connectPorts(a: Domain, portA: Port, b: Domain, portB: Port): void {
    this.events.connect(a, portA, b, portB);
  }

  closePort(owner: Domain, port: Port): void {
    this.events.close(owner, port, false);
  }

  send(owner: Domain, port: Port): void {
    this.events.send(owner, port);
  }

  // Grants --------------------------------------------------------------------------------------------------------

  mapGrant(mapper: Domain, granterDomid: Domid, gref: Gref, flags: number): MapResult {
    return this.grants.map(mapper, { dom: granterDomid, ref: gref, flags });
  }

  /** Both halves of a mapping, at the addresses where they are. */
  unmapGrant(mapper: Domain, handle: Handle): GrantStatus {
    if (mapper.dying !== 'alive') return this.grants.release(mapper, handle) ? GNTST.okay : GNTST.bad_handle;
    return this.grants.unmap(mapper, [{ handle }])[0] ?? GNTST.bad_handle;
  }

  /** What the domain builder does for a reserved entry (GNT-26). */
  seedGrant(domain: Domain, gref: Gref, forDomid: Domid, frame: Frame): void {
    this.grants.seed(domain, gref, forDomid, frame);
  }

  // Domain state --------------------------------------------------------------------------------------------------

  domainInfo(domid: Domid): DomainInfo | undefined {
    const domain = this.domain(domid);
    if (domain === undefined) return undefined;
    const { dying, shutdown, uniqueId } = domain;
    return { domid, shutdown: shutdown !== undefined, dying: dying === 'dying', dead: dying === 'dead', uniqueId };
  }

  /** get_domain_state(DOMID_INVALID): pop the lowest changed domid; `undefined`: ENOENT (DOM-32). */
  popChanged(): Domid | undefined {
    if (this.#changed === undefined || this.#changed.size === 0) return undefined;
    const domid = Math.min(...this.#changed);
    this.#changed.delete(domid);
    return domid;
  }

  /** The state bit first, then the VIRQ (DOM-36); unbound: both are lost (DOM-31). */
  #domainChanged(domid: Domid): void {
    if (this.#changed === undefined) return;
    this.#changed.add(domid);
    this.events.raiseGlobal(VIRQ_DOM_EXC);
  }

  /** Xorshift 13, 7, 17 over 64 bits; never 0, different for each creation (DOM-6). */
  #nextUniqueId(): bigint {
    let x = this.#uniqueId;
    x ^= (x << 13n) & 0xffff_ffff_ffff_ffffn;
    x ^= x >> 7n;
    x ^= (x << 17n) & 0xffff_ffff_ffff_ffffn;
    this.#uniqueId = x;
    return x;
  }
}
