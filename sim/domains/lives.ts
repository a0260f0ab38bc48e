import type { Actor } from '../actor.ts';
import { type DomainBase, SHUTDOWN_REASONS, type ShutdownReason } from '../domain.ts';
import { fail, XenError } from '../errors.ts';
import type { Events } from '../events/events.ts';
import { VIRQ_DOM_EXC } from '../events/virq.ts';
import type { Grants } from '../grants/grants.ts';
import { DOMID_ANY, DOMID_FIRST_RESERVED, type Domid } from '../ids.ts';
import type { Stream } from '../random.ts';
import type { Scheduler } from '../scheduler.ts';
import type { LifeStep, Trace } from '../trace.ts';
import { ChangedDomains } from './changed.ts';
import { parkName } from './context-octets.ts';
import { type DomainConfig, makeDomain } from './create.ts';
import type { Domain } from './domain.ts';
import { UniqueIds } from './unique-id.ts';
import { type SavedContexts, VcpuContext } from './vcpu-context.ts';

/** What the life cycle has of the machine. */
export interface LifeNeeds {
  readonly trace: Trace;
  readonly scheduler: Scheduler;
  readonly grants: Grants;
  readonly events: Events;
  readonly contexts: SavedContexts;
  /** The vCPUs of `source` go on in `heir` without a notice, with every page that they know. */
  carryOver(source: DomainBase, heir: Domain): void;
  /** Run hypervisor work that others may run in between of. */
  start(name: string, actor: Actor): void;
}

/** Controller pauses that may be outstanding (DOM-13). */
const PAUSES_MAX = 255;
/** SHUTDOWN_crash. */
const CRASH = SHUTDOWN_REASONS.indexOf('crash');
const SUSPEND = SHUTDOWN_REASONS.indexOf('suspend');
const WATCHDOG = SHUTDOWN_REASONS.indexOf('watchdog');
const NS_PER_S = 1_000_000_000;
/** Virtual time of one mapping released or one port closed. */
const PIECE_NS = 300;
const MEMORY_NS = 2_000;

/**
 * The life cycle of one host's domains: transitions T1 to T10 and who is told of them. Errors are thrown as XenError.
 * Source: xen/common/domain.c, xen/common/domctl.c, xen/common/sched/core.c.
 */
export class Lives {
  readonly #needs: LifeNeeds;
  readonly #domains = new Map<Domid, Domain>();
  readonly #uniqueIds: UniqueIds;
  readonly changed = new ChangedDomains();
  #lastAutoDomid: Domid = 0;
  #hardware: Domain | undefined = undefined;
  /** The hardware domain shut down, and the host with it (DOM-17); its code. */
  hostShutdown: number | undefined = undefined;
  /** Called with each step of each domain's life; who checks the machine listens. */
  onLife: ((domain: Domain, what: LifeStep) => void) | undefined = undefined;

  constructor(needs: LifeNeeds, draws: Stream) {
    this.#needs = needs;
    this.#uniqueIds = new UniqueIds(draws);
  }

  get(domid: Domid): Domain | undefined {
    return this.#domains.get(domid);
  }

  /** In the order of their creation. */
  all(): Iterable<Domain> {
    return this.#domains.values();
  }

  get hardware(): Domain | undefined {
    return this.#hardware;
  }

