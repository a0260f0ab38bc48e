import type { Actor } from '../actor.ts';
import type { Domain } from '../domains/domain.ts';
import { permit } from '../domains/permissions.ts';
import { type Errno, type Result, XenError } from '../errors.ts';
import { DOMID_SELF, type Domid, type Gfn, type Port } from '../ids.ts';
import type { Events, PortStatus } from './events.ts';
import { block, poll } from './sleep.ts';
import { FIFO_LINK_BITS } from './words.ts';

/** Finds a domain, as every lookup by domid does. */
export type FindDomain = (domid: Domid) => Domain | undefined;

/** HYPERVISOR_event_channel_op, and the scheduler's calls that wait for events, for one caller. Errnos come back as data. */
export class EventHypercalls {
  readonly #events: Events;
  readonly #caller: Domain;
  readonly #find: FindDomain;

  constructor(events: Events, caller: Domain, find: FindDomain) {
    this.#events = events;
    this.#caller = caller;
    this.#find = find;
  }

  /** EVTCHNOP_alloc_unbound. Errors: ESRCH, EINVAL, ENOSPC, EPERM. */
  allocUnbound(domid: Domid, remoteDomid: Domid): Result<Port> {
    return this.#try(() => this.#events.allocUnbound(this.#caller, this.#domain(domid), remoteDomid));
  }

  /** EVTCHNOP_bind_interdomain. Errors: ESRCH, ENOSPC, EINVAL. */
  bindInterdomain(remoteDomid: Domid, remotePort: Port): Result<Port> {
    return this.#try(() => this.#events.bindInterdomain(this.#caller, remoteDomid, remotePort));
  }

  /** EVTCHNOP_bind_virq. Errors: EINVAL, ENOENT, EBUSY, EEXIST, ENOSPC. */
  bindVirq(virq: number, vcpu = 0): Result<Port> {
    return this.#try(() => this.#events.bindVirq(this.#caller, virq, vcpu));
  }

  /** EVTCHNOP_bind_ipi. Errors: ENOENT, ENOSPC, EINVAL. */
  bindIpi(vcpu: number): Result<Port> {
    return this.#try(() => this.#events.bindIpi(this.#caller, vcpu));
  }

  /** EVTCHNOP_bind_vcpu. Errors: ENOENT, EINVAL. */
  bindVcpu(port: Port, vcpu: number): Result<void> {
    return this.#try(() => this.#events.bindVcpu(this.#caller, port, vcpu));
  }

  /** EVTCHNOP_close. Errors: EINVAL. */
  close(port: Port): Result<void> {
    return this.#try(() => this.#events.close(this.#caller, port, true));
  }

  /** EVTCHNOP_send; `undefined` is success, which says nothing of the peer (EVT-10). Errors: EINVAL. */
  send(port: Port): Errno | undefined {
    try {
      this.#events.send(this.#caller, port);
      return undefined;
    } catch (error) {
      if (error instanceof XenError) return error.errno;
      throw error;
    }
  }

  /** EVTCHNOP_status. Errors: ESRCH, EINVAL, EPERM. */
  status(domid: Domid, port: Port): Result<PortStatus> {
    return this.#try(() => this.#events.status(this.#caller, this.#domain(domid), port));
  }

  /** EVTCHNOP_unmask. Errors: EINVAL. */
  unmask(port: Port): Result<void> {
    return this.#try(() => this.#events.unmask(this.#caller, port));
  }

  /** EVTCHNOP_reset, an action of several steps. Errors: ESRCH, EPERM, EINVAL, EBUSY, EAGAIN. */
  *reset(domid: Domid): Actor<Result<void>> {
    try {
      yield* this.#events.reset(this.#caller, this.#domain(domid));
      return { ok: true, value: undefined };
    } catch (error) {
      if (error instanceof XenError) return { ok: false, errno: error.errno };
      throw error;
    }
  }

  /** EVTCHNOP_init_control; the link bits. Errors: ENOENT, EINVAL. */
  initControl(vcpu: number, gfn: Gfn, offset: number): Result<number> {
    return this.#try(() => {
      this.#events.initControl(this.#caller, vcpu, gfn, offset);
      return FIFO_LINK_BITS;
    });
  }

  /** EVTCHNOP_expand_array. Errors: EOPNOTSUPP, ENOSPC, EINVAL. */
  expandArray(gfn: Gfn): Result<void> {
    return this.#try(() => this.#events.expandArray(this.#caller, gfn));
  }

  /** EVTCHNOP_set_priority. Errors: EINVAL, ENOSYS, EACCES. */
  setPriority(port: Port, priority: number): Result<void> {
    return this.#try(() => this.#events.setPriority(this.#caller, port, priority));
  }

  /** VCPUOP_register_vcpu_info. Errors: ENOENT, EINVAL, EBUSY, ENXIO. */
  registerVcpuInfo(vcpu: number, gfn: Gfn, offset: number): Result<void> {
    return this.#try(() => this.#caller.ports.registerVcpuInfo(vcpu, gfn, offset));
  }

  /** XEN_DOMCTL_set_virq_handler. Errors: EPERM, ESRCH, EINVAL, EBUSY. */
  setVirqHandler(domid: Domid, virq: number): Result<void> {
    return this.#try(() => {
      permit('XEN_DOMCTL_set_virq_handler', this.#caller);
      this.#events.setVirqHandler(this.#domain(domid), virq);
    });
  }

  /** SCHEDOP_block: whether the vCPU sleeps now, so that its task parks until `wake`. */
  block(vcpu: number, wake: () => void): boolean {
    return block(this.#caller, vcpu, wake);
  }

  /** SCHEDOP_poll; `untilNs` 0: for ever. Whether the vCPU sleeps now. Errors: EINVAL. */
  poll(vcpu: number, ports: readonly Port[], untilNs: number, wake: () => void): Result<boolean> {
    return this.#try(() => poll(this.#caller, vcpu, ports, untilNs, wake));
  }

  #domain(domid: Domid): Domain {
    const domain = domid === DOMID_SELF ? this.#caller : this.#find(domid);
    if (domain === undefined) throw new XenError('ESRCH', `domain ${domid}`);
    return domain;
  }

  #try<T>(call: () => T): Result<T> {
    try {
      return { ok: true, value: call() };
    } catch (error) {
      if (error instanceof XenError) return { ok: false, errno: error.errno };
      throw error;
    }
  }
}
