import { type SocketHabits, type Thread, Xs } from '../../guests/index.ts';
import { createDomain, destroyDomain, initDom0, type Libxl } from '../../guests/libxl/index.ts';
import { type Actor, SHUTDOWN_REASONS, type ShutdownReason } from '../../sim/index.ts';
import type { Host } from '../engine/host.ts';
import { mayGoOn, type Run, startOperator, type UpdatePlan } from '../engine/run.ts';
import { type ToolProcess, toolsOf } from '../engine/tool-process.ts';
import { type GuestProgram, habitsOf, StoryGuest, type StoryGuestPlan } from './guest.ts';
import { Moment } from './moment.ts';

/** How often it is looked whether a moment has come that nobody tells of, ns. */
const LOOK_NS = 2_000;
/** After so long nobody looks as often any more: what has not come by then most often never does, ns. */
const EAGER_NS = 50_000_000;
const RARE_LOOK_NS = 1_000_000;

/** A program of dom0 with a connection of its own, which is closed when it has ended. */
export type Program = (xs: Xs) => Actor;

/** A process of dom0 that uses libxl. */
export type Tool = (me: Thread, xl: Libxl) => Actor<unknown>;

/** When something begins: when a moment has come, or at once. */
export interface When {
  readonly after?: Moment;
}

/** A host of a story: dom0, a store that serves, and the guests that are made here. */
export class StoryHost {
  readonly run: Run;
  /** Its number among the hosts. */
  readonly place: number;
  readonly name: string;
  readonly guests: StoryGuest[] = [];
  /** Those who have to end before the story does. */
  readonly #busy: Thread[] = [];
  readonly #updates: { readonly after: Moment; readonly done: Moment; readonly version: 1 | 2 | undefined }[] = [];
  readonly #how: Partial<UpdatePlan> = {};
  readonly #isMovable: boolean;
  /** dom0's own nodes are there. */
  readonly #ready = new Moment('dom0 is ready');
  #tools = 0;
  #looks = 0;
  #operator: Thread | undefined;

