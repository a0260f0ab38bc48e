/** Virtual interrupts. Source: xen/include/public/xen.h; classes from xen/common/event_channel.c. */
export const VIRQ_TIMER = 0;
export const VIRQ_DEBUG = 1;
export const VIRQ_DOM_EXC = 3;
export const VIRQ_XENOPROF = 7;
export const VIRQ_ARGO = 11;
export const VIRQ_XENPMU = 13;
export const NR_VIRQS = 24;

/** `vcpu`: each vCPU its own port; `domain`: one port a domain; `global`: one port a host, in the handler's domain. */
export type VirqClass = 'vcpu' | 'domain' | 'global';

/** Class of a number below NR_VIRQS; numbers without a name are global, as are all of the architecture's on x86. */
export function virqClass(virq: number): VirqClass {
  switch (virq) {
    case VIRQ_TIMER:
    case VIRQ_DEBUG:
    case VIRQ_XENOPROF:
    case VIRQ_XENPMU:
      return 'vcpu';
    case VIRQ_ARGO:
      return 'domain';
    default:
      return 'global';
  }
}
