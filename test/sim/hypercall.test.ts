import { describe, expect, it } from 'vitest';
import {
  DOMID_ANY,
  GNTMAP_host_map,
  GNTST,
  GTF_permit_access,
  GTF_reading,
  GTF_readonly,
  GTF_writing,
  Hypercalls,
  loneMachine,
  VIRQ_DOM_EXC,
} from '../../sim/index.ts';

function host() {
  const m = loneMachine({ seed: '1' });
  const dom0 = m.createDomain(0, 'dom0');
  const d1 = m.createDomain(1, 'd1');
  const d2 = m.createDomain(2, 'd2');
  for (const d of [dom0, d1, d2]) m.unpause(d);
  return { m, dom0, d1, d2, h0: new Hypercalls(m, dom0), h1: new Hypercalls(m, d1), h2: new Hypercalls(m, d2) };
}

const value = <T>(r: { ok: true; value: T } | { ok: false; errno: string }): T => {
  if (!r.ok) throw new Error(r.errno);
  return r.value;
};

describe('event channels', () => {
  it('EVT-1: hands out the lowest free port, never 0', () => {
    const { h1 } = host();
    expect([h1.allocUnbound(1, 0), h1.allocUnbound(1, 0)].map(value)).toEqual([1, 2]);
    h1.close(1);
    expect(value(h1.allocUnbound(1, 0))).toBe(1);
  });

  it('EVT-5: the binder is pending at once, the peer gets nothing', () => {
    const { h0, h1, dom0, d1 } = host();
    const port = value(h1.allocUnbound(1, 0));
    const local = value(h0.bindInterdomain(1, port));
    expect(dom0.ports.isPending(local)).toBe(true);
    expect(d1.ports.isPending(port)).toBe(false);
  });

  it.each([
    ['no such domain', 9, 1, 'ESRCH'],
    ['port that is not open', 1, 5, 'EINVAL'],
  ])('bind_interdomain to a %s: %s', (_, domid, port, errno) => {
    const { h0 } = host();
    expect(h0.bindInterdomain(domid as number, port as number)).toEqual({ ok: false, errno });
  });

  it('EVT-4: an unbound port is only for the domid it is held open for', () => {
    const { h1, h2 } = host();
    const port = value(h1.allocUnbound(1, 0));
    expect(h2.bindInterdomain(1, port)).toEqual({ ok: false, errno: 'EINVAL' });
  });

  it('EVT-2: beyond the limit ENOSPC, which wins over a bad peer port', () => {
    const { h1 } = host();
    for (let i = 0; i < 1023; i++) value(h1.allocUnbound(1, 0));
    expect(h1.allocUnbound(1, 0)).toEqual({ ok: false, errno: 'ENOSPC' });
    expect(h1.bindInterdomain(2, 99)).toEqual({ ok: false, errno: 'ENOSPC' });
  });

  it('EVT-8, EVT-10: after close the peer is unbound without an event, and its sends are dropped with success', () => {
    const { h0, h1, dom0, d1 } = host();
    const port = value(h1.allocUnbound(1, 0));
    const local = value(h0.bindInterdomain(1, port));
    dom0.ports.clear(local);
    h1.close(port);
    expect(dom0.ports.isPending(local)).toBe(false);
    expect(dom0.ports.get(local)).toEqual({ state: 'unbound', remoteDomid: 1 });
    expect(h0.send(local)).toBeUndefined();
    expect(d1.ports.get(port)).toBeUndefined();
  });

  it('EVT-14, EVT-16, EVT-18: sends coalesce, a masked port stays pending, unmask raises it', () => {
    const { h0, h1, d1 } = host();
    const port = value(h1.allocUnbound(1, 0));
    const local = value(h0.bindInterdomain(1, port));
    let upcalls = 0;
    d1.ports.handle(port, () => upcalls++);
    h0.send(local);
    h0.send(local);
    expect(upcalls).toBe(1);
    d1.ports.clear(port);
    d1.ports.mask(port);
    h0.send(local);
    expect([upcalls, d1.ports.isPending(port)]).toEqual([1, true]);
    d1.ports.unmask(port);
    expect(upcalls).toBe(2);
  });

  it('send on a port that is not open: EINVAL', () => {
    expect(host().h1.send(3)).toBe('EINVAL');
  });
});

