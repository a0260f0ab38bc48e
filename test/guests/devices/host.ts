import {
  BlkbackDriver,
  type BlkbackOptions,
  type Blkfront,
  BlkfrontDriver,
  BlockDevices,
  Bridge,
  type DeviceEvent,
  DeviceKernel,
  Disk,
  NetbackDriver,
  type Netfront,
  NetfrontDriver,
  Xenbus,
} from '../../../guests/devices/index.ts';
import { LINUX_HABITS } from '../../../guests/index.ts';
import {
  createDomain,
  type Device,
  type HotplugScripts,
  initDom0,
  Libxl,
  type LibxlOptions,
  SharedFiles,
  vbd,
  vif,
} from '../../../guests/libxl/index.ts';
import type { Guest } from '../../../scenarios/engine/host.ts';
import type { Jitter } from '../../../sim/index.ts';
import { type OnHost, run, testHost } from '../../support/host.ts';

/** A guest with its drivers. */
export interface DeviceGuest extends Guest {
  readonly domid: number;
  readonly kernel: DeviceKernel;
  readonly bus: Xenbus;
  readonly disks: Blkfront[];
  readonly nics: Netfront[];
}

/** A host whose dom0 has backends, scripts and libxl. */
export interface DeviceHost extends OnHost {
  readonly xl: Libxl;
  readonly kernel: DeviceKernel;
  readonly bus: Xenbus;
  readonly bridge: Bridge;
  readonly disks: BlockDevices;
  /** What all ends said, in order, with the virtual time. */
  readonly events: (DeviceEvent & { readonly atNs: number })[];
}

export interface DeviceHostOptions {
  readonly seed?: string;
  readonly jitter?: Jitter;
  readonly isPersistent?: boolean;
  readonly hasSplitPorts?: boolean;
  readonly sectors?: number;
  readonly libxl?: Partial<LibxlOptions>;
  readonly fate?: HotplugScripts['fate'];
  readonly checkEverySteps?: number;
}

const JITTER: Jitter = { stepNs: 64, absentOneIn: 1024, absentNsMax: 50_000 };

export function deviceHost(options: DeviceHostOptions = {}): DeviceHost {
  const { seed = '1', jitter = JITTER, checkEverySteps = 500 } = options;
  const host = testHost({ seed, jitter, checkEverySteps, records: true, limitsWrites: false });
  const { dom0 } = host;
  const bridge = new Bridge();
  const hotplug: HotplugScripts = {
    connect: () => dom0.client,
    close: () => {},
    workNs: [20_000, 60_000],
    processNs: [1_000, 3_000],
    bridge,
    ...(options.fate === undefined ? {} : { fate: options.fate }),
  };
  const xl = new Libxl(dom0.os, dom0.client, { hotplug, shared: new SharedFiles(), ...options.libxl });
  const events: DeviceHost['events'] = [];
  const kernel = new DeviceKernel(dom0.os, dom0.client);
  const recorded = host.recorder?.devices;
  kernel.observer = {
    note: (dev, news) => {
      events.push({ dev, ...news, atNs: host.machine.nowNs });
      recorded?.note(dev, news);
    },
  };
  const disks = new BlockDevices(() => new Disk(options.sectors ?? 2_048));
  const back: BlkbackOptions = { disks, isPersistent: options.isPersistent ?? true };
  const bus = new Xenbus(kernel, 'back', {
    vbd: new BlkbackDriver(back),
    vif: new NetbackDriver({ bridge, hasSplitPorts: options.hasSplitPorts ?? true }),
  });
  const bench = { host, xl, kernel, bus, bridge, disks, events };
  run(bench, 'init', (me) => initDom0(me, dom0.client));
  bus.start();
  return bench;
}

export interface GuestOptions {
  readonly disks?: readonly Device[];
  readonly nics?: readonly Device[];
  readonly isPersistent?: boolean;
  readonly rxBuffers?: number;
  readonly cutsPackets?: boolean;
  /** Left out: its frontends are started. */
  readonly hasDrivers?: boolean;
}

/** Create a domain with devices; its kernel has both frontends. */
export function addGuest(bench: DeviceHost, name: string, options: GuestOptions = {}): DeviceGuest {
  const { host, xl, kernel: back } = bench;
  let guest: DeviceGuest | undefined;
  const created = run(bench, `xl-${name}`, (me) =>
    createDomain(
      me,
      xl,
      { name, disks: options.disks ?? [vbd()], nics: options.nics ?? [vif()] },
      {
        boot: (built) => {
          const booted = host.boot(built, LINUX_HABITS);
          const kernel = new DeviceKernel(booted.os, booted.client);
          kernel.observer = back.observer;
          const disks: Blkfront[] = [];
          const nics: Netfront[] = [];
          const bus = new Xenbus(kernel, 'front', {
            vbd: new BlkfrontDriver({
              isPersistent: options.isPersistent ?? true,
              online: (disk) => disks.push(disk),
            }),
            vif: new NetfrontDriver({
              rxBuffers: options.rxBuffers ?? 64,
              cutsPackets: options.cutsPackets ?? true,
              online: (nic) => nics.push(nic),
            }),
          });
          guest = { ...booted, domid: built.domain.domid, kernel, bus, disks, nics };
          if (options.hasDrivers ?? true) bus.start();
        },
      },
    ),
  );
  if (created.rc !== 0 || guest === undefined) throw new Error(`xl create: ${created.rc} in ${created.failedIn}`);
  return guest;
}

/** States that one end of a device went through. */
export function states(bench: DeviceHost, dev: string, side: 'front' | 'back'): number[] {
  return bench.events.flatMap((e) => (e.dev === dev && e.what === 'state' && e.side === side ? [e.state] : []));
}
