import type { Actor } from '../actor.ts';
import type { Domain } from '../domains/domain.ts';
import { permit } from '../domains/permissions.ts';
import { fail } from '../errors.ts';
import type { Domid, Gfn, Port } from '../ids.ts';
import { DOMID_SELF } from '../ids.ts';
import type { Scheduler } from '../scheduler.ts';
import type { Trace } from '../trace.ts';
import type { EdgeOutcome } from './abi.ts';
import type { EdgeVerdict, EventContext, KickVerdict } from './context.ts';
import type { EventFaults } from './faults.ts';
import type { EventChannels, XenConsumer } from './ports.ts';
import { NR_VIRQS, VIRQ_DOM_EXC, virqClass } from './virq.ts';
import { PRIORITY_MIN } from './words.ts';

/** EVTCHNOP_status. Codes of `state`: closed 0, unbound 1, interdomain 2, virq 4, ipi 5. */
export type PortStatus =
  | { readonly state: 'closed'; readonly vcpu: number }
  | { readonly state: 'unbound'; readonly vcpu: number; readonly domid: Domid }
  | { readonly state: 'interdomain'; readonly vcpu: number; readonly domid: Domid; readonly port: Port }
  | { readonly state: 'virq'; readonly vcpu: number; readonly virq: number }
  | { readonly state: 'ipi'; readonly vcpu: number };

/** What the event channels have of the machine. */
export interface EventNeeds {
  readonly trace: Trace;
  readonly scheduler: Scheduler;
  domain(domid: Domid): Domain | undefined;
  /** The hardware domain: who receives global VIRQs by default. */
  hardware(): Domain | undefined;
  /** VIRQ_DOM_EXC was bound or closed: its bitmap comes and goes with it (DOM-30). */
  domExcBound(isBound: boolean): void;
}

/** Ports that a preemptible reset closes in one go. */
const RESET_BATCH = 64;
/** Virtual time of one such batch. */
const RESET_BATCH_NS = 300;

/**
 * Event channels of one host: every EVTCHNOP on domains, and global VIRQs. Errors are thrown as XenError, in the order of
 * the checks of xen/common/event_channel.c. EVTCHNOP_bind_pirq is not here: there are no physical interrupts.
 */
export class Events {
  readonly #needs: EventNeeds;
  /** Handlers set by XEN_DOMCTL_set_virq_handler; absent: the hardware domain. */
  readonly #handlers = new Map<number, Domain>();
  faults: EventFaults | undefined = undefined;
  /** Called before each global VIRQ; who checks the machine listens. */
  onGlobal: ((virq: number) => void) | undefined = undefined;

  constructor(needs: EventNeeds) {
    this.#needs = needs;
  }

