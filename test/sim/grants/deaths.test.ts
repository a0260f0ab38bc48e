import { describe, expect, it } from 'vitest';
import {
  checkGrants,
  DOMID_ANY,
  GNTST,
  GTF_permit_access,
  GTF_reading,
  GTF_writing,
  loadFlags,
  VIRQ_DOM_EXC,
} from '../../../sim/index.ts';
import { granted, host, map, mapped, RO, runOn, sound } from './host.ts';

describe('the toolstack and the reserved entries', () => {
  it('GNT-26: the builder writes a permit_access entry of version 1 for the backend', () => {
    const { m, d1, h0 } = host();
    const ring = d1.memory.alloc();
    expect(h0.seedGrant(1, 1, 0, ring).ok).toBe(true);
    expect([...d1.grants.frames[0]!.bytes.subarray(8, 16)]).toEqual([1, 0, 0, 0, ring.gfn & 255, ring.gfn >> 8, 0, 0]);
    expect(map(h0, 1, 1).frame).toBe(ring);
    sound(m);
  });

  it('GNT-27, GNT-28: before the map the guest decides what reference 1 is; while it is mapped nothing it writes counts', () => {
    const { h0, d1, m } = host();
    const ring = granted(d1, 1, 0);
    d1.grants.write(1, { flags: 0, domid: 0, gfn: 0 });
    expect(map(h0, 1, 1).status).toBe(GNTST.general_error); // INJ-G1
    granted(d1, 1, 2);
    expect(map(h0, 1, 1).status).toBe(GNTST.general_error);
    granted(d1, 1, 0, true);
    expect(map(h0, 1, 1).status).toBe(GNTST.general_error);
    d1.grants.write(1, { flags: GTF_permit_access, domid: 0, gfn: ring.gfn });
    const handle = mapped(h0, 1, 1);
    d1.grants.write(1, { flags: 0, domid: 2, gfn: 0 });
    expect(map(h0, 1, 1, RO).frame).toBe(ring);
    h0.unmapGrant(handle);
    sound(m);
  });

  it('GNT-29: a new domain has an empty table of one frame, version 1, whatever its domid had before', () => {
    const { m, h0, h1, d1 } = host();
    h1.gnttab.setVersion(2);
    h1.gnttab.setupTable(1, 5);
    granted(d1, 10, 0);
    m.destroy(d1);
    runOn(m);
    const again = m.createDomain(1, 'd1 again');
    expect([again.grants.version, again.grants.frames.length]).toEqual([1, 1]);
    expect(again.grants.frames[0]!.bytes.every((b) => b === 0)).toBe(true);
    expect(map(h0, 1, 10).status).toBe(GNTST.general_error);
  });
});

describe('deaths', () => {
  it('the mapper dies: every mapping goes, the bits clear, nobody is told', () => {
    const { m, h2, d1, d2 } = host();
    for (const ref of [10, 11]) granted(d1, ref, 2);
    const handles = [mapped(h2, 1, 10), mapped(h2, 1, 10, RO), mapped(h2, 1, 11, 3)];
    d1.memory.logDirty(true);
    let sends = 0;
    m.trace.observe((e) => {
      if (e.kind === 'send') sends++;
    });
    m.destroy(d2);
    runOn(m);
    expect([loadFlags(d1.grants, 10), loadFlags(d1.grants, 11)]).toEqual([GTF_permit_access, GTF_permit_access]);
    expect([d1.grants.pinned(), d1.foreignMaps, sends, d1.memory.dirty?.size, handles.length]).toEqual([
      [],
      0,
      0,
      0,
      3,
    ]);
    sound(m);
  });

  it('the granter dies: what is mapped stays readable and writable, and keeps the domid', () => {
    const { m, h0, d1 } = host();
    granted(d1, 10, 0);
    const { handle, frame } = map(h0, 1, 10);
    m.destroy(d1);
    runOn(m);
    frame!.bytes[5] = 5;
    expect([d1.dying, m.domain(1), frame!.bytes[5]]).toEqual(['dead', d1, 5]);
    expect(d1.memory.kept).toEqual([frame]);
    expect(loadFlags(d1.grants, 10)).toBe(GTF_permit_access | GTF_reading | GTF_writing);
    sound(m);
    h0.unmapGrant(handle!);
    expect(m.domain(1)).toBeUndefined();
    sound(m);
  });

  it.each(['granter first', 'mapper first', 'both in one step'])(
    'both die, %s: the second completes the first',
    (order) => {
      const { m, h2, d1, d2 } = host();
      granted(d1, 10, 2);
      granted(d2, 10, 2); // and a mapping of its own page
      mapped(h2, 1, 10);
      mapped(h2, 2, 10);
      const [first, second] = order === 'mapper first' ? [d2, d1] : [d1, d2];
      m.destroy(first);
      if (order !== 'both in one step') runOn(m);
      sound(m);
      m.destroy(second);
      runOn(m);
      expect([m.domain(1), m.domain(2)]).toEqual([undefined, undefined]);
      sound(m);
    },
  );

  it('GNT-30, INJ-D13: the unmap of a zombie raises VIRQ_DOM_EXC a second time, and the id pops with no domain', () => {
    const { m, h0, dom0, d1 } = host();
    const port = h0.bindVirq(VIRQ_DOM_EXC);
    while (h0.popChanged() !== undefined);
    granted(d1, 1, 0);
    const handle = mapped(h0, 1, 1);
    m.destroy(d1);
    runOn(m);
    const at = port.ok ? port.value : 0;
    expect(dom0.ports.isPending(at)).toBe(true);
    expect(h0.popChanged()).toMatchObject({ domid: 1, info: { dead: true } });
    expect(h0.popChanged()).toBeUndefined();
    h0.unmapGrant(handle);
    expect(h0.popChanged()).toEqual({ domid: 1, info: undefined });
    expect(m.createDomain(DOMID_ANY, 'next').domid).toBe(1);
  });

  it('INJ-G8: a mapping that is held keeps the zombie for any time', () => {
    const { m, h0, d1 } = host();
    granted(d1, 10, 0);
    mapped(h0, 1, 10);
    m.destroy(d1);
    m.scheduler.run(600_000_000_000);
    expect(h0.createDomain(1, 'x')).toEqual({ ok: false, errno: 'EEXIST' });
    sound(m);
  });
});

