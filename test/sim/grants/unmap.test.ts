import { describe, expect, it } from 'vitest';
import {
  GNTMAP_device_map,
  GNTMAP_host_map,
  GNTST,
  GTF_permit_access,
  GTF_reading,
  GTF_writing,
} from '../../../sim/index.ts';
import { granted, host, map, mapped, RO, RW, runOn, sound } from './host.ts';

describe('GNTTABOP_unmap_grant_ref', () => {
  it('GNT-10: a handle is looked up in the caller alone; unknown, unused and used-up ones are bad_handle', () => {
    const { h0, h2, d1 } = host();
    granted(d1, 10, 0);
    const handle = mapped(h0, 1, 10);
    expect(h2.gnttab.unmapGrantRef([{ handle }])).toEqual([GNTST.bad_handle]);
    expect(h0.gnttab.unmapGrantRef([{ handle }, { handle }, { handle: 99 }, { handle: 0xffff_ffff }])).toEqual([
      GNTST.okay,
      GNTST.bad_handle,
      GNTST.bad_handle,
      GNTST.bad_handle,
    ]);
  });

  it('GNT-10: an address where the page is not mapped is general_error, and nothing falls', () => {
    const { m, h0, d1, dom0 } = host();
    granted(d1, 10, 0);
    const at = map(h0, 1, 10);
    for (const translated of [false, true]) {
      dom0.memory.translated = translated;
      const op = { handle: at.handle!, hostAddr: at.hostAddr! + 0x1000 };
      expect(h0.gnttab.unmapGrantRef([op])).toEqual([GNTST.general_error]);
    }
    expect(d1.grants.header(10).flags).toBe(GTF_permit_access | GTF_reading | GTF_writing);
    sound(m);
    expect(h0.gnttab.unmapGrantRef([{ handle: at.handle!, hostAddr: at.hostAddr! }])).toEqual([GNTST.okay]);
  });

  it('GNT-10: an entry that another mapping was put over is no longer there to unmap', () => {
    const { m, h0, d1 } = host();
    granted(d1, 10, 0);
    granted(d1, 11, 0);
    const at = (ref: number, flags = RW) => h0.gnttab.mapGrantRef([{ dom: 1, ref, flags, hostAddr: 0x7000 }])[0]!;
    const lost = at(10);
    const over = at(11);
    expect(h0.gnttab.unmapGrantRef([{ handle: lost.handle! }])).toEqual([GNTST.general_error]);
    expect(h0.gnttab.unmapGrantRef([{ handle: over.handle! }])).toEqual([GNTST.okay]);
    const readonly = at(10, RO);
    expect(h0.gnttab.unmapGrantRef([{ handle: lost.handle! }])).toEqual([GNTST.general_error]); // same page, other right
    expect(h0.gnttab.unmapGrantRef([{ handle: readonly.handle! }])).toEqual([GNTST.okay]);
    sound(m);
  });

  it('GNT-10: address 0 leaves its half alone, and the handle lives on for it', () => {
    const { m, h0, d1 } = host();
    granted(d1, 10, 0);
    const { handle, devBusAddr } = map(h0, 1, 10, GNTMAP_host_map | GNTMAP_device_map);
    expect(d1.grants.active(10)!.pin).toBe(0x1_0001);
    expect(h0.gnttab.unmapGrantRef([{ handle: handle!, hostAddr: 0, devBusAddr: 0 }])).toEqual([GNTST.okay]);
    expect(d1.grants.active(10)!.pin).toBe(0x1_0001);
    expect(h0.gnttab.unmapGrantRef([{ handle: handle!, hostAddr: 0, devBusAddr: devBusAddr! + 4096 }])).toEqual([
      GNTST.bad_dev_addr,
    ]);
    expect(h0.gnttab.unmapGrantRef([{ handle: handle!, hostAddr: 0, devBusAddr: devBusAddr! }])).toEqual([GNTST.okay]);
    expect(d1.grants.active(10)!.pin).toBe(1);
    sound(m);
    expect(h0.gnttab.unmapGrantRef([{ handle: handle!, devBusAddr: devBusAddr! }])).toEqual([GNTST.okay]);
    expect(d1.grants.active(10)).toBeUndefined();
    expect(h0.gnttab.unmapGrantRef([{ handle: handle! }])).toEqual([GNTST.bad_handle]);
    sound(m);
  });

  it('GNT-11: a handle of a granter that no longer exists crashes its owner', () => {
    const { m, h0, d1, dom0 } = host();
    granted(d1, 10, 0);
    const handle = mapped(h0, 1, 10);
    d1.foreignMaps = 0; // what cannot happen: the reference is lost
    m.destroy(d1);
    runOn(m);
    expect(m.domain(1)).toBeUndefined();
    expect(h0.unmapGrant(handle)).toBe(GNTST.general_error);
    expect(dom0.shutdown).toBe('crash');
  });

  it('GNT-12: writing falls with the last write pin, reading with the last pin, and no event is sent', () => {
    const { m, h0, d1 } = host();
    granted(d1, 10, 0);
    let sends = 0;
    m.trace.observe((e) => {
      if (e.kind === 'send') sends++;
    });
    const [w1, w2, r1] = [mapped(h0, 1, 10), mapped(h0, 1, 10), mapped(h0, 1, 10, RO)];
    const flags = () => d1.grants.header(10).flags & (GTF_reading | GTF_writing);
    h0.unmapGrant(w1);
    expect(flags()).toBe(GTF_reading | GTF_writing);
    h0.unmapGrant(w2);
    expect(flags()).toBe(GTF_reading);
    h0.unmapGrant(r1);
    expect(flags()).toBe(0);
    expect(sends).toBe(0);
  });

  it('GNT-12: the fall of a read-only mapping does not touch a writing bit that the guest itself set', () => {
    const { h0, d1 } = host();
    const { gfn } = granted(d1, 10, 0);
    d1.grants.write(10, { flags: GTF_permit_access | GTF_writing, domid: 0, gfn });
    h0.unmapGrant(mapped(h0, 1, 10, RO));
    expect(d1.grants.header(10).flags).toBe(GTF_permit_access | GTF_writing);
    h0.unmapGrant(mapped(h0, 1, 10, RW));
    expect(d1.grants.header(10).flags).toBe(GTF_permit_access);
  });

  it('GNT-13: a page is dirty when its writable mapping goes, not when the mapper stores', () => {
    const { h0, d1 } = host();
    const page = granted(d1, 10, 0);
    const [w, r] = [mapped(h0, 1, 10), mapped(h0, 1, 10, RO)];
    d1.memory.logDirty(true);
    page.store32(0, 7, false);
    h0.unmapGrant(r);
    expect(d1.memory.dirty?.size).toBe(0);
    h0.unmapGrant(w);
    expect(d1.memory.dirty?.gfns()).toEqual([page.gfn]);
  });

  it('GNT-14, INJ-G2: between unmap and remap all checks are due afresh, and the guest can give another page', () => {
    const { m, h0, d1 } = host();
    const ring = granted(d1, 1, 0);
    const before = map(h0, 1, 1);
    expect(before.frame).toBe(ring);
    expect(d1.grants.revoke(1)).toBe(false);
    h0.unmapGrant(before.handle!);
    expect(d1.grants.revoke(1)).toBe(true);
    expect(map(h0, 1, 1).status).toBe(GNTST.general_error);
    const other = granted(d1, 1, 0);
    expect(map(h0, 1, 1).frame).toBe(other);
    sound(m);
  });

  it('groups of 32: the handles of a whole group are free before its first pin falls', () => {
    const { m, h0, d1 } = host();
    granted(d1, 10, 0);
    const handles = Array.from({ length: 40 }, () => mapped(h0, 1, 10));
    const pins: number[] = [];
    m.start(
      'dom0/unmap',
      m.domain(0),
      (function* () {
        yield* h0.gnttab.unmapInSteps(handles.map((handle) => ({ handle })));
      })(),
    );
    m.start(
      'd1/look',
      d1,
      (function* () {
        yield 100;
        pins.push(d1.grants.active(10)?.pin ?? 0);
        yield 400;
        pins.push(d1.grants.active(10)?.pin ?? 0);
      })(),
    );
    runOn(m);
    expect(pins).toEqual([8, 0]);
  });

  it('INJ-G10: a page that is given back while mapped stays with the mapper; its gfn gets another', () => {
    const { m, h0, d1 } = host();
    const page = granted(d1, 10, 0);
    const { handle, frame } = map(h0, 1, 10);
    page.bytes[0] = 1;
    expect(d1.memory.free(page.gfn)).toBe(true);
    const fresh = d1.memory.populate(page.gfn)!;
    expect([fresh.bytes[0], frame!.bytes[0]]).toEqual([0, 1]);
    expect(d1.memory.kept).toEqual([page]);
    sound(m);
    h0.unmapGrant(handle!);
    expect(d1.memory.kept).toEqual([]);
    expect(map(h0, 1, 10).frame).toBe(fresh);
    sound(m);
  });
});

describe('GNTTABOP_unmap_and_replace', () => {
  it('moves the page table entry of the new address to where the grant was', () => {
    const { m, h0, d1 } = host();
    granted(d1, 10, 0);
    granted(d1, 11, 0);
    const old = map(h0, 1, 10);
    const moved = map(h0, 1, 11);
    const op = { handle: old.handle!, newAddr: moved.hostAddr! };
    expect(h0.gnttab.unmapAndReplace([op])).toEqual([GNTST.okay]);
    expect(h0.gnttab.unmapGrantRef([{ handle: moved.handle! }])).toEqual([GNTST.general_error]);
    expect(h0.gnttab.unmapGrantRef([{ handle: moved.handle!, hostAddr: old.hostAddr! }])).toEqual([GNTST.okay]);
    sound(m);
  });

  it('is nothing for a translated caller', () => {
    const { h0, d1, dom0 } = host();
    granted(d1, 10, 0);
    const { handle } = map(h0, 1, 10);
    dom0.memory.translated = true;
    expect(h0.gnttab.unmapAndReplace([{ handle: handle!, newAddr: 0x9000 }])).toEqual([GNTST.general_error]);
  });
});
