import type { Capabilities } from '../domain.ts';
import { fail } from '../errors.ts';
import type { Grants } from '../grants/grants.ts';
import type { GrantLimits } from '../grants/table.ts';
import type { Domid, Port } from '../ids.ts';
import { Domain } from './domain.ts';

/** What XEN_DOMCTL_createdomain is told of a domain. Source: struct xen_domctl_createdomain in xen/include/public/domctl.h. */
export interface DomainConfig {
  /** `hvm` (and PVH): Xen keeps the physmap. Left out: pv. */
  readonly type?: 'pv' | 'hvm';
  /** vCPUs that max_vcpus is to make. Left out: one, which is there at once. */
  readonly maxVcpus?: number;
  readonly grants?: GrantLimits;
  /** Inclusive. Left out: libxl's default, and for domain 0 none. */
  readonly maxEvtchnPort?: Port;
  /** Left out: control and hardware for domain 0, nothing for others. */
  readonly capabilities?: Partial<Capabilities>;
  /** Given only where a host is set up as it was found elsewhere; otherwise drawn. */
  readonly uniqueId?: bigint;
}

/** More vCPUs than any guest may have. Source: HVM_MAX_VCPUS, MAX_VIRT_CPUS in xen/arch/x86. */
const MAX_VCPUS = { hvm: 128, pv: 8192 } as const;

/** A domain of that configuration, known to nobody yet. Errors: EINVAL. */
export function makeDomain(
  grants: Grants,
  domid: Domid,
  uniqueId: () => bigint,
  name: string,
  config: DomainConfig,
): Domain {
  const { maxVcpus, type = 'pv', maxEvtchnPort } = config;
  if (maxVcpus !== undefined && !(maxVcpus >= 1 && maxVcpus <= MAX_VCPUS[type])) fail('EINVAL', `${maxVcpus} vCPUs`);
  const isFirst = domid === 0;
  const given = config.capabilities ?? { control: isFirst, hardware: isFirst };
  const capabilities = { control: false, hardware: false, xenstore: false, ...given };
  const domain = new Domain(domid, config.uniqueId ?? uniqueId(), name, capabilities);
  if (config.grants !== undefined) grants.limit(domain, config.grants);
  domain.memory.translated = type === 'hvm';
  domain.maxVcpus = maxVcpus ?? 1;
  domain.vcpus = maxVcpus === undefined ? 1 : 0;
  domain.controllerPauses = 1;
  if (maxEvtchnPort !== undefined) domain.ports.maxPort = maxEvtchnPort;
  else if (isFirst) domain.ports.maxPort = Number.MAX_SAFE_INTEGER; // dom0 is built without max_evtchn_port
  return domain;
}
