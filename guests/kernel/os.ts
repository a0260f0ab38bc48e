import {
  type Actor,
  type Domain,
  type Frame,
  Hypercalls,
  type Machine,
  type Port,
  type Resident,
  SHUTDOWN_REASONS,
  type Stream,
  type Task,
} from '../../sim/index.ts';
import type { RequestPlan } from './cuts.ts';

/** A thread or process in a guest: an actor with a name and draws of its own, which others wake when it has something to do. */
export class Thread {
  readonly name: string;
  readonly draws: Stream;
  /** Requests to xenstore that it has made, those that are left out among them. */
  requests = 0;
  /** Whether nobody relies on what it asks: the rest of the run is what is due without its requests, too. */
  isFree = false;
  task: Task | undefined = undefined;

  constructor(name: string, draws: Stream) {
    this.name = name;
    this.draws = draws;
  }

  wake(): void {
    this.task?.wake();
  }
}

/** What somebody waits for, in words, and since when in virtual time. */
export interface Waiting {
  readonly what: string;
  readonly sinceNs: number;
}

/** Says what somebody waits for; `undefined`: for nothing. Asked only when it has to be told why nothing goes on. */
export type Waits = () => Waiting | undefined;

const SUSPEND = SHUTDOWN_REASONS.indexOf('suspend');
const SOFT_RESET = SHUTDOWN_REASONS.indexOf('soft_reset');
const HYPERCALL_NS = 300;
/** From the port's upcall to the first step of the handler's task, in ns. */
const UPCALL_NS = 400;

/** What every guest kernel needs: pages, ports with handlers, and actors on its virtual CPUs. */
export class GuestOs implements Resident {
  /** Another one after a migration. */
  machine: Machine;
  /** Another one after a restore. */
  domain: Domain;
  hyper: Hypercalls;
  /** Ports of which an event is itself the message: there is nothing else to look at. */
  readonly messagePorts = new Set<Port>();
  readonly #waits = new Map<string, Waits>();
  /** What becomes of requests to xenstore. */
  readonly requests: RequestPlan;
  /** Between the call of `suspend` and its return: the kernel is prepared to find itself in another domain. */
  isParked = false;

  /** Of the actors that it starts: its domain's, with a number behind it if another kernel ran there before. */
  readonly name: string;

  constructor(machine: Machine, domain: Domain, requests: RequestPlan = {}, kernelsBefore = 0) {
    this.name = kernelsBefore === 0 ? domain.name : `${domain.name}~${kernelsBefore}`;
    this.machine = machine;
    this.domain = domain;
    this.requests = requests;
    this.hyper = new Hypercalls(machine, domain);
    machine.settle(domain, this);
  }

  /** Whoever looks on is told that it has moved without its help. */
  moved: (() => void) | undefined = undefined;

  /** It was not asked, and its programs do not notice: what they hold on to has come along. */
  movedTo(machine: Machine, domain: Domain): void {
    this.machine = machine;
    this.domain = domain;
    this.hyper = new Hypercalls(machine, domain);
    this.moved?.();
  }

  /** Start a thread named `<kernel>/<name>`; its actor is handed the thread that it is. */
  start(name: string, body: (me: Thread) => Actor, delayNs = 0): Thread {
    const full = `${this.name}/${name}`;
    const me = new Thread(full, this.machine.streams.for(full));
    me.task = this.machine.start(full, this.domain, body(me), delayNs);
    return me;
  }

  /**
   * SCHEDOP_shutdown(suspend), which returns when somebody lets the domain go on. @returns 1: it is the same domain, nothing
   * has changed (cancelled, or a checkpoint); 0: a new domain, in which nothing is as it was but memory (DOM-23).
   */
  *suspend(me: Thread): Actor<0 | 1> {
    this.isParked = true;
    this.hyper.domctl.shutdown(SUSPEND);
    yield HYPERCALL_NS;
    this.isParked = false;
    const here = me.task?.domain;
    const machine = here === undefined || here === this.domain ? undefined : this.machine.hostOf(here);
    const heir = machine?.domain(here?.domid ?? 0);
    if (machine !== undefined && heir !== undefined) {
      this.machine = machine;
      this.domain = heir;
      this.hyper = new Hypercalls(machine, heir);
      machine.settle(heir, this);
    }
    const returned = this.domain.returnRegister;
    this.domain.returnRegister = 0;
    return returned;
  }

  /**
   * kexec: another kernel is to run in the same domain. All other threads are stopped where they are, in the middle of whatever they
   * write, and the toolstack is asked for a soft reset; the domain goes on after it, in the kernel that is loaded then. `me` has
   * nothing to do any more. Source: linux arch/x86/xen/enlighten_hvm.c, xen_hvm_shutdown.
   */
  *kexec(me: Thread): Actor {
    this.machine.scheduler.abandon(this.domain, me.task);
    this.hyper.domctl.shutdown(SOFT_RESET);
    yield HYPERCALL_NS;
  }

  /** From now on `who` can be asked what it waits for; without `waits` no more. */
  waitsFor(who: string, waits?: Waits): void {
    if (waits === undefined) this.#waits.delete(who);
    else this.#waits.set(who, waits);
  }

  /** Who waits for what in this kernel now. */
  get waits(): readonly (Waiting & { readonly who: string })[] {
    return [...this.#waits].flatMap(([who, waits]) => {
      const waiting = waits();
      return waiting === undefined ? [] : [{ who, ...waiting }];
    });
  }

  allocPage(): Frame {
    return this.domain.memory.alloc();
  }

  /**
   * Upcalls of `port` wake these actors, and the port is enabled: its number may have been used before, and Xen leaves its mask
   * bit as the last owner did (EVT-6). One actor clears the pending bit itself, before it looks at its ring (EVT-19). Of
   * several none may: it would take the others' event. Their upcall clears the bit, and wakes all of them.
   * Source: linux drivers/xen/events/events_base.c, bind_evtchn_to_irqhandler (request_irq starts up: enable_dynirq);
   * drivers/net/xen-netback/interface.c, xenvif_interrupt.
   */
  handle(port: Port, ...by: readonly Thread[]): void {
    const { ports } = this.domain;
    const wake = () => {
      for (const me of by) me.task?.wake(UPCALL_NS);
    };
    ports.handle(port, wake, by.length === 1 ? 'later' : 'edge');
    ports.unmaskHypercall(port);
  }

  /** Close a port and forget who handled it. As Linux does it the port is disabled first, and its mask bit stays.
   *  Source: linux drivers/xen/events/events_base.c, unbind_from_irqhandler (free_irq shuts down: disable_dynirq). */
  closePort(port: Port): void {
    const { ports } = this.domain;
    ports.mask(port);
    ports.handle(port, undefined);
    this.messagePorts.delete(port);
    this.hyper.close(port);
  }

  /** Clear the pending bit of a port that the caller alone handles; true if it was set. */
  acknowledge(port: Port): boolean {
    return this.domain.ports.clear(port);
  }
}
