import type { Actor, Program } from './actor.ts';
import { carryOver } from './carry-over.ts';
import type { DomainBase, ShutdownReason } from './domain.ts';
import type { DomainConfig } from './domains/create.ts';
import type { Domain } from './domains/domain.ts';
import { Lives } from './domains/lives.ts';
import { type DomainInfo, domainInfo } from './domains/queries.ts';
import { softReset } from './domains/soft-reset.ts';
import { SavedContexts } from './domains/vcpu-context.ts';
import { fail } from './errors.ts';
import { Events } from './events/events.ts';
import { GNTST, type GrantStatus, type MapResult } from './grants/abi.ts';
import { Grants } from './grants/grants.ts';
import type { Domid, Gref, Handle, Port } from './ids.ts';
import type { Frame } from './memory.ts';
import type { Streams } from './random.ts';
import type { Scheduler } from './scheduler.ts';
import type { Task } from './timeline.ts';
import type { Trace } from './trace.ts';

/** What a host has of the universe that it is in: its part of the record, of chance and of time. */
export interface MachineShare {
  readonly trace: Trace;
  readonly streams: Streams;
  readonly scheduler: Scheduler;
  /** All hosts of the universe, this one among them; left out: it is alone. */
  readonly machines?: () => readonly Machine[];
  /** What was saved of vCPUs on all of them; left out: its own. */
  readonly contexts?: SavedContexts;
}

/** A kernel that knows in which domain, and on which host, it runs. */
export interface Resident {
  /** Without having been asked it runs in another domain, on another host, and has every page that it had. */
  movedTo(machine: Machine, domain: Domain): void;
}

/** One simulated host: domains, and the hypervisor's state about them. */
export class Machine {
  readonly trace: Trace;
  readonly streams: Streams;
  readonly scheduler: Scheduler;
  readonly grants: Grants;
  readonly events: Events;
  /** The life cycle of domains; the methods below are short for the commonest. */
  readonly lives: Lives;
  readonly #machines: () => readonly Machine[];

  readonly #residents = new WeakMap<Domain, Resident>();

  constructor(share: MachineShare) {
    this.trace = share.trace;
    this.streams = share.streams;
    this.scheduler = share.scheduler;
    this.#machines = share.machines ?? (() => [this]);
    this.grants = new Grants({
      trace: this.trace,
      domain: (domid) => this.domain(domid),
      crash: (domain) => this.shutdown(domain, 'crash'),
      released: (granter) => this.lives.freeIfUnreferenced(granter), // the last unmap frees a zombie (GNT-30)
    });
    this.events = new Events({
      trace: this.trace,
      scheduler: this.scheduler,
      domain: (domid) => this.domain(domid),
      hardware: () => this.lives.hardware,
      domExcBound: (isBound) => this.lives.domExcBound(isBound),
    });
    const { trace, scheduler, grants, events } = this;
    const contexts = share.contexts ?? new SavedContexts();
    const start = (name: string, actor: Actor) => void this.start(name, undefined, actor);
    const take = (source: DomainBase, heir: Domain) => this.carryOver(source, heir);
    this.lives = new Lives(
      { trace, scheduler, grants, events, contexts, start, carryOver: take },
      this.streams.for('xen/unique-id'),
    );
  }

  /** The host on which this very domain is; `undefined`: none of its universe. */
  hostOf(domain: DomainBase): Machine | undefined {
    return this.#machines().find((machine) => machine.domain(domain.domid) === domain);
  }

  /** The kernel of a domain: it is told when it goes on elsewhere without its help. */
  settle(domain: Domain, resident: Resident | undefined): void {
    if (resident === undefined) this.#residents.delete(domain);
    else this.#residents.set(domain, resident);
  }

  /** carryOver() of a domain of any host of the universe; its kernel is told. */
  carryOver(of: DomainBase, heir: Domain): void {
    const machine = this.hostOf(of) ?? fail('ESRCH', `domain ${of.domid}`);
    const source = machine.domain(of.domid) ?? fail('ESRCH', `domain ${of.domid}`);
    carryOver({ machine, domain: source }, { machine: this, domain: heir });
    const resident = machine.#residents.get(source);
    machine.settle(source, undefined);
    this.settle(heir, resident);
    resident?.movedTo(this, heir);
  }

  get nowNs(): number {
    return this.scheduler.nowNs;
  }

  domain(domid: Domid): Domain | undefined {
    return this.lives.get(domid);
  }

  /** Every domain that lookups find, ascending by domid. */
  domains(): Domain[] {
    return [...this.lives.all()].sort((a, b) => a.domid - b.domid);
  }

  /** Start an actor on a domain's virtual CPU, with a stream of its own that bears its name. */
  start(name: string, domain: Domain | undefined, actor: Program, delayNs = 0): Task {
    return this.scheduler.spawn(name, domain, actor, this.streams.for(`sched/${name}`), delayNs);
  }

  /**
   * XEN_DOMCTL_createdomain: a new domain, paused by its controller.
   * Errors: EEXIST id taken; ENOMEM no id free (DOM-2); EINVAL reserved id or configuration.
   * @param config a bigint is short for a unique id alone.
   */
  createDomain(domid: Domid, name: string, config: DomainConfig | bigint = {}): Domain {
    return this.lives.create(domid, name, typeof config === 'bigint' ? { uniqueId: config } : config);
  }

  pause(domain: Domain): void {
    this.lives.pause(domain);
  }

  unpause(domain: Domain): void {
    this.lives.unpause(domain);
  }

  /** SCHEDOP_shutdown or remote_shutdown: the first reason wins (DOM-15); parks the domain as it is. */
  shutdown(domain: Domain, reason: ShutdownReason): void {
    this.lives.shutdown(domain, reason);
  }

  /** XEN_DOMCTL_resumedomain: neither state bit nor VIRQ (DOM-24). */
  resume(domain: Domain): void {
    this.lives.resume(domain);
  }

  /** XEN_DOMCTL_destroydomain: dying at once, the rest in steps of which others run in between (DOM-9). */
  destroy(domain: Domain): void {
    this.lives.destroy(domain);
  }

  /** XEN_DOMCTL_soft_reset (T11), an action of several steps. */
  softReset(caller: Domain, domain: Domain): Actor {
    return softReset(this, caller, domain);
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
    return domain === undefined ? undefined : domainInfo(domain);
  }

  /** get_domain_state(DOMID_INVALID): pop the lowest changed domid; `undefined`: ENOENT (DOM-32). */
  popChanged(): Domid | undefined {
    return this.lives.changed.pop();
  }
}
