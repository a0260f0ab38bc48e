import { describe, expect, it } from 'vitest';
import {
  DOMID_SELF,
  GNTST,
  GTF_permit_access,
  GTF_reading,
  GTF_transitive,
  GTF_writing,
  grantAccess,
  loadFlags,
  loadStatus,
  openTable,
  STUBDOM_GRANT_LIMITS,
  storeFlags,
  XENMAPIDX_grant_table_status,
} from '../../../sim/index.ts';
import { granted, host, map, mapped, RO, RW, runOn, sound } from './host.ts';

describe('sizes', () => {
  it('GNT-19: a reference beyond the current size is bad_gntref until the guest asks for frames; nothing shrinks', () => {
    const { h0, h1, d1 } = host();
    expect(h1.gnttab.querySize(DOMID_SELF)).toEqual({ status: GNTST.okay, nrFrames: 1, maxNrFrames: 64 });
    expect(map(h0, 1, 512).status).toBe(GNTST.bad_gntref);
    const { status, frames } = h1.gnttab.setupTable(DOMID_SELF, 2);
    expect([status, frames.length]).toEqual([GNTST.okay, 2]);
    expect(frames.map((gfn) => d1.memory.frame(gfn))).toEqual(d1.grants.frames);
    expect(map(h0, 1, 512).status).toBe(GNTST.general_error); // it exists, and grants nothing
    granted(d1, 1023, 0);
    mapped(h0, 1, 1023);
    expect(h1.gnttab.setupTable(DOMID_SELF, 1).frames.length).toBe(1);
    expect(h1.gnttab.querySize(DOMID_SELF).nrFrames).toBe(2);
  });

  it('GNT-19: 64 frames, which are 32768 references of version 1, and no more', () => {
    const { h1, d1 } = host();
    expect(h1.gnttab.setupTable(DOMID_SELF, 65).status).toBe(GNTST.general_error);
    expect(d1.grants.size).toBe(512);
    expect(h1.gnttab.setupTable(DOMID_SELF, 64).frames.length).toBe(64);
    expect(d1.grants.size).toBe(32768);
  });

  it('the limits of a xenstore stub domain: 4 frames, 128 maptrack frames, version 1', () => {
    const { m, h1, d1 } = host();
    m.grants.limit(d1, STUBDOM_GRANT_LIMITS);
    expect(h1.gnttab.setupTable(DOMID_SELF, 5).status).toBe(GNTST.general_error);
    expect(h1.gnttab.setupTable(DOMID_SELF, 4).status).toBe(GNTST.okay);
    expect(h1.gnttab.setVersion(2)).toEqual({ ok: false, errno: 'ENOSYS' });
    expect(d1.maptrack.limit).toBe(128 * 256);
  });

  it('limits below one frame are EINVAL', () => {
    const { m, d1 } = host();
    expect(() => m.grants.limit(d1, { grantFrames: 0, maptrackFrames: 1, version: 2 })).toThrow('EINVAL');
  });

  it('add_to_physmap puts a frame of the table at a gfn and lets the table grow to it', () => {
    const { h1, d1, h0 } = host();
    const ram = d1.memory.alloc();
    expect(h1.gnttab.addToPhysmap(DOMID_SELF, 2, ram.gfn)).toEqual({ ok: true, value: undefined });
    expect(d1.grants.frames.length).toBe(3);
    expect(d1.memory.frame(ram.gfn)).toBe(d1.grants.frames[2]);
    expect(d1.memory.owns(ram)).toBe(false);
    expect(h1.gnttab.addToPhysmap(DOMID_SELF, 64, 5)).toEqual({ ok: false, errno: 'EINVAL' });
    expect(h1.gnttab.addToPhysmap(DOMID_SELF, XENMAPIDX_grant_table_status, 5)).toEqual({ ok: false, errno: 'EINVAL' });
    h1.gnttab.setVersion(2);
    expect(h1.gnttab.addToPhysmap(DOMID_SELF, XENMAPIDX_grant_table_status + 1, 0x77).ok).toBe(true);
    expect(d1.memory.frame(0x77)).toBe(d1.grants.statusFrames[1]);
    expect(d1.grants.frames.length).toBe(16);
    expect(h0.gnttab.addToPhysmap(9, 0, 5)).toEqual({ ok: false, errno: 'ESRCH' });
  });

  it('a guest sees through the gfns that it is told what the hypervisor sees', () => {
    const { h0, h1, d1 } = host();
    h1.gnttab.setVersion(2);
    h1.gnttab.setupTable(DOMID_SELF, 9);
    const table = openTable(h1.gnttab, d1.memory);
    expect([table.version, table.frames.length, table.statusFrames.length]).toEqual([2, 9, 2]);
    const page = d1.memory.alloc();
    grantAccess(table, 2100, { domid: 0, gfn: page.gfn });
    expect(map(h0, 1, 2100).frame).toBe(page);
    expect(loadStatus(table, 2100)).toBe(GTF_reading | GTF_writing);
  });
});

