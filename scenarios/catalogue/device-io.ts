import {
  type Blkfront,
  type BlockDevices,
  blkLoad,
  type DeviceName,
  Disk,
  type Netfront,
  netLoad,
  type Xenbus,
} from '../../guests/devices/index.ts';
import { type BuiltDomain, LINUX_HABITS, type Thread, Traffic, worker } from '../../guests/index.ts';
import {
  addDevice,
  type Device,
  type HotplugScripts,
  type Libxl,
  majorMinor,
  removeDevice,
  vbd,
  vif,
} from '../../guests/libxl/index.ts';
import type { Actor } from '../../sim/index.ts';
import type { Guest, Host } from '../engine/host.ts';
import { keepsDepth, mayGoOn, openRun, runAndJudge, startOperator } from '../engine/run.ts';
import { marks, type RunRequest, type RunResult, type Scenario, scenario } from '../engine/scenario.ts';
import { count, FAULTS_SETTING, flag, type SettingsOf, word } from '../engine/settings.ts';
import { doings } from '../faults/doings.ts';
import { devices } from '../judge/invariants/devices.ts';
import type { Refused } from '../judge/invariants/devices-evidence.ts';
import { Backends, type GuestDevices } from './storms/backends.ts';
import { macOf } from './storms/guest.ts';

/** Virtual time after which a run that has not ended is stuck. A removal by force alone takes libxl 10 s; and where a guest crashed
 *  and is kept, those whose events it does not take wait until they expire, 20 s after they were queued (store.md 10.2). */
const HORIZON_NS = 60_000_000_000;
const CHECK_EVERY_STEPS = 50_000;

/** Sectors of each disk at first, and how many it grows by when it is resized. */
const SECTORS = 2_048;
const GROWTH = 512;
/** Buffers that a netfront keeps with its backend. */
const RX_BUFFERS = 128;
/** Of the second disk that comes and goes. */
const XVDB = (202 << 8) | 16;
/** Whose domain is made anew now and then. */
const CHURNED = 1;
/** What each domain has from its beginning; addresses and ids are its own. */
const [DISK, NIC] = [vbd(), vif()];
/** When there was no I/O for so long, what goes on beside it ends: a run that is stuck should be so in silence. */
const REST_NS = 1_000_000_000;
/** So long nobody could use a kind of device before that kind of traffic ends: several lives of a domain that is made anew. */
const GIVE_UP_NS = 200_000_000;
/** How often it is looked whether an attached disk can be used. */
const LOOK_NS = 1_000_000;
/** Traffic begins when all domains have come up, or so late. */
const GATE_NS = 200_000_000;

const SETTINGS = {
  domains: count(6, { min: 2, max: 100 }, 'guest domains that live at the same time'),
  block: count(10_000, { min: 0, max: 200_000 }, 'block requests after which no disk is used any more'),
  net: count(
    10_000,
    { min: 0, max: 200_000 },
    'packets, data and acknowledgements, after which no data is sent any more',
  ),
  updates: count(4, { min: 0, max: 1_000 }, 'live updates, spread over the I/O'),
  policy: word(
    'carry',
    ['carry', 'daemon'],
    'what happens to open transactions; under daemon an update waits for them, and is refused, forced or given up now and then',
  ),
  reconnects: flag(1, '1: guests close their devices now and then and connect anew'),
  churn: flag(1, '1: one domain is destroyed and made anew now and then'),
  hotplug: flag(1, '1: a second disk is attached and detached again and again, and disks grow'),
  workers: count(1, { min: 0, max: 64 }, 'agents in each guest that use xenstore besides'),
  faults: FAULTS_SETTING,
};

export const deviceIo: Scenario = scenario({
  name: 'device-io',
  story:
    'A handful of domains, each with a disk and a network interface, do I/O with checksums from end to end while xenstored live-updates itself and devices come, go, grow and reconnect.',
  worry: 'Do disks and interfaces lose data when their store is replaced, or when they come, go, grow and reconnect?',
  settings: SETTINGS,
  does: ({ domains, updates, churn, workers }) =>
    doings({
      creates: true,
      builds: true,
      destroys: churn === 1,
      remakes: churn === 1,
      spares: domains > 4,
      updates: updates > 0,
      transacts: workers > 0,
      sockets: true,
    }),
  marks: ({ updates, policy, block, net, churn, hotplug }) =>
    marks({
      run: {
        update: updates > 0 && policy === 'carry',
        connect: block + net > 0,
        block: block > 0,
        packet: net > 0,
      },
      sweep: {
        update: updates > 0,
        'io-over-update': updates > 0 && block + net > 0,
        'handshake-over-update': updates > 0,
        'domain-gone': churn === 1,
        detach: hotplug === 1 && block + net > 0,
      },
    }),
  run,
});