describe('grant tables', () => {
  it('map and unmap set and clear the in-use bits in the guest’s own entry (GNT-12)', () => {
    const { m, h0, d1 } = host();
    const page = d1.memory.alloc();
    m.seedGrant(d1, 1, 0, page);
    const mapped = h0.mapGrant(1, 1, GNTMAP_host_map);
    expect(mapped.status).toBe(GNTST.okay);
    expect(mapped.frame).toBe(page);
    expect(d1.grants.header(1).flags).toBe(GTF_permit_access | GTF_reading | GTF_writing);
    expect(d1.grants.revoke(1)).toBe(false);
    expect(h0.unmapGrant(mapped.handle as number)).toBe(GNTST.okay);
    expect(d1.grants.header(1).flags).toBe(GTF_permit_access);
    expect(d1.grants.revoke(1)).toBe(true);
    expect(h0.unmapGrant(mapped.handle as number)).toBe(GNTST.bad_handle);
  });

  it.each([
    ['neither host nor device map', 1, 1, 0, GNTST.bad_gntref],
    ['no such domain', 9, 1, GNTMAP_host_map, GNTST.bad_domain],
    ['GNT-19: a reference beyond the table', 1, 512, GNTMAP_host_map, GNTST.bad_gntref],
    ['an entry of type invalid', 1, 9, GNTMAP_host_map, GNTST.general_error],
    ['GNT-1: an entry for another domid', 1, 3, GNTMAP_host_map, GNTST.general_error],
    ['a read-only entry mapped for writing', 1, 4, GNTMAP_host_map, GNTST.general_error],
    ['a frame that the granter does not own', 1, 5, GNTMAP_host_map, GNTST.bad_page],
  ])('%s', (_, domid, gref, flags, status) => {
    const { h0, d1 } = host();
    const page = d1.memory.alloc();
    d1.grants.write(3, { flags: GTF_permit_access, domid: 2, gfn: page.gfn });
    d1.grants.write(4, { flags: GTF_permit_access | GTF_readonly, domid: 0, gfn: page.gfn });
    d1.grants.write(5, { flags: GTF_permit_access, domid: 0, gfn: 0xdead });
    expect(h0.mapGrant(domid as number, gref as number, flags as number).status).toBe(status);
  });

  it('GNT-6: the frame is captured at the first pin', () => {
    const { m, h0, d1 } = host();
    const page = d1.memory.alloc();
    m.seedGrant(d1, 1, 0, page);
    h0.mapGrant(1, 1, GNTMAP_host_map);
    m.seedGrant(d1, 1, 0, d1.memory.alloc());
    expect(h0.mapGrant(1, 1, GNTMAP_host_map).frame).toBe(page);
  });

  it('GNT-5: 128 pins of one kind, and no more', () => {
    const { m, h0, d1 } = host();
    m.seedGrant(d1, 1, 0, d1.memory.alloc());
    for (let i = 0; i < 128; i++) expect(h0.mapGrant(1, 1, GNTMAP_host_map).status).toBe(GNTST.okay);
    expect(h0.mapGrant(1, 1, GNTMAP_host_map).status).toBe(GNTST.general_error);
  });
});

describe('domains', () => {
  it('DOM-2, DOM-3: an explicit id that is taken is EEXIST; automatic ids go on from the last one', () => {
    const { h0, m } = host();
    expect(h0.createDomain(1, 'x')).toEqual({ ok: false, errno: 'EEXIST' });
    expect(value(h0.createDomain(DOMID_ANY, 'a')).domid).toBe(3);
    m.destroy(m.domain(3)!);
    m.scheduler.run(1_000_000);
    expect(value(h0.createDomain(DOMID_ANY, 'b')).domid).toBe(4);
  });

  it('DOM-6: unique ids differ, also for a reused domid, and are never 0', () => {
    const { m } = host();
    const seen = new Set([0n]);
    for (let i = 0; i < 50; i++) {
      const d = m.createDomain(7, 'x');
      expect(seen.has(d.uniqueId)).toBe(false);
      seen.add(d.uniqueId);
      m.destroy(d);
      m.scheduler.run(m.nowNs + 1_000_000);
    }
  });

  it('DOM-8, GNT-30: a mapped page keeps a dead domain as a zombie until it is unmapped', () => {
    const { m, h0, d1 } = host();
    m.seedGrant(d1, 1, 0, d1.memory.alloc());
    const { handle } = h0.mapGrant(1, 1, GNTMAP_host_map);
    m.destroy(d1);
    m.scheduler.run(1_000_000);
    expect(h0.domainState(1)).toMatchObject({ dead: true });
    expect(h0.createDomain(1, 'x')).toEqual({ ok: false, errno: 'EEXIST' });
    h0.unmapGrant(handle as number);
    expect(h0.domainState(1)).toBeUndefined();
  });

  it('DOM-30, DOM-32: the bitmap starts with every domain, without an event, and pops the lowest first', () => {
    const { m, h0, dom0 } = host();
    expect(h0.popChanged()).toBeUndefined();
    const port = value(h0.bindVirq(VIRQ_DOM_EXC));
    expect(dom0.ports.isPending(port)).toBe(false);
    expect([h0.popChanged()?.domid, h0.popChanged()?.domid, h0.popChanged()?.domid, h0.popChanged()]).toEqual([
      0,
      1,
      2,
      undefined,
    ]);
    m.shutdown(m.domain(2)!, 'poweroff');
    expect(dom0.ports.isPending(port)).toBe(true);
    expect(h0.popChanged()).toMatchObject({ domid: 2, info: { shutdown: true } });
  });

  it('DOM-27: only the handler may bind VIRQ_DOM_EXC', () => {
    expect(host().h1.bindVirq(VIRQ_DOM_EXC)).toEqual({ ok: false, errno: 'EBUSY' });
  });

  it('DOM-12: a domain cannot pause, resume or destroy itself, and others only with privilege', () => {
    const { h0, h1 } = host();
    expect(h0.pause(0)).toEqual({ ok: false, errno: 'EINVAL' });
    expect(h1.pause(2)).toEqual({ ok: false, errno: 'EPERM' });
    expect(h0.destroyDomain(99)).toEqual({ ok: false, errno: 'ESRCH' });
  });

  it('DOM-13: 255 pauses and then EOVERFLOW; unpause below 0 is EINVAL', () => {
    const { h0 } = host();
    for (let i = 0; i < 255; i++) value(h0.pause(1));
    expect(h0.pause(1)).toEqual({ ok: false, errno: 'EOVERFLOW' });
    for (let i = 0; i < 255; i++) value(h0.unpause(1));
    expect(h0.unpause(1)).toEqual({ ok: false, errno: 'EINVAL' });
  });

  it('DOM-15: the first shutdown reason is latched', () => {
    const { m, d1 } = host();
    m.shutdown(d1, 'suspend');
    m.shutdown(d1, 'crash');
    expect(d1.shutdown).toBe('suspend');
    m.resume(d1);
    m.shutdown(d1, 'crash');
    expect(d1.shutdown).toBe('crash');
  });
});
