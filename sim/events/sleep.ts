import type { Domain } from '../domains/domain.ts';
import { fail } from '../errors.ts';
import type { Port } from '../ids.ts';

/** SCHEDOP_poll's limit. Source: xen/common/sched/core.c. */
export const POLL_PORTS_MAX = 128;

/**
 * SCHEDOP_block on one vCPU: let upcalls in, and sleep unless one is pending (EVT-27). One indivisible action.
 * @param wake called once, when the vCPU is to run again.
 * @returns whether it sleeps now: the caller's task parks.
 */
export function block(domain: Domain, id: number, wake: () => void): boolean {
  const { ports } = domain;
  const vcpu = ports.vcpu(id);
  vcpu.upcallMasked = false;
  if (vcpu.upcallPending) {
    ports.deliver(vcpu);
    return false;
  }
  ports.sleep(vcpu, wake, 0, 0);
  return true;
}

/**
 * SCHEDOP_poll on one vCPU: sleep until one of the ports is pending, an upcall comes, or `untilNs` is reached; spurious
 * returns are allowed. With several ports any pending port of the domain wakes it. A masked port counts.
 * @param untilNs absolute virtual time; 0: for ever.
 * @returns whether it sleeps now. Errors: EINVAL too many ports, or one that is not open.
 */
export function poll(domain: Domain, id: number, polled: readonly Port[], untilNs: number, wake: () => void): boolean {
  if (polled.length > POLL_PORTS_MAX) fail('EINVAL', `${polled.length} ports`);
  const { ports } = domain;
  const vcpu = ports.vcpu(id);
  if (vcpu.upcallPending && !vcpu.upcallMasked) {
    ports.deliver(vcpu);
    return false;
  }
  for (const port of polled) {
    if (!ports.isUsable(port)) fail('EINVAL', `port ${port}`);
    if (ports.isPending(port)) return false;
  }
  ports.sleep(vcpu, wake, polled.length === 1 ? (polled[0] as Port) : -1, untilNs);
  return true;
}
