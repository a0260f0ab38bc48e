import {
  BackendMoves,
  BlkbackDriver,
  type Blkfront,
  BlkfrontDriver,
  BlockDevices,
  Bridge,
  DeviceKernel,
  type DeviceName,
  Disk,
  NetbackDriver,
  type Netfront,
  NetfrontDriver,
  Xenbus,
} from '../../../guests/devices/index.ts';
import type { XsLink } from '../../../guests/index.ts';
import type { Guest, Host } from '../../engine/host.ts';
import type { Refused } from '../../judge/invariants/devices-evidence.ts';
import { RefusalsLink } from './refusals.ts';

/** What the drivers of a host are like; left out: as most are. */
export interface DevicePlan {
  /** The domain that has them; left out: dom0. */
  readonly in?: Guest;
  readonly makeDisk?: () => Disk;
  /** Disks that other hosts have, too; left out: its own. */
  readonly disks?: BlockDevices;
  /** Whether netback offers an event channel for each direction. */
  readonly hasSplitPorts?: boolean;
  /** Buffers that a netfront keeps with its backend. */
  readonly rxBuffers?: number;
  /** Longest time until a backend's module is loaded, ns. */
  readonly loadNsMax?: number;
}

/** Sectors of each disk, unless the plan makes others. */
const DISK_SECTORS = 512;
const RX_BUFFERS = 64;

/** What a guest's drivers are like. */
export interface FrontendTraits {
  readonly hasPersistentGrants: boolean;
  readonly cutsPackets: boolean;
}

/** What a guest's kernel tells of its devices, each once. */
export interface GuestDevices {
  readonly disk?: (disk: Blkfront) => void;
  readonly nic?: (nic: Netfront) => void;
  /** A device is closing: its backend has given it up, or it is taken away. */
  readonly closing?: (name: DeviceName) => void;
  /** The store had no memory for a request about a device. */
  readonly refused?: (what: Refused) => void;
}

/** The drivers on both sides of a host: blkback, netback and a bridge in dom0 or a driver domain, blkfront and netfront in guests. */
export class Backends {
  readonly bridge = new Bridge();
  /** For guests that are moved without being asked. */
  readonly moves: BackendMoves;
  readonly disks: BlockDevices;
  readonly #host: Host;
  readonly #rxBuffers: number;

  constructor(host: Host, plan: DevicePlan = {}) {
    const { makeDisk = () => new Disk(DISK_SECTORS), hasSplitPorts = true, rxBuffers = RX_BUFFERS } = plan;
    this.#host = host;
    this.#rxBuffers = rxBuffers;
    this.disks = plan.disks ?? new BlockDevices(makeDisk);
    const kernel = this.#kernel(plan.in ?? host.dom0);
    const { disks, bridge } = this;
    const drivers = {
      vbd: new BlkbackDriver({ disks, isPersistent: true }),
      vif: new NetbackDriver({ bridge, hasSplitPorts }),
    };
    const bus = new Xenbus(kernel, 'back', drivers, plan.loadNsMax);
    bus.start();
    this.moves = new BackendMoves(bus);
  }

  /** Start a guest's frontends. `online` is called with each device once it can be used. */
  plug(guest: Guest, online: GuestDevices = {}, traits = traitsOf(guest.os.domain.domid)): Xenbus {
    const link = new RefusalsLink(
      guest.client,
      () => guest.os.domain.domid,
      (what) => online.refused?.(what),
    );
    const bus = new Xenbus(this.#kernel(guest, link), 'front', {
      vbd: new BlkfrontDriver({
        isPersistent: traits.hasPersistentGrants,
        online: (disk) => online.disk?.(disk),
        closing: (name) => online.closing?.(name),
      }),
      vif: new NetfrontDriver({
        rxBuffers: this.#rxBuffers,
        cutsPackets: traits.cutsPackets,
        online: (nic) => online.nic?.(nic),
        closing: (name) => online.closing?.(name),
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

  #kernel({ os, client }: Guest, link: XsLink = client): DeviceKernel {
    const kernel = new DeviceKernel(os, link);
    const home = this.#host;
    if (home.recorder !== undefined)
      kernel.observer = { note: (dev, news) => home.homeOf(os).recorder?.devices.note(dev, news) };
    return kernel;
  }
}

/** Every second guest has persistent grants, every third cuts its packets. */
function traitsOf(domid: number): FrontendTraits {
  return { hasPersistentGrants: domid % 2 === 0, cutsPackets: domid % 3 === 0 };
}
