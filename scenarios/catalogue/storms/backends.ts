import {
  BlkbackDriver,
  type Blkfront,
  BlkfrontDriver,
  BlockDevices,
  Bridge,
  DeviceKernel,
  Disk,
  NetbackDriver,
  type Netfront,
  NetfrontDriver,
  XenBus,
} from '../../../guests/devices/index.ts';
import type { Guest, Host } from '../../engine/host.ts';

/** Sectors of each disk. */
const DISK_SECTORS = 512;
/** Buffers that a netfront keeps with its backend. */
const RX_BUFFERS = 64;

/** What a guest's kernel tells of its devices, each once. */
export interface GuestDevices {
  readonly disk?: (disk: Blkfront) => void;
  readonly nic?: (nic: Netfront) => void;
}

/** The drivers on both sides of a host: blkback, netback and a bridge in dom0, blkfront and netfront in guests. */
export class Backends {
  readonly bridge = new Bridge();
  readonly disks = new BlockDevices(() => new Disk(DISK_SECTORS));
  readonly #host: Host;

  constructor(host: Host) {
    this.#host = host;
    const kernel = this.#kernel(host.dom0);
    const { disks, bridge } = this;
    new XenBus(kernel, 'back', {
      vbd: new BlkbackDriver({ disks, isPersistent: true }),
      vif: new NetbackDriver({ bridge, hasSplitPorts: true }),
    }).start();
  }

  /** Start a guest's frontends. Every second guest has persistent grants, every third cuts its packets. */
  plug(guest: Guest, told: GuestDevices = {}): XenBus {
    const { domid } = guest.os.domain;
    const bus = new XenBus(this.#kernel(guest), 'front', {
      vbd: new BlkfrontDriver({ isPersistent: domid % 2 === 0, online: (disk) => told.disk?.(disk) }),
      vif: new NetfrontDriver({
        rxBuffers: RX_BUFFERS,
        cutsPackets: domid % 3 === 0,
        online: (nic) => told.nic?.(nic),
      }),
    });
    bus.start();
    return bus;
  }

  /** What is on each disk when all is over, for the record. */
  noteDisks(): void {
    for (const [, disk] of this.disks.all)
      this.#host.recorder?.devices.note(disk.openedBy, { what: 'disk', sums: disk.sums() });
  }

  #kernel({ os, client }: Guest): DeviceKernel {
    const kernel = new DeviceKernel(os, client);
    kernel.observer = this.#host.recorder?.devices;
    return kernel;
  }
}
