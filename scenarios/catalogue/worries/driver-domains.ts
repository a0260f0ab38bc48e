import { BlockDevices, Disk } from '../../../guests/devices/index.ts';
import { LINUX_HABITS, sharedNodes, type Thread } from '../../../guests/index.ts';
import {
  addDevice,
  createDomain,
  type Device,
  destroyDomain,
  devd,
  type HotplugScripts,
  type Libxl,
  removeDevice,
  vbd,
  vif,
} from '../../../guests/libxl/index.ts';
import { type Actor, SHUTDOWN_REASONS } from '../../../sim/index.ts';
import type { Guest, Host } from '../../engine/host.ts';
import { marks, type Scenario, scenario } from '../../engine/scenario.ts';
import { count } from '../../engine/settings.ts';
import { toolsOf } from '../../engine/tool-process.ts';
import { devices } from '../../judge/invariants/devices.ts';
import { Backends } from '../storms/backends.ts';
import { macOf, StormGuest } from '../storms/guest.ts';
import { framed, type Makings, playDoes, playSettings } from './play.ts';

const CRASH = SHUTDOWN_REASONS.indexOf('crash');
const DISK_SECTORS = 512;
/** One domain has the disks, the other one the network. */
const KINDS = ['vbd', 'vif'] as const;
/** From when all devices of a driver domain are attached until it crashes, ns. */
const LIFE_NS = [200_000, 4_000_000] as const;
/** From its end until the administrator has noticed, ns. */
const NOTICED_NS = [50_000, 500_000] as const;
/** How often somebody looks how far another is, ns. */
const LOOK_NS = 200_000;
const SCRIPT_WORK_NS = [20_000, 100_000] as const;
const PROCESS_NS = [1_000, 5_000] as const;

/** It takes none yet: administrators who wait for both of two that may end need more than one life of patience. */
function withoutFaults<T extends { readonly faults: unknown }>({ faults: _, ...rest }: T): Omit<T, 'faults'> {
  return rest;
}

export const driverDomains: Scenario = scenario({
  name: 'driver-domains',
  story:
    'Disks and interfaces of guests have their backends in two domains of their own, which crash with everything that is on its way; others take their places, devices are detached and attached anew, and the store updates itself all the while.',
  worry: 'A driver domain crashes: do its guests get their devices back, and does anybody lose an acknowledged write?',
  settings: {
    ...withoutFaults(playSettings(4, 9_000, 3)),
    crashes: count(2, { min: 0, max: 100 }, 'crashes of each driver domain'),
    io: count(12, { min: 0, max: 10_000 }, 'block requests or packets of each device in each of its lives'),
  },
  does: (settings) => playDoes(settings, { bare: false, alone: false, destroys: settings.crashes > 0 }),
  marks: ({ updates, crashes, io }) =>
    marks({
      run: { update: updates > 0, attach: true, detach: crashes > 0, block: io > 0, packet: io > 0 },
      sweep: {
        'domain-gone': crashes > 0,
        'io-over-update': updates > 0 && io > 0,
        'handshake-over-update': updates > 0,
      },
    }),
  run: (request) => {
    const { domains, crashes, io } = request.settings;
    const drivers: DriverDomain[] = [];
    return framed(
      request,
      {
        scenario: driverDomains.name,
        verdicts: (history) => [devices(history)],
        finish: () => {
          for (const { backends } of drivers) backends?.noteDisks();
        },
      },
      function* (makings, me) {
        const { host, workers } = makings;
        yield* sharedNodes(me, host.dom0.client);
        for (const kind of KINDS) drivers.push(new DriverDomain(host, kind));
        for (const driver of drivers) yield* driver.create(me);
        const guests: StormGuest[] = [];
        for (let slot = 0; slot < domains; slot++) yield* startGuest(makings, me, { slot, io, drivers, guests });
        for (const driver of drivers) workers.push(driver.startFate(guests.length, crashes));
        workers.push(host.dom0.os.start('users', () => untilUnused(drivers, guests)));
      },
    );
  },
});

function* untilUnused(drivers: readonly DriverDomain[], guests: readonly StormGuest[]): Actor {
  while (drivers.some(({ isOver }) => !isOver) || guests.some(({ isUsing }) => isUsing)) yield LOOK_NS;
}

/** A domain that has the backends of one kind of device, and those that come after it under its name. */
class DriverDomain {
  readonly kind: (typeof KINDS)[number];
  readonly #host: Host;
  readonly #xl: Libxl;
  /** They are somewhere else, and survive. */
  readonly #disks = new BlockDevices(() => new Disk(DISK_SECTORS));
  backends: Backends | undefined;
  domid = 0;
  /** Those that were there, this one among them; 0: none yet. */
  lives = 0;
  /** Guests whose device was attached to this one, or could not be. */
  attached = 0;
  /** It does not crash any more, and no other comes. */
  isOver = false;

