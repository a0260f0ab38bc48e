import type { Actor } from '../actor.ts';
import { attempt, refused } from '../attempt.ts';
import { fail, type Result } from '../errors.ts';
import { type PortsImage, putPorts, takePorts } from '../events/carry.ts';
import { VIRQ_DOM_EXC } from '../events/virq.ts';
import { type GrantsImage, putGrants, takeGrants } from '../grants/carry.ts';
import { DOMID_INVALID, DOMID_SELF, type Domid, type Port } from '../ids.ts';
import type { Machine } from '../machine.ts';
import type { DomainConfig } from './create.ts';
import type { Domain } from './domain.ts';
import { permit, type RestrictedCall } from './permissions.ts';
import { type DomainRecord, type DomainState, domainRecord, domainState } from './queries.ts';

/** The stable interface of get_domain_state. Source: xen/include/public/domctl.h. */
const STABLE_VERSION = 0;
/** How often a caller's continuation of destroydomain looks again. */
const AGAIN_NS = 300;

/**
 * HYPERVISOR_domctl, the domain list of HYPERVISOR_sysctl and the life of HYPERVISOR_sched_op, for one caller. A domctl by
 * anyone but the control domain on a domid without a domain is EPERM, not ESRCH. Errnos come back as data.
 */
export class DomainHypercalls {
  readonly #machine: Machine;
  readonly #caller: Domain;

  constructor(machine: Machine, caller: Domain) {
    this.#machine = machine;
    this.#caller = caller;
  }

