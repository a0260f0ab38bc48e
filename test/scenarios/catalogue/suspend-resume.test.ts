import { afterEach, describe, expect, it, vi } from 'vitest';
import { WatchList } from '../../../guests/xenstore/index.ts';
import { suspendResume } from '../../../scenarios/catalogue/suspend-resume.ts';
import type { RunResult } from '../../../scenarios/engine/scenario.ts';
import type { Setting } from '../../../scenarios/engine/settings.ts';
import { MessageReader } from '../../../store/protocol/message-reader.ts';
import { broken } from '../../support/headline.ts';

function run(seed: string, set: Record<string, Setting> = {}, format = 'v2'): RunResult {
  return suspendResume.run({ seed, format, settings: { requests: 3_000, ...set }, checks: true });
}

function counted(result: RunResult, invariant: string, what: string): number {
  const verdict = result.verdicts.find((v) => v.invariant === invariant);
  return verdict?.checked.find(([name]) => name === what)?.[1] ?? -1;
}

afterEach(() => vi.restoreAllMocks());

describe('suspend-resume', () => {
  it.each(['1', '2', '3', '4'])('passes with seed %s', (seed) => {
    const result = run(seed);
    expect(broken(result)).toEqual([]);
    expect(result.outcome).toBe('pass');
    expect(result.updates.map((u) => u.outcome)).toEqual(['ok', 'ok', 'ok', 'ok']);
    for (const what of ['resumed in place', 'restored', 'heard over a channel', 'bad ones asked'])
      expect(counted(result, 'suspends', what)).toBeGreaterThan(0);
    expect(counted(result, 'lives', 'watches registered anew')).toBeGreaterThan(0);
  });

  it('passes with version 1 of the image, and where all go on in place, or none', () => {
    expect(run('2', {}, 'v1').outcome).toBe('pass');
    expect(run('3', { restores: 0 }).outcome).toBe('pass');
    expect(run('3', { restores: 100 }).outcome).toBe('pass');
  });

  it('is the same octets for the same seed', () => {
    expect(run('9').digest).toBe(run('9').digest);
  });
});

/* Each breaks one thing; the scenario must notice. */
describe('what goes wrong in a suspend is caught', () => {
  const all = Object.getOwnPropertyDescriptor(WatchList.prototype, 'all')?.get;

  it('LX-18: a client that does not register its oldest watch anew', () => {
    vi.spyOn(WatchList.prototype, 'all', 'get').mockImplementation(function (this: WatchList) {
      return (all?.call(this) ?? []).slice(1);
    });
    expect(broken(run('1'))).toContain('lives');
  });

  it('LX-18: a client that registers them in another order', () => {
    vi.spyOn(WatchList.prototype, 'all', 'get').mockImplementation(function (this: WatchList) {
      return (all?.call(this) ?? []).toReversed();
    });
    expect(broken(run('1'))).toContain('lives');
  });

  it('SUS-1: a client that takes half a message of its former life into the new one', () => {
    vi.spyOn(MessageReader.prototype, 'clear').mockImplementation(() => {});
    // It takes a suspend between two octets of a message, which is rare.
    const seeds = ['1', '2', '3', '4', '5', '6', '7', '8'];
    expect(seeds.some((seed) => broken(run(seed, { requests: 9_000, restores: 80 })).includes('suspends'))).toBe(true);
  });
});
