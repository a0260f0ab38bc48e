import { type Blkfront, blkLoad, type Clock, type Netfront, netLoad } from '../../../guests/devices/index.ts';
import type { Thread, Traffic } from '../../../guests/index.ts';
import type { Guest } from '../../engine/host.ts';
import { livesOn } from '../../engine/run.ts';
import { macOf } from '../storms/guest.ts';

/** Sectors that a program uses of its disk. */
const BLK_LOAD = { first: 0, end: 256, inFlightMax: 4, thinkNsMax: 60_000 } as const;
const NET_LOAD = { windowMax: 4, thinkNsMax: 80_000 } as const;
/** How often a program looks whether all guests are there, ns. */
const POLL_NS = 500_000;

export interface DeviceUse {
  /** Disk requests and packets that are wanted. */
  readonly block: Traffic;
  readonly net: Traffic;
  readonly isOpen: () => boolean;
  /** Slots of guests that this one's interface talks to. */
  readonly peers: readonly number[];
}

/** Programs of a guest that use its disk and its interface. */
export class DeviceUsers {
  readonly #guest: () => Guest;
  readonly #use: DeviceUse;
  readonly programs: Thread[];
  #sending = 0;
  #online = 0;

  /** @param programs where programs are kept that have an end. */
  constructor(guest: () => Guest, use: DeviceUse, programs: Thread[]) {
    this.#guest = guest;
    this.#use = use;
    this.programs = programs;
  }

  /** Devices that can be used, or could be once. */
  get online(): number {
    return this.#online;
  }

  /** Whether a program still has something on its way to a device; one whose guest has ended never will again. */
  get isSending(): boolean {
    return this.#sending > 0 && livesOn(this.#guest().os.domain);
  }

  /** A clock that goes on wherever the guest is. */
  get #clock(): Clock {
    const { os } = this.#guest();
    return {
      get nowNs() {
        return os.machine.nowNs;
      },
      at: (dueNs, fire) => os.machine.scheduler.at(dueNs, fire),
    };
  }

  disk(disk: Blkfront): void {
    const { block, isOpen } = this.#use;
    this.#online++;
    this.programs.push(
      this.#guest().os.start(`fio-${disk.name}`, function* (me) {
        while (!isOpen()) yield POLL_NS;
        yield* blkLoad(me, disk, { ...BLK_LOAD, goesOn: () => !block.stopping, asked: () => block.sent() });
      }),
    );
  }

  nic(nic: Netfront): void {
    const { net, isOpen, peers } = this.#use;
    const clock = this.#clock;
    this.#online++;
    this.#sending++;
    const finished = () => {
      this.#sending--;
    };
    this.#guest().os.start(`iperf-${nic.name}`, function* (me) {
      while (!isOpen()) yield POLL_NS;
      yield* netLoad(me, nic, clock, {
        ...NET_LOAD,
        peers: peers.map((slot) => macOf(slot).replaceAll(':', '')),
        goesOn: () => !net.stopping,
        asked: () => net.sent(),
        finished,
      });
    });
  }
}
