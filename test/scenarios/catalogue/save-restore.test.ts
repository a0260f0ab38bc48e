import { describe, expect, it } from 'vitest';
import { saveRestore } from '../../../scenarios/catalogue/save-restore.ts';

function run(seed: string, settings: Record<string, number | string> = {}) {
  return saveRestore.run({ seed, format: 'v2', settings: { requests: 1_500, domains: 3, ...settings }, checks: true });
}

function checked(result: ReturnType<typeof run>, invariant: string, what: string): number {
  const verdict = result.verdicts.find((each) => each.invariant === invariant);
  return verdict?.checked.find(([name]) => name === what)?.[1] ?? 0;
}

describe('save-restore', () => {
  it.each(['1', '2', '5'])('holds with seed %s: guests go into files and out of them, and nothing is lost', (seed) => {
    const result = run(seed);
    expect([result.outcome, result.verdicts.flatMap(({ violations }) => violations)]).toEqual(['pass', []]);
    expect(checked(result, 'saves', 'restores')).toBeGreaterThan(0);
    expect(checked(result, 'memory', 'pages compared')).toBeGreaterThan(20);
  });

  it('MIG-22: a guest saved beside one store is restored beside its successor, whatever release that is', () => {
    const result = run('3', { updates: 4, keeps: 0, full: 0 });
    expect(result.outcome).toBe('pass');
    expect(result.updates.filter(({ outcome }) => outcome === 'ok').length).toBeGreaterThan(1);
  });

  it('MIG-24, MIG-25: files are restored twice, and refused while the first has its name', () => {
    const result = run('4', { twice: 100, keeps: 50, full: 0, cuts: 0, requests: 4_000 });
    expect(result.outcome).toBe('pass');
    expect(checked(result, 'saves', 'restores once more')).toBeGreaterThan(0);
    expect(checked(result, 'saves', 'refused by a name')).toBeGreaterThan(0);
  });

  it('FP-31: with every disk full nothing is saved, and every guest goes on', () => {
    const result = run('6', { full: 100 });
    expect(result.outcome).toBe('pass');
    expect([checked(result, 'saves', 'restores'), checked(result, 'saves', 'disks full') > 3]).toEqual([0, true]);
  });
});
