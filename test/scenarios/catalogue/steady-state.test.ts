import { afterEach, describe, expect, it, vi } from 'vitest';
import { ConsoleBuffer } from '../../../guests/console/index.ts';
import { GuestControl } from '../../../guests/power/index.ts';
import { steadyStateScenario } from '../../../scenarios/catalogue/steady-state.ts';
import type { RunResult } from '../../../scenarios/engine/scenario.ts';
import type { Setting } from '../../../scenarios/engine/settings.ts';
import { broken, tamper } from '../../support/headline.ts';

function run(
  seed: string,
  set: Record<string, Setting> = {},
  format = 'v2',
  passImage?: (image: Uint8Array) => Uint8Array,
): RunResult {
  return steadyStateScenario.run({
    seed,
    format,
    settings: { domains: 4, ...set },
    passImage,
    checks: true,
  });
}

function counted(result: RunResult, invariant: string, what: string): number {
  const verdict = result.verdicts.find((v) => v.invariant === invariant);
  return verdict?.checked.find(([name]) => name === what)?.[1] ?? -1;
}

/** Programs and guests' actors that sent something. */
function senders(result: RunResult): Set<string> {
  const names = new Set<string>();
  for (const record of result.history?.records ?? [])
    if (record.kind === 'sent') names.add(record.actor.replace(/domU[0-9.]+/, 'domU'));
  return names;
}

afterEach(() => vi.restoreAllMocks());

describe('steady-state', () => {
  it.each(['1', '2', '3'])('passes with seed %s', (seed) => {
    const result = run(seed);
    expect(broken(result)).toEqual([]);
    expect(result.outcome).toBe('pass');
    expect(result.updates.map((u) => u.outcome)).toEqual(['ok', 'ok', 'ok', 'ok']);
    expect(counted(result, 'console', 'octets shown')).toBeGreaterThan(20_000);
    expect(counted(result, 'console', 'octets typed')).toBeGreaterThan(200);
    expect(counted(result, 'control', 'commands')).toBeGreaterThan(0);
    for (const program of [
      'xenopsd',
      'xenopsd/updates',
      'squeezed',
      'squeezed/balance',
      'xcp-rrdd-squeezed',
      'qmemmand',
    ])
      expect(senders(result)).toContain(`dom0/${program}`);
    for (const actor of ['dom0/xenconsoled', 'dom0/poll0', 'dom0/poll1', 'dom0/watch-all', 'domU/xenwatch'])
      expect(senders(result)).toContain(actor);
  });

  it('runs every kind of agent in some guest', () => {
    const all = new Set(['1', '2', '3'].flatMap((seed) => [...senders(run(seed, { minutes: 1, updates: 1 }))]));
    for (const agent of ['xe-daemon', 'meminfo-writer', 'counters', 'tool']) expect(all).toContain(`domU/${agent}`);
  });

  it.each<[Record<string, Setting>, string]>([
    [{ overflow: 'keep' }, 'v2'],
    [{ aligned: 100 }, 'v2'],
    [{ aligned: 0, updates: 8 }, 'v1'],
    [{ speedup: 20, minutes: 1, domains: 2 }, 'v2'],
  ])('passes with %j and images of %s', (set, format) => {
    const result = run('5', set, format);
    expect(broken(result)).toEqual([]);
    expect(result.outcome).toBe('pass');
  });

  it('is the same octets for the same seed', () => {
    const short = { minutes: 1, domains: 3 };
    expect(run('9', short).digest).toBe(run('9', short).digest);
    expect(run('9', short).digest).not.toBe(run('10', short).digest);
  });
});

/* Each breaks one thing; the scenario must notice. */
describe('a host that is wrong is caught', () => {
  const short = { minutes: 1, domains: 3 };

  it('its console daemon loses an octet', () => {
    const appends = ConsoleBuffer.prototype.append;
    let n = 0;
    vi.spyOn(ConsoleBuffer.prototype, 'append').mockImplementation(function (this: ConsoleBuffer, bytes) {
      appends.call(this, ++n === 30 ? bytes.subarray(1) : bytes);
    });
    expect(broken(run('1', short))).toEqual(['console']);
  });

  it('its store forgets watches of monitors in an update', () => {
    let n = 0;
    const passImage = tamper((record) => (record.kind === 'WATCH_DATA' && ++n % 5 === 0 ? undefined : record));
    expect(run('1', short, 'v2', passImage).outcome).toBe('violation');
  });

  it('its guests are deaf', () => {
    const seed = ['1', '2', '3', '4'].find((each) => counted(run(each), 'control', 'acted on') > 0) ?? '';
    vi.spyOn(GuestControl.prototype, 'start').mockImplementation(() => {});
    expect(broken(run(seed))).toEqual(['control']);
  });
});
