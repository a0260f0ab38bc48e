import { describe, expect, it } from 'vitest';
import { migrationBreaks } from '../../../scenarios/catalogue/migration-breaks.ts';
import { TRIP_GUEST_RULES } from '../../../scenarios/faults/trip-guests.ts';
import { TRIP_RULES } from '../../../scenarios/faults/trips.ts';

const SMALL = { domains: 5, requests: 3_000, block: 100, net: 100, migrations: 8, updates: 0, workers: 0 };

/** Each rule alone, with a seed in which it strikes; whether its migrations can still succeed. */
const RULES = [
  ['INJ-M1', '1'],
  ['INJ-M2', '1'],
  ['INJ-M3', '1'],
  ['INJ-M4', '1'],
  ['INJ-M5', '1'],
  ['INJ-M6', '1'],
  ['INJ-M11', '2'],
  ['INJ-M22', '2'],
  ['INJ-M12', '2'],
  ['INJ-M13', '1'],
  ['INJ-M14', '1'],
  ['INJ-M20', '3'],
  ['INJ-M24', '1'],
  ['INJ-M21', '3'],
  ['INJ-M23', '3'],
  ['INJ-M25', '2'],
  ['INJ-M26', '1'],
] as const;

describe('what breaks while a guest is on its way', () => {
  it('is here rule by rule', () => {
    expect(RULES.map(([id]) => id)).toEqual([...TRIP_RULES, ...TRIP_GUEST_RULES].map(({ id }) => id));
  });

  it.each(RULES)(
    '%s strikes, and what must hold does',
    (id, seed) => {
      const {
        outcome,
        reason,
        verdicts,
        faults,
        migrations = [],
      } = migrationBreaks.run({
        seed,
        format: 'v2',
        settings: { ...SMALL, faults: id, ...(id === 'INJ-M14' ? { toolstack: 'handoverLog' } : {}) },
        checks: true,
      });
      expect(verdicts.flatMap(({ violations }) => violations)).toEqual([]);
      expect({ outcome, reason }).toEqual({ outcome: 'pass', reason: '' });
      expect(faults?.find((fault) => fault.id === id)?.injected).toBeGreaterThan(0);
      expect(migrations.length).toBeGreaterThan(0);
    },
    60_000,
  );

  it.each([
    ['INJ-M1', '1'],
    ['INJ-M2', '1'],
    ['INJ-M11', '2'],
    ['INJ-M21', '3'],
    ['INJ-M23', '3'],
    ['INJ-M25', '2'],
    ['INJ-M26', '1'],
  ])(
    '%s leaves nothing to a person where a log is kept',
    (id, seed) => {
      const { outcome, verdicts } = migrationBreaks.run({
        seed,
        format: 'v2',
        settings: { ...SMALL, faults: id, toolstack: 'handoverLog' },
        checks: true,
      });
      expect(verdicts.flatMap(({ violations, known = [] }) => [...violations, ...known])).toEqual([]);
      expect(outcome).toBe('pass');
    },
    60_000,
  );
});
