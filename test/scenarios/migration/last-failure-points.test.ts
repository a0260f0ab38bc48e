import { describe, expect, it } from 'vitest';
import { at, Bench } from '../../../scenarios/lab/migration-bench.ts';
import { WAN } from '../../../sim/index.ts';

const MS = 1_000_000;
const S = 1_000 * MS;
/** A guest that is not asked, through the first format that loses nothing of it. */
const UNNOTICED = { unnoticed: { choices: ['format=G3.1'] } } as const;

describe('FP-26, MIG-64: the destination’s store is updated while the copy has a tree and no INTRODUCE', () => {
  it('the daemon’s successor ends itself (DST-9): R hears nothing any more, and the guest goes on where it was', () => {
    const bench = new Bench({ hosts: [{}, { endsAtUnborn: true }], pages: 400 });
    const migration = bench.migrate({ link: WAN, ...at('R', 'DE7', () => bench.update(1)) }, 5 * S);
    expect(bench.host(1).store.ended).toMatch(/domain \d+ owns nodes, and is not introduced/);
    expect(migration.source).toBe('failed_resume');
    expect(bench.copies).toMatch(/^alpha running/);
    expect(bench.isServed).toBe(true);
    expect(bench.owners().violations).toEqual([]);
  });

  it('the same update while nobody builds a domain harms nobody', () => {
    const bench = new Bench({ hosts: [{}, { endsAtUnborn: true }] });
    bench.update(1);
    bench.pass(50 * MS);
    expect(bench.host(1).store.ended).toBeUndefined();
    expect(bench.migrate().source).toBe('success');
  });

  it.each(['daemon', 'carry'] as const)('a store that carries such a domain takes it, policy %s', (policy) => {
    const bench = new Bench({ hosts: [{}, { policy }], pages: 400 });
    const migration = bench.migrate({ link: WAN, ...at('R', 'DE7', () => bench.update(1)) }, 5 * S);
    expect(bench.host(1).store.updates.map(({ outcome }) => outcome)).toEqual(['ok']);
    expect(migration.source).toBe('success');
    expect(bench.copies).toBe('beta running');
    expect(bench.isServed).toBe(true);
  });
});

describe('FP-29: the source’s destruction is delayed', () => {
  it('the guest runs at the destination, and a parked source has its other name until then', () => {
    const bench = new Bench();
    const migration = bench.start({ source: { destroysAfterNs: 3 * S } });
    bench.pass(S);
    expect([migration.source, bench.copies]).toEqual([undefined, 'alpha parked, beta running']);
    expect(bench.owners().violations).toEqual([]);
    bench.pass(4 * S);
    expect([migration.source, bench.copies]).toEqual(['success', 'beta running']);
    expect(bench.isServed).toBe(true);
  });
});

describe('a guest that is not asked', () => {
  it.each(['SO7', 'SO9', 'SO12', 'SO13'] as const)(
    'FP-33: the link breaks at %s: it goes on, and has lost nothing',
    (step) => {
      const bench = new Bench();
      const before = bench.beats;
      let isCut = false;
      const migration = bench.migrate({
        ...UNNOTICED,
        told: (news, { link }) => {
          if (isCut || news.what !== 'step' || news.step !== step) return;
          isCut = true;
          link?.cut();
        },
      });
      expect(isCut).toBe(true);
      expect(migration.source).toBe('failed_resume');
      expect(bench.copies).toMatch(/alpha running/);
      expect(bench.isServed).toBe(true);
      expect(bench.beats).toBeGreaterThan(before);
      expect(bench.owners().violations).toEqual([]);
    },
  );

  const lost = () => at('S', 'SO15', (m) => m.link?.forth.cutAfter(m.link.forth.taken + 10));

  it('FP-34: the go is lost: as FP-13, both copies wait', () => {
    const bench = new Bench();
    expect(bench.migrate({ ...UNNOTICED, ...lost() }).source).toBe('failed_badly');
    expect(bench.copies).toBe('alpha parked, beta paused');
    expect(bench.owners().known?.map(({ label }) => label)).toEqual(['FP-13']);
  });

  it('FP-34: with a log on both sides it goes on where it was', () => {
    const bench = new Bench({ keepsLogs: true });
    bench.migrate({ ...UNNOTICED, ...lost() });
    bench.pass(5 * S);
    expect(bench.copies).toBe('alpha running');
    expect(bench.isServed).toBe(true);
    expect(bench.owners().violations).toEqual([]);
  });
});