  /** Take a new domain's channels in. */
  adopt(domain: Domain): void {
    domain.ports.context = new DomainContext(this, this.#needs.scheduler, domain);
  }

  /** EVTCHNOP_alloc_unbound in `owner`, for a domid whose existence is not checked (EVT-3). Errors: EINVAL dying; ENOSPC; EPERM. */
  allocUnbound(caller: Domain, owner: Domain, remoteDomid: Domid): Port {
    const port = owner.ports.firstFree(); // before the permission: Xen asks for it with the port in hand
    permit('EVTCHNOP_alloc_unbound', caller, owner);
    const resolved = remoteDomid === DOMID_SELF ? caller.domid : remoteDomid;
    owner.ports.set(port, { state: 'unbound', remoteDomid: resolved });
    this.#needs.trace.port('alloc', owner.domid, port, resolved, 0);
    return port;
  }

  /** A port of `owner` that Xen itself consumes, as for a device model's requests. Errors: EINVAL dying; ENOSPC. */
  allocXen(owner: Domain, vcpu: number, remoteDomid: Domid, consumer: XenConsumer): Port {
    const port = owner.ports.firstFree();
    owner.ports.set(port, { state: 'unbound', remoteDomid });
    owner.ports.setNotifyVcpu(port, vcpu);
    owner.ports.attachXen(port, consumer);
    this.#needs.trace.port('alloc', owner.domid, port, remoteDomid, 0);
    return port;
  }

  /** EVTCHNOP_bind_interdomain; returns the local port, which is pending at once (EVT-5).
   *  Errors: ESRCH no such domain; EINVAL caller dying; ENOSPC; EINVAL peer port not held open for the caller. */
  bindInterdomain(caller: Domain, remoteDomid: Domid, remotePort: Port): Port {
    const remote = this.#channelsOf(caller, remoteDomid);
    if (remote === undefined) fail('ESRCH', `no domain ${remoteDomid}`);
    const port = caller.ports.firstFree(); // before looking at the peer: Xen lets ENOSPC win over EINVAL
    const peer = remote.get(remotePort);
    if (peer?.state !== 'unbound' || peer.remoteDomid !== caller.domid) fail('EINVAL', `port ${remotePort}`);
    caller.ports.set(port, { state: 'interdomain', remote, remotePort });
    remote.set(remotePort, { state: 'interdomain', remote: caller.ports, remotePort: port });
    caller.ports.raise(port); // makes up for a send that had nowhere to go before the bind
    this.#needs.trace.port('bind', caller.domid, port, remoteDomid, remotePort);
    return port;
  }

  /** EVTCHNOP_bind_virq. Errors: EINVAL number, or not per vCPU and vcpu not 0; ENOENT vCPU; EBUSY not the handler (DOM-27);
   *  EEXIST bound already; EINVAL dying; ENOSPC. */
  bindVirq(caller: Domain, virq: number, vcpu: number): Port {
    if (!(virq >= 0 && virq < NR_VIRQS)) fail('EINVAL', `virq ${virq}`);
    const kind = virqClass(virq);
    if (kind !== 'vcpu' && vcpu !== 0) fail('EINVAL', `virq ${virq} on vcpu ${vcpu}`);
    if (!caller.ports.hasVcpu(vcpu)) fail('ENOENT', `vcpu ${vcpu}`);
    if (kind === 'global' && this.virqHandler(virq) !== caller)
      fail('EBUSY', `domain ${caller.domid} is not the handler`);
    const { virqPorts } = caller.ports.vcpu(vcpu);
    if (virqPorts[virq] !== 0) fail('EEXIST', `virq ${virq}`);
    const port = caller.ports.firstFree();
    caller.ports.set(port, { state: 'virq', virq });
    caller.ports.setNotifyVcpu(port, vcpu);
    virqPorts[virq] = port;
    if (virq === VIRQ_DOM_EXC) this.#needs.domExcBound(true);
    this.#needs.trace.port('virq', caller.domid, port, vcpu, virq);
    return port;
  }

  /** EVTCHNOP_bind_ipi. Errors: ENOENT vCPU; EINVAL dying; ENOSPC. */
  bindIpi(caller: Domain, vcpu: number): Port {
    if (!caller.ports.hasVcpu(vcpu)) fail('ENOENT', `vcpu ${vcpu}`);
    const port = caller.ports.firstFree();
    caller.ports.set(port, { state: 'ipi' });
    caller.ports.setNotifyVcpu(port, vcpu);
    this.#needs.trace.port('ipi', caller.domid, port, vcpu, 0);
    return port;
  }

  /** EVTCHNOP_bind_vcpu: later events only (EVT-13). Errors: ENOENT vCPU; EINVAL port, IPI, per-vCPU VIRQ, Xen-attached. */
  bindVcpu(caller: Domain, port: Port, vcpu: number): void {
    const { ports } = caller;
    if (!ports.hasVcpu(vcpu)) fail('ENOENT', `vcpu ${vcpu}`);
    const channel = ports.get(port);
    if (channel === undefined || !ports.isUsable(port) || channel.state === 'ipi') fail('EINVAL', `port ${port}`);
    if (channel.state === 'virq' && virqClass(channel.virq) === 'vcpu')
      fail('EINVAL', `virq ${channel.virq} of a vcpu`);
    ports.setNotifyVcpu(port, vcpu);
    this.#needs.trace.port('vcpu', caller.domid, port, vcpu, 0);
  }

  /** A host as it was found: an interdomain channel at given ports, nothing pending. The ports must be free. */
  connect(a: Domain, portA: Port, b: Domain, portB: Port): void {
    a.ports.set(portA, { state: 'interdomain', remote: b.ports, remotePort: portB });
    b.ports.set(portB, { state: 'interdomain', remote: a.ports, remotePort: portA });
    this.#needs.trace.port('bind', a.domid, portA, b.domid, portB);
  }

  /** EVTCHNOP_close: own port FREE, peer UNBOUND towards the closer; the peer gets no event (EVT-8).
   *  `byGuest` false: also ports that Xen consumes. Errors: EINVAL. */
  close(owner: Domain, port: Port, byGuest: boolean): void {
    const channel = owner.ports.get(port);
    if (channel === undefined || (byGuest && !owner.ports.isUsable(port))) fail('EINVAL', `port ${port}`);
    if (channel.state === 'virq') {
      const home = virqClass(channel.virq) === 'vcpu' ? owner.ports.notifyVcpu(port) : 0;
      owner.ports.vcpu(home).virqPorts[channel.virq] = 0;
    }
    owner.ports.set(port, undefined);
    let peer = 0;
    let peerDomid = 0;
    if (channel.state === 'interdomain') {
      peer = channel.remotePort;
      peerDomid = channel.remote.domain.domid;
      channel.remote.set(peer, { state: 'unbound', remoteDomid: owner.domid });
    }
    if (channel.state === 'virq' && channel.virq === VIRQ_DOM_EXC) this.#needs.domExcBound(false);
    this.#needs.trace.port('close', owner.domid, port, peerDomid, peer);
  }

  /** EVTCHNOP_send: success says nothing of the peer (EVT-10). Errors: EINVAL for FREE, VIRQ and Xen-attached ports. */
  send(owner: Domain, port: Port): EdgeOutcome {
    if (this.faults !== undefined) owner.ports.enter();
    const channel = owner.ports.get(port);
    if (channel === undefined || channel.state === 'virq' || owner.ports.consumer(port) !== undefined)
      fail('EINVAL', `port ${port}`);
    let outcome: EdgeOutcome = 'dropped';
    if (channel.state === 'interdomain') {
      const { remote, remotePort } = channel;
      const consumer = remote.consumer(remotePort);
      if (consumer === undefined) outcome = remote.raise(remotePort);
      else {
        consumer(remote.notifyVcpu(remotePort), remotePort);
        outcome = 'set';
      }
    } else if (channel.state === 'ipi') outcome = owner.ports.raise(port);
    this.#needs.trace.send(owner.domid, port, outcome);
    return outcome;
  }

  /** EVTCHNOP_status. Errors: EINVAL port; EPERM. */
  status(caller: Domain, owner: Domain, port: Port): PortStatus {
    if (!owner.ports.isValid(port)) fail('EINVAL', `port ${port}`);
    permit('EVTCHNOP_status', caller, owner);
    const channel = owner.ports.get(port);
    const vcpu = owner.ports.notifyVcpu(port);
    switch (channel?.state) {
      case undefined:
        return { state: 'closed', vcpu };
      case 'unbound':
        return { state: 'unbound', vcpu, domid: channel.remoteDomid };
      case 'interdomain':
        return { state: 'interdomain', vcpu, domid: channel.remote.domain.domid, port: channel.remotePort };
      case 'virq':
        return { state: 'virq', vcpu, virq: channel.virq };
      case 'ipi':
        return { state: 'ipi', vcpu };
    }
  }

  /** EVTCHNOP_unmask. Errors: EINVAL port. */
  unmask(caller: Domain, port: Port): void {
    if (this.faults !== undefined) caller.ports.enter();
    if (!caller.ports.isValid(port)) fail('EINVAL', `port ${port}`);
    caller.ports.unmaskHypercall(port);
  }

  /**
   * EVTCHNOP_reset: closes every port of the guest in batches between which others run, then goes back to 2-level (EVT-12).
   * Errors: EPERM; EINVAL another domain that its controller has not paused; EBUSY running already; EAGAIN ports opened meanwhile.
   */
  *reset(caller: Domain, domain: Domain): Actor {
    const { ports } = domain;
    permit('EVTCHNOP_reset', caller, domain);
    if (domain !== caller && domain.controllerPauses === 0) fail('EINVAL', `domain ${domain.domid} is not paused`);
    if (ports.resetAt !== 0) fail('EBUSY', 'a reset is running');
    for (ports.resetAt = 1; ports.isValid(ports.resetAt) && ports.activePorts > 0; ports.resetAt++) {
      if (ports.isUsable(ports.resetAt)) this.close(domain, ports.resetAt, true);
      if ((ports.resetAt & (RESET_BATCH - 1)) === 0) yield RESET_BATCH_NS;
    }
    ports.resetAt = 0;
    if (ports.activePorts > 0) fail('EAGAIN', 'ports were opened meanwhile');
    ports.leaveFifo();
    this.#needs.trace.port('reset', domain.domid, 0, 0, 0);
  }

  /** EVTCHNOP_init_control. Errors: ENOENT, EINVAL. */
  initControl(caller: Domain, vcpu: number, gfn: Gfn, offset: number): void {
    caller.ports.initControl(vcpu, gfn, offset);
    this.#needs.trace.port('fifo', caller.domid, 0, vcpu, 0);
  }

  /** EVTCHNOP_expand_array. Errors: EOPNOTSUPP, ENOSPC, EINVAL. */
  expandArray(caller: Domain, gfn: Gfn): void {
    caller.ports.expandArray(gfn);
    this.#needs.trace.port('fifo', caller.domid, 0, 0, 1);
  }

  /** EVTCHNOP_set_priority, for later events. Errors: EINVAL port; ENOSYS 2-level; EACCES not open; EINVAL priority. */
  setPriority(caller: Domain, port: Port, priority: number): void {
    const { ports } = caller;
    if (!ports.isValid(port)) fail('EINVAL', `port ${port}`);
    if (ports.fifo === undefined) fail('ENOSYS', '2-level ABI');
    if (!ports.isUsable(port)) fail('EACCES', `port ${port}`);
    if (!(priority >= 0 && priority <= PRIORITY_MIN)) fail('EINVAL', `priority ${priority}`);
    ports.fifoPort(port).priority = priority;
    this.#needs.trace.port('priority', caller.domid, port, priority, 0);
  }

  // VIRQs -----------------------------------------------------------------------------------------------------------

  /** Who receives a global VIRQ: the domain set for it while that lives, else the hardware domain (DOM-26). */
  virqHandler(virq: number): Domain | undefined {
    const set = this.#handlers.get(virq);
    return set !== undefined && set.dying !== 'dead' ? set : this.#needs.hardware();
  }

  /** XEN_DOMCTL_set_virq_handler. Errors: EINVAL not a global VIRQ, or dying; EBUSY bound by the present handler. */
  setVirqHandler(domain: Domain, virq: number): void {
    if (!(virq >= 0 && virq < NR_VIRQS) || virqClass(virq) !== 'global') fail('EINVAL', `virq ${virq}`);
    if (this.#handlers.get(virq) === domain) return;
    if (domain.dying !== 'alive') fail('EINVAL', `domain ${domain.domid} is dying`);
    const present = this.virqHandler(virq);
    if (present === domain) return; // the hardware domain by default: it stays so without being set
    if (present !== undefined && present.ports.vcpu(0).virqPorts[virq] !== 0) fail('EBUSY', `virq ${virq} is bound`);
    this.#handlers.set(virq, domain);
  }

  /** Raise a global VIRQ in its handler's domain. */
  raiseGlobal(virq: number): void {
    this.onGlobal?.(virq);
    const handler = this.virqHandler(virq);
    if (handler !== undefined) this.raiseDomain(handler, virq);
  }

  /** Raise a domain's VIRQ, where the port was moved to; unbound, or its lock contended: dropped (DOM-28). */
  raiseDomain(domain: Domain, virq: number): void {
    const port = domain.ports.vcpu(0).virqPorts[virq] ?? 0;
    if (port !== 0 && this.faults?.virqContended?.(domain, virq) !== true) domain.ports.raise(port);
  }

  /** Raise a vCPU's VIRQ on that vCPU. */
  raiseVcpu(domain: Domain, virq: number, vcpu: number): void {
    const port = domain.ports.vcpu(vcpu).virqPorts[virq] ?? 0;
    if (port !== 0 && this.faults?.virqContended?.(domain, virq) !== true) domain.ports.raiseOn(port, vcpu);
  }

  /** An event that nobody sent, on any open port (INJ-E3). */
  spurious(domain: Domain, port: Port): EdgeOutcome {
    return domain.ports.raise(port);
  }

  #channelsOf(caller: Domain, domid: Domid): EventChannels | undefined {
    return (domid === DOMID_SELF ? caller : this.#needs.domain(domid))?.ports;
  }
}

/** The machine as one domain's channels know it. */
class DomainContext implements EventContext {
  readonly #events: Events;
  readonly #scheduler: Scheduler;
  readonly #domain: Domain;

  constructor(events: Events, scheduler: Scheduler, domain: Domain) {
    this.#events = events;
    this.#scheduler = scheduler;
    this.#domain = domain;
  }

  after(delayNs: number, fire: () => void): void {
    this.#scheduler.at(this.#scheduler.nowNs + delayNs, fire);
  }

  at(dueNs: number, fire: () => void): void {
    this.#scheduler.at(dueNs, fire);
  }

  edge(port: Port): EdgeVerdict | undefined {
    return this.#events.faults?.edge?.(this.#domain, port);
  }

  kick(vcpu: number): KickVerdict | undefined {
    return this.#events.faults?.kick?.(this.#domain, vcpu);
  }

  queueContended(port: Port): boolean {
    return this.#events.faults?.queueContended?.(this.#domain, port) === true;
  }

  linking(tail: Port): void {
    this.#events.faults?.linking?.(this.#domain, tail);
  }
}
