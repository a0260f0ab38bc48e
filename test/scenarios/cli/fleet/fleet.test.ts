import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Queue } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { built } from '../../../support/build.ts';
import { start, xenarium } from '../../../support/cli.ts';
import { has } from '../../../support/needs.ts';
import { startRedis, type TestRedis } from '../../../support/redis.ts';

/** Runs that fail, and some that do not: what a sweep comes to tells whether any was made twice, or not at all. */
const CAMPAIGN = ['live-update-mid-traffic', '--seeds', '1..40', '--format', 'G3.0'];
const SMALL = ['--set', 'requests=300', '--set', 'domains=2', '--set', 'updates=1', '--set', 'workers=1', '--json'];

describe.skipIf(!has('a fleet of workers', 'redis-server'))('a fleet', () => {
  let redis: TestRedis;
  const workers: ChildProcess[] = [];
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(async () => {
    for (const worker of workers) worker.kill('SIGKILL');
    await redis.stop();
  });

  const worker = async () => {
    const words = ['worker', '--queue', redis.url, '--jobs', '1', '--patience', '2'];
    const child = await start(words, /works for/);
    workers.push(child);
    return child;
  };
  const ended = (child: ChildProcess) =>
    new Promise<number | null>((resolve) => {
      if (child.exitCode !== null) resolve(child.exitCode);
      else child.once('exit', (code) => resolve(code));
    });

  /** Each of three is at something, and something has been done. */
  async function isHalfWay(): Promise<void> {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { readonly version: string };
    const queue = new Queue(`xenarium-${version}`, { connection: { url: redis.url } });
    let [most, left, active] = [0, 0, 0];
    while (active !== 3 || left === most) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      const counts = await queue.getJobCounts('active', 'wait');
      active = counts.active ?? 0;
      left = active + (counts.wait ?? 0);
      most = Math.max(most, left);
    }
    await queue.close();
  }

  it('of three workers, of which one is killed half-way, reports every seed exactly once', async () => {
    const alone = xenarium('sweep', ...CAMPAIGN, ...SMALL, '--jobs', '2');
    const one = JSON.parse(alone.out) as { readonly runs: number; readonly failed: number };
    expect(one.runs).toBe(40);
    const [first] = [await worker(), await worker(), await worker()];
    const sweep = spawn(process.execPath, [
      built('scenarios/cli.js'),
      'sweep',
      ...CAMPAIGN,
      ...SMALL,
      '--queue',
      redis.url,
      '--patience',
      '2',
    ]);
    let out = '';
    sweep.stdout.on('data', (data: Buffer) => {
      out += data.toString('utf8');
    });
    await isHalfWay();
    first!.kill('SIGKILL');
    expect(out).toBe(''); // it has not ended
    expect(await ended(sweep)).toBe(alone.code);
    expect(JSON.parse(out)).toEqual(one);
    for (const each of workers.slice(1)) each.kill('SIGTERM');
    expect(await Promise.all(workers.slice(1).map(ended))).toEqual([0, 0]);
  });

  it('says what is wrong with its address', () => {
    const { code, err } = xenarium('worker', '--queue', 'redis://127.0.0.1:1');
    expect([code, err]).toEqual([2, expect.stringMatching(/--queue: redis:\/\/127.0.0.1:1: .*ECONNREFUSED/)]);
  });
});
