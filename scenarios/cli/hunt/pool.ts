import { existsSync } from 'node:fs';
import { Worker, type WorkerOptions } from 'node:worker_threads';

/** A task that waits for its turn, or is being done. */
interface Job<Task, Result> {
  readonly task: Task;
  readonly resolve: (result: Result) => void;
}

/**
 * Threads that answer tasks, each with a simulator of its own. A thread that dies is the end of its task, not of the others.
 * @typeParam Task, Result plain data: they go to other threads.
 */
export class Pool<Task, Result> {
  readonly #url: URL;
  readonly #options: WorkerOptions;
  readonly #died: (task: Task, why: string) => Result;
  readonly #idle: Worker[] = [];
  readonly #busy = new Map<Worker, Job<Task, Result>>();
  readonly #queue: Job<Task, Result>[] = [];
  readonly jobs: number;

  /**
   * @param worker a module that answers each message with one. Throws where there is none: every task would seem to die.
   * @param died what becomes of the task of a thread that dies.
   * @param options how its threads are started; left out: as this one.
   */
  constructor(worker: URL, jobs: number, died: (task: Task, why: string) => Result, options: WorkerOptions = {}) {
    if (!existsSync(worker)) throw new Error(`assertion: threads have no module ${worker.href}`);
    this.#url = worker;
    this.#options = options;
    this.jobs = jobs;
    this.#died = died;
  }

  /** Do a task as soon as a thread is free; those that came before are done first. */
  do(task: Task): Promise<Result> {
    return new Promise((resolve) => {
      this.#queue.push({ task, resolve });
      this.#give();
    });
  }

  /** Forget what has not begun: it never resolves. */
  drop(): void {
    this.#queue.length = 0;
  }

  /** End all threads; what they are at never resolves. */
  async close(): Promise<void> {
    this.drop();
    await Promise.all([...this.#idle, ...this.#busy.keys()].map((worker) => worker.terminate()));
  }

  #give(): void {
    while (this.#queue.length > 0) {
      const worker = this.#idle.pop() ?? (this.#busy.size < this.jobs ? this.#start() : undefined);
      if (worker === undefined) return;
      const job = this.#queue.shift() as Job<Task, Result>;
      this.#busy.set(worker, job);
      worker.postMessage(job.task);
    }
  }

  #start(): Worker {
    const worker = new Worker(this.#url, this.#options);
    worker.on('message', (result: Result) => {
      const job = this.#busy.get(worker);
      this.#busy.delete(worker);
      this.#idle.push(worker);
      job?.resolve(result);
      this.#give();
    });
    worker.on('error', (error) => {
      const job = this.#busy.get(worker);
      this.#busy.delete(worker);
      job?.resolve(this.#died(job.task, error instanceof Error ? error.message : String(error)));
      this.#give();
    });
    return worker;
  }
}
