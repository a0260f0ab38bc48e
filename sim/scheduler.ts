import type { DomainBase } from './domain.ts';
import type { Stream } from './random.ts';
import type { Trace } from './trace.ts';

/**
 * What a step of an actor yields: a time in ns until it may go on, or PARK to sleep until somebody wakes it.
 * A number and not an object: there are millions of steps a second.
 */
export type Step = number;
export const PARK: Step = -1;
/** An actor gives way only at `yield`; everything between two yields is one indivisible action. */
export type Actor<T = void> = Generator<Step, T, void>;

/** One actor in the hands of the scheduler. */
export class Task {
  readonly id: number;
  readonly name: string;
  /** Whose virtual CPU it runs on; another domain's after a restore. */
  domain: DomainBase | undefined;
  readonly actor: Actor;
  readonly draws: Stream;
  state: 'queued' | 'parked' | 'stalled' | 'done' = 'parked';
  dueNs = 0;
  order = 0;
  /** A wake that came while the task was not parked: its next PARK returns at once. */
  wakeups = 0;
  readonly #scheduler: Scheduler;

  constructor(
    scheduler: Scheduler,
    id: number,
    name: string,
    domain: DomainBase | undefined,
    actor: Actor,
    draws: Stream,
  ) {
    this.#scheduler = scheduler;
    this.id = id;
    this.name = name;
    this.domain = domain;
    this.actor = actor;
    this.draws = draws;
  }

  /** Let a parked task run again, `delayNs` from now; a task that is not parked remembers it for its next PARK. */
  wake(delayNs = 0): void {
    this.#scheduler.wake(this, delayNs);
  }
}

interface Timer {
  readonly dueNs: number;
  readonly order: number;
  readonly fire: () => void;
}

/** How unevenly virtual CPUs advance; integers, drawn from each task's own stream. */
export interface Jitter {
  /** Power of two: each step takes 0 .. stepNs-1 more than it says. */
  readonly stepNs: number;
  /** One step in this many is followed by a long absence (power of two); 0 = never. */
  readonly absentOneIn: number;
  readonly absentNsMax: number;
}

export const NO_JITTER: Jitter = { stepNs: 1, absentOneIn: 0, absentNsMax: 0 };

/**
 * Picks what happens next: the only place where order is decided. Entries are ordered by (due time, sequence); the
 * sequence makes the order total, and the draws of each task's stream make it a different one for each seed.
 */
export class Scheduler {
  readonly #heap: (Task | Timer)[] = [];
  readonly #trace: Trace;
  readonly #jitter: Jitter;
  /** What runs on each domain's virtual CPUs. */
  readonly #tasksOf = new WeakMap<DomainBase, Task[]>();
  #order = 0;
  #tasks = 0;
  /** While running: the time that no shortcut of a lone task may pass. */
  #limitNs = 0;
  #isHalted = false;
  nowNs = 0;
  steps = 0;
  /** The task whose step this is; `undefined` between steps, and in what a timer does. */
  running: Task | undefined = undefined;
  /** Called before each step of a task; who checks the machine listens. */
  onStep: ((task: Task) => void) | undefined = undefined;

  constructor(trace: Trace, jitter: Jitter) {
    this.#trace = trace;
    this.#jitter = jitter;
  }

