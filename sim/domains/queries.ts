import type { Domid } from '../ids.ts';
import type { Domain } from './domain.ts';

/** Bits of `flags` in DomainRecord. Source: XEN_DOMINF_* in xen/include/public/domctl.h. */
export const XEN_DOMINF_dying = 1;
export const XEN_DOMINF_hvm_guest = 2;
export const XEN_DOMINF_shutdown = 4;
export const XEN_DOMINF_paused = 8;
export const XEN_DOMINF_blocked = 16;
export const XEN_DOMINF_running = 32;
export const XEN_DOMINF_xs_domain = 128;
export const XEN_DOMINF_shutdownshift = 16;

/** State bits of get_domain_state. Source: XEN_DOMCTL_GETDOMSTATE_STATE_* in xen/include/public/domctl.h. */
export const DOMSTATE_EXIST = 1;
export const DOMSTATE_SHUTDOWN = 2;
export const DOMSTATE_DYING = 4;
export const DOMSTATE_DEAD = 8;

export const DOMCAP_CONTROL = 1;
export const DOMCAP_HARDWARE = 2;
export const DOMCAP_XENSTORE = 4;

/** What XEN_DOMCTL_getdomaininfo tells; pages and vCPUs are those of the domain now. */
export interface DomainRecord {
  readonly domid: Domid;
  readonly flags: number;
  readonly totPages: number;
  readonly onlineVcpus: number;
  /** -1: there are none yet. */
  readonly maxVcpuId: number;
}

/** What XEN_DOMCTL_get_domain_state tells; all zeros: the popped domid has no domain any more. */
export interface DomainState {
  readonly domid: Domid;
  readonly state: number;
  readonly caps: number;
  readonly uniqueId: bigint;
}

/** DomainState in short, as the store asks for it. */
export interface DomainInfo {
  readonly domid: Domid;
  readonly shutdown: boolean;
  readonly dying: boolean;
  readonly dead: boolean;
  readonly uniqueId: bigint;
}

/**
 * XEN_DOMCTL_getdomaininfo. `dying` means dead (DOM-7); `paused` means by its controller; without a reason for a shutdown the
 * bits of the code are all set. Of the caller's own vCPUs one is running; a vCPU is blocked while it sleeps for an event.
 */
export function domainRecord(domain: Domain, caller: Domain): DomainRecord {
  const { domid, vcpus, memory, ports, capabilities } = domain;
  let flags = 0;
  let isBlocked = vcpus > 0;
  for (let id = 0; id < vcpus && isBlocked; id++) isBlocked = ports.vcpu(id).sleeper !== undefined;
  if (isBlocked) flags |= XEN_DOMINF_blocked;
  if (domain === caller && vcpus > 0) flags |= XEN_DOMINF_running;
  if (domain.dying === 'dead') flags |= XEN_DOMINF_dying;
  if (memory.translated) flags |= XEN_DOMINF_hvm_guest;
  if (domain.isShutDown) flags |= XEN_DOMINF_shutdown;
  if (domain.controllerPauses > 0) flags |= XEN_DOMINF_paused;
  if (capabilities.xenstore) flags |= XEN_DOMINF_xs_domain;
  flags |= (domain.shutdownCode ?? 0xffff) << XEN_DOMINF_shutdownshift;
  return { domid, flags: flags >>> 0, totPages: memory.size, onlineVcpus: vcpus, maxVcpuId: vcpus - 1 };
}

/** XEN_DOMCTL_get_domain_state of a domain as it is now (DOM-35). */
export function domainState(domain: Domain): DomainState {
  const { domid, capabilities, uniqueId } = domain;
  let state = DOMSTATE_EXIST;
  if (domain.isShutDown) state |= DOMSTATE_SHUTDOWN;
  if (domain.dying === 'dying') state |= DOMSTATE_DYING;
  if (domain.dying === 'dead') state |= DOMSTATE_DEAD;
  let caps = 0;
  if (capabilities.control) caps |= DOMCAP_CONTROL;
  if (capabilities.hardware) caps |= DOMCAP_HARDWARE;
  if (capabilities.xenstore) caps |= DOMCAP_XENSTORE;
  return { domid, state, caps, uniqueId };
}

/** The same in short. */
export function domainInfo(domain: Domain): DomainInfo {
  const { domid, dying, isShutDown, uniqueId } = domain;
  return { domid, shutdown: isShutDown, dying: dying === 'dying', dead: dying === 'dead', uniqueId };
}
