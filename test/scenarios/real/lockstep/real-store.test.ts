import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SCENARIOS } from '../../../../scenarios/catalogue/index.ts';
import { prepareFor } from '../../../../scenarios/cli/daemon.ts';
import type { RunRequest, RunResult } from '../../../../scenarios/engine/scenario.ts';
import { INSTALLED_DAEMONS } from '../../../../scenarios/real/conform/standin.ts';
import { RealDaemon } from '../../../../scenarios/real/lockstep/daemon.ts';
import { runOn } from '../../../../scenarios/real/lockstep/run-on.ts';
import { daemonIsMissing } from '../../../support/needs.ts';

const { xenstored, oxenstored } = INSTALLED_DAEMONS;
const isMissing = await daemonIsMissing("a real daemon as a simulated host's store", xenstored);
const hasNoOxenstored = await daemonIsMissing("a real oxenstored as a simulated host's store", oxenstored);

/** A headline of few guests: seconds, and updates in it. */
const SMALL = { domains: 4, requests: 1_200, updates: 3, policy: 'daemon', limit: 1 } as const;

function run(daemon: RealDaemon, request: Partial<RunRequest> & { readonly scenario?: string }): RunResult {
  const { scenario = 'live-update-mid-traffic', seed = '1', settings = SMALL, ...rest } = request;
  const found = SCENARIOS.find(({ name }) => name === scenario);
  if (found === undefined) throw new Error(`no scenario ${scenario}`);
  return runOn(daemon, found, { seed, format: daemon.traits.format, settings, checks: true, ...rest });
}

/** Processes whose parent this one is, as /proc tells, zombies apart. */
function children(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .flatMap((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
        const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return Number(parent) === process.pid && state !== 'Z' ? [stat] : [];
      } catch {
        return [];
      }
    });
}