it('gfns that a guest puts its table at are not handed out, however large; a zombie can still be asked for frames', () => {
  const { m, h0, h1, d1 } = host();
  const next = d1.memory.alloc().gfn + 1;
  for (const gfn of [next, 2 ** 53, 2 ** 64]) expect(h1.gnttab.addToPhysmap(DOMID_SELF, 0, gfn).ok).toBe(true);
  expect(h1.gnttab.addToPhysmap(DOMID_SELF, 0, next).ok).toBe(true);
  expect([d1.memory.alloc().gfn, d1.memory.alloc().gfn]).toEqual([next + 1, next + 2]);
  granted(d1, 10, 0);
  mapped(h0, 1, 10);
  m.destroy(d1);
  runOn(m);
  expect(h0.gnttab.setupTable(1, 3).status).toBe(GNTST.okay);
  sound(m);
});

describe('GNT-20: set_version', () => {
  it('carries the reserved entries over with their pins, clears every other one, and comes back', () => {
    const { m, h0, h1, d1 } = host();
    const ring = granted(d1, 1, 0);
    const handle = mapped(h0, 1, 1);
    granted(d1, 8, 0);
    expect(h1.gnttab.setVersion(2).ok).toBe(true);
    expect([d1.grants.size, d1.grants.statusFrames.length]).toEqual([256, 1]);
    expect(d1.grants.header(1)).toEqual({ flags: GTF_permit_access, domid: 0 });
    expect(loadStatus(d1.grants, 1)).toBe(GTF_reading | GTF_writing);
    expect(d1.grants.header(8).flags).toBe(0);
    expect(map(h0, 1, 1).frame).toBe(ring);
    sound(m);
    expect(h1.gnttab.setVersion(1).ok).toBe(true);
    expect(d1.grants.header(1).flags).toBe(GTF_permit_access | GTF_reading | GTF_writing);
    expect(d1.grants.statusFrames.length).toBe(0);
    sound(m);
    for (const h of [handle, 1]) expect(h0.unmapGrant(h)).toBe(GNTST.okay);
    expect(d1.grants.header(1).flags).toBe(GTF_permit_access);
    expect(map(h0, 1, 1).frame).toBe(ring);
  });

  it.each<[string, number, string, (x: ReturnType<typeof host>) => void]>([
    ['EINVAL for version 0', 0, 'EINVAL', () => {}],
    ['EINVAL for version 3', 3, 'EINVAL', () => {}],
    [
      'ENOSYS above what the domain may have, ahead of EBUSY',
      2,
      'ENOSYS',
      ({ m, h0, d1 }) => {
        m.grants.limit(d1, STUBDOM_GRANT_LIMITS);
        granted(d1, 8, 0);
        mapped(h0, 1, 8);
      },
    ],
    [
      'EBUSY while entry 8 is pinned (INJ-G9 would clear it)',
      2,
      'EBUSY',
      ({ h0, d1 }) => {
        granted(d1, 8, 0);
        mapped(h0, 1, 8);
      },
    ],
    [
      'EAGAIN while an operation of version 2 is under way, ahead of ERANGE',
      1,
      'EAGAIN',
      ({ h1, d1 }) => {
        h1.gnttab.setVersion(2);
        d1.grants.v2Ops = 1;
        storeFlags(d1.grants, 3, GTF_transitive);
      },
    ],
    [
      'EBUSY while somebody maps a status frame',
      1,
      'EBUSY',
      ({ h0, h1, d1 }) => {
        h1.gnttab.setVersion(2);
        grantAccess(d1.grants, 7, { domid: 0, gfn: d1.grants.statusFrames[0]!.gfn, readonly: true });
        mapped(h0, 1, 7, RO);
      },
    ],
    [
      'ERANGE for a transitive reserved entry',
      1,
      'ERANGE',
      ({ h1, d1 }) => {
        h1.gnttab.setVersion(2);
        storeFlags(d1.grants, 7, GTF_transitive);
      },
    ],
    [
      'ERANGE for a frame of more than 32 bits',
      1,
      'ERANGE',
      ({ h1, d1 }) => {
        h1.gnttab.setVersion(2);
        d1.grants.write(7, { flags: GTF_permit_access, domid: 0, gfn: 0x1_0000_0000 });
      },
    ],
  ])('%s', (_, version, errno, prepare) => {
    const x = host();
    prepare(x);
    const before = x.d1.grants.frames[0]!.bytes.slice();
    const was = x.d1.grants.version;
    expect(x.h1.gnttab.setVersion(version)).toEqual({ ok: false, errno });
    expect([x.d1.grants.version, x.d1.grants.frames[0]!.bytes]).toEqual([was, before]);
  });

  it('on the way back to version 1 a pinned entry that its guest invalidated no longer shows that it is in use', () => {
    const { m, h0, h1, d1 } = host();
    h1.gnttab.setVersion(2);
    const page = granted(d1, 1, 0);
    const handle = mapped(h0, 1, 1);
    storeFlags(d1.grants, 1, 0);
    expect(h1.gnttab.setVersion(1).ok).toBe(true);
    expect(loadFlags(d1.grants, 1)).toBe(0);
    expect(map(h0, 1, 1).frame).toBe(page); // GNT-7: and the pin goes on
    sound(m);
    expect(h0.unmapGrant(handle)).toBe(GNTST.okay);
    sound(m);
  });

  it('asking for the version that it has changes nothing', () => {
    const { h1, d1 } = host();
    granted(d1, 8, 0);
    expect(h1.gnttab.setVersion(1).ok).toBe(true);
    expect(loadFlags(d1.grants, 8)).toBe(GTF_permit_access);
  });

  it('INJ-G9: a late set_version takes the entries away under drivers that have not mapped yet', () => {
    const { h0, h1, d1 } = host();
    granted(d1, 100, 0);
    h1.gnttab.setVersion(2);
    expect(map(h0, 1, 100).status).toBe(GNTST.general_error);
  });
});

