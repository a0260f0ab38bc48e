import type { Actor, Domain } from '../../sim/index.ts';
import type { GuestOs } from '../kernel/index.ts';
import type { Call } from './call.ts';
import { domainType } from './device-add.ts';
import type { DeviceName } from './device-kinds.ts';
import { deviceDestroy, deviceRemove } from './device-remove.ts';
import { Parts } from './parts.ts';
import { type Rc, TOOLSTACK_DOMID } from './process.ts';

/** How often the child that calls destroydomain, or who waits for the id, looks again. */
const AGAIN_NS = 20_000;

export interface DestroyHooks {
  /** Instead of the domain's end: a soft reset of it (5.6). */
  readonly isSoftReset?: boolean;
  /** Between the nodes' going and the hypercall (TS-11). */
  readonly beforeDestroy?: (domain: Domain) => void;
}

/**
 * Destroy a domain, in libxl's order (3.3): its nodes go while it is only paused (TS-11), and one after the other. The caller
 * has the lock. Source: libxl__domain_destroy, libxl__destroy_domid and what they call, tools/libs/light/libxl_domain.c.
 */
export function* domainDestroy(call: Call, domid: number, hooks: DestroyHooks = {}): Actor<Rc> {
  const { xl } = call;
  const { hyper, machine } = xl.os;
  yield* stubdomOf(call, domid);
  if (!hyper.domctl.getDomainInfo(domid).ok) return 'ERROR_DOMAIN_NOTFOUND';
  const domain = machine.domain(domid);
  yield* pciDevices(call, domid);
  hyper.pause(domid); // a failure is told, and nothing else comes of it
  if ((yield* domainType(call, domid)) === 'hvm') yield* stubdomOf(call, domid);
  yield* deviceModel(call, domid);
  yield* destroyDevices(call, domid);
  yield* removeTrees(call, domid);

  if (domain !== undefined) {
    hooks.beforeDestroy?.(domain);
    xl.mishaps?.beforeDestroy(domain);
  }
  // A child of the process makes the hypercalls: the others go on meanwhile.
  call.leave();
  let isDone: boolean;
  if (hooks.isSoftReset === true) {
    isDone = hyper.pause(domid).ok && (yield* hyper.domctl.softReset(domid)).ok && hyper.unpause(domid).ok;
  } else {
    xl.shared.history.mark(domid, call.nowNs);
    isDone = (yield* hyper.domctl.destroyInSteps(domid)).ok;
    if (isDone && xl.shared.taken.delete(domid)) xl.shared.lastGone = domid;
    if (isDone) xl.shared.configs.delete(domid);
  }
  yield* call.enter();
  if (isDone && hooks.isSoftReset !== true && domain !== undefined)
    xl.observer?.note({ what: 'destroyed', domid, uniqueId: domain.uniqueId });
  return isDone ? 0 : 'ERROR_FAIL';
}

/**
 * Until the id of a destroyed domain is free, or the time is up: a zombie keeps it (DOM-4), for as long as somebody has a page
 * of it mapped. libxl never waits for that; it is for those who want that very id. @returns whether it is free.
 */
export function* untilFree(os: GuestOs, domid: number, patienceNs: number): Actor<boolean> {
  const untilNs = os.machine.nowNs + patienceNs;
  while (os.hyper.domainState(domid) !== undefined) {
    if (os.machine.nowNs >= untilNs) return false;
    yield AGAIN_NS;
  }
  return true;
}

/** Source: libxl_get_stubdom_id in libxl_utils.c. */
function* stubdomOf(call: Call, domid: number): Actor {
  const home = yield* call.dompath(domid);
  yield* call.read(`${home}/image/device-model-domid`);
}

/** There are none. Source: libxl__device_pci_destroy_all, libxl__device_pci_get_num in libxl_pci.c. */
function* pciDevices(call: Call, domid: number): Actor {
  yield* call.dompath(TOOLSTACK_DOMID);
  yield* call.read(`/local/domain/${TOOLSTACK_DOMID}/backend/pci/${domid}/0/num_devs`);
}

/** There is none: only its nodes are looked at. Source: libxl__dm_active in libxl_dm.c, libxl_is_stubdom in libxl_utils.c. */
function* deviceModel(call: Call, domid: number): Actor {
  yield* call.read(`/local/domain/${domid}/image/device-model-pid`);
  yield* call.read(`/local/domain/${domid}/image/device-model-domid`);
  const home = yield* call.dompath(domid);
  yield* call.read(`${home}/target`);
}

/** Every device that libxl's own tree knows, by force and side by side; consoles have nodes alone. Source: libxl__devices_destroy. */
function* destroyDevices(call: Call, domid: number): Actor {
  const parts = new Parts(call, 'remove');
  const kinds = (yield* call.directory(`/libxl/${domid}/device`)) ?? [];
  for (const kind of kinds) {
    const dir = `/libxl/${domid}/device/${kind}`;
    for (const devid of (yield* call.directory(dir)) ?? []) {
      const device = parseBackend((yield* call.read(`${dir}/${devid}/backend`)) ?? '', kind);
      if (device === undefined) continue;
      if (device.kind === 'console') yield* deviceDestroy(call, domid, device);
      else yield* parts.begin((part) => deviceRemove(part, domid, device, 'on'));
    }
  }
  yield* parts.finish();
}

/** Source: libxl__parse_backend_path in libxl_device.c. */
function parseBackend(path: string, kind: string): DeviceName | undefined {
  const found = /^\/local\/domain\/(\d+)\/backend\/[^/]+\/\d+\/(\d+)$/.exec(path);
  if (found === null || (kind !== 'vif' && kind !== 'vbd' && kind !== 'console')) return undefined;
  return { kind, devid: Number(found[2]), backendDomid: Number(found[1]) };
}

/** Not in a transaction. Source: devices_destroy_cb. */
function* removeTrees(call: Call, domid: number): Actor {
  const home = yield* call.dompath(domid);
  const vm = yield* call.read(`${home}/vm`);
  if (vm !== undefined) yield* call.xs.rm(vm);
  for (const path of [home, `/libxl/${domid}`, `/local/domain/${domid}/hvmloader`]) yield* call.xs.rm(path);
}
