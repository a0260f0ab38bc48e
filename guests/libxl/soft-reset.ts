import type { Actor } from '../../sim/index.ts';
import { XS } from '../../store/protocol/wire.ts';
import { strings } from '../xenstore/index.ts';
import type { BuiltDomain } from './build.ts';
import type { Call } from './call.ts';
import { type Created, type CreateHooks, domainCreate } from './create.ts';
import { domainDestroy } from './destroy.ts';
import type { DomainPlan } from './domain-config.ts';

/**
 * Soft reset of a domain whose kernel starts another one (5.6): its connection and its tree go, the same domain gets new ones.
 * The caller has the lock. Source: libxl_domain_soft_reset, soft_reset_dm_suspended in tools/libs/light/libxl_create.c.
 */
export function* domainSoftReset(
  call: Call,
  built: BuiltDomain,
  plan: DomainPlan,
  hooks: CreateHooks = {},
): Actor<Created> {
  const { domid } = built.domain;
  const home = yield* call.dompath(domid);
  for (const key of ['store/ring-ref', 'console/ring-ref', 'console/tty']) yield* call.read(`${home}/${key}`);
  yield* call.xs.call(XS.RELEASE, strings(String(domid)));
  const rc = yield* domainDestroy(call, domid, { isSoftReset: true });
  if (rc !== 0) return { rc, failedIn: 'C1', built, introduced: undefined, uuid: undefined };
  return yield* domainCreate(call, plan, { ...hooks, softReset: built });
}