  /** VIRQ_DOM_EXC was bound or closed: its bitmap comes and goes with it (DOM-30). */
  domExcBound(isBound: boolean): void {
    if (isBound) this.changed.open(this.#domains.keys());
    else this.changed.close();
  }

  /** T1. Errors: EEXIST id taken; ENOMEM no id free (DOM-2); EINVAL reserved id or configuration. */
  create(domid: Domid, name: string, config: DomainConfig): Domain {
    let id = domid;
    if (domid === DOMID_ANY) id = this.#freeDomid();
    else if (!(domid >= 0 && domid < DOMID_FIRST_RESERVED)) fail('EINVAL', `domid ${domid} is reserved`);
    else if (this.#domains.has(id)) fail('EEXIST', `domid ${id}`);
    const domain = makeDomain(this.#needs.grants, id, () => this.#uniqueIds.next(), name, config);
    if (domid === DOMID_ANY) this.#lastAutoDomid = id;
    if (domain.capabilities.hardware) this.#hardware ??= domain;
    this.#needs.events.adopt(domain);
    this.#domains.set(id, domain);
    this.#tell(domain, 'created');
    this.changed.mark(id); // the state bit, but no VIRQ (T1)
    return domain;
  }

  /** T2. Errors: EINVAL not the number given at creation. */
  maxVcpus(domain: Domain, max: number): void {
    if (max !== domain.maxVcpus) fail('EINVAL', `${max} vCPUs, created for ${domain.maxVcpus}`);
    domain.vcpus = max;
  }

  /** XEN_DOMCTL_set_target: `stubdom` is `target`'s device model for good. Errors: EINVAL itself, or a second time; EOPNOTSUPP pv. */
  setTarget(stubdom: Domain, target: Domain): void {
    if (stubdom === target || stubdom.target !== undefined) fail('EINVAL', `domain ${stubdom.domid}`);
    if (!target.memory.translated) fail('EOPNOTSUPP', `domain ${target.domid} has no device model`);
    stubdom.target = target;
    target.stubdoms++;
  }

  /** T4. Errors: EOVERFLOW. */
  pause(domain: Domain): void {
    if (domain.controllerPauses >= PAUSES_MAX) fail('EOVERFLOW', `domain ${domain.domid}`);
    domain.controllerPauses++;
    this.#tell(domain, 'paused');
  }

  /** T3. Errors: EINVAL its controller has not paused it. */
  unpause(domain: Domain): void {
    if (domain.controllerPauses === 0) fail('EINVAL', `domain ${domain.domid} is not paused`);
    domain.controllerPauses--;
    if (domain.controllerPauses === 0) domain.isCreationFinished = true;
    this.#tell(domain, 'unpaused');
    this.#goOn(domain);
  }

  /** SCHEDOP_shutdown_code: the reason of a shutdown that is still to come, unless there is one (DOM-15). */
  latchCode(domain: Domain, code: number): void {
    domain.shutdownCode ??= code & 0xff;
  }

  /**
   * T5: the first reason wins; parks the vCPUs as they are, but those that a device model holds up (DOM-16). Of a dying domain,
   * too, as long as lookups find it. Source: domain_shutdown in xen/common/domain.c.
   */
  shutdown(domain: Domain, reason: ShutdownReason | number): void {
    if (this.#domains.get(domain.domid) !== domain) return;
    this.latchCode(domain, typeof reason === 'number' ? reason : SHUTDOWN_REASONS.indexOf(reason));
    if (domain.isShuttingDown) return; // success all the same (DOM-18)
    domain.isShuttingDown = true;
    if (domain === this.#hardware) {
      this.hostShutdown = domain.shutdownCode;
      this.#needs.scheduler.halt();
    }
    if (domain.shutdownCode === CRASH) domain.deferring.clear();
    this.#finishShutdown(domain);
  }

  /** A vCPU waits for its device model from here on. A shutdown that has begun goes first: false, and the vCPU is parked. */
  deferShutdown(domain: Domain, vcpu: number): boolean {
    if (domain.isShuttingDown) return false;
    domain.deferring.add(vcpu);
    return true;
  }

  /** The device model has answered: the vCPU parks if it was the time to. */
  endDeferral(domain: Domain, vcpu: number): void {
    if (domain.deferring.delete(vcpu) && domain.isShuttingDown) this.#finishShutdown(domain);
  }

  /** T6, once the last vCPU is parked. To a subscriber of a suspend goes the event alone (DOM-20). */
  #finishShutdown(domain: Domain): void {
    if (domain.isShutDown || domain.deferring.size > 0 || this.#domains.get(domain.domid) !== domain) return;
    domain.isShutDown = true;
    domain.parks++;
    domain.parkedNs = this.#needs.scheduler.nowNs;
    this.#tell(domain, 'shutdown');
    if (domain.shutdownCode !== SUSPEND || domain.suspendPort === 0) {
      this.#stateChanged(domain.domid);
      return;
    }
    this.changed.mark(domain.domid);
    try {
      this.#needs.events.send(domain, domain.suspendPort);
    } catch (error) {
      if (!(error instanceof XenError)) throw error; // the port was closed since: nobody at all is told
    }
  }

  /** T7: neither state bit nor VIRQ (DOM-24). */
  resume(domain: Domain): void {
    const was = domain.isShuttingDown;
    domain.shutdownCode = undefined;
    domain.isShuttingDown = false;
    domain.isShutDown = false;
    if (!was) return;
    this.#tell(domain, 'resumed');
    this.#goOn(domain);
  }

  /**
   * XEN_DOMCTL_getvcpucontext of a saved domain and setvcpucontext of the one that it is restored into.
   * Errors: EINVAL the first has not shut down, or the second has run.
   */
  moveContext(from: Domain, to: Domain): void {
    if (from === to || !from.isShutDown) fail('EINVAL', `domain ${from.domid} is not suspended`);
    if (to.isCreationFinished || to.dying !== 'alive') fail('EINVAL', `domain ${to.domid} is no new one`);
    this.#needs.scheduler.move(from, to);
  }

  /**
   * XEN_DOMCTL_getvcpucontext (13), for a stream, in which a number stands for what is saved: until somebody runs again the vCPUs
   * are nobody's. Errors: EINVAL the domain is not suspended.
   */
  saveContext(domain: Domain): number {
    const { contexts } = this.#needs;
    if (!domain.isShutDown || domain.shutdownCode !== SUSPEND)
      fail('EINVAL', `domain ${domain.domid} is not suspended`);
    if (domain.context !== undefined && !domain.context.isTaken) return contexts.idOf(domain.context);
    domain.context = new VcpuContext(domain, this.#needs.scheduler);
    return contexts.add(domain.context);
  }

  /** Somebody puts the context of that domain into octets, which name it; of one that is not suspended nothing is kept. */
  nameContext(domain: Domain): void {
    if (domain.shutdown === 'suspend') this.#needs.contexts.name(this.saveContext(domain), parkName(domain));
  }

  /** loadContext() of what octets name. @returns false: it is not to be had any more. Errors: EINVAL the domain has run, or is dying. */
  loadNamedContext(domain: Domain, name: string): boolean {
    if (domain.isCreationFinished || domain.dying !== 'alive') fail('EINVAL', `domain ${domain.domid} is no new one`);
    const id = this.#needs.contexts.idNamed(name);
    if (id !== undefined) this.loadContext(domain, id);
    return id !== undefined;
  }

  /** XEN_DOMCTL_setvcpucontext (12), out of a stream. Errors: EINVAL the domain has run, or is dying, or nothing like it was saved. */
  loadContext(domain: Domain, id: number): void {
    const context = this.#needs.contexts.get(id) ?? fail('EINVAL', `vCPU context ${id}`);
    if (domain.isCreationFinished || domain.dying !== 'alive') fail('EINVAL', `domain ${domain.domid} is no new one`);
    domain.context = context;
  }

  /**
   * SCHEDOP_watchdog (DOM-21): id 0 starts a timer and tells its id; others start theirs anew, with 0 seconds end it.
   * Errors: EINVAL no such timer; ENOSPC both in use.
   */
  watchdog(domain: Domain, id: number, seconds: number): number {
    const timers = domain.watchdogsNs;
    if (!(id >= 0 && id <= timers.length)) fail('EINVAL', `watchdog ${id}`);
    const at = id === 0 ? timers.indexOf(undefined) : id - 1;
    if (at < 0) fail('ENOSPC', 'both watchdogs are in use');
    if (id !== 0 && timers[at] === undefined) fail('EINVAL', `watchdog ${id} is not in use`);
    if (id !== 0 && seconds === 0) {
      timers[at] = undefined;
      return 0;
    }
    const { scheduler } = this.#needs;
    const dueNs = scheduler.nowNs + seconds * NS_PER_S;
    timers[at] = dueNs;
    scheduler.at(dueNs, () => {
      const isCurrent = timers[at] === dueNs && domain.dying === 'alive' && !domain.isShuttingDown;
      if (isCurrent) this.shutdown(domain, WATCHDOG);
    });
    return id === 0 ? at + 1 : 0;
  }

  /**
   * T8: dying at once, the rest in preemptible steps of which others run in between (DOM-9, DOM-10).
   * Whoever still maps a page of the domain keeps it as a zombie.
   */
  destroy(domain: Domain): void {
    if (domain.dying !== 'alive') return;
    domain.dying = 'dying';
    this.#tell(domain, 'dying');
    this.#needs.start(`xen/destroy-${domain.domid}-${domain.uniqueId}`, this.#tearDown(domain));
  }

  *#tearDown(domain: Domain): Actor {
    const { grants, events } = this.#needs;
    for (const handle of domain.maptrack.handles()) {
      grants.release(domain, handle);
      yield PIECE_NS;
    }
    domain.watchdogsNs.fill(undefined);
    for (const port of domain.ports.ports().reverse()) {
      events.close(domain, port, false);
      yield PIECE_NS;
    }
    domain.memory.release();
    yield MEMORY_NS;
    domain.dying = 'dead';
    this.#tell(domain, 'dead');
    this.#stateChanged(domain.domid);
    this.freeIfUnreferenced(domain);
  }

  /** T10, if nobody refers to the dead domain's pages any more. */
  freeIfUnreferenced(referenced: DomainBase): void {
    if (referenced.dying !== 'dead' || referenced.foreignMaps > 0 || referenced.stubdoms > 0) return;
    const domain = this.#domains.get(referenced.domid);
    if (domain === undefined || domain !== referenced) return;
    this.#domains.delete(domain.domid);
    if (domain === this.#hardware) this.#hardware = undefined;
    this.#tell(domain, 'gone');
    this.#stateChanged(domain.domid);
    const { target } = domain;
    if (target === undefined) return;
    target.stubdoms--;
    this.freeIfUnreferenced(target);
  }

  /** The domain may run again, if nothing else keeps it: events that came meanwhile are delivered first (DOM-14). */
  #goOn(domain: Domain): void {
    if (!domain.isRunning) return;
    const { context } = domain;
    domain.context = undefined;
    if (domain.keepsPlatform && context !== undefined && !context.isTaken)
      this.#needs.carryOver(context.source, domain);
    domain.keepsPlatform = false; // once: where it goes on after a move that came to nothing, it is its own source
    context?.goOnIn(domain, this.#needs.scheduler);
    domain.ports.enter();
    this.#needs.scheduler.unstall(domain);
  }

  /** The state bit first, then the VIRQ (DOM-36); unbound: both are lost (DOM-31). */
  #stateChanged(domid: Domid): void {
    if (!this.changed.exists) return;
    this.changed.mark(domid);
    this.#needs.events.raiseGlobal(VIRQ_DOM_EXC);
  }

  /** Upward from the last one given out so, with wrap to 1 (DOM-2, DOM-3). */
  #freeDomid(): Domid {
    let id = this.#lastAutoDomid;
    do {
      id = id + 1 >= DOMID_FIRST_RESERVED ? 1 : id + 1;
      if (id === this.#lastAutoDomid) fail('ENOMEM', 'no domid is free');
    } while (this.#domains.has(id));
    return id;
  }

  #tell(domain: Domain, what: LifeStep): void {
    this.onLife?.(domain, what);
    this.#needs.trace.life(domain.domid, domain.uniqueId, what);
  }
}
