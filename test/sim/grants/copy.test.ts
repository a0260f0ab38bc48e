import { describe, expect, it } from 'vitest';
import {
  acceptTransfer,
  type CopyOp,
  DOMID_SELF,
  endTransfer,
  GNTCOPY_dest_gref,
  GNTCOPY_source_gref,
  GNTST,
  GTF_accept_transfer,
  GTF_permit_access,
  GTF_reading,
  GTF_transfer_committed,
  GTF_transfer_completed,
  GTF_writing,
  grantAccess,
  grantTransitive,
  loadFlags,
  loadStatus,
} from '../../../sim/index.ts';
import { granted, host, map, mapped, RO, RW, sound } from './host.ts';

/** Octets out of d1's entry `ref` into a page of the caller. */
const out = (ref: number, gfn: number, more: Partial<Record<'len' | 'at' | 'to' | 'dom', number>> = {}): CopyOp => ({
  source: { domid: more.dom ?? 1, gfnOrRef: ref, offset: more.at ?? 0 },
  dest: { domid: DOMID_SELF, gfnOrRef: gfn, offset: more.to ?? 0 },
  len: more.len ?? 16,
  flags: GNTCOPY_source_gref,
});

/** Octets of a page of the caller into d1's entry `ref`. */
const into = (ref: number, gfn: number, more: { len?: number; at?: number; to?: number } = {}): CopyOp => ({
  source: { domid: DOMID_SELF, gfnOrRef: gfn, offset: more.at ?? 0 },
  dest: { domid: 1, gfnOrRef: ref, offset: more.to ?? 0 },
  len: more.len ?? 16,
  flags: GNTCOPY_dest_gref,
});

function copying() {
  const x = host();
  const page = granted(x.d1, 10, 0);
  page.bytes.forEach((_, i) => {
    page.bytes[i] = i % 251;
  });
  const mine = x.dom0.memory.alloc();
  return { ...x, page, mine, copy: (...ops: CopyOp[]) => x.h0.gnttab.copy(ops) };
}

