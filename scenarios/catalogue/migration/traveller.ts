import {
  type ClientHabits,
  DirtyMemory,
  type DirtyPlan,
  GuestConsole,
  GuestControl,
  LINUX_HABITS,
  monitor,
  octets,
  suspendChannel,
  suspendSelf,
  type Thread,
  type Traffic,
  worker,
} from '../../../guests/index.ts';
import { type BuiltDomain, type DomainPlan, vbd, vif } from '../../../guests/libxl/index.ts';
import type { Actor, Stream } from '../../../sim/index.ts';
import type { Guest } from '../../engine/host.ts';
import { livesOn } from '../../engine/run.ts';
import type { GuestWill } from '../../faults/trip.ts';
import { macOf } from '../storms/guest.ts';
import { type DeviceUse, DeviceUsers } from './device-users.ts';
import { San } from './san.ts';
import type { Place } from './site.ts';

/** Between two lines on its console, ns, and octets of a line: more than its daemon takes (CON-3), so that it parks with some in the ring. */
const LOG_NS = [200_000, 4_000_000] as const;
const LINE_MAX = 400;
/** A guest for which everybody waits says ever less. */
const LINES_OFTEN = 100;

export interface TravellerPlan extends DeviceUse {
  readonly slot: number;
  /** Agents that use xenstore. */
  readonly workers: number;
  readonly hasDepth: boolean;
  /** Whether nobody does anything any more. */
  readonly isOver: () => boolean;
  /** The store's requests that are wanted. */
  readonly traffic: Traffic;
}

/** A guest that is moved about: a Linux with a disk that every host reaches, an interface, a console and programs that use all of
 *  them, and xenstore. */
export class Traveller {
  readonly slot: number;
  readonly name: string;
  readonly guest: Guest;
  readonly uuid: string;
  /** Its programs; those of its disk and interface too. */
  readonly programs: Thread[] = [];
  /** Its own memory, which it writes to all the time. */
  readonly memory: DirtyMemory;
  /** How it takes the next request to suspend itself. */
  will: GuestWill = 'helps';
  readonly #users: DeviceUsers;
  #lines = 0;

  constructor(place: Place, built: BuiltDomain, uuid: string, plan: TravellerPlan) {
    const { slot, traffic, workers } = plan;
    const { host } = place.run;
    this.slot = slot;
    this.uuid = uuid;
    this.name = nameOf(slot);
    const habits: ClientHabits = {
      ...LINUX_HABITS,
      notify: slot % 4 === 3 ? 'always' : 'edge',
      tornOneIn: 4,
      tornNsMax: 20_000,
      maxInFlight: 1 + (slot % 4) * 3,
    };
    this.#users = new DeviceUsers(() => this.guest, plan, this.programs);
    this.guest = host.boot(built, habits);
    const { os, client } = this.guest;
    const hvc = built.console === undefined ? undefined : new GuestConsole(os, built.console);
    hvc?.start();
    const bus = place.backends.plug(this.guest, {
      disk: (disk) => this.#users.disk(disk),
      nic: (nic) => this.#users.nic(nic),
    });
    const parts = hvc === undefined ? [bus] : [hvc, bus];
    const say = (text: string) => hvc?.write(octets(`${this.name}: line ${++this.#lines}: ${text}\n`));
    say('booted');
    const self = this;
    function* suspends(me: Thread): Actor<'same' | 'new' | 'nowhere'> {
      const { will } = self;
      if (will === 'deaf' || will === 'runs on') return 'same';
      if (will !== 'helps') yield will.lateNs;
      say('suspends');
      const where = yield* suspendSelf(me, os, client, parts);
      say(`goes on in ${where} domain`);
      return where;
    }
    new GuestControl(os, client, {
      hears: () => self.will !== 'deaf',
      *suspend(me) {
        yield* suspends(me);
      },
    }).start();
    if (Traveller.hasChannel(slot)) os.start('suspend-channel', (me) => suspendChannel(me, os, client, suspends));
    this.memory = DirtyMemory.create(os, dirtying(host.machine.streams.for(`memory/${slot}`)));
    os.start('memory', (me) => this.memory.run(me, () => traffic.stopping));
    for (let w = 0; w < workers; w++)
      this.programs.push(
        os.start(`worker${w}`, (me) =>
          worker(me, client, traffic, {
            get domid() {
              return os.domain.domid;
            },
            get peers() {
              const { domid } = os.domain;
              return [Math.max(0, domid - 1), domid + 1];
            },
            sharedNodes: 3,
            thinkNsMax: 400_000,
            txThinkNsMax: 40_000,
            hasDepth: plan.hasDepth,
            hasDrivers: true,
            sparesKernel: true,
          }),
        ),
      );
    if (hvc !== undefined)
      os.start('syslog', function* (me): Actor {
        while (!plan.isOver()) {
          yield me.draws.between(...LOG_NS) * (1 + Math.floor(self.#lines / LINES_OFTEN));
          say('.'.repeat(me.draws.below(LINE_MAX)));
        }
      });
    os.start('agent', (me) =>
      monitor(me, client, traffic, {
        watches: [{ path: 'data' }, { path: '/shared' }, { path: 'memory/target' }],
        readsEvents: true,
        perEventNsMax: 20_000,
      }),
    );
  }

  /** What its configuration file says. */
  static plan(slot: number): DomainPlan {
    return {
      name: nameOf(slot),
      type: slot % 3 === 2 ? 'pv' : 'pvh',
      vcpus: 1 + (slot % 2),
      disks: [vbd({ params: San.path(slot) })],
      nics: [vif({ mac: macOf(slot) })],
      console: 'attended',
    };
  }

  /** Whether it is a classic kernel, which offers an event channel to be asked over (way A). */
  static hasChannel(slot: number): boolean {
    return slot % 3 === 1;
  }

  /** Whether it can still do something, or will be able to: one that hangs in a suspend never will. */
  get goesOn(): boolean {
    return livesOn(this.guest.os.domain) && !this.guest.client.hangs;
  }

  /** Whether a program still has something on its way to a device; one whose guest has ended never will again. */
  get isSending(): boolean {
    return this.#users.isSending;
  }
}

/** How it writes: as 4.3 draws it for a simulator, in less memory. */
function dirtying(draws: Stream): DirtyPlan {
  const pages = draws.between(8, 160);
  return {
    pages,
    hot: draws.below(Math.min(pages, 90)),
    hotPeriodNs: draws.between(2_000_000, 50_000_000),
    background: draws.below(4_000),
    burstsOf100: draws.below(20),
  };
}

function nameOf(slot: number): string {
  return `domU${slot}`;
}
