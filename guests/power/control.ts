import { type Actor, PARK, SHUTDOWN_REASONS } from '../../sim/index.ts';
import { textOf as text } from '../../store/protocol/octets.ts';
import type { GuestOs, Thread } from '../kernel/index.ts';
import { type EventQueue, Xs, type XsLink } from '../xenstore/index.ts';
import { takeCommand } from './take-command.ts';

/** Commands of `control/shutdown` that a Linux kernel knows, and whether it offers them in a `feature-` key. Source: linux drivers/xen/manage.c. */
const COMMANDS = { poweroff: true, halt: false, reboot: true, suspend: true } as const;
export type ShutdownCommand = keyof typeof COMMANDS;

/** From the acknowledgement until user space has come down, at most, ns. */
const SHUTDOWN_NS_MAX = 2_000_000;
/** A transaction is tried until it commits, as the kernel does (LX-17); more rounds than that would be a live-lock. */
const ROUNDS_MAX = 10_000;
/** How much memory the balloon moves in one go, and how long it then sleeps. */
const BALLOON_STEP_KB = 4_096;
const BALLOON_STEP_NS = 200_000;

export interface ControlHooks {
  /** Suspend and come back, in the old domain or in a new one. Left out: the kernel does not know the command. */
  readonly suspend?: (me: Thread) => Actor;
  /** Whether it hears a command: one that it does not stays where it is. Left out: it does. */
  readonly hears?: (command: ShutdownCommand) => boolean;
  /** A command was acknowledged; the guest acts on it now. */
  readonly acts?: (command: ShutdownCommand) => void;
  readonly sysrq?: (key: string) => void;
}

/**
 * The kernel's ears for its toolstack: `control/shutdown`, `control/sysrq`, `memory/target`, `cpu/N/availability`. One actor
 * runs all its watch callbacks one after the other, as the xenwatch thread does; paths are relative to the domain's home.
 * Source: linux drivers/xen/manage.c, xen-balloon.c, cpu_hotplug.c.
 */
export class GuestControl {
  readonly #os: GuestOs;
  readonly #link: XsLink;
  readonly #hooks: ControlHooks;
  readonly #online = new Set<number>([0]);
  #isShuttingDown = false;
  #balloon: Thread | undefined;
  /** What the balloon has been told, and where it is, in kB; `undefined`: not told yet. */
  targetKb: number | undefined = undefined;
  memoryKb: number | undefined = undefined;

  constructor(os: GuestOs, link: XsLink, hooks: ControlHooks = {}) {
    this.#os = os;
    this.#link = link;
    this.#hooks = hooks;
  }

  start(): void {
    this.#balloon = this.#os.start('xen-balloon', () => this.#inflate());
    this.#os.start('xenwatch', (me) => this.#run(me));
  }

  /** vCPUs that are online, ascending. */
  get cpus(): number[] {
    return [...this.#online].sort((a, b) => a - b);
  }

  *#run(me: Thread): Actor {
    const xs = new Xs(this.#link, me);
    const queue: EventQueue = { events: [], me };
    for (const path of ['control/shutdown', 'control/sysrq', 'memory/target', 'cpu'])
      yield* this.#link.watch(queue, path, `kernel/${path}`);
    for (const [command, isOffered] of Object.entries(COMMANDS))
      if (isOffered && this.#knows(command)) yield* xs.write(`control/feature-${command}`, '1');
    for (let cpu = 1; cpu < this.#os.domain.vcpus; cpu++) yield* this.#cpu(xs, `cpu/${cpu}`);
    for (;;) {
      const event = queue.events.shift();
      if (event === undefined) yield PARK;
      else if (event.token === 'kernel/control/shutdown') yield* this.#shutdown(me, xs);
      else if (event.token === 'kernel/control/sysrq') yield* this.#sysrq(xs);
      else if (event.token === 'kernel/memory/target') yield* this.#target(xs);
      else yield* this.#cpu(xs, event.path);
    }
  }

  #knows(command: string): command is ShutdownCommand {
    return command === 'suspend' ? this.#hooks.suspend !== undefined : command in COMMANDS;
  }

  #hears(command: string): boolean {
    return this.#knows(command) && this.#hooks.hears?.(command) !== false;
  }

  /** txn{READ; if known WRITE ""}, then act. What is not known is left where it is; while one is acted on, others are not heard. */
  *#shutdown(me: Thread, xs: Xs): Actor {
    if (this.#isShuttingDown) return;
    const command = yield* takeCommand(xs, (said): said is ShutdownCommand => this.#hears(said));
    if (command === undefined) return;
    this.#isShuttingDown = true;
    this.#hooks.acts?.(command);
    if (command === 'suspend') {
      yield* this.#hooks.suspend?.(me) ?? [];
      this.#isShuttingDown = false;
      return;
    }
    yield me.draws.below(SHUTDOWN_NS_MAX);
    this.#os.hyper.domctl.shutdown(SHUTDOWN_REASONS.indexOf(command === 'reboot' ? 'reboot' : 'poweroff'));
    yield PARK;
  }

  *#sysrq(xs: Xs): Actor {
    const done = yield* xs.transaction(function* (tx) {
      const reply = yield* xs.read('control/sysrq', tx);
      const key = text(reply.payload)[0];
      if (reply.error !== undefined || key === undefined) return undefined;
      yield* xs.write('control/sysrq', '', tx);
      return key;
    }, ROUNDS_MAX);
    if ('value' in done) this.#hooks.sysrq?.(done.value);
  }

  /** The first value says what the domain was built with; each further one is where the balloon goes. */
  *#target(xs: Xs): Actor {
    const reply = yield* xs.read('memory/target');
    const kb = Number.parseInt(text(reply.payload), 10);
    if (reply.error !== undefined || Number.isNaN(kb)) return;
    this.memoryKb ??= kb;
    this.targetKb = kb;
    this.#balloon?.wake();
  }

  /** The balloon process: towards the target, a piece at a time. */
  *#inflate(): Actor {
    for (;;) {
      const left = (this.targetKb ?? 0) - (this.memoryKb ?? 0);
      if (left === 0) yield PARK;
      else {
        this.memoryKb = (this.memoryKb ?? 0) + Math.max(-BALLOON_STEP_KB, Math.min(BALLOON_STEP_KB, left));
        yield BALLOON_STEP_NS;
      }
    }
  }

  *#cpu(xs: Xs, path: string): Actor {
    const cpu = Number(/^cpu\/(\d+)/.exec(path)?.[1]); // the watch's own first event has no number
    if (Number.isNaN(cpu)) return;
    const reply = yield* xs.read(`cpu/${cpu}/availability`);
    const state = text(reply.payload);
    if (state === 'online') this.#online.add(cpu);
    else if (state === 'offline' && cpu !== 0) this.#online.delete(cpu);
  }
}