describe('GNTTABOP_copy', () => {
  it('GNT-22: moves octets from a reference to a gfn and back, at any offsets', () => {
    const { copy, page, mine, m } = copying();
    expect(copy(out(10, mine.gfn, { at: 100, to: 4000, len: 96 }))).toEqual([GNTST.okay]);
    expect(mine.bytes.subarray(4000)).toEqual(page.bytes.subarray(100, 196));
    expect(copy(into(10, mine.gfn, { at: 4000, to: 0, len: 96 }))).toEqual([GNTST.okay]);
    expect(page.bytes.subarray(0, 96)).toEqual(page.bytes.subarray(100, 196));
    sound(m);
  });

  it.each<[string, Partial<CopyOp> & { from?: Partial<CopyOp['source']>; to?: Partial<CopyOp['dest']> }, number]>([
    ['a gfn of another domain', { flags: 0 }, GNTST.permission_denied],
    ['a gfn of oneself by number', { flags: GNTCOPY_source_gref, to: { domid: 0 } }, GNTST.permission_denied],
    ['a gfn of a domain that is not there', { flags: 0, from: { domid: 99 } }, GNTST.permission_denied],
    ['a reference of a domain that is not there', { from: { domid: 99 } }, GNTST.bad_domain],
    ['length 0, even of a domain that is not there', { len: 0, from: { domid: 99 } }, GNTST.okay],
    ['a reference beyond the table', { from: { gfnOrRef: 512 } }, GNTST.bad_gntref],
    ['an entry that grants nothing', { from: { gfnOrRef: 20 } }, GNTST.general_error],
    ['a destination gfn without a page', { to: { gfnOrRef: 0xdead } }, GNTST.bad_page],
    ['a source that crosses its page', { len: 17, from: { offset: 4080 } }, GNTST.bad_copy_arg],
    ['a destination that crosses its page', { len: 17, to: { offset: 4080 } }, GNTST.bad_copy_arg],
    ['the last octets of both pages', { len: 16, from: { offset: 4080 }, to: { offset: 4080 } }, GNTST.okay],
    ['a whole page', { len: 4096 }, GNTST.okay],
    ['more than a page', { len: 65535 }, GNTST.bad_copy_arg],
  ])('GNT-22: %s', (_, change, status) => {
    const { copy, mine, m } = copying();
    const op = out(10, mine.gfn);
    const { from, to, ...rest } = change;
    const changed = { ...op, ...rest, source: { ...op.source, ...from }, dest: { ...op.dest, ...to } };
    expect(copy(changed)).toEqual([status]);
    if (status !== GNTST.okay) expect(mine.bytes.every((b) => b === 0)).toBe(true);
    sound(m);
  });

  it('a page table is not written, and a page that is paged out is eagain', () => {
    const { copy, mine, page, d1, m } = copying();
    d1.memory.setKind(page.gfn, 'page_table');
    expect(copy(into(10, mine.gfn), out(10, mine.gfn))).toEqual([GNTST.general_error, GNTST.okay]);
    d1.memory.setKind(page.gfn, 'paged_out');
    expect(copy(out(10, mine.gfn))).toEqual([GNTST.eagain]);
    sound(m);
  });

  it('a read-only entry is read and not written', () => {
    const { copy, mine, d1 } = copying();
    granted(d1, 11, 0, true);
    expect(copy(into(11, mine.gfn), out(11, mine.gfn))).toEqual([GNTST.general_error, GNTST.okay]);
  });

  it('GNT-23: an element that fails stops nothing, pins are gone at the end, the written page is dirty', () => {
    const { copy, mine, page, d1, m } = copying();
    d1.memory.logDirty(true);
    expect(copy(into(10, mine.gfn), into(20, mine.gfn), out(10, mine.gfn, { at: 32 }))).toEqual([0, -1, 0]);
    expect(mine.bytes.subarray(0, 16)).toEqual(page.bytes.subarray(32, 48));
    expect(d1.memory.dirty?.gfns()).toEqual([page.gfn]);
    expect([d1.grants.pinned(), loadFlags(d1.grants, 10)]).toEqual([[], GTF_permit_access]);
    sound(m);
  });

  it('GNT-23: pinned while it lasts: the entry shows it, and the next element of the same page does not look again', () => {
    const { copy, mine, m } = copying();
    const shown: number[] = [];
    let looks = 0;
    m.grants.race = (point, granter, gref) => {
      if (point === 'read') looks++;
      if (point === 'frame') shown.push(loadFlags(granter.grants, gref));
    };
    expect(copy(out(10, mine.gfn), out(10, mine.gfn, { at: 8 }))).toEqual([0, 0]);
    expect([looks, shown]).toEqual([1, [GTF_permit_access | GTF_reading]]);
  });

  it('GNT-13: a copy into a gfn of oneself marks it dirty; after a failure the next element looks again', () => {
    const { copy, mine, dom0, m } = copying();
    dom0.memory.logDirty(true);
    let looks = 0;
    m.grants.race = (point) => {
      if (point === 'read') looks++;
    };
    expect(copy(out(10, mine.gfn), out(10, mine.gfn, { at: 4090 }), out(10, mine.gfn))).toEqual([0, -10, 0]);
    expect([looks, ...(dom0.memory.dirty?.gfns() ?? [])]).toEqual([2, mine.gfn]);
  });

  it('a copy of a mapped entry: by the mapper alone, of the pinned page; general_error once the entry names another', () => {
    const { copy, mine, d1, h0, h2, page, m } = copying();
    const handle = mapped(h0, 1, 10, RO);
    granted(d1, 10, 0);
    expect(copy(out(10, mine.gfn))).toEqual([GNTST.okay]);
    expect(mine.bytes.subarray(0, 16)).toEqual(page.bytes.subarray(0, 16));
    expect(copy(into(10, mine.gfn))).toEqual([GNTST.general_error]); // a write upgrade reads the frame again
    expect(h2.gnttab.copy([out(10, mine.gfn)])).toEqual([GNTST.general_error]);
    h0.unmapGrant(handle);
    sound(m);
  });

  it('of a dying domain: bad_domain where the entry is pinned', () => {
    const { copy, mine, d1, h0, m } = copying();
    mapped(h0, 1, 10);
    m.destroy(d1);
    expect(copy(out(10, mine.gfn))).toEqual([GNTST.bad_domain]);
    sound(m);
  });

  it('a counter at 128 has no room for a copy', () => {
    const { copy, mine, h0, m } = copying();
    for (let i = 0; i < 128; i++) mapped(h0, 1, 10, RO);
    expect(copy(out(10, mine.gfn), into(10, mine.gfn))).toEqual([GNTST.general_error, GNTST.okay]);
    sound(m);
  });

  it.each<[string, number, number, number]>([
    ['the window itself', 100, 50, GNTST.okay],
    ['one octet before', 99, 50, GNTST.general_error],
    ['one octet after', 101, 50, GNTST.general_error],
    ['nothing of it', 200, 1, GNTST.general_error],
  ])('GNT-22: a sub-page entry bounds the window: %s', (_, at, len, status) => {
    const { copy, mine, d1, h0, h1, m } = copying();
    h1.gnttab.setVersion(2);
    const page = d1.memory.alloc();
    grantAccess(d1.grants, 10, { domid: 0, gfn: page.gfn, window: { off: 100, len: 50 } });
    expect(copy(out(10, mine.gfn, { at, len }))).toEqual([status]);
    expect(copy(into(10, mine.gfn, { to: at, len }))).toEqual([status]);
    expect(map(h0, 1, 10, RO).status).toBe(GNTST.general_error);
    expect([d1.grants.v2Ops, loadStatus(d1.grants, 10)]).toEqual([0, 0]);
    sound(m);
  });

  it('GNT-24: a transitive entry is followed for one level, for copies alone', () => {
    const { copy, mine, dom0, d1, d2, h0, h1, h2, m } = copying();
    h1.gnttab.setVersion(2);
    h2.gnttab.setVersion(2);
    const page = granted(d2, 30, 1); // d2 to d1
    page.bytes.fill(7);
    grantTransitive(d1.grants, 10, { domid: 0, transDomid: 2, transGref: 30 }); // d1 to dom0
    const seen: number[] = [];
    m.grants.race = (point, granter, gref) => {
      if (point === 'frame') seen.push(loadStatus(d1.grants, 10), loadStatus(granter.grants, gref));
    };
    expect(copy(out(10, mine.gfn))).toEqual([GNTST.okay]);
    expect(mine.bytes[0]).toBe(7);
    expect(seen).toEqual([GTF_reading, GTF_reading]);
    expect([loadStatus(d1.grants, 10), loadStatus(d2.grants, 30), d1.grants.v2Ops]).toEqual([0, 0, 0]);
    expect(copy(into(10, mine.gfn))).toEqual([GNTST.okay]);
    expect(map(h0, 1, 10, RO).status).toBe(GNTST.general_error);
    granted(dom0, 9, 2);
    grantTransitive(d2.grants, 30, { domid: 1, transDomid: 0, transGref: 9 });
    expect(copy(out(10, mine.gfn))).toEqual([GNTST.general_error]);
    granted(d1, 30, 1); // good by itself, and yet not to be reached through oneself
    for (const transDomid of [1, 99]) {
      grantTransitive(d1.grants, 10, { domid: 0, transDomid, transGref: 30 });
      expect(copy(out(10, mine.gfn))).toEqual([GNTST.general_error]);
    }
    expect([loadStatus(d1.grants, 10), loadStatus(d2.grants, 30)]).toEqual([0, 0]);
    sound(m);
  });

  it('GNT-24: a write through a transitive entry needs both entries to allow it', () => {
    const { copy, mine, d1, d2, h1, h2, m } = copying();
    h1.gnttab.setVersion(2);
    h2.gnttab.setVersion(2);
    granted(d2, 30, 1, true);
    grantTransitive(d1.grants, 10, { domid: 0, transDomid: 2, transGref: 30 });
    expect(copy(into(10, mine.gfn), out(10, mine.gfn))).toEqual([GNTST.general_error, GNTST.okay]);
    expect([loadStatus(d1.grants, 10), loadStatus(d2.grants, 30)]).toEqual([0, 0]);
    sound(m);
  });

  it.each(['sub-page', 'transitive'])(
    'GNT-20: while a %s entry is being copied, the way back to version 1 is EAGAIN',
    (what) => {
      const { copy, mine, d1, d2, h1, h2, m } = copying();
      h1.gnttab.setVersion(2);
      h2.gnttab.setVersion(2);
      const page = d1.memory.alloc();
      if (what === 'sub-page') grantAccess(d1.grants, 5, { domid: 0, gfn: page.gfn, window: { off: 0, len: 4096 } });
      else grantTransitive(d1.grants, 5, { domid: 0, transDomid: 2, transGref: 31 });
      granted(d2, 31, 1);
      granted(d2, 30, 0);
      const answers: unknown[] = [];
      m.grants.race = (point, granter, gref) => {
        if (point === 'frame' && granter === d2 && gref === 30) answers.push(h1.gnttab.setVersion(1));
      };
      const op = { ...out(5, mine.gfn), dest: { domid: 2, gfnOrRef: 30, offset: 0 }, flags: 3 };
      expect(copy(op)).toEqual([GNTST.okay]);
      expect(answers).toEqual([{ ok: false, errno: 'EAGAIN' }]);
      expect(d1.grants.v2Ops).toBe(0);
      sound(m);
    },
  );
});

