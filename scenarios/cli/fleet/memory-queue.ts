import type { SeedReport } from '../seed-report.ts';
import type { CampaignQueue, Share } from './queue.ts';

/** A share with whoever waits for its reports. */
interface Entry {
  readonly share: Share;
  readonly merged: Promise<readonly SeedReport[]>;
  readonly done: (reports: readonly SeedReport[]) => void;
}

/** A campaign of this process: its workers are its own threads, and end with it. */
export class MemoryQueue implements CampaignQueue {
  readonly #entries = new Map<string, Entry>();
  readonly #waiting: Share[] = [];
  /** Those who wait for a share. */
  readonly #idle: ((share: Share | undefined) => void)[] = [];

  async submit(share: Share): Promise<void> {
    if (this.#entries.has(share.id)) return;
    let done: Entry['done'] = () => {};
    const merged = new Promise<readonly SeedReport[]>((resolve) => {
      done = resolve;
    });
    this.#entries.set(share.id, { share, merged, done });
    const idle = this.#idle.shift();
    if (idle === undefined) this.#waiting.push(share);
    else idle(share);
  }

  async claim(leave: AbortSignal): Promise<Share | undefined> {
    if (leave.aborted) return undefined;
    const next = this.#waiting.shift();
    if (next !== undefined) return next;
    return new Promise((resolve) => {
      this.#idle.push(resolve);
      leave.addEventListener(
        'abort',
        () => {
          const at = this.#idle.indexOf(resolve);
          if (at >= 0) this.#idle.splice(at, 1);
          resolve(undefined);
        },
        { once: true },
      );
    });
  }

  async report(share: Share, reports: readonly SeedReport[]): Promise<void> {
    this.#entries.get(share.id)?.done(reports);
  }

  async merge(share: Share): Promise<readonly SeedReport[]> {
    const entry = this.#entries.get(share.id);
    if (entry === undefined) throw new Error(`assertion: nobody has submitted ${share.id}`);
    const reports = await entry.merged;
    this.#entries.delete(share.id);
    return reports;
  }

  async close(): Promise<void> {
    for (const idle of this.#idle.splice(0)) idle(undefined);
  }
}
