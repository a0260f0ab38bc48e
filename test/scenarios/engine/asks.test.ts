import { describe, expect, it } from 'vitest';
import { liveUpdateMidTraffic } from '../../../scenarios/catalogue/live-update-mid-traffic.ts';
import { formatAsk, parseAsk } from '../../../scenarios/engine/asks.ts';
import type { RunResult } from '../../../scenarios/engine/scenario.ts';
import { eventText } from '../../../scenarios/report/events.ts';
import type { TraceEvent } from '../../../sim/index.ts';

/** A short run, with its events up to `untilNs` as text. */
function run(seed: string, asks: readonly string[], untilNs = 0): { result: RunResult; before: string[] } {
  const before: string[] = [];
  const result = liveUpdateMidTraffic.run({
    seed,
    format: 'v2',
    settings: { requests: 1500, domains: 4, updates: 1, churn: 0 },
    checks: true,
    ...(asks.length === 0 ? {} : { cuts: { asks } }),
    observed: (event: TraceEvent) => {
      if (event.timeNs < untilNs) before.push(`${event.timeNs} ${eventText(event)}`);
    },
  });
  return { result, before };
}

describe('what somebody asks of a run', () => {
  it.each([
    ['update@8123456', { kind: 'update', atNs: 8_123_456, host: 0 }],
    ['update@1/1', { kind: 'update', atNs: 1, host: 1 }],
    ['preempt@9000000=50000', { kind: 'preempt', atNs: 9_000_000, forNs: 50_000, host: 0 }],
    ['break-ring@9000000=3', { kind: 'break-ring', atNs: 9_000_000, domid: 3, host: 0 }],
  ])('reads %s, and writes it', (word, ask) => {
    expect(parseAsk(word)).toEqual(ask);
    expect(formatAsk(parseAsk(word)!)).toBe(word);
  });

  it.each([
    '',
    'update',
    'update@',
    'update@-1',
    'update@1=3',
    'break-ring@1',
    'break-ring@1=x',
    'update@1/x',
    'else@1',
  ])('takes %j for none', (word) => expect(parseAsk(word)).toBeUndefined());

  it.each(['1', '2', '3', '4'])(
    'leaves everything before it as it was, and is judged like the rest: seed %s',
    (seed) => {
      const plain = run(seed, [], 9_000_000);
      const atNs = 9_000_000;
      const asked = run(seed, [`update@${atNs}`, `break-ring@${atNs + 3_000_000}=2`], atNs);
      expect(plain.before.length).toBeGreaterThan(1000);
      expect(asked.before).toEqual(plain.before);
      const { result } = asked;
      expect([result.outcome, result.reason]).toEqual(['pass', '']);
      expect(result.digest).not.toBe(plain.result.digest);
      expect(result.updates.length).toBe(plain.result.updates.length + 1);
      const [own] = result.attempts.filter(({ timeNs }) => timeNs >= atNs && timeNs < atNs + 3_000_000);
      expect(own?.answer).toBe('OK');
      const { epochs = [], records = [] } = result.history!;
      const broken = epochs.find(({ domid }) => domid === 2)!;
      const struck = records.find((record) => record.kind === 'fault')!;
      expect(struck).toMatchObject({ id: 'break-ring', detail: 'domain 2' });
      // The store gives such a ring up, and takes nothing from it any more (BAD-14).
      const taken = (after: boolean) =>
        records.filter(
          (r) => r.kind === 'consume' && r.conn === broken.conn && r.dir === 'req' && r.seq > struck.seq === after,
        );
      expect(taken(false).length).toBeGreaterThan(50);
      expect(taken(true)).toEqual([]);
    },
  );

  it('keeps whoever is next from stepping, for as long as it says', () => {
    const steps = (asks: readonly string[]) => {
      const seen: string[] = [];
      liveUpdateMidTraffic.run({
        seed: '6',
        format: 'v2',
        settings: { requests: 400, domains: 2, updates: 0 },
        checks: true,
        ...(asks.length === 0 ? {} : { cuts: { asks } }),
        opened: ({ machine }) => {
          const { onStep } = machine.scheduler;
          machine.scheduler.onStep = (task) => {
            onStep?.(task);
            if (machine.nowNs >= 2_000_000) seen.push(`${task.name} ${machine.nowNs}`);
          };
        },
      });
      return seen;
    };
    const [plain, held] = [steps([]), steps(['preempt@2000000=70000'])];
    const [first = ''] = plain;
    const [name, ns] = [first.split(' ')[0] as string, Number(first.split(' ')[1])];
    expect(held[0]).toBe(plain[1]);
    const mine = held.find((step) => step.startsWith(`${name} `));
    expect(mine).toBe(`${name} ${ns + 70_000}`);
  });

  it('gives the same run twice', () => {
    const asks = ['update@9000000', 'break-ring@12000000=2'];
    expect(run('5', asks).result.digest).toBe(run('5', asks).result.digest);
  });
});
