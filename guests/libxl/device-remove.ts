import type { Actor } from '../../sim/index.ts';
import { textOf as text } from '../../store/protocol/octets.ts';
import type { Call } from './call.ts';
import { deviceHotplug } from './device-hotplug.ts';
import { type DeviceName, devicePaths } from './device-kinds.ts';
import { DESTROY_TIMEOUT_NS, type Rc, TOOLSTACK_DOMID } from './process.ts';

/** XenbusStateClosing, XenbusStateClosed. */
const CLOSING = '5';
const CLOSED = 6;

/** `auto`: the polite way first, by force after 10 s. `off`: the polite way alone. `on`: the frontend goes first. */
export type Force = 'off' | 'auto' | 'on';

/**
 * Remove a device: ask the drivers to close (2.8), wait, run the script, clean up. The caller has the lock.
 * Source: libxl__initiate_device_generic_remove, device_backend_callback, device_hotplug_done in tools/libs/light/libxl_device.c.
 */
export function* deviceRemove(call: Call, domid: number, device: DeviceName, force: Force): Actor<Rc> {
  let isForced = force === 'on';
  const { backend } = devicePaths(domid, device);
  for (;;) {
    let rc = yield* askToClose(call, domid, device, isForced);
    if (rc === 'gone')
      rc = 0; // a backend that is no more: its frontend and the rest are cleaned up
    else if (rc === 0) {
      if (call.xl.hasBackends) rc = yield* call.devstate(`${backend}/state`, CLOSED, DESTROY_TIMEOUT_NS);
      if (rc === 'ERROR_TIMEDOUT' && force === 'auto' && !isForced) {
        isForced = true;
        continue;
      }
      if (rc === 0) rc = yield* deviceHotplug(call, domid, device, 'remove');
      else yield* call.dompath(device.backendDomid); // for the log
    }
    if (rc !== 0 && !isForced) return rc; // its nodes stay
    const destroyed = yield* deviceDestroy(call, domid, device);
    return rc === 0 ? destroyed : rc;
  }
}

/** First transaction: `online` 0, `state` 5 unless it is closed. 'gone': there is no backend. */
function* askToClose(call: Call, domid: number, device: DeviceName, isForced: boolean): Actor<Rc | 'gone'> {
  const { backend, frontend } = devicePaths(domid, device);
  yield* call.dompath(device.backendDomid);
  if ((yield* call.ownDomid()) === undefined) return 'ERROR_FAIL';
  if (!call.xl.os.hyper.domctl.getDomainInfo(domid).ok) return 'ERROR_DOMAIN_NOTFOUND';
  let isGone = false;
  const rc = yield* call.transaction(function* (tx) {
    if (isForced) {
      yield* call.dompath(domid);
      yield* pathCleanup(call, frontend, tx);
    }
    const state = yield* call.xs.read(`${backend}/state`, tx);
    isGone = state.error === 'ENOENT';
    if (state.error !== undefined) return 'ERROR_FAIL';
    if (!(yield* call.writev(backend, [['online', '0']], tx))) return 'ERROR_FAIL';
    if (Number.parseInt(text(state.payload), 10) === CLOSED) return 0;
    return (yield* call.writev(backend, [['state', CLOSING]], tx)) ? 0 : 'ERROR_FAIL';
  });
  return isGone ? 'gone' : rc;
}

/** Second transaction: the nodes in the three places, and parents that are empty then. Source: libxl__device_destroy in libxl_device.c. */
export function* deviceDestroy(call: Call, domid: number, device: DeviceName): Actor<Rc> {
  yield* call.dompath(device.backendDomid);
  yield* call.dompath(domid);
  const own = yield* call.ownDomid();
  if (own === undefined) return 'ERROR_FAIL';
  const { frontend, backend, libxl } = devicePaths(domid, device);
  const rc = yield* call.transaction(function* (tx) {
    const isToolstack = own === TOOLSTACK_DOMID;
    if (isToolstack) for (const path of [frontend, libxl]) yield* pathCleanup(call, path, tx);
    if (isToolstack || device.backendDomid === own) yield* pathCleanup(call, backend, tx);
    return 0;
  });
  const { kind, devid, backendDomid } = device;
  if (rc === 0) call.xl.observer?.note({ what: 'detached', domid, device: { kind, devid, backendDomid } });
  return rc;
}

/**
 * Remove a node, then its parents as long as they have neither value nor children (HS-13).
 * Source: libxl__xs_path_cleanup in tools/libs/light/libxl_xshelp.c.
 */
export function* pathCleanup(call: Call, path: string, tx: number): Actor {
  if ((yield* call.xs.rm(path, tx)).error !== undefined) return;
  for (let up = path.lastIndexOf('/'), at = path; up > 0; up = at.lastIndexOf('/')) {
    at = at.slice(0, up);
    if ((yield* call.read(at, tx)) !== '') return;
    const children = yield* call.directory(at, tx);
    if (children === undefined || children.length > 0) return;
    if ((yield* call.xs.rm(at, tx)).error !== undefined) return;
  }
}