  /** @param isMovable guests listen to their toolstack, so that they can be moved. */
  constructor(run: Run, place: number, isMovable: boolean) {
    this.run = run;
    this.place = place;
    this.name = run.name ?? '';
    this.#isMovable = isMovable;
    const { host } = this;
    const ready = this.#ready;
    this.#busy.push(
      host.dom0.os.start('init', function* (me): Actor {
        yield* host.initStore(me);
        yield* initDom0(me, host.dom0.client);
        ready.comes();
      }),
    );
  }

  get host(): Host {
    return this.run.host;
  }

  /** A guest, made by a process of its own, `xl create`, when its moment has come. A program alone: all else is as usual. */
  guest(name: string, given: StoryGuestPlan | GuestProgram): StoryGuest {
    const plan = typeof given === 'function' ? { program: given } : given;
    const guest = new StoryGuest(name, plan, (what, isSo) => this.when(what, isSo));
    this.guests.push(guest);
    const { program, background, habits, listens = this.#isMovable, after, booted, ...domain } = plan;
    this.tool(`xl-create-${name}`, (me, xl) => this.#create(me, xl, guest, { name, ...domain }, listens), {
      ...(after === undefined ? {} : { after }),
    });
    return guest;
  }

  *#create(
    me: Thread,
    xl: Libxl,
    guest: StoryGuest,
    domain: Parameters<typeof createDomain>[2],
    listens: boolean,
  ): Actor {
    const { host } = this;
    const created = yield* createDomain(me, xl, domain, {
      boot: (built) => {
        const booted = host.boot(built, habitsOf(guest.plan));
        guest.boot(booted, built, xl.shared.handleOf(built.domain), listens);
      },
    });
    host.traffic.conflicts += created.conflicts;
    if (created.rc !== 0) host.traffic.refused(`${created.rc} in ${created.failedIn}`);
  }

  /** A program of dom0; `background`: the story does not wait for its end. */
  program(
    name: string,
    body: Program,
    when: When & { readonly background?: boolean; readonly habits?: SocketHabits } = {},
  ): Moment {
    const { after, background = false, habits } = when;
    const { host } = this;
    const ready = this.#ready;
    const done = new Moment(`${name} has ended`, !background);
    const thread = host.dom0.os.start(name, function* (me): Actor {
      yield* ready.wait(me);
      if (after !== undefined) yield* after.wait(me);
      const link = host.connect(name, habits);
      yield* body(new Xs(link, me));
      link.close();
      done.comes();
    });
    if (!background) this.#busy.push(thread);
    return done;
  }

  /** A process of dom0 that uses libxl, such as `xl`. @returns when it has exited. */
  tool(name: string, body: Tool, { after }: When = {}): Moment {
    const done = new Moment(`${name} has ended`);
    const self = this;
    const ready = this.#ready;
    this.#busy.push(
      this.host.dom0.os.start(name, function* (me): Actor {
        yield* ready.wait(me);
        if (after !== undefined) yield* after.wait(me);
        const { xl, exit } = self.process(name);
        yield* body(me, xl);
        exit();
        done.comes();
      }),
    );
    return done;
  }

  /** A connection and libxl of a process; names get a number of their own. */
  process(name: string): ReturnType<ToolProcess> {
    return toolsOf(this.host)(`${name}.${++this.#tools}`);
  }

  /** `xl destroy`. @returns when nothing of it is left. */
  destroy(guest: StoryGuest, { after = guest.isUp }: When = {}): Moment {
    return this.tool(`xl-destroy-${guest.name}`, (me, xl) => destroyDomain(me, xl, guest.domid), { after });
  }

  /** A guest ends by itself, as a kernel that panics does (`crash`); it stays until somebody destroys it. */
  endsItself(guest: StoryGuest, reason: ShutdownReason, { after = guest.isUp }: When = {}): void {
    this.#busy.push(
      this.host.dom0.os.start(`fate-${guest.name}`, function* (me): Actor {
        yield* after.wait(me);
        guest.guest.os.hyper.domctl.shutdown(SHUTDOWN_REASONS.indexOf(reason));
      }),
    );
  }

  /** `xenstore-control live-update`, when this has come; several one after the other. `version` of the image (`-v`); left out: what the
   *  run is asked for. @returns when it is answered. */
  update({ after, version }: Required<When> & { readonly version?: 1 | 2 }): Moment {
    const done = new Moment(`live update ${this.#updates.length + 1} is answered`);
    this.#updates.push({ after, done, version });
    return done;
  }

  /** How all its updates are asked for. */
  updatesAre(how: Pick<UpdatePlan, 'force' | 'sparesBuilders' | 'isVersioned'>): void {
    Object.assign(this.#how, how);
  }

  /** Virtual time from now on. */
  get nowNs(): number {
    return this.host.machine.nowNs;
  }

  /** A moment that comes when this is so, as somebody sees it who looks every other microsecond, and after 50 ms every
   *  millisecond. */
  when(what: string, isSo: () => boolean): Moment {
    const moment = new Moment(what);
    const { machine } = this.host;
    const rareNs = machine.nowNs + EAGER_NS;
    this.host.dom0.os.start(`look-${++this.#looks}`, function* (): Actor {
      while (!isSo()) yield machine.nowNs < rareNs ? LOOK_NS : RARE_LOOK_NS;
      moment.comes();
    });
    return moment;
  }

  /** A moment that comes after so many requests of everybody. */
  requests(n: number): Moment {
    const { traffic } = this.host;
    return this.when(`${n} requests were made`, () => traffic.requests >= n || traffic.stopping);
  }

  /** Called once all is told. */
  begin(): void {
    const updates = this.#updates;
    if (updates.length === 0) return;
    const waits = updates.map(
      ({ after }) =>
        (me: Thread) =>
          after.wait(me),
    );
    const answered = (n: number) => updates[n - 1]?.done.comes();
    this.#operator = startOperator(this.run, {
      ...this.#how,
      waits,
      answered,
      version: (n) => updates[n - 1]?.version,
    }).me;
  }

  /** Whether anybody has to end before the story does. */
  get isBusy(): boolean {
    if (this.#busy.some(mayGoOn)) return true;
    if (this.guests.some(({ programs }) => programs.some(mayGoOn))) return true;
    return this.#operator !== undefined && mayGoOn(this.#operator);
  }
}