  /** Take in an actor; its first step is due `delayNs` from now. */
  spawn(name: string, domain: DomainBase | undefined, actor: Actor, draws: Stream, delayNs = 0): Task {
    const task = new Task(this, ++this.#tasks, name, domain, actor, draws);
    if (domain !== undefined) this.#listOf(domain).push(task);
    this.#queue(task, this.nowNs + delayNs);
    return task;
  }

  /** Call `fire` at `dueNs`; there is no cancelling: let the callback look whether it is still wanted. */
  at(dueNs: number, fire: () => void): void {
    this.#push({ dueNs: Math.max(dueNs, this.nowNs), order: ++this.#order, fire });
  }

  wake(task: Task, delayNs: number): void {
    if (task.state === 'parked') this.#queue(task, this.nowNs + delayNs);
    else if (task.state !== 'done') task.wakeups = 1;
  }

  /** Everything that was started on a domain's virtual CPUs and has not been moved to another's. */
  tasksOf(domain: DomainBase): readonly Task[] {
    return this.#tasksOf.get(domain) ?? [];
  }

  /** A paused domain runs again: its stalled tasks go on where they were. */
  unstall(domain: DomainBase): void {
    for (const task of this.tasksOf(domain)) if (task.state === 'stalled') this.#queue(task, this.nowNs);
  }

  /** The vCPUs of a saved domain go on in its heir, each at the instruction where it was. Neither domain may be running. */
  move(from: DomainBase, to: DomainBase): void {
    const heirs = this.#listOf(to);
    for (const task of this.#listOf(from).splice(0)) {
      task.domain = to;
      heirs.push(task);
    }
  }

  /** The host is down: nothing that waits is ever due, and the present step is the last. */
  halt(): void {
    this.#isHalted = true;
    this.#heap.length = 0;
    this.#limitNs = -1;
  }

  /** Due time of the next entry; `undefined` when idle. */
  get nextNs(): number | undefined {
    return this.#heap[0]?.dueNs;
  }

  /**
   * Run until `untilNs` is reached or nothing is left.
   * @returns false if it stopped because nothing is left.
   */
  run(untilNs: number): boolean {
    const heap = this.#heap;
    this.#limitNs = untilNs;
    for (;;) {
      const top = heap[0];
      if (top === undefined) return false;
      if (top.dueNs > untilNs) {
        this.#now(untilNs);
        return true;
      }
      this.#pop();
      this.#now(top.dueNs);
      if (top instanceof Task) this.#step(top);
      else top.fire();
    }
  }

  #listOf(domain: DomainBase): Task[] {
    let tasks = this.#tasksOf.get(domain);
    if (tasks === undefined) {
      tasks = [];
      this.#tasksOf.set(domain, tasks);
    }
    return tasks;
  }

  #now(ns: number): void {
    this.nowNs = ns;
    this.#trace.nowNs = ns;
  }

  #step(task: Task): void {
    const domain = task.domain;
    const { stepNs, absentOneIn, absentNsMax } = this.#jitter;
    for (;;) {
      if (domain !== undefined && !domain.isRunning) {
        task.state = domain.dying === 'alive' ? 'stalled' : 'done';
        return;
      }
      this.steps++;
      if (this.onStep !== undefined) this.onStep(task);
      this.#trace.step(task.id, this.nowNs);
      this.running = task;
      const result = task.actor.next();
      this.running = undefined;
      if (result.done === true) {
        task.state = 'done';
        return;
      }
      let delay = result.value;
      if (delay < 0) {
        if (task.wakeups === 0) {
          task.state = 'parked';
          return;
        }
        task.wakeups = 0;
        delay = 0;
      }
      if (stepNs > 1) {
        const bits = task.draws.bits();
        delay += bits & (stepNs - 1);
        if (absentOneIn > 0 && ((bits >>> 12) & (absentOneIn - 1)) === 0) delay += task.draws.below(absentNsMax);
      }
      const due = this.nowNs + delay;
      const next = this.#heap[0];
      // Nobody else is due before: go on without a detour through the heap. Equal times go to the one who waited.
      if (due <= this.#limitNs && (next === undefined || due < next.dueNs)) {
        this.#now(due);
        continue;
      }
      this.#queue(task, due);
      return;
    }
  }

  #queue(task: Task, dueNs: number): void {
    task.state = 'queued';
    task.dueNs = dueNs;
    task.order = ++this.#order;
    this.#push(task);
  }

  #push(entry: Task | Timer): void {
    if (this.#isHalted) return;
    const heap = this.#heap;
    let i = heap.length;
    heap.push(entry);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const p = heap[parent] as Task | Timer;
      if (p.dueNs < entry.dueNs || (p.dueNs === entry.dueNs && p.order < entry.order)) break;
      heap[i] = p;
      i = parent;
    }
    heap[i] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Task | Timer;
    const n = heap.length;
    if (n === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= n) break;
      let c = heap[child] as Task | Timer;
      if (child + 1 < n) {
        const r = heap[child + 1] as Task | Timer;
        if (r.dueNs < c.dueNs || (r.dueNs === c.dueNs && r.order < c.order)) {
          child++;
          c = r;
        }
      }
      if (last.dueNs < c.dueNs || (last.dueNs === c.dueNs && last.order < c.order)) break;
      heap[i] = c;
      i = child;
    }
    heap[i] = last;
  }
}
