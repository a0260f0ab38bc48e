import type { Actor, Domain, Gfn, Port } from '../../sim/index.ts';
import { XS } from '../../store/protocol/wire.ts';
import type { Thread } from '../kernel/index.ts';
import { strings, Xs } from '../xenstore/index.ts';
import { bareCreate } from './bare-create.ts';
import type { BuiltDomain } from './build.ts';
import { Call } from './call.ts';
import type { Tally } from './counted-link.ts';
import { type Created, type CreateHooks, domainCreate, domainUnpause } from './create.ts';
import { type DestroyHooks, domainDestroy } from './destroy.ts';
import { deviceAdd } from './device-add.ts';
import type { Device, DeviceName } from './device-kinds.ts';
import { deviceRemove, type Force } from './device-remove.ts';
import type { DomainPlan } from './domain-config.ts';
import { domainRename, writeBuilt, writeTree } from './domain-tree.ts';
import { domainControl, sendSysrq, setMemoryTarget, setVcpus } from './power.ts';
import type { Libxl, Rc } from './process.ts';

/** How an operation ended, and what it cost. */
export interface Outcome extends Readonly<Tally> {
  readonly rc: Rc;
}

/** `xl create`: a domain from nothing to running. `requests` counts those of all that was done side by side. */
export function* createDomain(
  me: Thread,
  xl: Libxl,
  plan: DomainPlan,
  hooks?: CreateHooks,
): Actor<Created & Readonly<Tally>> {
  const call = new Call(xl, me);
  yield* call.enter();
  const created = yield* (xl.isBare ? bareCreate : domainCreate)(call, plan, hooks);
  if (created.rc !== 'died') call.leave(); // a dead process does nothing more, in none of its parts
  return { ...created, ...call.tally };
}

/** `xl unpause`. */
export function unpauseDomain(me: Thread, xl: Libxl, domid: number): Actor<Outcome> {
  return operation(me, xl, (call) => domainUnpause(call, domid));
}

/** `xl rename`: refused if it has not the old name any more, or another has the new one. */
export function renameDomain(
  me: Thread,
  xl: Libxl,
  domid: number,
  names: { readonly old: string; readonly new: string },
): Actor<Outcome> {
  return operation(me, xl, (call) => {
    const domain = xl.os.machine.domain(domid);
    const uuid = domain === undefined ? '' : xl.shared.handleOf(domain);
    return domainRename(call, domid, { ...names, uuid });
  });
}

/** `xl destroy`. */
export function destroyDomain(me: Thread, xl: Libxl, domid: number, hooks?: DestroyHooks): Actor<Outcome> {
  return operation(me, xl, (call) => domainDestroy(call, domid, hooks));
}

/** `xl network-attach`, `xl block-attach`. */
export function addDevice(me: Thread, xl: Libxl, domid: number, device: Device): Actor<Outcome> {
  return operation(me, xl, (call) => deviceAdd(call, domid, device, true));
}

/** `xl network-detach`, `xl block-detach`. Left out: by force after 10 s. */
export function removeDevice(
  me: Thread,
  xl: Libxl,
  domid: number,
  device: DeviceName,
  force: Force = 'auto',
): Actor<Outcome> {
  return operation(me, xl, (call) => deviceRemove(call, domid, device, force));
}

/** `xl shutdown`, `xl reboot`: success means that the guest has taken the command. */
export function controlDomain(
  me: Thread,
  xl: Libxl,
  domid: number,
  command: 'poweroff' | 'reboot',
  hasPvDrivers = true,
): Actor<Outcome> {
  return operation(me, xl, (call) => domainControl(call, domid, command, hasPvDrivers));
}

/** `xl sysrq`. */
export function sysrqDomain(me: Thread, xl: Libxl, domid: number, letter: string): Actor<Outcome> {
  return operation(me, xl, (call) => sendSysrq(call, domid, letter));
}

/** `xl mem-set`, in kB. */
export function setDomainMemory(me: Thread, xl: Libxl, domid: number, targetKb: number): Actor<Outcome> {
  return operation(me, xl, (call) => call.withUserdata(domid, () => setMemoryTarget(call, domid, targetKb)));
}

/** `xl vcpu-set`. */
export function setDomainVcpus(me: Thread, xl: Libxl, domid: number, online: number): Actor<Outcome> {
  return operation(me, xl, (call) => setVcpus(call, domid, online));
}

/** An operation with the process' lock, by an actor of its own tally. */
export function* operation(me: Thread, xl: Libxl, body: (call: Call) => Actor<Rc>): Actor<Outcome> {
  const call = new Call(xl, me);
  const rc = yield* call.locked(() => body(call));
  return { rc, ...call.tally };
}

/** INTRODUCE of a domain that is built otherwise; the errno, if the store does not take it. */
export function* introduceDomain(me: Thread, xl: Libxl, built: BuiltDomain): Actor<string | undefined> {
  const { domain, ring, port } = built;
  xl.mishaps?.beforeIntroduce(built);
  const asked = strings(String(domain.domid), String(ring.gfn), String(port));
  return (yield* new Xs(xl.link, me).call(XS.INTRODUCE, asked)).error;
}

/** The create flow's part in the store before INTRODUCE, transactions A and B, of a domain that is built otherwise. */
export function* writeDomain(
  me: Thread,
  xl: Libxl,
  built: { readonly domain: Domain; readonly gfn: Gfn; readonly port: Port },
  plan: DomainPlan,
): Actor<Outcome> {
  return yield* operation(me, xl, function* (call) {
    const rc = yield* writeTree(call, built.domain.domid, xl.shared.handleOf(built.domain), plan);
    if (rc === 0) yield* writeBuilt(call, built, plan);
    return rc;
  });
}