/** The hardware address of a slot's interface, as packets have it. */
function addressOf(slot: number): string {
  return macOf(slot).replaceAll(':', '');
}

function run(request: RunRequest<SettingsOf<typeof SETTINGS>>): RunResult {
  const { settings } = request;
  const io = new Traffic(settings.block + settings.net);
  const block = new Traffic(settings.block);
  const net = new Traffic(settings.net);
  const run = openRun(request, {
    policy: settings.policy,
    checkEverySteps: CHECK_EVERY_STEPS,
    isOver: () => io.stopping,
  });
  const { host } = run;
  const { machine, traffic, dom0 } = host;
  const asked = (kind: Traffic) => () => {
    kind.sent();
    io.sent();
    if (io.stopping) traffic.stopping = true;
  };
  /** Traffic is over when each kind is at its end: at its target, of which its last request tells, or given up short of it. */
  const endTogether = () => {
    if (!block.stopping || !net.stopping) return;
    io.stopping = true;
    traffic.stopping = true;
  };
  const ended = (kind: Traffic) => {
    kind.stopping = true;
    endTogether();
  };

  const backends = new Backends(host, {
    makeDisk: () => new Disk(SECTORS, { seekNsMax: 60_000, sectorNs: 200 }),
    hasSplitPorts: machine.streams.for('scenario/split').oneIn(2),
    rxBuffers: RX_BUFFERS,
  });

  const scripts: HotplugScripts = {
    bridge: backends.bridge,
    connect: () => dom0.client,
    close: () => {},
    workNs: [20_000, 100_000],
    processNs: [1_000, 5_000],
  };
  const libxl = { hasBackends: true, hotplug: scripts };

  /** Those who change something: the run is at rest when they have ended. */
  const writers: Thread[] = [];
  const guests: DeviceGuest[] = [];
  let created = 0;
  const slots = settings.domains;
  const isOpen = () => guests.length >= slots || machine.nowNs > GATE_NS;
  const hasDepth = keepsDepth(request);
  writers.push(
    dom0.os.start('xl', (me) =>
      host.toolstack(me, dom0.client, {
        domains: slots,
        lifeNsMin: 20_000_000,
        lifeNsMax: settings.churn === 1 ? 40_000_000 : 0,
        livesForEver: (slot) => slot !== CHURNED,
        domain: (slot) => ({
          disks: [vbd()],
          nics: [vif({ mac: macOf(slot) })],
        }),
        libxl,
        boot: (built, slot) => {
          created++;
          const guest = bootGuest(host, backends, built, slot);
          guests.push(guest);
          const use = { host, guest, slot, slots, isOpen };
          guest.onDisk = (disk) => useDisk(use, disk, { goesOn: () => !block.stopping, asked: asked(block) });
          guest.onNic = (nic) => useNic(use, nic, { goesOn: () => !net.stopping, asked: asked(net) });
          if (settings.reconnects === 1) guest.os.start('reconnects', (me) => reconnects(me, guest, isOpen, io));
          for (let w = 0; w < settings.workers; w++)
            writers.push(
              guest.os.start(`worker${w}`, (me) =>
                worker(me, guest.client, traffic, {
                  domid: built.domain.domid,
                  sharedNodes: 3,
                  thinkNsMax: 1_000_000,
                  txThinkNsMax: 100_000,
                  hasDepth,
                  peers: [built.domain.domid + 1],
                  hasDrivers: true,
                }),
              ),
            );
        },
      }),
    ),
  );
  if (settings.hotplug === 1) {
    const xl = host.libxl(dom0.client, { ...libxl, tokenPrefix: 'hotplug:' });
    writers.push(dom0.os.start('xl-hotplug', (me) => hotplug(me, xl, guests, isOpen, io)));
    dom0.os.start('lvextend', (me) => grow(me, backends.disks, isOpen, () => io.stopping));
  }

  let seen = -1;
  let seenNs = 0;
  const isAtRest = () => machine.nowNs - seenNs > REST_NS;
  const kinds = [
    { kind: block, isUsable: () => guests.some((guest) => hasDevice(guest, DISK, isAtRest())), lastNs: 0 },
    {
      kind: net,
      isUsable: () => guests.some((guest) => peersOf(guest, guests, slots, isAtRest()).length > 0),
      lastNs: 0,
    },
  ];
  /** What faults have left may be too little for a target: a disk that is there, two guests that talk to one another. */
  const endUnreachable = () => {
    if (io.requests !== seen) {
      seen = io.requests;
      seenNs = machine.nowNs;
    } else if (isAtRest()) traffic.stopping = true;
    for (const each of kinds) {
      if (each.kind.requestsMax === 0) ended(each.kind);
      if (each.kind.stopping) continue;
      if (!isOpen() || each.isUsable()) each.lastNs = machine.nowNs;
      else if (machine.nowNs - each.lastNs > GIVE_UP_NS) ended(each.kind);
    }
    endTogether();
  };

  const plan = machine.streams.for('scenario');
  const { me: lu } = startOperator(run, {
    atRequests: spread(settings.updates, io.requestsMax, plan),
    link: () => dom0.client,
    traffic: io,
  });
  writers.push(lu);

  return runAndJudge(run, {
    scenario: deviceIo.name,
    isBusy: () => {
      endUnreachable();
      const isUsed = (guest: DeviceGuest) => unfinished(guest, isAtRest()).length > 0;
      return !io.stopping || writers.some(mayGoOn) || guests.some(isUsed) || host.inFlight > 0;
    },
    horizonNs: HORIZON_NS,
    giveUp: () => {
      for (const { kind } of kinds) ended(kind);
    },
    finish: () => backends.noteDisks(),
    created: () => created,
    verdicts: (history) => [devices(history)],
    devices: () => [
      ['block requests', block.requests],
      ['packets', net.requests],
    ],
    missing: () =>
      [
        ...writers.filter(mayGoOn).map(({ name }) => `${name} is at work`),
        ...guests.flatMap((guest) => {
          const names = unfinished(guest, isAtRest());
          return names.length === 0 ? [] : [`${guest.os.domain.name} uses ${names.join(', ')}`];
        }),
        `${block.requests} block requests, ${net.requests} packets, ${host.inFlight} requests to the store unanswered`,
      ].join('; '),
  });
}

