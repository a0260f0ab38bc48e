import { type Blkfront, blkLoad, type DeviceName, type Netfront, netLoad } from '../../../guests/devices/index.ts';
import { GuestConsole, GuestControl, LINUX_HABITS, octets, suspendSelf, type Thread } from '../../../guests/index.ts';
import type { BuiltDomain, Device } from '../../../guests/libxl/index.ts';
import type { Actor } from '../../../sim/index.ts';
import type { Guest, Host } from '../../engine/host.ts';
import { livesOn, mayGoOn } from '../../engine/run.ts';
import type { Backends } from './backends.ts';

/** How often a program looks whether it is its time, ns. */
const POLL_NS = 20_000_000;
const BLK_LOAD = { first: 0, end: 256, inFlightMax: 3, thinkNsMax: 20_000 } as const;
const NET_LOAD = { windowMax: 2, thinkNsMax: 50_000 } as const;
/** Nobody talks on to somebody of whom nothing was heard for so long, ns. */
const SILENCE_NS = 10_000_000_000;

export interface GuestPlan {
  readonly host: Host;
  readonly backends: Backends;
  /** Requests of each disk, and packets of each interface, in each of its lives. */
  readonly io: number;
  /** Whether devices may be used by now. */
  readonly isReady: () => boolean;
  /** Whom the guest's interface talks to; `undefined`: nobody. */
  readonly peer: (of: StormGuest) => StormGuest | undefined;
}

/** A Linux guest of a storm: console, ears for its toolstack, frontends, and programs that use each device a little. */
export class StormGuest {
  readonly guest: Guest;
  readonly #plan: GuestPlan;
  readonly #disks = new Set<Blkfront>();
  readonly #nics = new Set<Netfront>();
  readonly #closing = new Set<DeviceName>();
  readonly #programs: Thread[] = [];
  #talking = 0;

  constructor(plan: GuestPlan, built: BuiltDomain) {
    this.#plan = plan;
    const { host, backends } = plan;
    const { domid } = built.domain;
    const notify = domid % 4 === 3 ? 'always' : 'edge';
    this.guest = host.boot(built, { ...LINUX_HABITS, notify, tornOneIn: 16 });
    const { os, client } = this.guest;
    if (built.console !== undefined) {
      const hvc = new GuestConsole(os, built.console);
      hvc.start();
      hvc.write(octets(`Linux version 6.12, domain ${domid}\n`));
    }
    new GuestControl(os, client, {
      *suspend(me) {
        yield* suspendSelf(me, os, client);
      },
    }).start();
    backends.plug(this.guest, {
      disk: (disk) => this.#useDisk(disk),
      nic: (nic) => this.#useNic(nic),
      closing: (name) => this.#closing.add(name),
    });
  }

  get domid(): number {
    return this.guest.os.domain.domid;
  }

  get isRunning(): boolean {
    return this.guest.os.domain.isRunning;
  }

  /** Whether it runs, or is suspended and will go on. */
  get isThere(): boolean {
    return livesOn(this.guest.os.domain);
  }

  /** Whether a device that is to be there can be used, or was given up by its backend: nobody tries that again. */
  isSettled({ kind, devid }: Pick<Device, 'kind' | 'devid'>): boolean {
    const name = `${kind}/${this.domid}/${devid}`;
    return this.#closing.has(name) || [...this.#disks, ...this.#nics].some((each) => each.name === name);
  }

  get address(): string | undefined {
    return [...this.#nics].find(({ isClosing }) => !isClosing)?.address;
  }

  /** Whether a program still uses a device. */
  get isUsing(): boolean {
    return this.#talking > 0 || this.#programs.some(mayGoOn);
  }

  #useDisk(disk: Blkfront): void {
    this.#disks.add(disk);
    this.#closing.delete(disk.name);
    const { io, isReady } = this.#plan;
    let asked = 0;
    this.#programs.push(
      this.guest.os.start(`fio-${disk.name}`, function* (me): Actor {
        while (!isReady()) yield POLL_NS;
        yield* blkLoad(me, disk, { ...BLK_LOAD, goesOn: () => asked < io, asked: () => asked++ });
      }),
    );
  }

  #useNic(nic: Netfront): void {
    this.#nics.add(nic);
    this.#closing.delete(nic.name);
    const { io, isReady, peer, host } = this.#plan;
    const self = this;
    let asked = 0;
    this.#talking++;
    this.guest.os.start(`iperf-${nic.name}`, function* (me): Actor {
      while (!isReady()) yield POLL_NS;
      const other = peer(self);
      const address = other?.address;
      const { scheduler } = host.machine;
      let heardNs = scheduler.nowNs;
      yield* netLoad(me, nic, scheduler, {
        ...NET_LOAD,
        peers: address === undefined ? [] : [address],
        // With a peer that has no interface there is nobody to talk to, and one that is taken away does not come back.
        goesOn: () => {
          if (scheduler.nowNs - heardNs > SILENCE_NS) return false;
          return asked < io && address !== undefined && other?.isThere === true && other.address === address;
        },
        asked: () => {
          asked++;
          heardNs = scheduler.nowNs;
        },
        finished: () => self.#talking--,
      });
    });
  }
}

/** Address of the n-th interface of a host, with Xen's vendor part. */
export function macOf(n: number): string {
  const hex = (octet: number) => (octet & 0xff).toString(16).padStart(2, '0');
  return `00:16:3e:00:${hex(n >> 8)}:${hex(n)}`;
}
