import { describe, expect, it } from 'vitest';
import {
  DOMID_SELF,
  type Domain,
  GNTMAP_application_map,
  GNTMAP_contains_pte,
  GNTMAP_device_map,
  GNTMAP_host_map,
  GNTMAP_readonly,
  GNTST,
  GTF_permit_access,
  GTF_reading,
  GTF_readonly,
  GTF_sub_page,
  GTF_transitive,
  GTF_writing,
  grantAccess,
  type Machine,
  storeFlags,
} from '../../../sim/index.ts';
import { granted, host, map, mapped, RO, RW, runOn, sound } from './host.ts';

describe('GNTTABOP_map_grant_ref', () => {
  it.each<[string, number, number, number, number]>([
    [
      'step 1: neither host nor device map, ahead of a domain that is not there',
      9,
      10,
      GNTMAP_readonly,
      GNTST.bad_gntref,
    ],
    ['step 3: no such domain, ahead of a reference beyond the table', 9, 9999, RW, GNTST.bad_domain],
    ['step 3: DOMID_SELF names nobody here', DOMID_SELF, 10, RW, GNTST.bad_domain],
    ['step 6: the first reference beyond the table', 1, 512, RW, GNTST.bad_gntref],
    ['step 6: the highest reference there is', 1, 0xffff_ffff, RW, GNTST.bad_gntref],
    ['step 8: an entry of type invalid', 1, 20, RW, GNTST.general_error],
    ['step 8: an entry of type accept_transfer', 1, 11, RW, GNTST.general_error],
    ['step 8: an entry of type transitive', 1, 12, RO, GNTST.general_error],
    ['step 8: a sub-page entry', 1, 13, RO, GNTST.general_error],
    ['step 8: an entry for another domid', 1, 14, RW, GNTST.general_error],
    ['step 8: a read-only entry mapped for writing', 1, 15, RW, GNTST.general_error],
    ['step 8 ahead of step 9: wrong domid and no page', 1, 16, RW, GNTST.general_error],
    ['step 9: no page at the gfn', 1, 17, RW, GNTST.bad_page],
    ['the entry that all others differ from', 1, 10, RW, GNTST.okay],
    ['a read-only entry mapped for reading', 1, 15, RO, GNTST.okay],
  ])('%s', (_, dom, ref, flags, status) => {
    const { m, h0, d1 } = host();
    const { gfn } = granted(d1, 10, 0);
    const put = (gref: number, f: number, domid = 0, at = gfn) => d1.grants.write(gref, { flags: f, domid, gfn: at });
    put(11, 2);
    put(12, GTF_transitive);
    put(13, GTF_permit_access | GTF_sub_page);
    put(14, GTF_permit_access, 2);
    put(15, GTF_permit_access | GTF_readonly);
    put(16, GTF_permit_access, 2, 0xdead);
    put(17, GTF_permit_access, 0, 0xdead);
    const before = d1.grants.frames[0]!.bytes.slice();
    expect(map(h0, dom, ref, flags).status).toBe(status);
    if (status !== GNTST.okay) expect(d1.grants.frames[0]!.bytes).toEqual(before);
    sound(m);
  });

  it('step 2: a translated caller cannot map for a device or name a page table entry', () => {
    const { h0, d1, dom0 } = host();
    granted(d1, 10, 0);
    dom0.memory.translated = true;
    for (const flag of [GNTMAP_device_map, GNTMAP_application_map, GNTMAP_contains_pte])
      expect(map(h0, 9, 10, RW | flag).status).toBe(GNTST.general_error);
    expect(map(h0, 1, 10, RW).status).toBe(GNTST.okay);
  });

  it('step 5: no maptrack handle comes ahead of a bad reference, and one is free again after an unmap', () => {
    const { m, h0, dom0, d1 } = host();
    m.grants.limit(dom0, { grantFrames: 64, maptrackFrames: 0, version: 2 });
    expect(map(h0, 1, 9999).status).toBe(GNTST.no_space);
    m.grants.limit(dom0, { grantFrames: 64, maptrackFrames: 1, version: 2 });
    for (let i = 0; i < 256; i++) {
      granted(d1, 8 + i, 0);
      mapped(h0, 1, 8 + i);
    }
    expect(map(h0, 1, 9999).status).toBe(GNTST.no_space);
    expect(h0.gnttab.unmapGrantRef([{ handle: 77 }])).toEqual([GNTST.okay]);
    expect(map(h0, 1, 9999).status).toBe(GNTST.bad_gntref);
    expect(mapped(h0, 1, 8)).toBe(77);
    sound(m);
  });

  it.each<[string, (d: Domain, gfn: number) => void, number, number]>([
    ['paged out', (d, gfn) => d.memory.setKind(gfn, 'paged_out'), RO, GNTST.eagain],
    ['shared, for writing', (d, gfn) => d.memory.setKind(gfn, 'shared'), RW, GNTST.eagain],
    ['shared, for reading', (d, gfn) => d.memory.setKind(gfn, 'shared'), RO, GNTST.okay],
    ["another domain's page", (d, gfn) => d.memory.setKind(gfn, 'foreign'), RO, GNTST.bad_page],
    ["a device's registers", (d, gfn) => d.memory.setKind(gfn, 'mmio'), RW, GNTST.bad_page],
    ['a page table, for writing', (d, gfn) => d.memory.setKind(gfn, 'page_table'), RW, GNTST.general_error],
    ['a page table, for reading', (d, gfn) => d.memory.setKind(gfn, 'page_table'), RO, GNTST.okay],
    ['given back', (d, gfn) => d.memory.free(gfn), RO, GNTST.bad_page],
  ])('INJ-G4, steps 9 and 10: a page that is %s', (_, change, flags, status) => {
    const { m, h0, d1 } = host();
    change(d1, granted(d1, 10, 0).gfn);
    expect(map(h0, 1, 10, flags).status).toBe(status);
    if (status !== GNTST.okay) expect(d1.grants.header(10).flags).toBe(GTF_permit_access);
    sound(m);
  });

  it.each<[string, { hostAddr: number; flags: number; translated: boolean }, number, boolean]>([
    ['PV at address 0: no page table', { hostAddr: 0, flags: RW, translated: false }, GNTST.general_error, false],
    [
      'a page table entry at an odd address',
      { hostAddr: 0x1004, flags: RW | 16, translated: false },
      GNTST.general_error,
      false,
    ],
    ['a page table entry', { hostAddr: 0x1008, flags: RW | 16, translated: false }, GNTST.okay, false],
    [
      'guest-available bits in a PV entry',
      { hostAddr: 0x1000, flags: RW | 0x10000, translated: false },
      GNTST.okay,
      false,
    ],
    [
      'guest-available bits in a physmap',
      { hostAddr: 0x1000, flags: RW | 0x10000, translated: true },
      GNTST.general_error,
      false,
    ],
    ['a gfn where a grant is already', { hostAddr: 0x5000, flags: RW, translated: true }, GNTST.general_error, true],
  ])('GNT-2, step 11: %s', (_, op, status, crashed) => {
    const { m, h0, d1, dom0 } = host();
    granted(d1, 10, 0);
    granted(d1, 11, 0);
    dom0.memory.translated = op.translated;
    h0.gnttab.mapGrantRef([{ dom: 1, ref: 11, flags: RW, hostAddr: 0x5000 }]);
    const [result] = h0.gnttab.mapGrantRef([{ dom: 1, ref: 10, flags: op.flags, hostAddr: op.hostAddr }]);
    expect(result!.status).toBe(status);
    expect(dom0.shutdown === 'crash').toBe(crashed);
    expect((d1.grants.header(10).flags & GTF_reading) !== 0).toBe(status === GNTST.okay);
    sound(m);
  });

  it('GNT-1: only the domid in the entry counts: dom0 has no override, DOMID_SELF is nobody, a domain may map its own', () => {
    const { h0, h1, d1 } = host();
    granted(d1, 10, 2);
    granted(d1, 11, DOMID_SELF);
    granted(d1, 12, 1);
    expect(map(h0, 1, 10).status).toBe(GNTST.general_error);
    expect(map(h1, 1, 11).status).toBe(GNTST.general_error);
    expect(map(h1, 1, 12).status).toBe(GNTST.okay);
  });

  it('GNT-3: stores between the read and the swap are tried again, and the fifth is the last', () => {
    for (const [scribbles, status] of [
      [4, GNTST.okay],
      [5, GNTST.general_error],
    ] as const) {
      const { m, h0, d1 } = host();
      granted(d1, 10, 0);
      let left = scribbles;
      m.grants.race = (point) => {
        if (point === 'cas' && left-- > 0) storeFlags(d1.grants, 10, GTF_permit_access | (left % 2 ? 32 : 64));
      };
      expect(map(h0, 1, 10).status).toBe(status);
      expect((d1.grants.header(10).flags & GTF_writing) !== 0).toBe(status === GNTST.okay);
      sound(m);
    }
  });

  it('GNT-3: what is swapped in between is what is checked', () => {
    const { m, h0, d1 } = host();
    const page = granted(d1, 10, 0);
    m.grants.race = (point) => {
      if (point === 'cas') grantAccess(d1.grants, 10, { domid: 0, gfn: page.gfn, readonly: true });
    };
    expect(map(h0, 1, 10, RW).status).toBe(GNTST.general_error);
    expect(d1.grants.header(10).flags).toBe(GTF_permit_access | GTF_readonly);
  });

  it('GNT-5, INJ-G11: 128 pins of one kind, and no more; the other kinds count for themselves', () => {
    const { m, h0, d1 } = host();
    granted(d1, 10, 0);
    for (const flags of [RW, RO, GNTMAP_device_map, GNTMAP_device_map | GNTMAP_readonly]) {
      for (let i = 0; i < 128; i++) mapped(h0, 1, 10, flags);
      expect(map(h0, 1, 10, flags).status).toBe(GNTST.general_error);
    }
    expect(d1.grants.active(10)!.pin).toBe(0x8080_8080);
    expect(map(h0, 1, 10, GNTMAP_device_map | GNTMAP_host_map).status).toBe(GNTST.general_error);
    sound(m);
    for (const handle of [...Array(4 * 128).keys()]) h0.unmapGrant(handle);
    expect(d1.grants.active(10)).toBeUndefined();
    expect(d1.grants.header(10).flags).toBe(GTF_permit_access);
    sound(m);
  });

  it('GNT-6: the frame is captured at the first pin, also for later maps, until the last pin is gone', () => {
    const { h0, d1 } = host();
    const old = granted(d1, 10, 0);
    const first = mapped(h0, 1, 10);
    const fresh = granted(d1, 10, 0);
    const again = map(h0, 1, 10, RO);
    expect(again.frame).toBe(old);
    h0.unmapGrant(first);
    expect(map(h0, 1, 10).frame).toBe(old);
    for (const handle of [again.handle!, first]) h0.unmapGrant(handle);
    expect(map(h0, 1, 10).frame).toBe(fresh);
  });

  it('GNT-7: while pinned, neither type nor domid is looked at again; a write upgrade looks at GTF_readonly alone', () => {
    const { h0, d1 } = host();
    granted(d1, 10, 0);
    mapped(h0, 1, 10, RO);
    d1.grants.write(10, { flags: 0, domid: 7, gfn: 0 });
    expect(map(h0, 1, 10, RO).status).toBe(GNTST.okay);
    storeFlags(d1.grants, 10, GTF_readonly);
    expect(map(h0, 1, 10, RW).status).toBe(GNTST.general_error);
    storeFlags(d1.grants, 10, 0);
    expect(map(h0, 1, 10, RW).status).toBe(GNTST.okay);
    expect(d1.grants.header(10).flags).toBe(GTF_reading | GTF_writing);
    storeFlags(d1.grants, 10, GTF_readonly);
    expect(map(h0, 1, 10, RW).status).toBe(GNTST.okay); // a write pin is there: nothing is read at all
  });

  it('step 7: an entry that a copy holds as a sub-page is not mapped', () => {
    const { h0, d1 } = host();
    granted(d1, 10, 0);
    mapped(h0, 1, 10);
    d1.grants.active(10)!.isSubPage = true;
    expect(map(h0, 1, 10, RO).status).toBe(GNTST.general_error);
  });

  it('GNT-8: two domains never hold one reference at once, whatever the entry says', () => {
    const { m, h0, h2, d1 } = host();
    granted(d1, 10, 0);
    const handle = mapped(h0, 1, 10);
    granted(d1, 10, 2);
    expect(map(h2, 1, 10).status).toBe(GNTST.general_error);
    sound(m); // d1 stored over the bits itself
    h0.unmapGrant(handle);
    expect(map(h2, 1, 10).status).toBe(GNTST.okay);
    sound(m);
  });

  it.each<[string, (m: Machine, d: Domain) => void]>([
    ['paused', (m, d) => m.pause(d)],
    ['crashed', (m, d) => m.shutdown(d, 'crash')],
    ['shut down', (m, d) => m.shutdown(d, 'poweroff')],
  ])('GNT-9: the granter may be %s', (_, change) => {
    const { m, h0, d1 } = host();
    granted(d1, 10, 0);
    change(m, d1);
    expect(map(h0, 1, 10).status).toBe(GNTST.okay);
  });

  it('INJ-G7: a dying granter gives nothing, neither a fresh entry nor a pinned one', () => {
    const { m, h0, d1 } = host();
    granted(d1, 10, 0);
    granted(d1, 11, 0);
    mapped(h0, 1, 10);
    m.destroy(d1);
    expect([map(h0, 1, 10).status, map(h0, 1, 11).status]).toEqual([GNTST.general_error, GNTST.general_error]);
    expect(d1.grants.header(11).flags).toBe(GTF_permit_access);
    runOn(m);
    expect(map(h0, 1, 11).status).toBe(GNTST.bad_page);
    sound(m);
  });

  it.each([GNTST.eagain, GNTST.no_space, GNTST.general_error, GNTST.bad_domain])(
    'INJ-G3 to INJ-G6: a planned refusal with status %i hits the maps it names, as often as it says',
    (status) => {
      const { m, h0, d1 } = host();
      granted(d1, 10, 0);
      granted(d1, 11, 0);
      m.grants.refuse({ mapper: 0, granter: 1, gref: 10 }, status, 2);
      const results = h0.gnttab.mapGrantRef([10, 11, 10, 10].map((ref) => ({ dom: 1, ref, flags: RW })));
      expect(results.map((r) => r.status)).toEqual([status, GNTST.okay, status, GNTST.okay]);
      sound(m);
    },
  );

  it('INJ-G12: one bad reference among many leaves the others mapped', () => {
    const { h0, d1 } = host();
    for (const ref of [10, 11, 13]) granted(d1, ref, 0);
    const results = h0.gnttab.mapGrantRef([10, 11, 12, 13].map((ref) => ({ dom: 1, ref, flags: RW })));
    expect(results.map((r) => r.status)).toEqual([0, 0, GNTST.general_error, 0]);
    expect(results.map((r) => r.handle)).toEqual([0, 1, undefined, 2]);
  });

  it('a batch in steps lets others run between its elements, and what is done stays done', () => {
    const { m, h0, d1, dom0 } = host();
    for (const ref of [10, 11]) granted(d1, ref, 0);
    const seen: number[] = [];
    const ops = [10, 11].map((ref) => ({ dom: 1, ref, flags: RW }));
    m.start(
      'dom0/batch',
      dom0,
      (function* () {
        const results = yield* h0.gnttab.inSteps(ops, (some) => h0.gnttab.mapGrantRef(some));
        seen.push(...results.map((r) => r.status));
      })(),
    );
    m.start(
      'd1/revoke',
      d1,
      (function* () {
        yield 100;
        expect([d1.grants.revoke(10), d1.grants.revoke(11)]).toEqual([false, true]);
      })(),
    );
    runOn(m);
    expect(seen).toEqual([GNTST.okay, GNTST.general_error]);
  });
});