it('GNT-21: a handle that was let go is given out again, so that a stale one hits another mapping', () => {
  const { m, h0, d1 } = host();
  for (const ref of [10, 11, 12]) granted(d1, ref, 0);
  const handles = [10, 11].map((ref) => mapped(h0, 1, ref));
  h0.unmapGrant(handles[0]!);
  expect(mapped(h0, 1, 12)).toBe(handles[0]);
  expect(h0.unmapGrant(handles[0]!)).toBe(GNTST.okay); // the stale use
  expect(d1.grants.active(12)).toBeUndefined();
  sound(m);
});

describe('who may ask', () => {
  it('setup_table, query_size, get_status_frames: oneself or the control domain; statuses, not errnos', () => {
    const { h0, h1 } = host();
    for (const call of [
      (d: number) => h1.gnttab.setupTable(d, 1).status,
      (d: number) => h1.gnttab.querySize(d).status,
      (d: number) => h1.gnttab.getStatusFrames(d, 0).status,
    ])
      expect([call(DOMID_SELF), call(1), call(2), call(99)]).toEqual([
        GNTST.okay,
        GNTST.okay,
        GNTST.permission_denied,
        GNTST.bad_domain,
      ]);
    expect(h0.gnttab.setupTable(1, 3)).toMatchObject({ status: GNTST.okay });
    expect(h0.gnttab.querySize(1).nrFrames).toBe(3);
    expect(h0.gnttab.getStatusFrames(1, 1).status).toBe(GNTST.general_error); // version 1 has none
  });

  it('get_version: EPERM and ESRCH', () => {
    const { h0, h1 } = host();
    expect(h1.gnttab.getVersion(DOMID_SELF)).toEqual({ ok: true, value: 1 });
    expect(h0.gnttab.getVersion(2)).toEqual({ ok: true, value: 1 });
    expect(h1.gnttab.getVersion(2)).toEqual({ ok: false, errno: 'EPERM' });
    expect(h1.gnttab.getVersion(99)).toEqual({ ok: false, errno: 'ESRCH' });
    expect(h1.gnttab.unknown()).toEqual({ ok: false, errno: 'ENOSYS' });
  });
});

describe('GNTTABOP_swap_grant_ref', () => {
  it.each([1, 2])('version %i: changes two entries, and is eagain while either is pinned', (version) => {
    const { m, h0, h1, d1 } = host();
    h1.gnttab.setVersion(version);
    const [a, b] = [granted(d1, 10, 0), granted(d1, 11, 2, true)];
    const swap = (refA: number, refB: number) => h1.gnttab.swapGrantRef([{ refA, refB }])[0];
    expect(swap(10, 11)).toBe(GNTST.okay);
    expect(d1.grants.header(10).domid).toBe(2);
    if (version === 2) {
      d1.grants.statusFrames[0]!.store16(2 * 11, GTF_reading); // whatever is there goes along
      expect([swap(10, 11), loadStatus(d1.grants, 10), loadStatus(d1.grants, 11)]).toEqual([0, GTF_reading, 0]);
      expect([swap(10, 11), loadStatus(d1.grants, 10), loadStatus(d1.grants, 11)]).toEqual([0, 0, GTF_reading]);
    }
    expect(map(h0, 1, 11, RW).frame).toBe(a);
    expect([swap(10, 11), swap(11, 10)]).toEqual([GNTST.eagain, GNTST.eagain]);
    expect(swap(11, 11)).toBe(GNTST.okay);
    expect([swap(10, d1.grants.size), swap(d1.grants.size, 10)]).toEqual([GNTST.bad_gntref, GNTST.bad_gntref]);
    expect(d1.memory.owns(b)).toBe(true);
    sound(m);
  });
});
