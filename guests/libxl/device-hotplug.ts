import { type Actor, PARK } from '../../sim/index.ts';
import type { Call } from './call.ts';
import { type DeviceName, devicePaths } from './device-kinds.ts';
import { killScript, type ScriptAction, startScript } from './hotplug-script.ts';
import { DESTROY_TIMEOUT_NS, HOTPLUG_TIMEOUT_NS, type Rc } from './process.ts';

/**
 * Run a device's script and wait for its end; the caller has the lock. Of a backend in another domain that domain takes care:
 * at a removal, wait until the backend's directory is gone. Source: device_hotplug in tools/libs/light/libxl_device.c,
 * libxl__get_hotplug_script_info in libxl_linux.c.
 */
export function* deviceHotplug(call: Call, domid: number, device: DeviceName, action: ScriptAction): Actor<Rc> {
  const { backend } = devicePaths(domid, device);
  for (let runs = 0; ; runs++) {
    yield* call.dompath(device.backendDomid);
    const own = yield* call.ownDomid();
    if (own === undefined) return 'ERROR_FAIL';
    if (device.backendDomid !== own) {
      if (action === 'add') return 0;
      const waited = yield* call.xswait(backend, DESTROY_TIMEOUT_NS, (value) =>
        value === undefined ? true : undefined,
      );
      return waited.rc;
    }
    const isUdevs = action === 'add' && call.xl.hotplug?.byUdev === true;
    const script = yield* scriptOf(call, domid, device, runs, isUdevs);
    if (script !== 'run') return script;
    const rc = yield* execute(call, domid, device, action);
    if (rc !== 0 && action === 'add') return rc; // at a removal the rest is done all the same
  }
}

/** Whether there is (another) script to run; 0: no. */
function* scriptOf(call: Call, domid: number, device: DeviceName, runs: number, isUdevs: boolean): Actor<Rc | 'run'> {
  const { backend } = devicePaths(domid, device);
  if (call.xl.hotplug === undefined || isUdevs) return 0;
  if (device.kind === 'vif') {
    if (runs > 1) return 0;
    const home = yield* call.dompath(domid);
    const stubdom = yield* call.read(`${home}/image/device-model-domid`);
    if (stubdom !== undefined && runs > 0) return 0;
    yield* call.dompath(device.backendDomid);
    if ((yield* call.read(`${backend}/script`)) === undefined) return 'ERROR_FAIL';
    if (!(yield* nicType(call, backend, device))) return 'ERROR_FAIL';
    if (runs > 0) return 0; // a tap device alone has a second script
    yield* call.dompath(device.backendDomid);
    yield* call.read(`${backend}/gatewaydev`);
    return (yield* nicType(call, backend, device)) ? 'run' : 'ERROR_FAIL';
  }
  if (device.kind !== 'vbd' || runs > 0) return 0;
  yield* call.dompath(device.backendDomid);
  if ((yield* call.read(`${backend}/script`)) === undefined) return 'ERROR_FAIL';
  yield* call.dompath(device.backendDomid);
  return 'run';
}

function* nicType(call: Call, backend: string, device: DeviceName): Actor<boolean> {
  yield* call.dompath(device.backendDomid);
  return (yield* call.read(`${backend}/type`)) !== undefined;
}

/** A device has come to be: where udev runs the scripts it starts that of this one, and nobody waits for its end. */
export function uevent(call: Call, domid: number, device: DeviceName): void {
  const { hotplug, shared, os } = call.xl;
  if (hotplug?.byUdev !== true) return;
  const name = call.xl.actorName(call.me, `udev-${device.kind}`);
  startScript(os, shared, hotplug, { name, domid, device, action: 'add', waiter: call.me });
}

function* execute(call: Call, domid: number, device: DeviceName, action: ScriptAction): Actor<Rc> {
  const { xl, me } = call;
  const { hotplug, shared, os } = xl;
  if (hotplug === undefined) return 0;
  const untilNs = call.nowNs + HOTPLUG_TIMEOUT_NS;
  os.machine.scheduler.at(untilNs, () => me.wake());
  const name = xl.actorName(me, `${device.kind}-${action}`);
  const run = startScript(os, shared, hotplug, { name, domid, device, action, waiter: me });
  call.leave();
  while (run.status === undefined && call.nowNs < untilNs) yield PARK;
  yield* call.enter();
  yield* call.dompath(device.backendDomid);
  if (run.status === undefined) {
    killScript(shared, run);
    return 'ERROR_TIMEDOUT';
  }
  if (run.status === 0) return 0;
  yield* call.read(`${devicePaths(domid, device).backend}/hotplug-error`);
  return 'ERROR_FAIL';
}