  constructor(host: Host, kind: (typeof KINDS)[number]) {
    this.#host = host;
    this.kind = kind;
    this.#xl = toolsOf(host)(`xl-driver-${kind}`).xl;
  }

  /** `xl create`, of a domain with driver_domain=1. @returns whether it is there. */
  *create(me: Thread): Actor<boolean> {
    const life = this.lives + 1;
    const plan = { name: `driver-${this.kind}.${life}`, isDriverDomain: true };
    const made = yield* createDomain(me, this.#xl, plan, {
      boot: (built) => {
        this.#boot(this.#host.boot(built, LINUX_HABITS));
        this.domid = built.domain.domid;
        this.attached = 0;
        this.lives = life;
      },
    });
    this.isOver = made.rc !== 0;
    if (made.rc !== 0) this.#host.traffic.refused(`${made.rc} in ${made.failedIn}`);
    return made.rc === 0;
  }

  #boot(guest: Guest): void {
    this.backends = new Backends(this.#host, { in: guest, disks: this.#disks });
    const hotplug: HotplugScripts = {
      bridge: this.backends.bridge,
      connect: () => guest.client,
      close: () => {},
      workNs: SCRIPT_WORK_NS,
      processNs: PROCESS_NS,
    };
    const xl = this.#host.libxl(guest.client, { hotplug, observer: undefined, tokenPrefix: 'devd:' });
    guest.os.start('devd', (me) => devd(me, xl));
  }

  /** It crashes in the middle of everything, and another one is made, so many times. */
  startFate(users: number, crashes: number): Thread {
    return this.#host.dom0.os.start(`fate-${this.kind}`, (me) => this.#fate(me, users, crashes));
  }

  *#fate(me: Thread, users: number, crashes: number): Actor {
    const { traffic, dom0 } = this.#host;
    for (let n = 0; n < crashes && !this.isOver; n++) {
      while (this.attached < users && !traffic.stopping) yield LOOK_NS;
      yield me.draws.between(...LIFE_NS);
      if (traffic.stopping) break;
      const { domid } = this;
      dom0.os.hyper.domctl.remoteShutdown(domid, CRASH);
      yield me.draws.between(...NOTICED_NS);
      yield* destroyDomain(me, this.#xl, domid);
      yield* this.create(me);
    }
    this.isOver = true;
  }

  /** The device that a guest has from here. */
  deviceOf(slot: number): Device {
    const backendDomid = this.domid;
    return this.kind === 'vbd' ? vbd({ backendDomid }) : vif({ backendDomid, mac: macOf(slot) });
  }
}

interface GuestSlot {
  readonly slot: number;
  readonly io: number;
  readonly drivers: readonly DriverDomain[];
  /** Those that are there. */
  readonly guests: StormGuest[];
}

/** A guest, and an administrator for each of its devices. */
function* startGuest({ host, workers, booted }: Makings, me: Thread, { slot, io, drivers, guests }: GuestSlot): Actor {
  const { xl } = toolsOf(host)(`xl-guest-${slot}`);
  const backends = drivers[0]?.backends;
  if (backends === undefined) return;
  const peer = (of: StormGuest) => guests.find((each) => each !== of && each.address !== undefined);
  const made = yield* createDomain(
    me,
    xl,
    { name: `guest-${slot}` },
    {
      boot: (built) => {
        booted();
        const guest = new StormGuest({ host, backends, io, isReady: () => true, peer }, built);
        guests.push(guest);
        for (const driver of drivers)
          workers.push(
            host.dom0.os.start(`admin-${slot}-${driver.kind}`, (own) => administers(own, xl, guest, driver, slot)),
          );
      },
    },
  );
  if (made.rc !== 0) host.traffic.refused(`${made.rc} in ${made.failedIn}`);
}

/** `xl block-attach`, or `network-attach`; once another driver domain is there, detach, and attach again. */
function* administers(me: Thread, xl: Libxl, guest: StormGuest, driver: DriverDomain, slot: number): Actor {
  let device: Device | undefined;
  for (let life = 0; ; ) {
    while (driver.lives === life && !driver.isOver) yield LOOK_NS;
    if (driver.lives === life) return;
    if (device !== undefined) yield* removeDevice(me, xl, guest.domid, device);
    life = driver.lives;
    device = driver.deviceOf(slot);
    yield* addDevice(me, xl, guest.domid, device);
    if (driver.lives === life) driver.attached++;
  }
}
