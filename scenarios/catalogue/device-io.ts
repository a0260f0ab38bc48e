import {
  type Blkfront,
  type BlockDevices,
  blkLoad,
  type DeviceName,
  Disk,
  type Netfront,
  netLoad,
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
  /** That kind of traffic is at its end, at its target or short of it. */
  const ended = (kind: Traffic) => {
    kind.stopping = true;
    if (!block.stopping || !net.stopping) return;
    io.stopping = true;
    traffic.stopping = true;
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
        livesForEver: (slot) => slot !== 1,
        domain: (slot) => ({
          disks: [vbd()],
          nics: [vif({ mac: macOf(slot) })],
        }),
        libxl,
        boot: (built, slot) => {
          created++;
          const guest = bootGuest(host, backends, built, slot);
          guests.push(guest);
          const use = { host, guest, slot, slots, isOpen, writers };
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

  const kinds = [
    { kind: block, isUsable: () => guests.some((guest) => hasDevice(guest, DISK)), lastNs: 0 },
    { kind: net, isUsable: () => guests.some((guest) => peersOf(guest, guests, slots).length > 0), lastNs: 0 },
  ];
  let seen = -1;
  let seenNs = 0;
  /** What faults have left may be too little for a target: a disk that is there, two guests that talk to one another. */
  const endUnreachable = () => {
    if (io.requests !== seen) {
      seen = io.requests;
      seenNs = machine.nowNs;
    } else if (machine.nowNs - seenNs > REST_NS) traffic.stopping = true;
    for (const each of kinds) {
      if (each.kind.requestsMax === 0) ended(each.kind);
      if (each.kind.stopping) continue;
      if (!isOpen() || each.isUsable()) each.lastNs = machine.nowNs;
      else if (machine.nowNs - each.lastNs > GIVE_UP_NS) ended(each.kind);
    }
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
      return !io.stopping || writers.some(mayGoOn) || guests.some(isUsing) || host.inFlight > 0;
    },
    horizonNs: HORIZON_NS,
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
        ...guests.filter(isUsing).map((guest) => `${guest.os.domain.name} uses ${unfinished(guest).join(', ')}`),
        `${block.requests} block requests, ${net.requests} packets, ${host.inFlight} requests to the store unanswered`,
        ...dom0.os.waits,
        ...guests.filter(isThere).flatMap(({ os }) => os.waits),
      ].join('; '),
  });
}

/** A guest with its frontends. */
interface DeviceGuest extends Guest {
  readonly slot: number;
  readonly disks: Blkfront[];
  readonly nics: Netfront[];
  /** Devices that their backend has given up, or that are taken away. */
  readonly closing: Set<DeviceName>;
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
  const guest: DeviceGuest = {
    ...booted,
    slot,
    disks: [],
    nics: [],
    closing: new Set(),
    sending: 0,
    onDisk: () => {},
    onNic: () => {},
  };
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
  };
  backends.plug(booted, online, { hasPersistentGrants: slot % 2 === 0, cutsPackets: true });
  return guest;
}

/** What programs of a guest need to know of the run. */
interface Use {
  readonly host: Host;
  readonly guest: DeviceGuest;
  readonly slot: number;
  readonly slots: number;
  readonly isOpen: () => boolean;
  readonly writers: Thread[];
}

interface Share {
  readonly goesOn: () => boolean;
  readonly asked: () => void;
}

/** Two programs, each on a half of the disk; the second's half grows with it. */
function useDisk({ guest, isOpen, writers }: Use, disk: Blkfront, share: Share): void {
  const half = SECTORS / 2;
  for (const [i, region] of [{ first: 0, end: half }, { first: half }].entries())
    writers.push(
      guest.os.start(`dd-${disk.name}-${i}`, function* (me): Actor {
        while (!isOpen()) yield 100_000;
        yield* blkLoad(me, disk, { ...region, ...share, inFlightMax: 6, thinkNsMax: 120_000 });
      }),
    );
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
function peersOf(guest: DeviceGuest, guests: readonly DeviceGuest[], slots: number): DeviceGuest[] {
  if (!hasDevice(guest, NIC)) return [];
  const peers = peerSlots(guest.slot, slots);
  return guests.filter((other) => peers.includes(other.slot) && hasDevice(other, NIC));
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
    const running = guests.filter(({ os, slot }) => os.domain.isRunning && slot !== 1);
    if (running.length === 0) return;
    const { domid } = me.draws.pick(running).os.domain;
    const guest = running.find(({ os }) => os.domain.domid === domid);
    const isEarly = me.draws.oneIn(2);
    if (guest !== undefined) guest.closing.delete(nameOf(guest, device));
    const added = yield* addDevice(me, xl, domid, isEarly ? withNumber(device) : device);
    // It is there to be used: who attached it waits until it can be, or until its backend gives it up.
    while (added.rc === 0 && guest !== undefined && isThere(guest) && !isSettled(guest, device)) yield LOOK_NS;
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

/** Whether a guest has, or will have, a device: nobody has given it up. */
function hasDevice(guest: DeviceGuest, device: Device): boolean {
  return isThere(guest) && !guest.closing.has(nameOf(guest, device));
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

function isUsing(guest: DeviceGuest): boolean {
  const { sending, disks, nics } = guest;
  if (!isThere(guest)) return false;
  if (![DISK, NIC].every((device) => isSettled(guest, device))) return true;
  return sending > 0 || [...disks, ...nics].some(({ inFlight, isClosing }) => inFlight > 0 && !isClosing);
}

/** Devices of a guest that are not at rest. */
function unfinished(guest: DeviceGuest): DeviceName[] {
  const names = [DISK, NIC].flatMap((device) => (isSettled(guest, device) ? [] : [nameOf(guest, device)]));
  for (const { name, inFlight } of [...guest.disks, ...guest.nics]) if (inFlight > 0) names.push(name);
  return guest.sending > 0 ? [...names, 'its network'] : names;
}

/** Moments of updates, in requests of the devices, drawn within each share of them. */
function spread(updates: number, requests: number, plan: { between(min: number, max: number): number }): number[] {
  const share = Math.floor(requests / Math.max(1, updates + 1));
  return Array.from({ length: updates }, (_, i) => i * share + plan.between(Math.floor(share / 4), share));
}
