import type { Program } from './actor.ts';
import type { DomainBase } from './domain.ts';
import type { Stream } from './random.ts';
import type { Outcome, Owner, Task, Timeline } from './timeline.ts';

/**
 * One host's tasks and timers. They are ordered among those of all hosts that share the timeline, and end with their host.
 */
export class Scheduler implements Owner {
  readonly #timeline: Timeline;
  /** What runs on each domain's virtual CPUs. */
  readonly #tasksOf = new WeakMap<DomainBase, Task[]>();
  isHalted = false;
  onStep: ((task: Task) => void) | undefined = undefined;

  constructor(timeline: Timeline) {
    this.#timeline = timeline;
  }

  get nowNs(): number {
    return this.#timeline.nowNs;
  }

  /** Due time of whatever is next on the timeline; `undefined` when idle. */
  get nextNs(): number | undefined {
    return this.#timeline.nextNs;
  }

  /** Steps of all tasks of the timeline so far. */
  get steps(): number {
    return this.#timeline.steps;
  }

  /** The task whose step this is; `undefined` between steps, and in what a timer does. */
  get running(): Task | undefined {
    return this.#timeline.running;
  }

  /** Run the timeline until `untilNs` is reached or nothing is left. @returns false if it stopped because nothing is left. */
  run(untilNs: number): boolean {
    return this.#timeline.run(untilNs);
  }

  /** Let `ns` of virtual time pass, whether or not anything is due in it. */
  advance(ns: number): void {
    this.#timeline.advance(ns);
  }

  /** Run to the next instant at which something is due, and all that is due then. @returns false: nothing is until `untilNs`. */
  runNext(untilNs: number): boolean {
    return this.#timeline.runNext(untilNs);
  }

  /** Run until nothing is due within `quietNs` any more. */
  settle(quietNs: number): void {
    this.#timeline.settle(quietNs);
  }

  /** Timeline.runUntil(): what is asked after each instant, or at the end of each slice. */
  runUntil(isMet: () => boolean, horizonNs: number, sliceNs = 0): Outcome {
    return this.#timeline.runUntil(isMet, horizonNs, sliceNs);
  }

  /** Take in an actor; its first step is due `delayNs` from now. */
  spawn(name: string, domain: DomainBase | undefined, actor: Program, draws: Stream, delayNs = 0): Task {
    const task = this.#timeline.spawn(this, { name, domain, actor, draws }, delayNs);
    if (domain !== undefined) this.#add(domain, task);
    return task;
  }

  /** Everything on the timeline that waits for its time, in no order: when it is due, and whose step it is. */
  eachDue(see: (dueNs: number, task: Task | undefined) => void): void {
    this.#timeline.eachDue(see);
  }

  /** Call `fire` at `dueNs`; there is no cancelling: let the callback look whether it is still wanted. */
  at(dueNs: number, fire: () => void): void {
    this.#timeline.at(this, dueNs, fire);
  }

  /** Whoever is to step next, on any host, is preempted for so long, ns. */
  preemptNext(forNs: number): void {
    this.#timeline.preemptNext(forNs);
  }

  /** Everything that was started on a domain's virtual CPUs and has not been moved to another's; of what is done, maybe some. */
  tasksOf(domain: DomainBase): readonly Task[] {
    return this.#tasksOf.get(domain) ?? [];
  }

  /** A paused domain runs again: its stalled tasks go on where they were. */
  unstall(domain: DomainBase): void {
    for (const task of this.tasksOf(domain)) if (task.state === 'stalled') this.#timeline.queue(task, this.nowNs);
  }

  /**
   * The vCPUs of a saved domain go on in its heir, each at the instruction where it was. Neither domain may be running.
   * @param of the scheduler that has them; left out: this one.
   */
  move(from: DomainBase, to: DomainBase, of: Scheduler = this): void {
    const heirs = this.#listOf(to);
    for (const task of of.#listOf(from).splice(0)) {
      task.owner = this;
      task.domain = to;
      heirs.push(task);
    }
  }

  /**
   * A kernel gives its place to another one: whatever runs on the domain's virtual CPUs, but for `last`, has taken its last step.
   */
  abandon(domain: DomainBase, last: Task | undefined): void {
    this.#timeline.end(this.tasksOf(domain).filter((task) => task !== last));
  }

  /** The host is down: nothing of it that waits is ever due, and its present step is its last. Other hosts go on. */
  halt(): void {
    this.isHalted = true;
    this.#timeline.drop(this);
  }

  /** Threads come and go: each time the list would grow, those that are done go first. */
  #add(domain: DomainBase, task: Task): void {
    const tasks = this.#listOf(domain);
    if ((tasks.length & (tasks.length - 1)) === 0) {
      let kept = 0;
      for (const old of tasks) if (old.state !== 'done') tasks[kept++] = old;
      tasks.length = kept;
    }
    tasks.push(task);
  }

  #listOf(domain: DomainBase): Task[] {
    let tasks = this.#tasksOf.get(domain);
    if (tasks === undefined) {
      tasks = [];
      this.#tasksOf.set(domain, tasks);
    }
    return tasks;
  }
}
