import { describe, expect, it } from 'vitest';
import { migrateUnnoticed } from '../../../scenarios/catalogue/migrate-unnoticed.ts';
import { named } from '../../support/odd-formats.ts';

const SETTINGS = { requests: 3_000, migrations: 8, domains: 4, updates: 1 };

function runOf(seed: string, settings: Partial<Record<string, number>>, format?: string) {
  const lab = format === undefined ? undefined : named(format);
  const {
    outcome,
    verdicts,
    migrations = [],
  } = migrateUnnoticed.run({
    seed,
    format: format ?? 'v2',
    lab,
    checks: true,
    settings: { ...SETTINGS, ...settings },
  });
  const counts = new Map(verdicts.flatMap(({ checked }) => checked));
  return { outcome, migrations, count: (what: string) => counts.get(what) ?? 0 };
}

describe('migrate-unnoticed', () => {
  it('NC-4: guests wander, their stores live-update, links break, and nobody notices', () => {
    const { outcome, count, migrations } = runOf('1', { cuts: 3 });
    expect(outcome).toBe('pass');
    expect(count('moves')).toBeGreaterThan(2);
    expect(count('that failed')).toBeGreaterThan(0);
    expect(count('images')).toBeGreaterThan(2);
    expect(count('events')).toBeGreaterThan(100);
    expect(migrations.every(({ mode }) => mode === 'NC')).toBe(true);
  });

  it.each(['G2', 'C-4.22'])('NC-24: through %s a guest moves, or stays and has lost nothing', (format) => {
    const { outcome, count } = runOf('2', { updates: 0, cuts: 0 }, format);
    expect(outcome).toBe('pass');
    expect(count('moves')).toBeGreaterThan(0);
  });
});