describe.skipIf(isMissing)('a real xenstored as the store of a simulated host', () => {
  let daemon: RealDaemon;
  let dir: string;
  const before = process.env.TMPDIR;

  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'xenarium-lockstep-'));
    process.env.TMPDIR = dir;
    daemon = new RealDaemon({ binary: xenstored });
  });
  afterAll(() => {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
    rmSync(dir, { recursive: true, force: true });
  });

  it('serves guests on rings, executes itself in mid-traffic, and loses nothing', () => {
    const result = run(daemon, { seed: '1' });
    expect(result.outcome).toBe('pass');
    expect(result.updates.filter(({ outcome }) => outcome === 'ok').length).toBeGreaterThan(0);
    const [update] = result.updates;
    expect(update?.imageBytes).toBeGreaterThan(1_000);
    expect(update?.connections).toBeGreaterThan(4);
  });

  it('gives the same digest for the same seed, and another for another', () => {
    const digests = ['3', '3', '3', '4'].map((seed) => run(daemon, { seed, checks: false }).digest);
    expect(new Set(digests.slice(0, 3)).size).toBe(1);
    expect(digests[3]).not.toBe(digests[0]);
  });

  it('serves each of two hosts between which guests move', () => {
    const settings = { domains: 4, requests: 3_000, migrations: 3, block: 300, net: 300, updates: 1 };
    const result = run(daemon, { scenario: 'migrate-mid-traffic', settings });
    expect(result.outcome).toBe('pass');
    expect(result.marks?.counts.migration).toBe(3);
  });

  it('does not serve a scenario that takes of it what it cannot do', async () => {
    await expect(prepareFor(daemon, 'migrate-unnoticed', [])).rejects.toThrow(
      /needs a store that gives out what it holds of one guest/,
    );
    expect((await prepareFor(daemon, 'migrate-mid-traffic', [])).scenario.name).toBe('migrate-mid-traffic');
  });

  it('leaves no process and no file behind', () => {
    for (let seed = 1; seed <= 6; seed++)
      run(daemon, { seed: String(seed), settings: { ...SMALL, domains: 1, requests: 60 }, checks: false });
    expect(readdirSync(dir)).toEqual([]);
    expect(children()).toEqual([]);
  });

  it('is succeeded by ours in mid-traffic, which goes on with its image, its rings and its sockets', () => {
    const succeeded = new RealDaemon({ binary: xenstored, successor: 'ours' });
    const result = run(succeeded, { seed: '1' });
    expect(result.outcome).toBe('pass');
    const [first] = result.updates;
    expect(first).toMatchObject({ n: 1, outcome: 'ok' });
    expect(first?.connections).toBeGreaterThan(4);
    expect(result.requests).toBeGreaterThan(1_000);
    // It updates itself from then on, and counts on.
    const more = run(succeeded, { seed: '3', settings: { ...SMALL, requests: 2_500, updates: 6 } });
    expect(more.outcome).toBe('pass');
    expect(more.updates.map(({ n }) => n)).toEqual(more.updates.map((_, i) => i + 1));
    expect(more.updates.map(({ format }) => format).slice(0, 2)).toEqual(['its own', 'v1']);
    expect(run(succeeded, { seed: '1', checks: false }).digest).toBe(result.digest);
    expect(readdirSync(dir)).toEqual([]);
    expect(children()).toEqual([]);
  });

  it('is a finding when ours cannot begin with the image that it left', () => {
    const succeeded = new RealDaemon({ binary: xenstored, successor: 'ours' });
    const result = run(succeeded, { seed: '1', passImage: (image) => image.slice(0, 40) });
    expect(result.outcome).toBe('violation');
    expect(result.death?.what).toMatch(/^this package's store, its successor, has ended: /);
    expect(result.verdicts.flatMap(({ violations }) => violations)).toHaveLength(1);
  });

  it('goes on with what it had when its successor cannot be executed, and says so', () => {
    const result = run(daemon, { seed: '1', execFails: () => true });
    const [update] = result.updates;
    expect(update?.outcome).toBe('failed');
    expect(result.attempts.find((each) => each.update === update?.n)?.answer).toBe('Error activating new binary.');
    expect(result.death).toBeUndefined();
  });

  it('INV-X1: is a finding when it dies, with what it read and said last', () => {
    const result = run(daemon, { seed: '1', passImage: (image) => image.slice(0, 4) });
    expect(result.outcome).toBe('violation');
    expect(result.death?.what).toMatch(/^it has ended itself with status 1 in a live update: /);
    expect(result.death?.lines.some((line) => line.startsWith('it read from '))).toBe(true);
    const [lives] = result.verdicts.filter(({ invariant }) => invariant === 'store-lives');
    expect(lives?.violations).toHaveLength(1);
    // What did not come after its end is no finding of its own.
    expect(result.verdicts.flatMap(({ violations }) => violations)).toHaveLength(1);
  });

  it('dies of a known defect when it is updated while a domain is being built, which is no reason to fail', () => {
    const all = new RealDaemon({ binary: xenstored, all: true });
    const outcomes = ['1', '2', '3', '6'].map((seed) =>
      run(all, { seed, settings: { ...SMALL, domains: 12, requests: 2_500 } }),
    );
    const known = outcomes.flatMap(({ verdicts }) => verdicts.flatMap((verdict) => verdict.known ?? []));
    expect(known.map(({ label }) => label)).toContain('owner-not-introduced-in-image');
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['pass', 'pass', 'pass', 'pass']);
  });
});

describe.skipIf(hasNoOxenstored)('a real oxenstored as the store of a simulated host', () => {
  it('serves programs on sockets, and updates itself in mid-traffic', () => {
    const daemon = new RealDaemon({ binary: oxenstored });
    const result = run(daemon, {
      seed: '2',
      scenario: 'hostile-guests',
      settings: { domains: 4, hostile: 4, limit: 1 },
    });
    expect(result.outcome).toBe('pass');
    expect(result.updates.filter(({ outcome }) => outcome === 'ok').length).toBeGreaterThan(0);
    const headline = run(daemon, { seed: '1' });
    const { epochs = [], records = [] } = headline.history ?? {};
    const sockets = new Set(epochs.filter(({ isSocket }) => isSocket === true).map(({ conn }) => conn));
    const answered = records.filter(({ kind, ...of }) => kind === 'got' && 'conn' in of && sockets.has(of.conn));
    expect(answered.length).toBeGreaterThan(50);
  });

  it('is not succeeded by ours, which cannot read its image', () => {
    expect(() => new RealDaemon({ binary: oxenstored, successor: 'ours' })).toThrow(/a text of its own/);
  });

  it('serves guests on rings, and loses no octet', () => {
    const daemon = new RealDaemon({ binary: oxenstored });
    const results = ['1', '1'].map(() => run(daemon, { seed: '1', settings: { ...SMALL, updates: 0 } }));
    expect(results.map(({ outcome }) => outcome)).toEqual(['pass', 'pass']);
    expect(results[0]?.digest).toBe(results[1]?.digest);
    expect(results[0]?.requests).toBeGreaterThan(1_000);
  });
});
