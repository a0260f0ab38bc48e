import { type Actor, XEN_DOMINF_hvm_guest } from '../../sim/index.ts';
import type { KeyValues } from '../xenstore/index.ts';
import type { Call } from './call.ts';
import { deviceHotplug, uevent } from './device-hotplug.ts';
import { type Device, devicePaths } from './device-kinds.ts';
import { INIT_TIMEOUT_NS, type Rc } from './process.ts';
import type { SharedFiles } from './shared-files.ts';

/** XenbusStateInitWait. */
const INIT_WAIT = 2;

/**
 * Add a device: its nodes in one transaction (HS-6, HS-7), then the backend's start and the script (HS-11).
 * ERROR_DEVICE_EXISTS: there is one of that number. The caller has the process' lock.
 * @param updatesConfig it comes to a domain that is there, so that its configuration file is changed, under a lock (TS-5).
 * Source: libxl__device_add_async in tools/libs/light/libxl_device.c, device_disk_add in libxl_disk.c.
 */
export function* deviceAdd(call: Call, domid: number, device: Device, updatesConfig: boolean): Actor<Rc> {
  const { backend } = devicePaths(domid, device);
  yield* domainType(call, domid);
  const write = () => writeNodes(call, domid, device);
  const rc = updatesConfig ? yield* call.withUserdata(domid, write) : yield* write();
  if (rc !== 0) return rc;
  if (updatesConfig) keepDevice(call.xl.shared, domid, device);
  noteAttached(call, domid, device);
  uevent(call, domid, device);
  yield* call.dompath(device.backendDomid);
  if (device.backendType === 'kernel') {
    if (!call.xl.hasBackends) return 0;
    const there = yield* call.devstate(`${backend}/state`, INIT_WAIT, INIT_TIMEOUT_NS);
    if (there !== 0) {
      yield* call.dompath(device.backendDomid); // for the log
      return there;
    }
  }
  return yield* deviceHotplug(call, domid, device, 'add');
}

function* writeNodes(call: Call, domid: number, device: Device): Actor<Rc> {
  const { libxl } = devicePaths(domid, device);
  return yield* call.transaction(function* (tx) {
    const there = yield* call.xs.read(libxl, tx);
    if (there.error === undefined) return 'ERROR_DEVICE_EXISTS';
    if (there.error !== 'ENOENT') return 'ERROR_FAIL';
    yield* genericAdd(call, domid, device, tx); // what it says is not looked at: END tells
    return 0;
  });
}

/** [sim] A device that came as it was: its two ends have their nodes, and libxl's own are written (NC-13). */
export function* deviceCame(call: Call, domid: number, device: Device): Actor<Rc> {
  const { frontend, backend, libxl } = devicePaths(domid, device);
  const rc = yield* call.transaction(function* (tx) {
    const ends: KeyValues = [
      ['frontend', frontend],
      ['backend', backend],
    ];
    const isWritten = (yield* call.writev(libxl, ends, tx)) && (yield* call.writev(libxl, device.back(domid), tx));
    return isWritten ? 0 : 'ERROR_FAIL';
  });
  if (rc === 0) noteAttached(call, domid, device);
  return rc;
}

/** A console's nodes, of which nobody looks whether they are there, and which no script is for. Source: libxl__device_console_add. */
export function* consoleAdd(call: Call, domid: number, device: Device): Actor<Rc> {
  const rc = yield* call.transaction(function* (tx) {
    return yield* genericAdd(call, domid, device, tx);
  });
  if (rc === 0) noteAttached(call, domid, device);
  return rc;
}

/** The device comes into the domain's configuration file. Source: device_add_domain_config in libxl_device.c. */
function keepDevice(shared: SharedFiles, domid: number, device: Device): void {
  const config = shared.configs.get(domid);
  if (config === undefined) return;
  const where = device.kind === 'vif' ? 'nics' : 'disks';
  shared.configs.set(domid, { ...config, [where]: [...(config[where] ?? []), device] });
}

function noteAttached(call: Call, domid: number, { kind, devid, backendDomid }: Device): void {
  call.xl.observer?.note({ what: 'attached', domid, device: { kind, devid, backendDomid } });
}

/** Of HVM and PVH guests the store knows more than Xen. Source: libxl__domain_type in libxl_dom.c. */
export function* domainType(call: Call, domid: number): Actor<string> {
  const domain = call.xl.os.hyper.domctl.getDomainInfo(domid);
  if (!domain.ok || (domain.value.flags & XEN_DOMINF_hvm_guest) === 0) return 'pv';
  return (yield* call.read(`/libxl/${domid}/type`)) ?? 'hvm';
}

/** The nodes of a device, in the three places. Source: libxl__device_generic_add in libxl_device.c. */
function* genericAdd(call: Call, domid: number, device: Device, tx: number): Actor<Rc> {
  const { xs } = call;
  const { kind, devid, backendDomid, front, frontRo } = device;
  yield* call.dompath(domid);
  yield* call.dompath(backendDomid);
  const { frontend, backend, libxl } = devicePaths(domid, device);
  const guests = [`n${domid}`, `r${backendDomid}`];
  const backends = [`n${backendDomid}`, `r${domid}`];
  const ofGuest = kind === 'console' && devid === 0 ? backends : guests;
  const back = device.back(domid);

  const steps: (() => Actor<boolean>)[] = [
    () => removed(call, libxl, tx),
    () =>
      call.writev(
        libxl,
        [
          ['frontend', frontend],
          ['backend', backend],
        ],
        tx,
      ),
    () => removed(call, frontend, tx),
    function* () {
      return (yield* xs.mkdir(frontend, tx)).error === undefined;
    },
    function* () {
      return (yield* xs.setPerms(frontend, ofGuest, tx)).error === undefined;
    },
    () => call.writev(frontend, [['backend', backend]], tx),
    () => call.writev(frontend, front, tx, guests),
    () => call.writev(frontend, frontRo, tx, backends),
    () => removed(call, backend, tx),
    function* () {
      return (yield* xs.mkdir(backend, tx)).error === undefined;
    },
    function* () {
      return (yield* xs.setPerms(backend, backends, tx)).error === undefined;
    },
    () => call.writev(backend, [['frontend', frontend]], tx),
    () => call.writev(backend, back, tx),
    () => call.writev(libxl, back, tx),
  ];
  for (const step of steps) if (!(yield* step())) return 'ERROR_FAIL';
  return 0;
}

/** RM, for which absent is fine. */
function* removed(call: Call, path: string, tx: number): Actor<boolean> {
  const { error } = yield* call.xs.rm(path, tx);
  return error === undefined || error === 'ENOENT';
}
