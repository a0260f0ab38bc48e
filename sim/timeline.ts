import { advance, ENDED, type Program } from './actor.ts';
import type { DomainBase } from './domain.ts';
import type { Stream } from './random.ts';
import type { Journal } from './trace.ts';

/** Whom a task or a timer belongs to: a host, with which it ends. */
export interface Owner {
  readonly isHalted: boolean;
  /** Called before each step of a task; who checks the machine listens. */
  readonly onStep: ((task: Task) => void) | undefined;
}

/** One actor in the hands of the scheduler. */
export class Task {
  /** Another one once its domain's vCPUs go on at another host. */
  owner: Owner;
  readonly id: number;
  readonly name: string;
  /** Whose virtual CPU it runs on; another domain's after a restore. */
  domain: DomainBase | undefined;
  /** Another one after one that ended in it. */
  actor: Program;
  readonly draws: Stream;
  state: 'queued' | 'parked' | 'stalled' | 'done' = 'parked';
  dueNs = 0;
  order = 0;
  /** When it went to sleep, if it is parked. */
  parkedNs = 0;
  /** A wake that came while the task was not parked: its next PARK returns at once. */
  wakeups = 0;
  readonly #timeline: Timeline;

  constructor(timeline: Timeline, owner: Owner, id: number, start: TaskStart) {
    this.#timeline = timeline;
    this.owner = owner;
    this.id = id;
    this.name = start.name;
    this.domain = start.domain;
    this.actor = start.actor;
    this.draws = start.draws;
  }

  /** Let a parked task run again, `delayNs` from now; a task that is not parked remembers it for its next PARK. */
  wake(delayNs = 0): void {
    this.#timeline.wake(this, delayNs);
  }
}

/** What a task begins as. */
export interface TaskStart {
  readonly name: string;
  readonly domain: DomainBase | undefined;
  readonly actor: Program;
  /** How unevenly it advances; its own. */
  readonly draws: Stream;
}

interface Timer {
  readonly owner: Owner;
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

/** How a run for something ended: it came to pass; nothing is left that could bring it about; its time is over. */
export type Outcome = 'met' | 'idle' | 'late';

/**
 * Picks what happens next, on all hosts that share it: the only place where order is decided. Entries are ordered by (due time,
 * sequence); the sequence makes the order total, and the draws of each task's stream make it a different one for each seed.
 */
export class Timeline {
  readonly #heap: (Task | Timer)[] = [];
  readonly #journal: Journal;
  readonly #jitter: Jitter;
  #order = 0;
  #tasks = 0;
  /** Until when the present run() goes. */
  #untilNs = 0;
  /** While running: the time that no shortcut of a lone task may pass. */
  #limitNs = 0;
  nowNs = 0;
  steps = 0;
  /** The task whose step this is; `undefined` between steps, and in what a timer does. */
  running: Task | undefined = undefined;

  constructor(journal: Journal, jitter: Jitter) {
    this.#journal = journal;
    this.#jitter = jitter;
  }

  /** Take in an actor; its first step is due `delayNs` from now. */
  spawn(owner: Owner, start: TaskStart, delayNs: number): Task {
    const task = new Task(this, owner, ++this.#tasks, start);
    this.queue(task, this.nowNs + delayNs);
    return task;
  }

  /** Call `fire` at `dueNs`; there is no cancelling: let the callback look whether it is still wanted. */
  at(owner: Owner, dueNs: number, fire: () => void): void {
    this.#push({ owner, dueNs: Math.max(dueNs, this.nowNs), order: ++this.#order, fire });
  }

  wake(task: Task, delayNs: number): void {
    if (task.state === 'parked') this.queue(task, this.nowNs + delayNs);
    else if (task.state !== 'done') task.wakeups = 1;
  }

  /** Let the task take its next step at `dueNs`. */
  queue(task: Task, dueNs: number): void {
    task.state = 'queued';
    task.dueNs = dueNs;
    task.order = ++this.#order;
    this.#push(task);
  }

  /** They have taken their last steps. */
  end(tasks: readonly Task[]): void {
    for (const task of tasks) this.#end(task);
    this.#keep((entry) => !(entry instanceof Task) || entry.state !== 'done');
  }

  /** The owner is halted: nothing of it that waits is ever due, and its present step is its last. */
  drop(owner: Owner): void {
    this.#keep((entry) => entry.owner !== owner);
    this.#limitNs = -1;
  }

  #keep(isKept: (entry: Task | Timer) => boolean): void {
    const rest = this.#heap.filter(isKept).sort(byDue); // what is sorted is a heap
    this.#heap.length = 0;
    for (const entry of rest) this.#heap.push(entry);
  }

