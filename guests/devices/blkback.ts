import {
  type Actor,
  BackRing,
  GNTMAP_host_map,
  GNTST,
  type GrantStatus,
  type Handle,
  type Port,
  statusName,
} from '../../sim/index.ts';
import { BlkRing } from './blkback-ring.ts';
import { BLKIF_PROTOCOL, BLKIF_SLOT_BYTES, VDISK_READONLY } from './blkif.ts';
import type { BlockDevices, Disk } from './disk.ts';
import { SECTOR_BYTES } from './sums.ts';
import type { Driver, DriverInstance, RingInUse, XenbusDevice } from './xenbus-device.ts';
import { XenbusState } from './xenbus-state.ts';

/** What the administrator chose for the module. */
export interface BlkbackOptions {
  readonly disks: BlockDevices;
  /** Whether persistent grants are offered. */
  readonly isPersistent: boolean;
}

/** xen-blkback. Source: linux drivers/block/xen-blkback/xenbus.c. */
export class BlkbackDriver implements Driver {
  readonly #options: BlkbackOptions;

  constructor(options: BlkbackOptions) {
    this.#options = options;
  }

  *probe(device: XenbusDevice): Actor<DriverInstance | undefined> {
    const back = new Blkback(device, this.#options);
    yield* device.write('multi-queue-max-queues', '1');
    yield* device.write('max-ring-page-order', '0');
    yield* device.bus.watch(device, `${device.nodename}/physical-device`, () => back.physicalDevice());
    yield* device.switchState(XenbusState.InitWait);
    return back;
  }

  *adopt(device: XenbusDevice): Actor<DriverInstance | string> {
    for (const [key, isOffered] of [
      ['feature-persistent', this.#options.isPersistent],
      ['feature-flush-cache', true],
      ['feature-barrier', true],
      ['feature-discard', true],
    ] as const)
      if (!isOffered && (yield* device.read(key)) === '1') return `${key} is not offered here`;
    const back = new Blkback(device, this.#options);
    if (!(yield* back.open())) return 'its disk is not here';
    yield* device.bus.watch(device, `${device.nodename}/physical-device`, () => back.physicalDevice());
    return back;
  }
}

/** A frontend's ring as it is attached. */
interface Attached {
  readonly ring: BlkRing;
  readonly handle: Handle;
  readonly port: Port;
}

class Blkback implements DriverInstance {
  readonly #device: XenbusDevice;
  readonly #options: BlkbackOptions;
  #disk: Disk | undefined;
  #isReadonly = false;
  #attached: Attached | undefined;

  readonly ring: RingInUse;

  constructor(device: XenbusDevice, options: BlkbackOptions) {
    this.#device = device;
    this.#options = options;
    device.waits = () =>
      this.#attached !== undefined && this.#disk === undefined ? 'physical-device, of the hotplug script' : undefined;
    const self = this;
    this.ring = {
      get isServed() {
        return self.#attached?.ring.isStarted === true;
      },
      drain: () => self.#detach(),
      *attach() {
        const found = yield* self.#map('in use');
        return typeof found === 'string' ? found : undefined;
      },
      serve: () => {
        const attached = self.#attached;
        if (attached === undefined || attached.ring.isStarted) return;
        attached.ring.start();
        device.kernel.os.hyper.send(attached.port);
      },
    };
  }

  /** `physical-device` is, or was, written by the hotplug script (backend_changed). */
  *physicalDevice(): Actor {
    const device = this.#device;
    const number = yield* device.read('physical-device');
    if (number === undefined || number === '' || this.#disk !== undefined) return;
    if (!(yield* this.#openNumber(number))) {
      yield* device.fail(`no block device ${number}`);
      return;
    }
    yield* this.#connectIfReady();
  }

  /** What the device's nodes name already. @returns whether there is such a disk. */
  *open(): Actor<boolean> {
    return yield* this.#openNumber((yield* this.#device.read('physical-device')) ?? '');
  }

  *#openNumber(number: string): Actor<boolean> {
    const device = this.#device;
    const disk = this.#options.disks.open(number);
    if (disk === undefined) return false;
    this.#isReadonly = !(yield* device.read('mode'))?.startsWith('w');
    this.#disk = disk;
    disk.openedBy = device.name;
    disk.onResize(() => device.bus.post(device, () => this.#resized()));
    return true;
  }

  *otherendChanged(state: XenbusState): Actor {
    const device = this.#device;
    switch (state) {
      case XenbusState.Initialising:
        if (device.state === XenbusState.Closed) yield* device.switchState(XenbusState.InitWait);
        return;
      case XenbusState.Initialised:
      case XenbusState.Connected:
        if (device.state === XenbusState.Connected) return;
        yield* this.#detach();
        if (yield* this.#attach()) yield* this.#connectIfReady();
        return;
      case XenbusState.Closing:
        yield* device.switchState(XenbusState.Closing);
        return;
      case XenbusState.Closed:
        yield* this.#detach();
        yield* device.switchState(XenbusState.Closed);
        if (!(yield* device.isOnline())) device.isUnregistered = true;
        return;
      case XenbusState.Unknown:
        device.isUnregistered = true;
        return;
      default:
        yield* device.fail(`saw state ${state} at frontend`);
    }
  }

  *removed(): Actor {
    yield* this.#detach();
    yield* this.#device.switchState(XenbusState.Closed);
  }

  *#attach(): Actor<boolean> {
    const found = yield* this.#map('new');
    return typeof found === 'string' ? false : found;
  }

  /** connect_ring and xen_blkif_map: read the frontend's keys, map what they name. @returns true; or why not, of which the frontend is
   *  told if its ring is new. */
  *#map(state: 'new' | 'in use'): Actor<true | string> {
    const device = this.#device;
    const { os } = device.kernel;
    const gref = yield* device.numberOther('ring-ref', -1);
    const remotePort = yield* device.numberOther('event-channel', -1);
    const protocol = yield* device.readOther('protocol');
    const isPersistent = this.#options.isPersistent && (yield* device.numberOther('feature-persistent', 0)) === 1;
    const why =
      gref < 0 || remotePort < 0
        ? 'reading ring-ref and event-channel'
        : protocol !== undefined && protocol !== BLKIF_PROTOCOL
          ? `unknown protocol ${protocol}`
          : undefined;
    const refuse = function* (self: Blkback, reason: string, status?: GrantStatus): Actor<string> {
      device.note({ what: 'refused', why: reason, ...(status === undefined ? {} : { status }) });
      if (state === 'new') yield* self.#device.fail(reason);
      return reason;
    };
    if (why !== undefined) return yield* refuse(this, why);
    const mapped = os.hyper.mapGrant(device.otherendId, gref, GNTMAP_host_map);
    if (mapped.status !== GNTST.okay || mapped.handle === undefined || mapped.page === undefined)
      return yield* refuse(this, `mapping ring-ref ${gref}: ${statusName(mapped.status)}`, mapped.status);
    const bound = os.hyper.bindInterdomain(device.otherendId, remotePort);
    if (!bound.ok) {
      os.hyper.unmapGrant(mapped.handle);
      return yield* refuse(this, `binding event-channel ${remotePort}: ${bound.errno}`);
    }
    const backRing =
      state === 'new' ? new BackRing(mapped.page, BLKIF_SLOT_BYTES) : BackRing.attach(mapped.page, BLKIF_SLOT_BYTES);
    if (backRing === undefined) {
      os.closePort(bound.value);
      os.hyper.unmapGrant(mapped.handle);
      return yield* refuse(this, 'EIO: more requests than the ring has slots');
    }
    const ring = new BlkRing(device, backRing, bound.value, {
      isPersistent,
      disk: () => this.#disk,
      isReadonly: () => this.#isReadonly,
    });
    this.#attached = { ring, handle: mapped.handle, port: bound.value };
    device.note({ what: 'attached', refs: [gref], ports: [remotePort] });
    return true;
  }

  /** xen_update_blkif_status: with a ring and a disk it can begin. */
  *#connectIfReady(): Actor {
    const device = this.#device;
    const attached = this.#attached;
    const disk = this.#disk;
    if (attached === undefined || disk === undefined || device.state === XenbusState.Connected) return;
    yield* device.writeAll([
      ['feature-flush-cache', '1'],
      ['feature-barrier', '1'],
      ['feature-discard', '1'],
      ['discard-granularity', String(SECTOR_BYTES)],
      ['discard-alignment', '0'],
      ['feature-persistent', this.#options.isPersistent ? '1' : '0'],
      ['sectors', String(disk.sectors)],
      ['info', String(this.#isReadonly ? VDISK_READONLY : 0)],
      ['sector-size', String(SECTOR_BYTES)],
      ['physical-sector-size', String(SECTOR_BYTES)],
    ]);
    attached.ring.start();
    yield* device.switchState(XenbusState.Connected);
  }

  /** xen_blkif_disconnect: the ring's thread ends, then everything of the frontend is unmapped. */
  *#detach(): Actor {
    const attached = this.#attached;
    if (attached === undefined) return;
    this.#attached = undefined;
    const { os } = this.#device.kernel;
    const { hyper } = os;
    yield* attached.ring.stop(this.#device.xs.me);
    os.closePort(attached.port);
    hyper.unmapGrant(attached.handle);
    this.#device.note({ what: 'detached' });
  }

  /** The disk has another size: say so, and the state once more, which is how a frontend learns it (xen_vbd_resize). */
  *#resized(): Actor {
    const device = this.#device;
    if (device.state !== XenbusState.Connected || this.#disk === undefined) return;
    yield* device.writeState(XenbusState.Connected, [['sectors', String(this.#disk.sectors)]]);
  }
}
