import {
  type Actor,
  type Domain,
  type Frame,
  Hypercalls,
  type Machine,
  type Port,
  SHUTDOWN_REASONS,
  type Stream,
  type Task,
} from '../../sim/index.ts';

/** A thread or process in a guest: an actor with a name and draws of its own, which others wake when it has something to do. */
export class Thread {
  readonly name: string;
  readonly draws: Stream;
  task: Task | undefined = undefined;

  constructor(name: string, draws: Stream) {
    this.name = name;
    this.draws = draws;
  }

  wake(): void {
    this.task?.wake();
  }
}

const SUSPEND = SHUTDOWN_REASONS.indexOf('suspend');
const HYPERCALL_NS = 300;
/** From the port's upcall to the first step of the handler's task, in ns. */
const UPCALL_NS = 400;

/** What every guest kernel needs: pages, ports with handlers, and actors on its virtual CPUs. */
export class GuestOs {
  readonly machine: Machine;
  /** Another one after a restore. */
  domain: Domain;
  hyper: Hypercalls;

  constructor(machine: Machine, domain: Domain) {
    this.machine = machine;
    this.domain = domain;
    this.hyper = new Hypercalls(machine, domain);
  }

  /** Start a thread named `<domain>/<name>`; its actor is handed the thread that it is. */
  start(name: string, body: (me: Thread) => Actor, delayNs = 0): Thread {
    const full = `${this.domain.name}/${name}`;
    const me = new Thread(full, this.machine.streams.for(full));
    me.task = this.machine.start(full, this.domain, body(me), delayNs);
    return me;
  }

  /**
   * SCHEDOP_shutdown(suspend), which returns when somebody lets the domain go on. @returns 1: it is the same domain, nothing
   * has changed (cancelled, or a checkpoint); 0: a new domain, in which nothing is as it was but memory (DOM-23).
   */
  *suspend(me: Thread): Actor<0 | 1> {
    this.hyper.domctl.shutdown(SUSPEND);
    yield HYPERCALL_NS;
    const here = me.task?.domain;
    const heir = here === undefined || here === this.domain ? undefined : this.machine.domain(here.domid);
    if (heir !== undefined) {
      this.domain = heir;
      this.hyper = new Hypercalls(this.machine, heir);
    }
    const returned = this.domain.returnRegister;
    this.domain.returnRegister = 0;
    return returned;
  }

  allocPage(): Frame {
    return this.domain.memory.alloc();
  }

  /** Upcalls of `port` wake these actors; each clears the pending bit itself, before it looks at its ring (EVT-19). */
  handle(port: Port, ...by: readonly Thread[]): void {
    this.domain.ports.handle(port, () => {
      for (const me of by) me.task?.wake(UPCALL_NS);
    });
  }

  /** Close a port and forget who handled it. */
  closePort(port: Port): void {
    this.domain.ports.handle(port, undefined);
    this.hyper.close(port);
  }

  /** Clear the pending bit of a port; true if it was set. */
  acknowledge(port: Port): boolean {
    return this.domain.ports.clear(port);
  }
}