/** A guest with its frontends. */
interface DeviceGuest extends Guest {
  readonly slot: number;
  /** Of its frontends. */
  readonly bus: Xenbus;
  readonly disks: Blkfront[];
  readonly nics: Netfront[];
  /** Devices that their backend has given up, or that are taken away. */
  readonly closing: Set<DeviceName>;
  /** Devices whose driver was refused something by the store: it may not know what it would have to do. */
  readonly refused: Set<Refused>;
  /** Programs that use a disk. */
  readonly programs: { readonly disk: Blkfront; readonly thread: Thread }[];
  /** Network programs that still send. */
  sending: number;
  onDisk: (disk: Blkfront) => void;
  onNic: (nic: Netfront) => void;
}

/** Start a domain's kernel with both kinds of frontends. */
function bootGuest(host: Host, backends: Backends, built: BuiltDomain, slot: number): DeviceGuest {
  const booted = host.boot(built, {
    ...LINUX_HABITS,
    notify: slot % 2 === 0 ? 'edge' : 'always',
    maxInFlight: 8,
  });
  const online: GuestDevices = {
    disk: (disk) => {
      guest.closing.delete(disk.name);
      guest.disks.push(disk);
      guest.onDisk(disk);
    },
    nic: (nic) => {
      guest.nics.push(nic);
      guest.onNic(nic);
    },
    closing: (name) => guest.closing.add(name),
    refused: (what) => guest.refused.add(what),
  };
  const bus = backends.plug(booted, online, { hasPersistentGrants: slot % 2 === 0, cutsPackets: true });
  const guest: DeviceGuest = {
    ...booted,
    bus,
    slot,
    disks: [],
    nics: [],
    closing: new Set(),
    refused: new Set(),
    programs: [],
    sending: 0,
    onDisk: () => {},
    onNic: () => {},
  };
  return guest;
}

/** What programs of a guest need to know of the run. */
interface Use {
  readonly host: Host;
  readonly guest: DeviceGuest;
  readonly slot: number;
  readonly slots: number;
  readonly isOpen: () => boolean;
}

interface Share {
  readonly goesOn: () => boolean;
  readonly asked: () => void;
}

