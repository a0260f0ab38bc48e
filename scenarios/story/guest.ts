import {
  type BuiltDomain,
  type ClientHabits,
  GuestConsole,
  GuestControl,
  LINUX_HABITS,
  suspendSelf,
  type Thread,
  Xs,
} from '../../guests/index.ts';
import type { DomainPlan } from '../../guests/libxl/index.ts';
import type { Actor } from '../../sim/index.ts';
import type { Guest } from '../engine/host.ts';
import { Moment } from './moment.ts';

/** A program of a guest: `xs` is its connection to xenstore, `xs.me` its thread, `guest` the one that it runs in. */
export type GuestProgram = (xs: Xs, guest: StoryGuest) => Actor;

/** A guest of a story; what is left out is as Linux and `xl` have it. */
export interface StoryGuestPlan extends Partial<Omit<DomainPlan, 'name'>> {
  /** How its kernel treats the ring. */
  readonly habits?: ClientHabits;
  /** The story is not over before its program has ended. */
  readonly program: GuestProgram;
  /** Programs that go on for as long as there is anything to do: who only watches. By their names. */
  readonly background?: Readonly<Record<string, GuestProgram>>;
  /** Its kernel listens to `control/shutdown`, and can be suspended and moved. Left out: on several hosts it does. */
  readonly listens?: boolean;
  /** It is made when this has come; left out: at once. */
  readonly after?: Moment;
  /** Called when its kernel is loaded, before its programs: to plug devices in. */
  readonly booted?: (guest: StoryGuest, built: BuiltDomain) => void;
}

/** A domain that is to be made, or was, under a name that is unique in its story. */
export class StoryGuest {
  readonly name: string;
  readonly plan: StoryGuestPlan;
  /** Its kernel is loaded; it has its place in the store. */
  readonly isUp: Moment;
  #guest: Guest | undefined;
  #uuid = '';
  readonly #when: (what: string, isSo: () => boolean) => Moment;
  /** Its program, and those in the background. */
  readonly programs: Thread[] = [];

  constructor(name: string, plan: StoryGuestPlan, when: (what: string, isSo: () => boolean) => Moment) {
    this.#when = when;
    this.name = name;
    this.plan = plan;
    this.isUp = new Moment(`${name} is up`);
  }

  /** Kernel and client. Throws before it is up. */
  get guest(): Guest {
    if (this.#guest === undefined) throw new Error(`${this.name} is not up yet: wait for its \`isUp\``);
    return this.#guest;
  }

  get hasBegun(): boolean {
    return this.#guest !== undefined;
  }

  get domid(): number {
    return this.guest.os.domain.domid;
  }

  /** Its home in the store of the host where it is now. */
  get home(): string {
    return `/local/domain/${this.domid}`;
  }

  get uuid(): string {
    return this.#uuid;
  }

  /** Loads its kernel and starts its programs. */
  boot(guest: Guest, built: BuiltDomain, uuid: string, listens: boolean): void {
    this.#guest = guest;
    this.#uuid = uuid;
    const { os, client } = guest;
    const { program, background = {}, booted } = this.plan;
    const parts: GuestConsole[] = [];
    if (built.console !== undefined) {
      const hvc = new GuestConsole(os, built.console);
      hvc.start();
      parts.push(hvc);
    }
    if (listens)
      new GuestControl(os, client, {
        *suspend(me) {
          yield* suspendSelf(me, os, client, parts);
        },
      }).start();
    booted?.(this, built);
    const start = (name: string, body: GuestProgram) => os.start(name, (me) => body(new Xs(client, me), this));
    for (const [name, body] of Object.entries(background)) start(name, body);
    this.programs.push(start('main', program));
    this.isUp.comes();
  }

  /** Stops in the middle of what it writes: so many more octets of its requests go into the ring, and then none. @returns when they
   *  have. */
  stopsAfter(octets: number): Moment {
    const { client } = this.guest;
    const end = client.octets.sent + octets;
    client.stopAfter({ sent: octets });
    return this.#when(`${this.name} has written ${octets} octets more`, () => client.octets.sent >= end);
  }

  /** Stops in the middle of what it reads: so many more octets are taken out of the ring, and then none. @returns when they have. */
  stopsReadingAfter(octets: number): Moment {
    const { client } = this.guest;
    const end = client.octets.got + octets;
    client.stopAfter({ got: octets });
    return this.#when(`${this.name} has read ${octets} octets more`, () => client.octets.got >= end);
  }

  /** Goes on where it stopped. */
  goesOn(): void {
    this.guest.client.stopAfter({ sent: Number.POSITIVE_INFINITY, got: Number.POSITIVE_INFINITY });
  }
}

/** The kernel's habits of a plan. */
export function habitsOf({ habits = LINUX_HABITS }: StoryGuestPlan): ClientHabits {
  return habits;
}
