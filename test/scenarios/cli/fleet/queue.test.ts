import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryQueue } from '../../../../scenarios/cli/fleet/memory-queue.ts';
import { type CampaignQueue, type Share, shareOf } from '../../../../scenarios/cli/fleet/queue.ts';
import { RedisQueue } from '../../../../scenarios/cli/fleet/redis-queue.ts';
import { work } from '../../../../scenarios/cli/fleet/work.ts';
import type { SeedReport } from '../../../../scenarios/cli/seed-report.ts';
import { sweepOn } from '../../../../scenarios/cli/sweep.ts';
import type { RunSpec } from '../../../../scenarios/hunt/spec.ts';
import { has } from '../../../support/needs.ts';
import { startRedis, type TestRedis } from '../../../support/redis.ts';

const specOf = (seed: number): RunSpec => ({ scenario: 'none', seed: String(seed), format: 'v2', settings: { a: 1 } });
const specs = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => specOf(from + i));
const reportOn = (spec: RunSpec, requests = Number(spec.seed) * 10): SeedReport => ({
  spec,
  outcome: 'pass',
  requests,
  marks: undefined,
  finding: undefined,
  known: [],
  situations: [],
});
const reportsOn = (share: Share) => share.specs.map((spec) => reportOn(spec));
const PATIENCE_MS = 1500;
const never = () => new AbortController().signal;
const soon = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** What holds of every queue. `open`: one more who has to do with the same campaigns, where there may be more than one. */
function contract(open: () => Promise<CampaignQueue>): void {
  let queue: CampaignQueue;
  const name = () => `campaign-${Math.floor(performance.now() * 1000)}`;
  beforeAll(async () => {
    queue = await open();
  });
  afterAll(() => queue.close());

  it('gives out what was submitted, the first first, and hands out what is reported', async () => {
    const campaign = name();
    const shares = [shareOf(campaign, specs(1, 2)), shareOf(campaign, specs(3, 4))];
    for (const share of shares) await queue.submit(share);
    for (const share of shares) {
      const claimed = await queue.claim(never());
      expect(claimed).toEqual(share);
      await queue.report(claimed!, reportsOn(share));
    }
    for (const share of shares) expect(await queue.merge(share)).toEqual(reportsOn(share));
  });

  it('gives a share out once, however often it is submitted', async () => {
    const campaign = name();
    const share = shareOf(campaign, specs(1, 3));
    for (let i = 0; i < 3; i++) await queue.submit(share);
    const claimed = await queue.claim(never());
    await queue.submit(share);
    await queue.report(claimed!, reportsOn(share));
    await queue.submit(share);
    expect(await queue.claim(AbortSignal.timeout(400))).toBeUndefined();
    expect(await queue.merge(share)).toEqual(reportsOn(share));
  });

  it('takes the same runs of another campaign for others', () => {
    expect(shareOf('a', specs(1, 2)).id).not.toBe(shareOf('b', specs(1, 2)).id);
    expect(shareOf('a', specs(1, 2)).id).toBe(shareOf('a', specs(1, 2)).id);
    expect(shareOf('a', specs(1, 2)).id).toMatch(/^[0-9a-f]{16}$/);
  });

  it('lets who claims wait, until there is something or it leaves', async () => {
    const campaign = name();
    const share = shareOf(campaign, specs(7, 7));
    const [waits, leaves] = [queue.claim(never()), new AbortController()];
    await queue.submit(share);
    expect(await waits).toEqual(share);
    await queue.report(share, reportsOn(share));
    const left = queue.claim(leaves.signal);
    leaves.abort();
    expect(await left).toBeUndefined();
    expect(await queue.merge(share)).toEqual(reportsOn(share));
  });

  it('lets a campaign report each run once and in order, with any number of workers', async () => {
    const campaign = name();
    const leave = new AbortController();
    // The later ones are the quicker ones.
    const run = async (spec: RunSpec) => {
      await soon(Math.max(0, 20 - Number(spec.seed)));
      return reportOn(spec);
    };
    const workers = [1, 2, 3].map(() => work(queue, run, leave.signal));
    const seen: string[] = [];
    const own: CampaignQueue = {
      submit: (share) => queue.submit(share),
      claim: (signal) => queue.claim(signal),
      report: (share, reports) => queue.report(share, reports),
      merge: (share) => queue.merge(share),
      close: async () => {},
    };
    await sweepOn(own, { campaign, perShare: 3, ahead: 4 }, specs(1, 25).values(), ({ spec }) => seen.push(spec.seed))
      .done;
    leave.abort();
    await Promise.all(workers);
    expect(seen).toEqual(specs(1, 25).map(({ seed }) => seed));
  });
}

describe('a queue of this process', () => contract(async () => new MemoryQueue()));

describe.skipIf(!has('campaigns on a fleet', 'redis-server'))('a queue in a Redis', () => {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());
  const open = (name = 'contract') => RedisQueue.open(redis.url, name, PATIENCE_MS);

  contract(() => open());

  it('gives a share of a worker that has gone silent to another, and takes no report of it any more', async () => {
    const [dies, lives] = [await open('silent'), await open('silent')];
    const share = shareOf('silent', specs(1, 2));
    await lives.submit(share);
    expect(await dies.claim(never())).toEqual(share);
    await dies.close(); // nothing renews what it holds
    const again = await lives.claim(AbortSignal.timeout(PATIENCE_MS * 4));
    expect(again).toEqual(share);
    await lives.report(again!, reportsOn(share));
    expect(await lives.merge(share)).toEqual(reportsOn(share));
    await lives.close();
  });

  it('lets a worker keep what it is at for as long as that takes', async () => {
    const [slow, other] = [await open('slow'), await open('slow')];
    const share = shareOf('slow', specs(1, 1));
    await slow.submit(share);
    await slow.claim(never());
    expect(await other.claim(AbortSignal.timeout(PATIENCE_MS * 2.5))).toBeUndefined();
    await slow.report(share, reportsOn(share));
    expect(await other.merge(share)).toEqual(reportsOn(share));
    await Promise.all([slow.close(), other.close()]);
  });

  it('goes on with what there is of a campaign that was interrupted', async () => {
    const first = await open('resumed');
    const [done, open_] = [shareOf('resumed', specs(1, 2)), shareOf('resumed', specs(3, 4))];
    await first.submit(done);
    await first.submit(open_);
    await first.report((await first.claim(never()))!, reportsOn(done));
    await first.close();
    const second = await open('resumed');
    await second.submit(done);
    await second.submit(open_);
    expect(await second.merge(done)).toEqual(reportsOn(done)); // nobody makes it again
    const claimed = await second.claim(never());
    expect(claimed).toEqual(open_);
    await second.report(claimed!, reportsOn(open_));
    await second.merge(open_);
    await second.close();
  });

  it('says what is wrong with where it is to be', async () => {
    await expect(RedisQueue.open('redis://127.0.0.1:1', 'none', PATIENCE_MS)).rejects.toThrow(
      /^--queue: redis:\/\/127.0.0.1:1: .*ECONNREFUSED/,
    );
    await expect(RedisQueue.open('here', 'none', PATIENCE_MS)).rejects.toThrow('it is redis://HOST:PORT');
  });
});
