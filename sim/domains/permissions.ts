import { fail } from '../errors.ts';
import type { Domain } from './domain.ts';

/**
 * Who may make a call of a class on a target; each class allows what the one to its left in the chain
 * TARGET > DM_PRIV > PRIV allows. Source: xen/include/xsm/dummy.h, the default policy.
 */
const CLASSES = {
  /** Anyone; the call has checks of its own. */
  HOOK: () => true,
  /** Oneself, a device model for its target, the control domain. */
  TARGET: (caller: Domain, target: Domain | undefined) =>
    caller === target || isDeviceModel(caller, target) || caller.capabilities.control,
  /** A device model for its target, the control domain. */
  DM_PRIV: (caller: Domain, target: Domain | undefined) => isDeviceModel(caller, target) || caller.capabilities.control,
  /** The xenstore domain, the control domain. */
  XS_PRIV: (caller: Domain) => caller.capabilities.xenstore || caller.capabilities.control,
  /** The control domain. */
  PRIV: (caller: Domain) => caller.capabilities.control,
} as const;

export type PermissionClass = keyof typeof CLASSES;

/** The class of every call that asks for more than HOOK. Calls that are not here are HOOK. */
export const PERMISSION = {
  XEN_DOMCTL_createdomain: 'PRIV',
  XEN_DOMCTL_destroydomain: 'PRIV',
  XEN_DOMCTL_pausedomain: 'PRIV',
  XEN_DOMCTL_unpausedomain: 'PRIV',
  XEN_DOMCTL_resumedomain: 'PRIV',
  XEN_DOMCTL_getvcpucontext: 'PRIV',
  XEN_DOMCTL_setvcpucontext: 'PRIV',
  XEN_DOMCTL_get_evtchns: 'PRIV',
  XEN_DOMCTL_set_evtchns: 'PRIV',
  XEN_DOMCTL_get_grant_table: 'PRIV',
  XEN_DOMCTL_set_grant_table: 'PRIV',
  XEN_DOMCTL_max_vcpus: 'PRIV',
  XEN_DOMCTL_subscribe: 'PRIV',
  XEN_DOMCTL_soft_reset: 'PRIV',
  XEN_DOMCTL_set_target: 'PRIV',
  XEN_DOMCTL_set_virq_handler: 'PRIV',
  XEN_SYSCTL_getdomaininfolist: 'PRIV',
  XEN_DOMCTL_max_mem: 'PRIV',
  XEN_DOMCTL_shadow_op: 'PRIV',
  XEN_DOMCTL_getpageframeinfo3: 'PRIV',
  XEN_DOMCTL_gettscinfo: 'PRIV',
  XEN_DOMCTL_settscinfo: 'PRIV',
  XEN_DOMCTL_get_cpu_policy: 'PRIV',
  XEN_DOMCTL_gethvmcontext: 'PRIV',
  XEN_DOMCTL_sethvmcontext: 'PRIV',
  XEN_DOMCTL_getdomaininfo: 'XS_PRIV',
  XEN_DOMCTL_get_domain_state: 'XS_PRIV',
  SCHEDOP_remote_shutdown: 'DM_PRIV',
  EVTCHNOP_alloc_unbound: 'TARGET',
  EVTCHNOP_status: 'TARGET',
  EVTCHNOP_reset: 'TARGET',
  GNTTABOP_setup_table: 'TARGET',
  GNTTABOP_get_status_frames: 'TARGET',
  GNTTABOP_query_size: 'TARGET',
  GNTTABOP_get_version: 'TARGET',
  XENMEM_add_to_physmap: 'TARGET',
  XENMEM_maximum_gpfn: 'TARGET',
  XENMEM_populate_physmap: 'TARGET',
  XENMEM_foreign_map: 'TARGET',
  HVMOP_get_param: 'TARGET',
  HVMOP_set_param: 'TARGET',
} as const satisfies Readonly<Record<string, PermissionClass>>;

export type RestrictedCall = keyof typeof PERMISSION;

/** Whether `caller` may make the call, on `target` where it has one. */
export function mayCall(call: RestrictedCall, caller: Domain, target?: Domain): boolean {
  return CLASSES[PERMISSION[call]](caller, target);
}

/** mayCall(), or EPERM. */
export function permit(call: RestrictedCall, caller: Domain, target?: Domain): void {
  if (!mayCall(call, caller, target)) fail('EPERM', `${call} by domain ${caller.domid}`);
}

function isDeviceModel(caller: Domain, target: Domain | undefined): boolean {
  return target !== undefined && caller.target === target;
}
