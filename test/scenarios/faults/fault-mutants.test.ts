import { afterEach, describe, expect, it, vi } from 'vitest';
import { Events } from '../../../sim/index.ts';
import { DomainChanges } from '../../../store/daemon/domain-changes.ts';
import { SimPlatform } from '../../../store/daemon/sim-platform.ts';
import { broken, headline } from '../../support/headline.ts';

/*
 * A fault is worth its rule only if something can be wrong about it. Each row breaks the store, or a guest's kernel, where one rule
 * strikes: the run with that rule alone must not pass, and without it the mistake goes unnoticed.
 */
describe('what a fault brings to light', () => {
  afterEach(() => vi.restoreAllMocks());

  const caught = (faults: string, requests = 4_000, seeds = ['1', '2', '3']) =>
    seeds.some((seed) => {
      const result = headline({ seed, set: { faults, requests } });
      return result.outcome !== 'pass' && result.faults?.some((f) => f.injected > 0) !== false;
    });

  it('INJ-E6: a kernel that forgets to unmask', () => {
    vi.spyOn(Events.prototype, 'unmask').mockImplementation(() => {});
    expect([caught('off', 1_000, ['1']), caught('INJ-E6', 1_000)]).toEqual([false, true]);
  });

  it('INJ-E11: a new image that takes a port over as it is', () => {
    const adopts = SimPlatform.prototype.adoptPort;
    let updating = false;
    const drops = SimPlatform.prototype.dropMappings;
    vi.spyOn(SimPlatform.prototype, 'dropMappings').mockImplementation(function (this: SimPlatform) {
      updating = true;
      drops.call(this);
    });
    vi.spyOn(SimPlatform.prototype, 'adoptPort').mockImplementation(function (this: SimPlatform, port) {
      if (this.ports.includes(port) && updating) return; // of a guest that is there
      adopts.call(this, port);
    });
    expect([caught('off', 2_000, ['1']), caught('INJ-E11', 3_000)]).toEqual([false, true]);
  });

  it('INJ-E13: a store that takes one domain out of the bitmap for each VIRQ', () => {
    const pops = SimPlatform.prototype.popChangedDomain;
    let asked = 0;
    vi.spyOn(SimPlatform.prototype, 'popChangedDomain').mockImplementation(function (this: SimPlatform) {
      return ++asked % 2 === 0 ? undefined : pops.call(this);
    });
    expect(caught('INJ-E13', 5_000)).toBe(true);
  });

  it('INJ-D5: a store that tells domains by their ids alone', () => {
    const asks = SimPlatform.prototype.domainState;
    vi.spyOn(SimPlatform.prototype, 'domainState').mockImplementation(function (this: SimPlatform, domid) {
      const state = asks.call(this, domid);
      return state && { ...state, uniqueId: BigInt(domid) + 1n };
    });
    const pops = SimPlatform.prototype.popChangedDomain;
    vi.spyOn(SimPlatform.prototype, 'popChangedDomain').mockImplementation(function (this: SimPlatform) {
      const popped = pops.call(this);
      const state = popped?.state && { ...popped.state, uniqueId: BigInt(popped.domid) + 1n };
      return popped && { domid: popped.domid, state };
    });
    expect([caught('off', 4_000, ['1']), caught('INJ-D5', 5_000)]).toEqual([false, true]);
  });

  it('INJ-D6: a new image that does not look who is there', () => {
    vi.spyOn(DomainChanges.prototype, 'checkEvery').mockImplementation(() => {});
    expect([caught('off', 2_000, ['1']), caught('INJ-D6', 4_000)]).toEqual([false, true]);
  });

  it('INJ-T10: a store that answers ENOMEM for one that it serves', () => {
    const lacks = SimPlatform.prototype.lacksMemory;
    vi.spyOn(SimPlatform.prototype, 'lacksMemory').mockImplementation(function (this: SimPlatform, domid) {
      lacks.call(this, domid);
      return false;
    });
    const seen = headline({ set: { faults: 'INJ-T10', requests: 3_000 } });
    expect(broken(seen)).toContain('replies');
  });
});

/* Breaks that nothing but one check tells by its cause. */
describe('a store that lets go of domains that live', () => {
  afterEach(() => vi.restoreAllMocks());

  it('is told of, where it cannot map a ring again after an update', () => {
    const maps = SimPlatform.prototype.mapRing;
    const asks = SimPlatform.prototype.domainState;
    const drops = SimPlatform.prototype.dropMappings;
    const lost = new Set<number>();
    let updates = 0;
    vi.spyOn(SimPlatform.prototype, 'dropMappings').mockImplementation(function (this: SimPlatform) {
      updates++;
      drops.call(this);
    });
    vi.spyOn(SimPlatform.prototype, 'mapRing').mockImplementation(function (this: SimPlatform, domid, touched) {
      if (updates !== 2 || domid % 4 !== 1) return maps.call(this, domid, touched);
      lost.add(domid);
      return { ok: false, errno: 'ENOMEM' };
    });
    // Whom it could not map it takes for dead.
    vi.spyOn(SimPlatform.prototype, 'domainState').mockImplementation(function (this: SimPlatform, domid) {
      return lost.has(domid) ? undefined : asks.call(this, domid);
    });
    const { verdicts } = headline({ seed: '1' });
    expect(lost.size).toBeGreaterThan(0);
    const said = verdicts.flatMap(({ violations }) => violations.map(({ detail }) => detail));
    expect(said).toContainEqual(
      expect.stringMatching(/^domU.* lives, and nobody has released it: the store has let go/),
    );
  });
});
