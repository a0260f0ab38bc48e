import { describe, expect, it } from 'vitest';
import type { Moving } from '../../../scenarios/engine/migrations.ts';
import { at, Bench } from '../../../scenarios/lab/migration-bench.ts';

const MS = 1_000_000;
const S = 1_000 * MS;

/** The link breaks when the guest is parked: it goes on where it was. */
const breaksLate = (): Moving => at('V', 'SO9', (m) => m.link?.cut());
const labels = (bench: Bench) => bench.owners().known?.map(({ label }) => label) ?? [];

/** A guest that has a lot to freeze: it parks so long after it was asked that whoever asked has looked once, and waits for an event. */
function parksSlowly(bench: Bench, how: Moving): Moving {
  return {
    ...how,
    told: (news, migration) => {
      how.told?.(news, migration);
      if (news.what !== 'step' || news.step !== 'SO7' || news.process !== 'S') return;
      const { scheduler, nowNs } = bench.host(0).machine;
      scheduler.at(nowNs + 20 * MS, () => bench.park());
    },
  };
}

describe('a guest that comes back', () => {
  it('MIG-19: XS_RESUME is lost, and nobody is told that it parks again', () => {
    const bench = new Bench({ asked: 'late' });
    const first = bench.migrate(parksSlowly(bench, { ...breaksLate(), source: { losesResume: true } }));
    expect([first.source, bench.isServed]).toEqual(['failed_resume', true]);
    const again = bench.migrate(parksSlowly(bench, { source: { patienceNs: 50 * MS } }), 5 * S);
    expect([again.source, bench.copies]).toEqual(['failed_suspend', 'alpha parked']);
    expect(bench.owners().violations).toEqual([]);
    expect(labels(bench)).toEqual(['MIG-19']);
  });

  it('MIG-19: with a log somebody looks after it all the same', () => {
    const bench = new Bench({ asked: 'late', keepsLogs: true });
    bench.migrate(parksSlowly(bench, { ...breaksLate(), source: { losesResume: true } }));
    bench.migrate(parksSlowly(bench, { source: { patienceNs: 50 * MS } }), 5 * S);
    expect(bench.copies).toBe('alpha running');
    expect(bench.isServed).toBe(true);
  });
});
