import { DomainBase } from '../domain.ts';
import type { Scheduler } from '../scheduler.ts';

/** Those that were saved on any host, by the number that stands for them in a stream. */
export class SavedContexts {
  readonly #saved: VcpuContext[] = [];
  /** What a stream that outlives its world calls them: a domain's unique id, and which park of it. */
  readonly #ids = new Map<string, number>();

  add(context: VcpuContext): number {
    return this.#saved.push(context);
  }

  /** `undefined`: a stream of another world, or no stream at all. */
  get(id: number): VcpuContext | undefined {
    return this.#saved[id - 1];
  }

  idOf(context: VcpuContext): number {
    return this.#saved.indexOf(context) + 1;
  }

  name(id: number, name: string): void {
    this.#ids.set(name, id);
  }

  /** The number of those with that name, as long as nobody has gone on with them. */
  idNamed(name: string): number | undefined {
    const id = this.#ids.get(name);
    return id === undefined || this.get(id)?.isTaken !== false ? undefined : id;
  }
}

/**
 * The vCPUs of a domain as they were saved: what a stream's vCPU records hold. A stream can be loaded anywhere and as often as
 * one likes, and the source still has what it saved; but an actor cannot be copied. So they stay here, at the instruction
 * where they were, and go on with the first domain that runs again, be it the source or an heir. A second one has no vCPU that
 * does anything: that it runs is seen all the same.
 */
export class VcpuContext {
  /** A place where nobody runs. */
  readonly #limbo: DomainBase;
  readonly #scheduler: Scheduler;
  /** Whose they were. */
  readonly source: DomainBase;
  #isTaken = false;

  /** Take the vCPUs of a domain that is suspended. */
  constructor(domain: DomainBase, scheduler: Scheduler) {
    this.source = domain;
    this.#limbo = new DomainBase(domain.domid, domain.uniqueId, domain.name);
    this.#limbo.controllerPauses = 1;
    this.#scheduler = scheduler;
    scheduler.move(domain, this.#limbo);
  }

  /** Whether some domain goes on with them. */
  get isTaken(): boolean {
    return this.#isTaken;
  }

  /** This domain runs now: the vCPUs are its, if nobody has them. */
  goOnIn(domain: DomainBase, scheduler: Scheduler): void {
    if (this.#isTaken) return;
    this.#isTaken = true;
    scheduler.move(this.#limbo, domain, this.#scheduler);
  }
}
