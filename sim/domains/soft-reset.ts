import type { Actor } from '../actor.ts';
import { fail } from '../errors.ts';
import type { Events } from '../events/events.ts';
import type { Trace } from '../trace.ts';
import type { Domain } from './domain.ts';
import type { Lives } from './lives.ts';

interface SoftResetNeeds {
  readonly events: Events;
  readonly lives: Lives;
  readonly trace: Trace;
}

/**
 * XEN_DOMCTL_soft_reset (T11), with others running between pieces of it: ports closed as by EVTCHNOP_reset; grants that are
 * mapped are counted and stay (DOM-42); vcpu_info goes back to shared_info, which is a page of zeros; then the domain is
 * resumed. Memory, unique id and the grant table's entries are kept (DOM-41).
 * Errors: EINVAL itself, not wholly parked, not paused by its controller, or pv; EBUSY, EAGAIN as EVTCHNOP_reset.
 * A pv domain has lost its ports by then and is crashed, which changes nothing for one that is shut down.
 * Source: domain_soft_reset in xen/common/domain.c.
 */
export function* softReset(needs: SoftResetNeeds, caller: Domain, domain: Domain): Actor {
  if (domain === caller || !domain.isShutDown) fail('EINVAL', `domain ${domain.domid}`);
  yield* needs.events.reset(caller, domain);
  const active = domain.grants.pinned().length;
  if (active > 0) needs.trace.mark(`xen/soft-reset-${domain.domid}`, 'active grants', active);
  domain.ports.replaceSharedInfo();
  if (!domain.memory.translated) {
    needs.lives.shutdown(domain, 'crash');
    fail('EINVAL', `domain ${domain.domid} is pv`);
  }
  needs.lives.resume(domain);
}
