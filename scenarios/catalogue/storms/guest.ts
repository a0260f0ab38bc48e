import { type Blkfront, blkLoad, type Netfront, netLoad } from '../../../guests/devices/index.ts';
import { GuestConsole, GuestControl, LINUX_HABITS, octets, suspendSelf, type Thread } from '../../../guests/index.ts';
import type { BuiltDomain } from '../../../guests/libxl/index.ts';
import type { Actor } from '../../../sim/index.ts';
import type { Guest, Host } from '../../engine/host.ts';
import { isWorking } from '../../engine/run.ts';
import type { Backends } from './backends.ts';

/** How often a program looks whether it is its time, ns. */
const POLL_NS = 20_000_000;
const BLK_LOAD = { first: 0, end: 256, inFlightMax: 3, thinkNsMax: 20_000 } as const;
const NET_LOAD = { windowMax: 2, thinkNsMax: 50_000 } as const;

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
  readonly #programs: Thread[] = [];
  #talking = 0;

  constructor(plan: GuestPlan, built: BuiltDomain) {
    this.#plan = plan;
    const { host, backends } = plan;
    const { domid } = built.domain;
    const notify = domid % 4 === 3 ? 'always' : 'edge';
    this.guest = host.boot(built, host.faults.habits({ ...LINUX_HABITS, notify, tornOneIn: 16 }));
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
    backends.plug(this.guest, { disk: (disk) => this.#useDisk(disk), nic: (nic) => this.#useNic(nic) });
  }

  get domid(): number {
    return this.guest.os.domain.domid;
  }

  get isRunning(): boolean {
    return this.guest.os.domain.isRunning;
  }

  /** Devices that could be used at least once and were not taken away. */
  get connected(): number {
    return [...this.#disks, ...this.#nics].filter(({ isClosing }) => !isClosing).length;
  }

  get address(): string | undefined {
    return [...this.#nics].find(({ isClosing }) => !isClosing)?.address;
  }

  /** Whether a program still uses a device. */
  get isUsing(): boolean {
    return this.#talking > 0 || this.#programs.some(isWorking);
  }

  #useDisk(disk: Blkfront): void {
    this.#disks.add(disk);
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
    const { io, isReady, peer, host } = this.#plan;
    const self = this;
    let asked = 0;
    this.#talking++;
    this.guest.os.start(`iperf-${nic.name}`, function* (me): Actor {
      while (!isReady()) yield POLL_NS;
      const other = peer(self);
      const address = other?.address;
      yield* netLoad(me, nic, host.machine.scheduler, {
        ...NET_LOAD,
        peers: address === undefined ? [] : [address],
        // A peer whose interface is taken away does not come back under that address.
        goesOn: () => asked < io && other?.isRunning === true && other.address === address,
        asked: () => asked++,
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
