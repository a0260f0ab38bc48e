import { describe, expect, it } from 'vitest';
import {
  endAccess,
  endAccessSteps,
  GNTST,
  GTF_permit_access,
  GTF_reading,
  GTF_writing,
  grantAccess,
  isInUse,
  loadFlags,
  loadStatus,
  storeFlags,
} from '../../../sim/index.ts';
import { granted, host, map, mapped, RO, RW, sound } from './host.ts';

describe('GNT-15: the race of a map and an end of access in version 1', () => {
  it('R before M reads: the map fails', () => {
    const { m, h0, d1 } = host();
    granted(d1, 10, 0);
    m.grants.race = (point) => point === 'read' && expect(endAccess(d1.grants, 10)).toBe(true);
    expect(map(h0, 1, 10).status).toBe(GNTST.general_error);
    expect(loadFlags(d1.grants, 10)).toBe(0);
  });

  it('M reads, R, M swaps: the swap fails, the next read finds 0, the map fails', () => {
    const { m, h0, d1 } = host();
    granted(d1, 10, 0);
    let points = 0;
    m.grants.race = (point) => {
      if (point === 'cas' && points++ === 0) expect(endAccess(d1.grants, 10)).toBe(true);
    };
    expect(map(h0, 1, 10).status).toBe(GNTST.general_error);
    expect([points, loadFlags(d1.grants, 10)]).toEqual([1, 0]);
    sound(m);
  });

  it('M swaps, R reads: the guest sees busy', () => {
    const { m, h0, d1 } = host();
    granted(d1, 10, 0);
    m.grants.race = (point) => point === 'frame' && expect(endAccess(d1.grants, 10)).toBe(false);
    expect(map(h0, 1, 10).status).toBe(GNTST.okay);
    sound(m);
  });

  it('R reads, M swaps, R swaps: the guest fails, tries again and sees busy', () => {
    const { m, h0, d1 } = host();
    granted(d1, 10, 0);
    const ending = endAccessSteps(d1.grants, 10);
    expect(ending.next()).toEqual({ done: false, value: undefined });
    mapped(h0, 1, 10);
    expect(ending.next()).toEqual({ done: true, value: false });
    expect(loadFlags(d1.grants, 10)).toBe(GTF_permit_access | GTF_reading | GTF_writing);
    sound(m);
  });
});

describe('revocation', () => {
  it('GNT-16: a store of 0 does not revoke; a later grant of the reference still hands the old page', () => {
    const { m, h0, d1 } = host();
    const old = granted(d1, 10, 0);
    const handle = mapped(h0, 1, 10);
    storeFlags(d1.grants, 10, 0);
    expect(isInUse(d1.grants, 10)).toBe(false);
    expect(endAccess(d1.grants, 10)).toBe(true); // the guest is sure that it may use the page again
    const fresh = granted(d1, 10, 0);
    expect([map(h0, 1, 10).frame === old, map(h0, 1, 10).frame === fresh]).toEqual([true, false]);
    sound(m);
    for (const h of [handle, 1, 2]) h0.unmapGrant(h);
    expect(map(h0, 1, 10).frame).toBe(fresh);
    sound(m);
  });

  it('GNT-17: whatever the granter does, the peer reads and writes the page until it unmaps', () => {
    const { h0, d1 } = host();
    const page = granted(d1, 10, 0);
    const { frame } = map(h0, 1, 10);
    expect(endAccess(d1.grants, 10)).toBe(false);
    storeFlags(d1.grants, 10, 0);
    d1.memory.free(page.gfn);
    page.bytes[7] = 9;
    expect(frame!.bytes[7]).toBe(9);
  });

  it('GNT-18: busy means asking again later; the answer changes with the last unmap', () => {
    const { m, h0, d1 } = host();
    granted(d1, 10, 0);
    const handle = mapped(h0, 1, 10);
    const answers: boolean[] = [];
    m.start(
      'd1/deferred',
      d1,
      (function* () {
        for (;;) {
          answers.push(endAccess(d1.grants, 10));
          if (answers.at(-1)) return;
          yield 1_000_000;
        }
      })(),
    );
    m.scheduler.at(2_500_000, () => h0.unmapGrant(handle));
    m.scheduler.run(20_000_000);
    expect(answers).toEqual([false, false, false, true]);
  });

  it('version 2: the flags go at once, new mappers are kept out, and the status says whether an old one is left', () => {
    const { m, h0, h1, d1 } = host();
    expect(h1.gnttab.setVersion(2).ok).toBe(true);
    granted(d1, 10, 0);
    const handle = mapped(h0, 1, 10);
    expect(loadFlags(d1.grants, 10)).toBe(GTF_permit_access);
    expect(loadStatus(d1.grants, 10)).toBe(GTF_reading | GTF_writing);
    expect(endAccess(d1.grants, 10)).toBe(false);
    expect(map(h0, 1, 10, RO).status).toBe(GNTST.okay); // GNT-7: the old pin continues, for the same domain
    for (const h of [handle, 1]) h0.unmapGrant(h);
    expect(isInUse(d1.grants, 10)).toBe(false);
    expect(endAccess(d1.grants, 10)).toBe(true);
    expect(map(h0, 1, 10).status).toBe(GNTST.general_error);
    sound(m);
  });

  it('GNT-4, F6: in version 2 one of the two sees the other, whoever comes first', () => {
    const { m, h0, h1, d1 } = host();
    h1.gnttab.setVersion(2);
    granted(d1, 10, 0);
    const page = granted(d1, 11, 0);
    m.grants.race = (point, _, gref) => {
      if (point !== 'recheck') return;
      if (gref === 10)
        expect(endAccess(d1.grants, 10)).toBe(false); // the status was out before
      else grantAccess(d1.grants, 11, { domid: 0, gfn: page.gfn, readonly: true });
    };
    for (const ref of [10, 11]) {
      expect(map(h0, 1, ref, RW).status).toBe(GNTST.general_error);
      expect(loadStatus(d1.grants, ref)).toBe(0);
    }
    sound(m);
  });

  it('GNT-4: a write upgrade that finds the entry read-only at the second look takes the writing bit back alone', () => {
    const { m, h0, h1, d1 } = host();
    h1.gnttab.setVersion(2);
    const page = granted(d1, 10, 0);
    mapped(h0, 1, 10, RO);
    m.grants.race = (point) => {
      if (point === 'recheck') grantAccess(d1.grants, 10, { domid: 0, gfn: page.gfn, readonly: true });
    };
    expect(map(h0, 1, 10, RW).status).toBe(GNTST.general_error);
    expect(loadStatus(d1.grants, 10)).toBe(GTF_reading);
    sound(m);
  });
});
