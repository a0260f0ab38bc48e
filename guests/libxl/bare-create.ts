import { type Actor, DOMID_ANY } from '../../sim/index.ts';
import { XS } from '../../store/protocol/wire.ts';
import { strings } from '../xenstore/index.ts';
import { allocPorts, seedRings } from './build.ts';
import type { Call } from './call.ts';
import type { Created, CreateHooks } from './create.ts';
import type { DomainPlan } from './domain-config.ts';

/**
 * A domain with a ring, a home of its own, and nothing else: three requests in place of some hundred. It has no device, and libxl
 * would not know it again. For runs of which everything is left out that a failure does without.
 */
export function* bareCreate(call: Call, plan: DomainPlan, hooks: CreateHooks = {}): Actor<Created> {
  const { xl, xs } = call;
  const { hyper } = xl.os;
  const failed = {
    rc: 'ERROR_FAIL',
    failedIn: 'C1',
    built: undefined,
    introduced: undefined,
    uuid: undefined,
  } as const;
  const made = hyper.createDomain(typeof plan.domid === 'number' ? plan.domid : DOMID_ANY, plan.name, {
    type: (plan.type ?? 'pvh') === 'pv' ? 'pv' : 'hvm',
    maxVcpus: plan.vcpus ?? 1,
  });
  if (!made.ok) return failed;
  const { domid } = made.value;
  hyper.domctl.maxVcpus(domid, plan.vcpus ?? 1);
  const daemons = { storeDomid: xl.storeDomid, consoleDomid: 0 };
  const ports = allocPorts(xl.os, domid, daemons);
  if (!ports.ok) return failed;
  const built = seedRings(xl.os, made.value, ports.value, daemons);
  const home = `/local/domain/${domid}`;
  yield* xs.write(home, '');
  yield* xs.setPerms(home, [`n${domid}`]);
  hooks.beforeIntroduce?.(built);
  xl.mishaps?.beforeIntroduce(built);
  const asked = strings(String(domid), String(built.ring.gfn), String(built.port));
  const { error = 'OK' } = yield* xs.call(XS.INTRODUCE, asked);
  const created: Created = {
    rc: 0,
    failedIn: undefined,
    built,
    introduced: error,
    uuid: xl.shared.handleOf(made.value),
  };
  if (error !== 'OK') return created;
  xl.shared.taken.add(domid);
  hooks.boot?.(built);
  if (hooks.staysPaused !== true) hyper.unpause(domid);
  return created;
}