  /** Whoever is to step next is preempted for so long, ns: all who are due meanwhile go first. Timers are as they are. */
  preemptNext(forNs: number): void {
    let next: Task | undefined;
    for (const entry of this.#heap)
      if (entry instanceof Task && (next === undefined || byDue(entry, next) < 0)) next = entry;
    if (next === undefined) return;
    next.dueNs = Math.max(next.dueNs, this.nowNs) + forNs;
    next.order = ++this.#order;
    this.#heap.sort(byDue); // what is sorted is a heap
  }

  /** Due time of the next entry; `undefined` when idle. */
  get nextNs(): number | undefined {
    return this.#heap[0]?.dueNs;
  }

  /** Everything that waits for its time, in no order. `task` is `undefined` for what a timer does. */
  eachDue(see: (dueNs: number, task: Task | undefined) => void): void {
    for (const entry of this.#heap) see(entry.dueNs, entry instanceof Task ? entry : undefined);
  }

  /**
   * Run until `untilNs` is reached or nothing is left.
   * @returns false if it stopped because nothing is left.
   */
  run(untilNs: number): boolean {
    const heap = this.#heap;
    this.#untilNs = untilNs;
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

  /** Let `ns` of virtual time pass, whether or not anything is due in it. */
  advance(ns: number): void {
    const untilNs = this.nowNs + ns;
    if (!this.run(untilNs)) this.#now(untilNs);
  }

  /** Run to the next instant at which something is due, and all that is due then. @returns false: nothing is until `untilNs`. */
  runNext(untilNs: number): boolean {
    const next = this.nextNs;
    if (next === undefined || next > untilNs) return false;
    this.run(next);
    return true;
  }

  /** Run until nothing is due within `quietNs` any more. */
  settle(quietNs: number): void {
    let isQuiet = false;
    while (!isQuiet) isQuiet = !this.runNext(this.nowNs + quietNs);
  }

  /**
   * Run until `isMet`, which is asked at once and then after each instant at which something was due, or, with `sliceNs`, at the
   * end of each slice of so long.
   */
  runUntil(isMet: () => boolean, horizonNs: number, sliceNs = 0): Outcome {
    while (!isMet()) {
      const next = this.nextNs;
      if (next === undefined) return 'idle';
      const untilNs = sliceNs > 0 ? Math.min(this.nowNs + sliceNs, horizonNs) : next;
      if (this.nowNs >= horizonNs || untilNs > horizonNs) return 'late';
      this.run(untilNs);
    }
    return 'met';
  }

  #now(ns: number): void {
    this.nowNs = ns;
    this.#journal.nowNs = ns;
  }

  #step(task: Task): void {
    const { domain, owner } = task;
    const { stepNs, absentOneIn, absentNsMax } = this.#jitter;
    for (;;) {
      if (domain !== undefined && !domain.isRunning) {
        if (domain.dying === 'alive') task.state = 'stalled';
        else this.#end(task);
        return;
      }
      this.steps++;
      if (owner.onStep !== undefined) owner.onStep(task);
      this.#journal.step(task, this.nowNs);
      this.running = task;
      let result = advance(task.actor);
      while (result.done === true && result.value !== undefined) {
        task.actor = result.value;
        result = advance(task.actor);
      }
      this.running = undefined;
      if (result.done === true) {
        this.#end(task);
        return;
      }
      let delay = result.value;
      if (delay < 0) {
        if (task.wakeups === 0) {
          task.state = 'parked';
          task.parkedNs = this.nowNs;
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
      this.#limitNs = this.#untilNs; // a host that was halted in this step has had its last shortcut
      this.queue(task, due);
      return;
    }
  }

  #end(task: Task): void {
    task.state = 'done';
    task.actor = ENDED;
  }

  #push(entry: Task | Timer): void {
    if (entry.owner.isHalted) return;
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

function byDue(a: Task | Timer, b: Task | Timer): number {
  return a.dueNs - b.dueNs || a.order - b.order;
}
