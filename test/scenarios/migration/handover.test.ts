import { describe, expect, it } from 'vitest';
import { Bench } from '../../../scenarios/lab/migration-bench.ts';

describe('MIG-1, MIG-27: a guest that is moved with nothing in its way', () => {
  it('runs at the other host, under its name, and is served by the store there', () => {
    const bench = new Bench();
    const migration = bench.migrate();
    expect(migration.source).toBe('success');
    expect(migration.target).toBe('running');
    expect(bench.copies).toBe('beta running');
    expect(bench.isServed).toBe(true);
    expect(bench.owners().violations).toEqual([]);
    expect(bench.said('S').at(-1)).toBe('Migration successful.');
  });

  it('comes back', () => {
    const bench = new Bench();
    bench.migrate();
    expect(bench.migrate().source).toBe('success');
    expect(bench.copies).toBe('alpha running');
    expect(bench.isServed).toBe(true);
  });

  it('MIG-26: PV', () => {
    const bench = new Bench({ plan: { type: 'pv' } });
    expect(bench.migrate().source).toBe('success');
    expect(bench.isServed).toBe(true);
  });
});
