import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HOSTILE_KINDS } from '../../../guests/hostile/index.ts';
import { hostileGuests } from '../../../scenarios/catalogue/hostile-guests.ts';
import type { RunResult } from '../../../scenarios/engine/scenario.ts';
import type { Setting } from '../../../scenarios/engine/settings.ts';
import { Accounting } from '../../../store/daemon/accounting.ts';
import type { Connection } from '../../../store/daemon/connection.ts';
import { Connections } from '../../../store/daemon/connections.ts';
import { Daemon } from '../../../store/daemon/daemon.ts';
import { Throttle } from '../../../store/daemon/throttle.ts';
import { broken } from '../../support/headline.ts';

function run(seed: string, set: Record<string, Setting> = {}, format = 'v2'): RunResult {
  return hostileGuests.run({ seed, format, settings: { requests: 1_500, ...set }, checks: true });
}

function counted(result: RunResult, invariant: string, what: string): number {
  const verdict = result.verdicts.find((v) => v.invariant === invariant);
  return verdict?.checked.find(([name]) => name === what)?.[1] ?? -1;
}

afterEach(() => vi.restoreAllMocks());

describe('hostile-guests', () => {
  it.each(['1', '2', '3', '4', '5', '6'])('passes with seed %s', (seed) => {
    const result = run(seed);
    expect(broken(result)).toEqual([]);
    expect(result.outcome).toBe('pass');
    expect(result.updates.map((u) => u.outcome)).toEqual(['ok', 'ok', 'ok']);
    expect(counted(result, 'containment', 'hostile guests')).toBeGreaterThanOrEqual(12); // some come again
    expect(counted(result, 'containment', 'answers as due')).toBeGreaterThan(0);
    expect(counted(result, 'containment', 'quotas kept')).toBeGreaterThan(0);
    expect(counted(result, 'fair-service', 'requests')).toBeGreaterThan(1_500);
  });

  it('passes with the write rate limit, and with version 1 of the image', () => {
    expect(run('2', { limit: 1 }).outcome).toBe('pass');
    expect(run('2', {}, 'v1').outcome).toBe('pass');
  });

  it.each(['4', '10'])('passes with a swarm of faults, seed %s', (seed) => {
    const result = run(seed, { faults: 'swarm', requests: 2_500 });
    expect(broken(result)).toEqual([]);
    expect(result.outcome).toBe('pass');
  });

  it('is the same octets for the same seed', () => {
    expect(run('9').digest).toBe(run('9').digest);
  });

  it.each(HOSTILE_KINDS.map((k) => k.name))('passes with four guests of the kind %s', (kind) => {
    const result = run('3', { kind, hostile: 4, domains: 4, requests: 700 });
    expect(broken(result)).toEqual([]);
    expect(result.outcome).toBe('pass');
  });
});

/* Each breaks the store in one place; the scenario must notice. */
describe('a store that is wrong about hostile guests is caught', () => {
  const serves = Throttle.prototype.canRead;
  const ignores = Connections.prototype.ignore;

  /** The daemon whose loop runs: its parts do not know each other. */
  let running: Daemon;
  beforeEach(() => {
    const passes = Daemon.prototype.timePassed;
    vi.spyOn(Daemon.prototype, 'timePassed').mockImplementation(function (this: Daemon, nowMs: number) {
      running = this;
      passes.call(this, nowMs);
    });
  });

  it('reads a victim only when the others have had a thousand passes', () => {
    let passes = 0;
    vi.spyOn(Throttle.prototype, 'canRead').mockImplementation(function (this: Throttle, conn: Connection) {
      if (conn.domid !== 1 || ++passes % 2_001 === 0) return serves.call(this, conn);
      running.wakes.inputAllowed(conn);
      return false;
    });
    expect(broken(run('1', { kind: 'hammers', requests: 600 }))).toEqual(['fair-service']);
  });

  it('does not read a ring as long as a newer one has requests', () => {
    vi.spyOn(Throttle.prototype, 'canRead').mockImplementation(function (this: Throttle, conn: Connection) {
      for (const other of running.state.connections) {
        const page = other.link.kind === 'ring' ? other.link.page : undefined;
        if (other.serial <= conn.serial || other.isIgnored || page === undefined || other.domid === 0) continue;
        if (conn.domid !== 0 && page.load32(2048) !== page.load32(2052) && serves.call(this, other)) return false;
      }
      return serves.call(this, conn);
    });
    expect(broken(run('1', { kind: 'hammers', domains: 4, hostile: 4 }))).toContain('ring-octets');
  });

  it('drops the output of another ring with that of an ignored one', () => {
    vi.spyOn(Connections.prototype, 'ignore').mockImplementation(function (this: Connections, conn, word) {
      ignores.call(this, conn, word);
      for (const other of running.state.connections) if (other !== conn && other.domid !== 0) this.forget(other);
    });
    const results = ['1', '2', '3', '4'].map((seed) => run(seed, { kind: 'producer-ahead' }));
    expect(results.some((r) => r.outcome === 'violation')).toBe(true);
  });

  it('goes on with a ring whose indexes cannot be, and says nothing', () => {
    vi.spyOn(Connections.prototype, 'ignore').mockImplementation((conn) => {
      conn.isIgnored = true;
    });
    const r = run('1', { kind: 'producer-backwards', hostile: 2 });
    expect(broken(r)).toEqual(['containment']);
  });

  it('keeps no quota of node sizes', () => {
    vi.spyOn(Accounting.prototype, 'exceeds').mockReturnValue(false);
    expect(broken(run('1', { kind: 'bad-paths', hostile: 2 }))).toContain('containment');
  });

  it('lets an unprivileged guest do what only dom0 may', () => {
    const adds = Connections.prototype.addRing;
    vi.spyOn(Connections.prototype, 'addRing').mockImplementation(function (this: Connections, ...args) {
      return Object.assign(adds.apply(this, args), { isUnprivileged: false });
    });
    const result = run('1', { kind: 'privileged-requests', hostile: 2 });
    expect(result.outcome).not.toBe('pass');
  });
});