/** Two programs, each on a half of the disk; the second's half grows with it. */
function useDisk({ guest, isOpen }: Use, disk: Blkfront, share: Share): void {
  const half = SECTORS / 2;
  for (const [i, region] of [{ first: 0, end: half }, { first: half }].entries())
    guest.programs.push({
      disk,
      thread: guest.os.start(`dd-${disk.name}-${i}`, function* (me): Actor {
        while (!isOpen()) yield 100_000;
        yield* blkLoad(me, disk, { ...region, ...share, inFlightMax: 6, thinkNsMax: 120_000 });
      }),
    });
}

/** A program that talks to the next two slots' guests. */
function useNic({ host, guest, slot, slots, isOpen }: Use, nic: Netfront, share: Share): void {
  const peers = peerSlots(slot, slots);
  guest.sending++;
  guest.os.start(`talk-${nic.name}`, function* (me): Actor {
    while (!isOpen()) yield 100_000;
    yield* netLoad(me, nic, host.machine.scheduler, {
      peers: peers.map(addressOf),
      ...share,
      windowMax: 6,
      thinkNsMax: 150_000,
      finished: () => guest.sending--,
    });
  });
}

/** Whom a slot's guest talks to: the next two. */
function peerSlots(slot: number, slots: number): number[] {
  return [1, 2].map((d) => (slot + d) % slots).filter((peer, i, all) => peer !== slot && all.indexOf(peer) === i);
}

/** Guests that this one talks to, or will, both being there and having an interface. */
function peersOf(guest: DeviceGuest, guests: readonly DeviceGuest[], slots: number, isAtRest: boolean): DeviceGuest[] {
  if (!hasDevice(guest, NIC, isAtRest)) return [];
  const peers = peerSlots(guest.slot, slots);
  return guests.filter((other) => peers.includes(other.slot) && hasDevice(other, NIC, isAtRest));
}

/** Now and then one of the guest's devices is closed and connected anew. */
function* reconnects(me: Thread, guest: DeviceGuest, isOpen: () => boolean, io: Traffic): Actor {
  while (!isOpen()) yield 100_000;
  for (let seen = -1; ; ) {
    yield me.draws.between(2_000_000, 12_000_000);
    if (io.stopping) return;
    if (io.requests === seen) continue; // where nothing goes on there is nothing to interrupt
    seen = io.requests;
    const devices = [...guest.disks, ...guest.nics];
    if (devices.length > 0) me.draws.pick(devices).reopen(); // one that faults keep without any waits for the next time
  }
}

/** A disk whose device number is written with its other keys, as libxl did it for a disk without a script of its own (libxl.c in
 *  4.6, device_disk_add): the script finds it there, and the backend must not wait for an event after that of its own watch. */
function withNumber(device: Device): Device {
  return { ...device, back: (domid) => [...device.back(domid), ['physical-device', majorMinor(domid, device.devid)]] };
}

/** `xl block-attach` and `xl block-detach` of a second disk, by turns. */
function* hotplug(me: Thread, xl: Libxl, guests: readonly DeviceGuest[], isOpen: () => boolean, io: Traffic): Actor {
  while (!isOpen()) yield 100_000;
  const device = vbd({ devid: XVDB });
  for (let seen = -1; !io.stopping; ) {
    if (io.requests === seen) {
      yield LOOK_NS;
      continue;
    }
    seen = io.requests;
    const running = guests.filter(({ os, slot }) => os.domain.isRunning && slot !== CHURNED);
    if (running.length === 0) return;
    // 1. A device is detached, and its directory goes. 2. The guest, which is slow, is yet to be told. 3. It is attached again:
    // the guest finds the directory there, and knows the device, closed as it is (xenbus_dev_changed): nothing comes of it. So
    // nobody has it again who has not forgotten it.
    const ready = running.filter(({ bus }) => !bus.knows(`device/vbd/${XVDB}`));
    if (ready.length === 0) continue;
    const { domid } = me.draws.pick(ready).os.domain;
    const guest = ready.find(({ os }) => os.domain.domid === domid);
    const isEarly = me.draws.oneIn(2);
    if (guest !== undefined) guest.closing.delete(nameOf(guest, device));
    const added = yield* addDevice(me, xl, domid, isEarly ? withNumber(device) : device);
    // It is there to be used: who attached it waits until it can be, or until its backend gives it up.
    const isComing = (to: DeviceGuest) => isThere(to) && !isSettled(to, device) && !isRefused(to, nameOf(to, device));
    while (added.rc === 0 && guest !== undefined && isComing(guest)) yield LOOK_NS;
    yield me.draws.between(1_000_000, 8_000_000);
    yield* removeDevice(me, xl, domid, device);
  }
}

