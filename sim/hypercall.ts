import type { DomainConfig } from './domains/create.ts';
import type { Domain } from './domains/domain.ts';
import { DomainHypercalls } from './domains/hypercalls.ts';
import { PagingHypercalls } from './domains/paging.ts';
import { mayCall } from './domains/permissions.ts';
import type { DomainInfo } from './domains/queries.ts';
import type { Errno, Result } from './errors.ts';
import { EventHypercalls } from './events/hypercalls.ts';
import type { GrantStatus, MapResult } from './grants/abi.ts';
import { GrantHypercalls } from './grants/hypercalls.ts';
import type { Domid, Gref, Handle, Port } from './ids.ts';
import type { Machine } from './machine.ts';
import type { Frame } from './memory.ts';

/**
 * The table that one domain sees, and the errno door of the simulator: a guest's mistake comes back as data.
 * Anything but a XenError is our own bug and passes through.
 */
export class Hypercalls {
  readonly #machine: Machine;
  readonly #caller: Domain;
  /** GNTTABOP_*, all of them. */
  readonly gnttab: GrantHypercalls;
  /** HYPERVISOR_event_channel_op; the flat methods below are short for the commonest. */
  readonly evtchn: EventHypercalls;
  /** HYPERVISOR_domctl, sysctl's domain list and the shutdowns of sched_op. */
  readonly domctl: DomainHypercalls;
  /** What savers and restorers ask for: pages of others, log-dirty, contexts. */
  readonly paging: PagingHypercalls;

  constructor(machine: Machine, caller: Domain) {
    this.#machine = machine;
    this.#caller = caller;
    this.gnttab = new GrantHypercalls(machine, caller);
    this.domctl = new DomainHypercalls(machine, caller);
    this.paging = new PagingHypercalls(machine, caller);
    this.evtchn = new EventHypercalls(machine.events, caller, (domid) => machine.domain(domid));
  }

  /** EVTCHNOP_alloc_unbound. In another domain only for the control domain (EVT-3). Errors: ESRCH, EINVAL, ENOSPC, EPERM. */
  allocUnbound(domid: Domid, remoteDomid: Domid): Result<Port> {
    return this.evtchn.allocUnbound(domid, remoteDomid);
  }

  /** EVTCHNOP_bind_interdomain. Errors: ESRCH, ENOSPC, EINVAL. */
  bindInterdomain(remoteDomid: Domid, remotePort: Port): Result<Port> {
    return this.evtchn.bindInterdomain(remoteDomid, remotePort);
  }

  /** EVTCHNOP_bind_virq on vCPU 0. Errors: EINVAL, EBUSY, EEXIST, ENOSPC. */
  bindVirq(virq: number): Result<Port> {
    return this.evtchn.bindVirq(virq);
  }

  /** EVTCHNOP_close. Errors: EINVAL. */
  close(port: Port): Result<void> {
    return this.evtchn.close(port);
  }

  /** EVTCHNOP_send; `undefined` is success, which says nothing of the peer. Errors: EINVAL. */
  send(port: Port): Errno | undefined {
    return this.evtchn.send(port);
  }

  /** GNTTABOP_map_grant_ref; a status, never an errno. */
  mapGrant(domid: Domid, gref: Gref, flags: number): MapResult {
    return this.#machine.mapGrant(this.#caller, domid, gref, flags);
  }

  /** GNTTABOP_unmap_grant_ref. */
  unmapGrant(handle: Handle): GrantStatus {
    return this.#machine.unmapGrant(this.#caller, handle);
  }

  /** XEN_DOMCTL_get_domain_state of one domain. Errors: ESRCH. */
  domainState(domid: Domid): DomainInfo | undefined {
    return this.#machine.domainInfo(domid);
  }

  /** XEN_DOMCTL_get_domain_state(DOMID_INVALID): next changed domid with its state now; `undefined`: ENOENT. */
  popChanged(): { readonly domid: Domid; readonly info: DomainInfo | undefined } | undefined {
    const domid = this.#machine.popChanged();
    return domid === undefined ? undefined : { domid, info: this.#machine.domainInfo(domid) };
  }

  /** XEN_DOMCTL_createdomain. Errors: EPERM, EEXIST, EINVAL, ENOMEM. */
  createDomain(domid: Domid, name: string, config?: DomainConfig): Result<Domain> {
    return this.domctl.createDomain(domid, name, config);
  }

  /** XEN_DOMCTL_pausedomain. Errors: EPERM, ESRCH, EINVAL, EOVERFLOW. */
  pause(domid: Domid): Result<void> {
    return this.domctl.pause(domid);
  }

  /** XEN_DOMCTL_unpausedomain. Errors: EPERM, ESRCH, EINVAL. */
  unpause(domid: Domid): Result<void> {
    return this.domctl.unpause(domid);
  }

  /** XEN_DOMCTL_resumedomain. Errors: EPERM, ESRCH, EINVAL. */
  resume(domid: Domid): Result<void> {
    return this.domctl.resume(domid);
  }

  /** XEN_DOMCTL_destroydomain; success does not mean that the id is free (DOM-4). Errors: EPERM, ESRCH, EINVAL. */
  destroyDomain(domid: Domid): Result<void> {
    return this.domctl.destroyDomain(domid);
  }

  /** The domain builder's work on a paused domain: a page granted through a reserved entry (GNT-26). Errors: ESRCH, EPERM. */
  seedGrant(domid: Domid, gref: Gref, forDomid: Domid, frame: Frame): Result<void> {
    const domain = this.#machine.domain(domid);
    if (domain === undefined) return { ok: false, errno: 'ESRCH' };
    if (!mayCall('GNTTABOP_setup_table', this.#caller, domain)) return { ok: false, errno: 'EPERM' };
    return { ok: true, value: this.#machine.seedGrant(domain, gref, forDomid, frame) };
  }
}