  /** XEN_DOMCTL_createdomain (1). Errors: EPERM, EEXIST, EINVAL, ENOMEM. */
  createDomain(domid: Domid, name: string, config?: DomainConfig): Result<Domain> {
    return attempt(() => {
      permit('XEN_DOMCTL_createdomain', this.#caller);
      return this.#machine.createDomain(domid, name, config);
    });
  }

  /** XEN_DOMCTL_destroydomain (2); success does not mean that the id is free (DOM-4). Errors: EPERM, ESRCH, EINVAL. */
  destroyDomain(domid: Domid): Result<void> {
    return attempt(() => this.#machine.destroy(this.#other('XEN_DOMCTL_destroydomain', domid)));
  }

  /** The same as its caller sees it who is re-entered until the domain is dead (CHK-11). */
  *destroyInSteps(domid: Domid): Actor<Result<void>> {
    const domain = this.#machine.domain(domid);
    const result = this.destroyDomain(domid);
    while (result.ok && domain?.dying === 'dying') yield AGAIN_NS;
    return result;
  }

  /** XEN_DOMCTL_pausedomain (3). Errors: EPERM, ESRCH, EINVAL, EOVERFLOW. */
  pause(domid: Domid): Result<void> {
    return attempt(() => this.#machine.pause(this.#other('XEN_DOMCTL_pausedomain', domid)));
  }

  /** XEN_DOMCTL_unpausedomain (4). Errors: EPERM, ESRCH, EINVAL. */
  unpause(domid: Domid): Result<void> {
    return attempt(() => this.#machine.unpause(this.#domain('XEN_DOMCTL_unpausedomain', domid)));
  }

  /** XEN_DOMCTL_getdomaininfo (5). Errors: EPERM, ESRCH. */
  getDomainInfo(domid: Domid): Result<DomainRecord> {
    return attempt(() => domainRecord(this.#domain('XEN_DOMCTL_getdomaininfo', domid), this.#caller));
  }

  /** XEN_SYSCTL_getdomaininfolist (6): up to `max` domains in ascending order from `first`. Errors: EPERM. */
  getDomainInfoList(first: Domid, max: number): Result<DomainRecord[]> {
    return attempt(() => {
      permit('XEN_SYSCTL_getdomaininfolist', this.#caller);
      const found = this.#machine.domains().filter(({ domid }) => domid >= first);
      return found.slice(0, max).map((domain) => domainRecord(domain, this.#caller));
    });
  }

  /** XEN_DOMCTL_max_vcpus (15). Errors: EPERM, ESRCH, EINVAL. */
  maxVcpus(domid: Domid, max: number): Result<void> {
    return attempt(() => this.#machine.lives.maxVcpus(this.#other('XEN_DOMCTL_max_vcpus', domid), max));
  }

  /** XEN_DOMCTL_resumedomain (27). Errors: EPERM, ESRCH, EINVAL. */
  resume(domid: Domid): Result<void> {
    return attempt(() => this.#machine.resume(this.#other('XEN_DOMCTL_resumedomain', domid)));
  }

  /** XEN_DOMCTL_setvcpucontext (12) or sethvmcontext (34), of the return register alone. Errors: EPERM, ESRCH, EINVAL. */
  setReturnRegister(domid: Domid, value: 0 | 1): Result<void> {
    return attempt(() => {
      this.#other('XEN_DOMCTL_setvcpucontext', domid).returnRegister = value;
    });
  }

  /** The vCPUs' context of a suspended domain, loaded into a new one: there they go on. Errors: EPERM, ESRCH, EINVAL. */
  moveContext(from: Domid, to: Domid): Result<void> {
    return attempt(() => {
      const source = this.#other('XEN_DOMCTL_getvcpucontext', from);
      this.#machine.lives.moveContext(source, this.#other('XEN_DOMCTL_setvcpucontext', to));
    });
  }

  /** No call of Xen 4.22 (NC-2): all event channels of a domain that does not run. Errors: EPERM, ESRCH, EINVAL, EBUSY. */
  getPorts(domid: Domid): Result<PortsImage> {
    return attempt(() => takePorts(this.#other('XEN_DOMCTL_get_evtchns', domid)));
  }

  /** No call of Xen 4.22: the same, by number, for a new domain with none. Errors: EPERM, ESRCH, EINVAL, EBUSY, ENOENT, ENOSPC. */
  setPorts(domid: Domid, image: PortsImage): Result<void> {
    return attempt(() => putPorts(this.#other('XEN_DOMCTL_set_evtchns', domid), image));
  }

  /** No call of Xen 4.22: the grant table of a domain that does not run. Errors: EPERM, ESRCH, EINVAL, EBUSY. */
  getGrants(domid: Domid): Result<GrantsImage> {
    return attempt(() => takeGrants(this.#other('XEN_DOMCTL_get_grant_table', domid)));
  }

  /** No call of Xen 4.22: the same for a new domain. Errors: EPERM, ESRCH, EINVAL, EBUSY, ENOSPC, ENOSYS. */
  setGrants(domid: Domid, image: GrantsImage): Result<void> {
    return attempt(() => putGrants(this.#other('XEN_DOMCTL_set_grant_table', domid), image));
  }

  /** XEN_DOMCTL_getvcpucontext (13) of a suspended domain, for a stream. Errors: EPERM, ESRCH, EINVAL. */
  saveContext(domid: Domid): Result<number> {
    return attempt(() => this.#machine.lives.saveContext(this.#other('XEN_DOMCTL_getvcpucontext', domid)));
  }

  /** XEN_DOMCTL_setvcpucontext (12) of a new domain, out of a stream: its vCPUs go on there if nobody's has. Errors: EPERM, ESRCH, EINVAL. */
  loadContext(domid: Domid, context: number): Result<void> {
    return attempt(() => this.#machine.lives.loadContext(this.#other('XEN_DOMCTL_setvcpucontext', domid), context));
  }

  /** XEN_DOMCTL_subscribe (29): a port of that domain, of which nothing is checked; 0 ends it. Errors: EPERM, ESRCH. */
  subscribe(domid: Domid, port: Port): Result<void> {
    return attempt(() => {
      this.#domain('XEN_DOMCTL_subscribe', domid).suspendPort = port;
    });
  }

  /** XEN_DOMCTL_set_target (54). Errors: EPERM, ESRCH, EINVAL, EOPNOTSUPP. */
  setTarget(stubdom: Domid, target: Domid): Result<void> {
    return attempt(() => {
      const of = this.#domain('XEN_DOMCTL_set_target', stubdom);
      this.#machine.lives.setTarget(of, this.#domain('XEN_DOMCTL_set_target', target));
    });
  }

  /** XEN_DOMCTL_soft_reset (79, continued as 23). Errors: EPERM, ESRCH, EINVAL, EBUSY, EAGAIN. */
  *softReset(domid: Domid): Actor<Result<void>> {
    try {
      yield* this.#machine.softReset(this.#caller, this.#domain('XEN_DOMCTL_soft_reset', domid));
      return { ok: true, value: undefined };
    } catch (error) {
      return refused(error);
    }
  }

  /**
   * XEN_DOMCTL_get_domain_state (90). DOMID_INVALID: the lowest domid whose bit is set, which is cleared, with its state now.
   * Errors: EACCES another version than the stable one, or a pop by any but VIRQ_DOM_EXC's handler; EPERM; ESRCH; EINVAL
   * pad0; ENOENT no bit set.
   */
  getDomainState(domid: Domid, { version = STABLE_VERSION, pad0 = 0 } = {}): Result<DomainState> {
    return attempt(() => {
      if (version !== STABLE_VERSION) fail('EACCES', `interface version ${version}`);
      const isPop = domid === DOMID_INVALID;
      const domain = isPop ? undefined : this.#domain('XEN_DOMCTL_get_domain_state', domid);
      if (isPop) permit('XEN_DOMCTL_get_domain_state', this.#caller);
      if (pad0 !== 0) fail('EINVAL', `pad0 ${pad0}`);
      if (domain !== undefined) return domainState(domain);
      if (this.#machine.events.virqHandler(VIRQ_DOM_EXC) !== this.#caller)
        fail('EACCES', `domain ${this.#caller.domid} is not the handler`);
      const popped = this.#machine.popChanged() ?? fail('ENOENT', 'no domain changed');
      const found = this.#machine.domain(popped);
      return found === undefined ? { domid: popped, state: 0, caps: 0, uniqueId: 0n } : domainState(found);
    });
  }

  // HYPERVISOR_sched_op ---------------------------------------------------------------------------------------------

  /** SCHEDOP_shutdown (2): success even if a shutdown has begun (DOM-18). */
  shutdown(code: number): void {
    this.#machine.lives.shutdown(this.#caller, code & 0xff);
  }

  /** SCHEDOP_remote_shutdown (4). Errors: ESRCH, EPERM. */
  remoteShutdown(domid: Domid, code: number): Result<void> {
    return attempt(() => {
      const domain = this.#machine.domain(domid) ?? fail('ESRCH', `domain ${domid}`);
      permit('SCHEDOP_remote_shutdown', this.#caller, domain);
      this.#machine.lives.shutdown(domain, code & 0xff);
    });
  }

  /** SCHEDOP_shutdown_code (5). */
  shutdownCode(code: number): void {
    this.#machine.lives.latchCode(this.#caller, code);
  }

  /** SCHEDOP_watchdog (6); the new timer's id, or 0. Errors: EINVAL, ENOSPC. */
  watchdog(id: number, seconds: number): Result<number> {
    return attempt(() => this.#machine.lives.watchdog(this.#caller, id >>> 0, seconds >>> 0));
  }

  #domain(call: RestrictedCall, domid: Domid): Domain {
    const domain = domid === DOMID_SELF ? undefined : this.#machine.domain(domid); // domctls do not know DOMID_SELF
    if (domain === undefined) fail(this.#caller.capabilities.control ? 'ESRCH' : 'EPERM', `domain ${domid}`);
    permit(call, this.#caller, domain);
    return domain;
  }

  /** Calls that pause their target, and so cannot be made on oneself (DOM-12). */
  #other(call: RestrictedCall, domid: Domid): Domain {
    const domain = this.#domain(call, domid);
    if (domain === this.#caller) fail('EINVAL', 'a domain cannot do this to itself');
    return domain;
  }
}
