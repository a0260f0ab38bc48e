import type { Job, Queue, Worker } from 'bullmq';
import type { RunSpec } from '../../hunt/spec.ts';
import { Unusable } from '../image/io.ts';
import { deathReport, type SeedReport } from '../seed-report.ts';
import { reasonOf } from '../terminal/output.ts';
import type { CampaignQueue, Share } from './queue.ts';

/** How often it is looked whether there is something to do, or done. */
const LOOK_MS = 100;
/** So often a share may be claimed by somebody who dies over it, before that is taken for its result. */
const DEATHS_MAX = 3;

type ShareJob = Job<readonly RunSpec[], readonly SeedReport[]>;

/** Who claims: a name of its own for each queue that is opened. */
let opened = 0;

/**
 * A campaign in a Redis, as BullMQ keeps it: a share is a job under its id, what came of it the value that the job returns. A worker
 * holds what it has claimed by a lock that it renews; where that runs out the share waits again.
 */
export class RedisQueue implements CampaignQueue {
  readonly #queue: Queue<readonly RunSpec[], readonly SeedReport[]>;
  readonly #worker: Worker<readonly RunSpec[], readonly SeedReport[]>;
  readonly #quit: () => Promise<void>;
  readonly #patienceMs: number;
  readonly #owner = `${process.pid}-${++opened}`;
  readonly #held = new Map<string, { readonly job: ShareJob; readonly renewal: NodeJS.Timeout }>();
  #isClosed = false;

  private constructor({ queue, worker, quit }: Parts, patienceMs: number) {
    this.#queue = queue;
    this.#worker = worker;
    this.#quit = quit;
    this.#patienceMs = patienceMs;
  }

  /**
   * @param url `redis://host:port`. @param name of the queue: who opens one of another name sees nothing of this one.
   * @param patienceMs how long a worker may be silent. Errors: Unusable, where there is no Redis, or no packages for it.
   */
  static async open(url: string, name: string, patienceMs: number): Promise<RedisQueue> {
    return new RedisQueue(await partsOf(url, name, patienceMs), patienceMs);
  }

  async submit({ id, specs }: Share): Promise<void> {
    await this.#queue.add('share', specs, { jobId: id });
  }

  async claim(leave: AbortSignal): Promise<Share | undefined> {
    while (!leave.aborted && !this.#isClosed) {
      const job = (await this.#worker.getNextJob(this.#owner, { block: false })) as ShareJob | undefined;
      if (job?.id !== undefined) {
        const renewal = setInterval(() => this.#renew(job), this.#patienceMs / 3);
        this.#held.set(job.id, { job, renewal });
        return { id: job.id, specs: job.data };
      }
      await pause();
    }
    return undefined;
  }

  async report({ id }: Share, reports: readonly SeedReport[]): Promise<void> {
    const held = this.#held.get(id);
    if (held === undefined) return;
    clearInterval(held.renewal);
    this.#held.delete(id);
    try {
      await held.job.moveToCompleted(reports, this.#owner, false);
    } catch (error) {
      if (!isLost(error)) throw error;
    }
  }

  async merge(share: Share): Promise<readonly SeedReport[]> {
    while (!this.#isClosed) {
      const job = (await this.#queue.getJob(share.id)) as ShareJob | undefined;
      // Somebody else who wants the same has merged it, and it is gone.
      if (job === undefined) await this.submit(share);
      else if (job.finishedOn !== undefined) {
        const { failedReason, returnvalue } = job;
        await job.remove();
        if (returnvalue !== null && returnvalue !== undefined) return returnvalue;
        return share.specs.map((spec) => deathReport(spec, failedReason ?? 'its workers have died'));
      }
      await pause();
    }
    return [];
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { renewal } of this.#held.values()) clearInterval(renewal);
    await this.#quit();
  }

  /** Where it was silent for too long somebody else has it: that is seen when it reports. */
  #renew(job: ShareJob): void {
    job.extendLock(this.#owner, this.#patienceMs).catch(() => {});
  }
}

interface Parts {
  readonly queue: Queue<readonly RunSpec[], readonly SeedReport[]>;
  readonly worker: Worker<readonly RunSpec[], readonly SeedReport[]>;
  readonly quit: () => Promise<void>;
}

/** The packages are loaded only here: who has no fleet needs none of them. */
async function packages() {
  try {
    const [{ Queue, Worker }, { Redis }] = await Promise.all([import('bullmq'), import('ioredis')]);
    return { Queue, Worker, Redis };
  } catch {
    throw new Unusable('--queue needs two packages more: npm install bullmq ioredis');
  }
}

async function partsOf(url: string, name: string, patienceMs: number): Promise<Parts> {
  if (!/^rediss?:\/\//.test(url)) throw new Unusable(`--queue: ${url}: it is redis://HOST:PORT`);
  const { Queue, Worker, Redis } = await packages();
  const redis = new Redis(url, { lazyConnect: true, maxRetriesPerRequest: null });
  let why = '';
  redis.on('error', (error) => {
    why = reasonOf(error);
  });
  try {
    await redis.connect();
  } catch (error) {
    redis.disconnect();
    throw new Unusable(`--queue: ${url}: ${why || reasonOf(error)}`);
  }
  const queue = new Queue<readonly RunSpec[], readonly SeedReport[]>(name, { connection: redis });
  const worker = new Worker<readonly RunSpec[], readonly SeedReport[]>(name, null, {
    connection: redis,
    autorun: false,
    lockDuration: patienceMs,
    stalledInterval: Math.ceil(patienceMs / 2),
    maxStalledCount: DEATHS_MAX,
  });
  // It comes back, or is given up by who waits.
  queue.on('error', () => {});
  worker.on('error', () => {});
  await worker.startStalledCheckTimer();
  const quit = async () => {
    await worker.close(true);
    await queue.close();
    redis.disconnect();
  };
  return { queue, worker, quit };
}

/** Whether somebody else has the share by now, or has reported it. */
function isLost(error: unknown): boolean {
  return error instanceof Error && /lock|Missing key/i.test(error.message);
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}
