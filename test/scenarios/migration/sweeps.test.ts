import { describe, expect, it } from 'vitest';
import { HANDOVER_OCTETS, type MigrationProcess, type MigrationStep, TEXTS } from '../../../guests/libxl/index.ts';
import type { Moving } from '../../../scenarios/engine/migrations.ts';
import { LAN } from '../../../sim/index.ts';
import { Bench } from '../../support/migration-bench.ts';

const MS = 1_000_000;
const S = 1_000 * MS;
const KEPT_ALIVE = { ...LAN, keepAliveNs: 500 * MS };

/** The link is cut when so many octets of a text have crossed it. */
function cut(text: 'ready' | 'go' | 'report' | 'go back', n: number): Moving {
  const at = { ready: 'DE15', go: 'SO15', report: 'DE19', 'go back': 'DE20' }[text];
  return {
    told: (news, { link }) => {
      if (news.what !== 'step' || news.step !== at || link === undefined) return;
      const direction = text === 'go' ? link.forth : link.back;
      direction.cutAfter(direction.taken + n);
    },
  };
}

/** A destination where the name is taken: R gives the guest back. */
function reluctant(plan: ConstructorParameters<typeof Bench>[0]): Bench {
  const bench = new Bench(plan);
  bench.make('guest', 1, () => {});
  return bench;
}

const CUTS = [
  ...Array.from({ length: TEXTS.ready.length }, (_, n) => ['ready', n] as const),
  ...Array.from({ length: TEXTS.go.length }, (_, n) => ['go', n] as const),
  ...Array.from({ length: TEXTS.report.length + 1 }, (_, n) => ['report', n] as const),
  ...Array.from({ length: TEXTS.go.length }, (_, n) => ['go back', n] as const),
];

describe(`INJ-M2: the link cut after each of the ${HANDOVER_OCTETS} octets of the handover`, () => {
  it('ends under xl in the row that 3.4 predicts', () => {
    const ends = new Map<string, number>();
    for (const [text, n] of CUTS) {
      const bench = text === 'go back' ? reluctant({}) : new Bench();
      const migration = bench.migrate(cut(text, n), 20 * S);
      const owners = bench.owners();
      expect(owners.violations, `${text} ${n}`).toEqual([]);
      const hole = owners.known?.map(({ label }) => label).join() ?? '';
      const end = `${text}: ${migration.source}, ${bench.copies}${hole === '' ? '' : `, ${hole}`}`;
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }
    expect(CUTS.length).toBe(HANDOVER_OCTETS);
    expect(Object.fromEntries(ends)).toEqual({
      // FP-17: at R's end the transport ends both ways at once: it can neither be told nor tell.
      'ready: failed_resume, alpha running, beta paused': 34,
      'go: failed_badly, alpha parked, beta paused, FP-13': 44,
      'report: failed_badly, alpha parked, beta running': 40,
      'go back: failed_badly, alpha parked, FP-16': 44,
    });
  }, 300_000);

  it('ends with one copy that runs where a log is kept', () => {
    let one = 0;
    for (const [text, n] of CUTS) {
      const bench = text === 'go back' ? reluctant({ keepsLogs: true }) : new Bench({ keepsLogs: true });
      bench.migrate({ ...cut(text, n), link: KEPT_ALIVE }, 20 * S);
      expect(bench.owners().violations, `${text} ${n}`).toEqual([]);
      if (/^(?:alpha|beta) running$/.test(bench.copies)) one++;
    }
    expect(`${one} of ${CUTS.length}`).toBe('162 of 162');
  }, 300_000);
});

const STEPS: Readonly<Record<MigrationProcess, readonly MigrationStep[]>> = {
  S: ['SO1', 'SO2', 'SO3', 'SO4', 'SO5', 'SO6', 'SO7', 'SO13', 'SO14', 'SO15', 'SO16', 'SO17'],
  V: ['SO6', 'SO7', 'SO9'],
  R: ['DE1', 'DE3', 'DE4', 'DE6', 'DE7', 'DE11', 'DE12', 'DE14', 'DE15', 'DE16', 'DE17', 'DE18', 'DE19'],
  W: ['DE7'],
};

describe('INJ-M11: each process killed before each of its steps', () => {
  const kills = Object.entries(STEPS).flatMap(([process, steps]) => steps.map((step) => [process, step] as const));
  const dies = (process: string, step: string) => (who: string, where: string) => who === process && where === step;

  it('never leaves two copies that run, and none only in a hole that is known', () => {
    for (const [process, step] of kills) {
      const bench = new Bench();
      const kill = dies(process, step);
      bench.migrate({ source: { dies: kill }, target: { dies: kill } }, 20 * S);
      expect(bench.owners().violations, `${process} ${step}`).toEqual([]);
    }
  }, 120_000);

  it('leaves one copy that runs where a log is kept', () => {
    let one = 0;
    for (const [process, step] of kills) {
      const bench = new Bench({ keepsLogs: true });
      const kill = dies(process, step);
      bench.migrate({ source: { dies: kill }, target: { dies: kill }, link: KEPT_ALIVE }, 20 * S);
      expect(bench.owners().violations, `${process} ${step}`).toEqual([]);
      expect(bench.copies, `${process} ${step}`).toMatch(/^(?:alpha|beta) running$/);
      one++;
    }
    expect(`${one} of ${kills.length}`).toBe('29 of 29');
  }, 120_000);
});