describe('the self-check', () => {
  it.each<[string, RegExp, (x: ReturnType<typeof host>) => void]>([
    [
      'CHK-4: a pin too many',
      /pins 0x2, handles 0x1/,
      ({ d1 }) => {
        d1.grants.active(10)!.pin++;
      },
    ],
    ['CHK-3: a handle without a pin', /not pinned/, ({ d1 }) => d1.grants.setActive(10, undefined)],
    [
      'CHK-3: bits that Xen forgot',
      /not shown as reading/,
      ({ d1 }) => {
        d1.grants.frames[0]!.store16(80, GTF_permit_access);
        d1.grants.active(10)!.shown = GTF_permit_access;
      },
    ],
    [
      'CHK-3: a writing bit that Xen forgot',
      /not shown as writing/,
      ({ d1 }) => {
        d1.grants.frames[0]!.store16(80, GTF_permit_access | GTF_reading);
        d1.grants.active(10)!.shown = GTF_permit_access | GTF_reading;
      },
    ],
    [
      'CHK-3: a granter that is gone',
      /its granter is gone/,
      ({ m, d1 }) => {
        d1.foreignMaps = 0;
        m.destroy(d1);
        runOn(m);
      },
    ],
    [
      'a page freed while mapped',
      /its page was freed/,
      ({ d1 }) => {
        d1.grants.active(10)!.frame.refs = 0;
        d1.memory.free(d1.grants.active(10)!.frame.gfn);
      },
    ],
    [
      'a page reference too few',
      /0 page references, 1 mappings/,
      ({ d1 }) => {
        d1.grants.active(10)!.frame.refs = 0;
      },
    ],
    [
      'a holder counted that is not there',
      /2 mappings counted, 1 held/,
      ({ d1 }) => {
        d1.foreignMaps++;
      },
    ],
    [
      'another page than the pinned one',
      /another page than the pinned one/,
      ({ d1 }) => {
        d1.grants.active(10)!.frame = d1.memory.alloc();
      },
    ],
    [
      'another pinner',
      /pinned by d7/,
      ({ d1 }) => {
        d1.grants.active(10)!.domid = 7;
      },
    ],
    [
      'a page kept for nobody',
      /kept for nobody/,
      ({ d1 }) => {
        const page = d1.memory.alloc();
        page.refs = 1;
        d1.memory.free(page.gfn);
      },
    ],
    [
      'CHK-5: a dead domain that still maps',
      /dead, and still maps/,
      ({ dom0 }) => {
        dom0.dying = 'dead';
      },
    ],
    [
      'CHK-5: a dead domain that still owns pages',
      /dead, and still owns/,
      ({ d2 }) => {
        d2.memory.alloc();
        d2.dying = 'dead';
      },
    ],
  ])('%s is found', (_, finding, breakIt) => {
    const x = host();
    granted(x.d1, 10, 0);
    mapped(x.h0, 1, 10);
    sound(x.m);
    breakIt(x);
    expect(checkGrants(x.m).join('\n')).toMatch(finding);
  });
});