describe('GNT-25: GNTTABOP_transfer', () => {
  it('gives the page away and tells the receiver its new gfn', () => {
    const { h1, d1, d2, m } = host();
    const page = d1.memory.alloc();
    const { gfn } = page;
    acceptTransfer(d2.grants, 40, { domid: 1, gfn: 0 });
    expect(h1.gnttab.transfer([{ gfn, domid: 2, ref: 40 }])).toEqual({ ok: true, value: [GNTST.okay] });
    expect(loadFlags(d2.grants, 40)).toBe(GTF_accept_transfer | GTF_transfer_committed | GTF_transfer_completed);
    expect(d1.memory.frame(gfn)).toBeUndefined();
    const got = endTransfer(d2.grants, 40);
    expect(got.kind === 'page' && d2.memory.frame(got.gfn)).toBe(page);
    expect(loadFlags(d2.grants, 40)).toBe(0);
    sound(m);
  });

  it('a translated receiver finds it at the gfn that it wrote, and a translated caller is EOPNOTSUPP', () => {
    const { h1, d1, d2 } = host();
    const page = d1.memory.alloc();
    d2.memory.translated = true;
    acceptTransfer(d2.grants, 40, { domid: 1, gfn: 0x4444 });
    h1.gnttab.transfer([{ gfn: page.gfn, domid: 2, ref: 40 }]);
    expect(d2.memory.frame(0x4444)).toBe(page);
    d1.memory.translated = true;
    expect(h1.gnttab.transfer([])).toEqual({ ok: false, errno: 'EOPNOTSUPP' });
  });

  it.each<
    [string, number, boolean, (x: ReturnType<typeof host>, gfn: number) => { domid: number; ref: number; gfn: number }]
  >([
    ['no page there', GNTST.bad_page, true, () => ({ domid: 2, ref: 40, gfn: 0xdead })],
    [
      'a page that somebody maps',
      GNTST.bad_page,
      true,
      ({ h0, d1 }, gfn) => {
        grantAccess(d1.grants, 8, { domid: 0, gfn });
        map(h0, 1, 8, RW);
        return { domid: 2, ref: 40, gfn };
      },
    ],
    [
      'a frame of the grant table',
      GNTST.bad_page,
      true,
      ({ d1 }) => ({ domid: 2, ref: 40, gfn: d1.grants.frames[0]!.gfn }),
    ],
    ['a domain that is not there', GNTST.bad_domain, false, (_, gfn) => ({ domid: 99, ref: 40, gfn })],
    ['a reference beyond the table', GNTST.general_error, false, (_, gfn) => ({ domid: 2, ref: 512, gfn })],
    ['an entry for another domid', GNTST.general_error, false, (_, gfn) => ({ domid: 2, ref: 41, gfn })],
    ['an entry that is committed', GNTST.general_error, false, (_, gfn) => ({ domid: 2, ref: 42, gfn })],
    [
      'no headroom',
      GNTST.general_error,
      false,
      ({ d2 }, gfn) => {
        d2.memory.maxPages = d2.memory.size;
        return { domid: 2, ref: 40, gfn };
      },
    ],
    [
      'a dying domain',
      GNTST.general_error,
      false,
      ({ m, d2 }, gfn) => {
        m.destroy(d2);
        return { domid: 2, ref: 40, gfn };
      },
    ],
  ])('%s: the page stays only with bad_page', (_, status, stays, prepare) => {
    const x = host();
    const page = x.d1.memory.alloc();
    acceptTransfer(x.d2.grants, 40, { domid: 1, gfn: 0 });
    acceptTransfer(x.d2.grants, 41, { domid: 0, gfn: 0 });
    x.d2.grants.write(42, { flags: GTF_accept_transfer | GTF_transfer_committed, domid: 1, gfn: 0 });
    const op = prepare(x, page.gfn);
    expect(x.h1.gnttab.transfer([op])).toEqual({ ok: true, value: [status] });
    expect(x.d1.memory.frame(page.gfn) === page).toBe(stays);
    expect(loadFlags(x.d2.grants, 40)).toBe(GTF_accept_transfer);
    sound(x.m);
  });

  it('an offer can be taken back until it is committed', () => {
    const { d2 } = host();
    acceptTransfer(d2.grants, 40, { domid: 1, gfn: 0 });
    expect(endTransfer(d2.grants, 40)).toEqual({ kind: 'none' });
    d2.grants.write(40, { flags: GTF_accept_transfer | GTF_transfer_committed, domid: 1, gfn: 0 });
    expect(endTransfer(d2.grants, 40)).toEqual({ kind: 'pending' });
  });
});

it('a copy shows writing while it writes', () => {
  const { copy, mine, d1, m } = copying();
  const shown: number[] = [];
  m.grants.race = (point) => {
    if (point === 'frame') shown.push(loadFlags(d1.grants, 10));
  };
  copy(into(10, mine.gfn));
  expect(shown).toEqual([GTF_permit_access | GTF_reading | GTF_writing]);
});