/** Disks grow, one after the other; not those that come and go: blkback tells of a new size by writing its state once more,
 *  and where libxl has just asked it to close, that request is overwritten and waited for until it is made by force, 10 s later
 *  (xen_vbd_resize in linux drivers/block/xen-blkback/blkback.c). */
function* grow(me: Thread, disks: BlockDevices, isOpen: () => boolean, isOver: () => boolean): Actor {
  while (!isOpen()) yield 100_000;
  for (;;) {
    yield me.draws.between(2_000_000, 8_000_000);
    if (isOver()) return;
    const small = disks.all.flatMap(([, disk]) =>
      disk.sectors === SECTORS && !disk.openedBy.endsWith(`/${XVDB}`) ? [disk] : [],
    );
    if (small.length > 0) me.draws.pick(small).resize(SECTORS + GROWTH);
  }
}

function isThere({ os: { domain } }: DeviceGuest): boolean {
  return domain.dying === 'alive' && !domain.shutdown;
}

/** Whether a guest has, or will have, a device: nobody has given it up. Who does not live long has it when it is connected: others
 *  would wait for one life after the other in which faults keep it from that. */
function hasDevice(guest: DeviceGuest, device: Device, isAtRest: boolean): boolean {
  const name = nameOf(guest, device);
  if (!isThere(guest) || guest.closing.has(name) || isLost(guest, name, isAtRest)) return false;
  return guest.slot !== CHURNED || isSettled(guest, device);
}

/** INJ-T10: whether the store had no memory for something that a device's driver asked for. */
function isRefused({ os, refused }: DeviceGuest, name: DeviceName): boolean {
  return refused.has(name) || refused.has(`*/${os.domain.domid}`);
}

/**
 * Whether a device is waited for no more. 1. A driver reads a key, or its backend's state, and the store has no memory for
 * that. 2. A device is not probed, a state is not seen (xenbus_read_driver_state makes it Unknown). 3. No driver of Linux asks
 * again, and who uses the device hangs. It may have been of no consequence: only where all is at rest nothing comes of it.
 */
function isLost(guest: DeviceGuest, name: DeviceName, isAtRest: boolean): boolean {
  return isAtRest && isRefused(guest, name);
}

function nameOf({ os }: DeviceGuest, { kind, devid }: Device): DeviceName {
  return `${kind}/${os.domain.domid}/${devid}`;
}

/** Whether a device can be used, or was given up. */
function isSettled(guest: DeviceGuest, device: Device): boolean {
  const name = nameOf(guest, device);
  return (
    guest.closing.has(name) ||
    guest.disks.some((disk) => disk.name === name && disk.isConnected) ||
    guest.nics.some((nic) => nic.name === name && nic.hasCarrier)
  );
}

/** What a guest uses, or is to: devices that are not at rest, and the programs of those that are. */
function unfinished(guest: DeviceGuest, isAtRest: boolean): string[] {
  const { sending, disks, nics, programs } = guest;
  const nic = nameOf(guest, NIC);
  const isWaitedFor = (name: DeviceName) => !isLost(guest, name, isAtRest);
  const atWork = programs.flatMap(({ disk, thread }) =>
    mayGoOn(thread) && isWaitedFor(disk.name) ? [thread.name] : [],
  );
  if (!isThere(guest)) return atWork;
  const coming = [DISK, NIC].flatMap((device) => (isSettled(guest, device) ? [] : [nameOf(guest, device)]));
  const busy = [...disks, ...nics].flatMap(({ inFlight, isClosing, name }) =>
    inFlight > 0 && !isClosing ? [name] : [],
  );
  return [
    ...[...coming, ...busy].filter(isWaitedFor),
    ...atWork,
    ...(sending > 0 && isWaitedFor(nic) ? ['its network'] : []),
  ];
}

/** Moments of updates, in requests of the devices, drawn within each share of them. */
function spread(updates: number, requests: number, plan: { between(min: number, max: number): number }): number[] {
  const share = Math.floor(requests / Math.max(1, updates + 1));
  return Array.from({ length: updates }, (_, i) => i * share + plan.between(Math.floor(share / 4), share));
}
