import { describe, expect, it } from 'vitest';
import { DOMID_ANY, HVM_PARAM, PAGE_TYPE } from '../../../sim/index.ts';
import { host, refused, value } from './host.ts';

describe('log-dirty', () => {
  it('is turned on once, turned off any time, and finds nothing where it is off', () => {
    const { h0, d1 } = host({ type: 'hvm' });
    const { paging } = h0;
    value(paging.logDirty(1, 'enable'));
    expect(paging.logDirty(1, 'enable')).toEqual(refused('EINVAL'));
    value(paging.logDirty(1, 'off'));
    value(paging.logDirty(1, 'off'));
    d1.memory.alloc().store32(0, 1, true);
    expect(value(paging.logDirty(1, 'clean'))).toEqual({ gfns: [], count: 0 });
  });

  it('tells each page once, CLEAN forgets and PEEK does not, and what others store is not seen', () => {
    const { h0, d1 } = host({ type: 'hvm' });
    const [a, b] = [d1.memory.alloc(), d1.memory.alloc()];
    value(h0.paging.logDirty(1, 'enable'));
    b.store32(0, 1, true);
    b.store32(4, 1, true);
    a.bytes[9] = 1;
    a.wrote();
    b.store32(8, 1, false);
    const both = { gfns: [a.gfn, b.gfn], count: 2 };
    expect(value(h0.paging.logDirty(1, 'peek'))).toEqual(both);
    expect(value(h0.paging.logDirty(1, 'clean'))).toEqual(both);
    expect(value(h0.paging.logDirty(1, 'clean')).count).toBe(0);
    const fresh = d1.memory.alloc();
    d1.memory.free(a.gfn);
    expect(value(h0.paging.logDirty(1, 'clean')).gfns).toEqual([a.gfn, fresh.gfn]);
  });

  it.each([
    ['oneself', 0, 'EINVAL'],
    ['nobody', 99, 'ESRCH'],
  ] as const)('of %s is refused', (_who, domid, errno) => {
    expect(host().h0.paging.logDirty(domid, 'peek')).toEqual(refused(errno));
  });

  it('of a dying domain, and of one without vCPUs, is refused', () => {
    const { m, h0, d1 } = host();
    const none = value(h0.createDomain(DOMID_ANY, 'none', { maxVcpus: 2 }));
    expect(h0.paging.logDirty(none.domid, 'enable')).toEqual(refused('EINVAL'));
    m.destroy(d1);
    expect(h0.paging.logDirty(1, 'clean')).toEqual(refused('EINVAL'));
  });
});

describe('pages of another domain', () => {
  it('have types: ordinary, a page table, nothing, what Xen lends', () => {
    const { h0, d1 } = host();
    const [page, table] = [d1.memory.alloc(), d1.memory.alloc()];
    d1.memory.setKind(table.gfn, 'page_table');
    const lent = d1.memory.frames.find((frame) => frame.isSpecial)!.gfn;
    expect(value(h0.paging.pageTypes(1, [page.gfn, table.gfn, 5, lent]))).toEqual([
      PAGE_TYPE.NOTAB,
      PAGE_TYPE.L1TAB,
      PAGE_TYPE.XTAB,
      PAGE_TYPE.XTAB,
    ]);
    expect(
      h0.paging.pageTypes(
        1,
        Array.from({ length: 1025 }, () => 1),
      ),
    ).toEqual(refused('E2BIG'));
  });

  it('are populated in order, up to what is there already and up to the limit', () => {
    const { h0, d1 } = host({ type: 'hvm' });
    expect(value(h0.paging.populate(1, [0x9000, 0x9001]))).toBe(2);
    expect(value(h0.paging.populate(1, [0x9002, 0x9001, 0x9003]))).toBe(1);
    value(h0.paging.setMaxPages(1, d1.memory.size + 2));
    expect(value(h0.paging.populate(1, [0xa000, 0xa001, 0xa002]))).toBe(2);
    expect(value(h0.paging.maximumGfn(1))).toBe(0xa001);
  });

  it('keep their domain as long as they are mapped, each that is not there by itself', () => {
    const { h0, d1, m, settle } = host();
    const page = d1.memory.alloc();
    const mapping = value(h0.paging.map(1, [page.gfn, 7], true));
    expect(mapping.pages).toEqual([page, undefined]);
    value(h0.destroyDomain(1));
    settle();
    expect([m.domain(1)?.dying, d1.foreignMaps]).toEqual(['dead', 1]);
    mapping.unmap();
    mapping.unmap();
    expect([m.domain(1), d1.foreignMaps]).toEqual([undefined, 0]);
    const empty = value(h0.paging.map(2, [], true));
    empty.unmap();
    expect(m.domain(2)?.foreignMaps).toBe(0);
  });
});

describe('contexts and parameters', () => {
  it('octets that are no context are refused, and so is a domain that has run', () => {
    const { h0 } = host({ type: 'hvm' });
    const heir = value(h0.createDomain(DOMID_ANY, 'heir', { type: 'hvm' }));
    expect(h0.paging.setVcpuContext(heir.domid, new Uint8Array(9))).toEqual(refused('EINVAL'));
    expect(h0.paging.setHvmContext(heir.domid, new Uint8Array(0))).toEqual(refused('EINVAL'));
    const context = value(h0.paging.hvmContext(1));
    for (let cut = 0; cut < context.length; cut++)
      expect(h0.paging.setHvmContext(heir.domid, context.subarray(0, cut))).toEqual(refused('EINVAL'));
    expect(value(h0.paging.setHvmContext(heir.domid, context))).toBe(false); // it was not suspended: nobody has its threads
    expect(h0.paging.setHvmContext(1, context)).toEqual(refused('EINVAL'));
  });

  it('HVM parameters are for domains whose physmap Xen keeps, and there are so many', () => {
    const { h0 } = host({ type: 'hvm' });
    value(h0.paging.setHvmParam(1, HVM_PARAM.STORE_PFN, 0x1234n));
    value(h0.paging.setHvmParam(1, HVM_PARAM.IDENT_PT, 5n));
    expect([h0.paging.hvmParam(1, 1), h0.paging.hvmParam(1, 12), h0.paging.hvmParam(1, 17)].map(value)).toEqual([
      0x1234n,
      5n,
      0n,
    ]);
    expect(h0.paging.hvmParam(1, 39)).toEqual(refused('EINVAL'));
    const pv = value(h0.createDomain(DOMID_ANY, 'pv'));
    expect(h0.paging.hvmParam(pv.domid, 1)).toEqual(refused('EINVAL'));
  });
});
