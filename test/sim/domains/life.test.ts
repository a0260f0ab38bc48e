import { describe, expect, it } from 'vitest';
import {
  DOMID_ANY,
  DOMSTATE_DEAD,
  DOMSTATE_DYING,
  DOMSTATE_EXIST,
  GNTMAP_host_map,
  GNTST,
  Hypercalls,
  loneMachine,
  STUBDOM_GRANT_LIMITS,
  VIRQ_DOM_EXC,
  XEN_DOMINF_dying,
} from '../../../sim/index.ts';
import { counting, drain, host, refused, value } from './host.ts';

describe('ids', () => {
  it.each([-1, 0x7ff0, 0x7ff4, 0x7fff, 0x1_0000])('DOM-1: %i is no id of a domain', (domid) => {
    expect(host().h0.createDomain(domid, 'x')).toEqual(refused('EINVAL'));
  });

  it('DOM-1, DOM-2: the last ordinary id is 0x7fef, and a taken one is EEXIST while live, dying or zombie', () => {
    const { m, d1, h0, settle } = host();
    expect(value(h0.createDomain(0x7fef, 'last')).domid).toBe(0x7fef);
    m.seedGrant(d1, 1, 0, d1.memory.alloc());
    const { handle } = h0.mapGrant(1, 1, GNTMAP_host_map);
    for (const prepare of [() => {}, () => value(h0.destroyDomain(1)), settle]) {
      prepare();
      expect(h0.createDomain(1, 'x')).toEqual(refused('EEXIST'));
    }
    h0.unmapGrant(handle as number);
    expect(value(h0.createDomain(1, 'x')).domid).toBe(1);
  });

  it('DOM-2: automatic ids wrap to 1, skip what is taken, and end in ENOMEM', () => {
    const { m, h0 } = host();
    for (let id = 3; id < 0x7ff0; id++) expect(value(h0.createDomain(DOMID_ANY, 'x')).domid).toBe(id);
    expect(h0.createDomain(DOMID_ANY, 'x')).toEqual(refused('ENOMEM'));
    for (const id of [1, 5]) m.destroy(m.domain(id)!);
    m.scheduler.run(1_000_000);
    expect([h0.createDomain(DOMID_ANY, 'x'), h0.createDomain(DOMID_ANY, 'x')].map((r) => value(r).domid)).toEqual([
      1, 5,
    ]);
  });

  it('DOM-3: explicit ids do not move the cursor, and an id that was just freed is not given again at once', () => {
    const { h0, settle } = host();
    expect(value(h0.createDomain(DOMID_ANY, 'a')).domid).toBe(3);
    value(h0.createDomain(10, 'explicit'));
    value(h0.destroyDomain(3));
    settle();
    expect(value(h0.createDomain(DOMID_ANY, 'b')).domid).toBe(4);
    value(h0.createDomain(5, 'explicit'));
    value(h0.destroyDomain(5));
    settle();
    expect(value(h0.createDomain(DOMID_ANY, 'quick reuse')).domid).toBe(5);
  });

  it('DOM-4: destroy returns success while the id is still taken', () => {
    const { h0, settle } = host();
    expect(h0.destroyDomain(1).ok).toBe(true);
    expect(h0.createDomain(1, 'x')).toEqual(refused('EEXIST'));
    settle();
    expect(h0.createDomain(1, 'x').ok).toBe(true);
  });

  it('DOM-5, INJ-D4: the hypervisor has no list of recent ids: an id that is free is given at once', () => {
    const { h0, m } = host();
    for (let i = 0; i < 3; i++) {
      expect(h0.createDomain(7, 'x').ok).toBe(true);
      value(drain(h0.domctl.destroyInSteps(7), () => m.scheduler.run(m.nowNs + 300)));
    }
  });

  it('DOM-6, CHK-12: unique ids differ for each creation, are never 0, and stay over resume in place', () => {
    const { m, h0, d1, settle } = host();
    const seen = new Set([0n]);
    for (let i = 0; i < 300; i++) {
      const { uniqueId } = value(h0.createDomain(9, 'x'));
      expect(seen.has(uniqueId)).toBe(false);
      seen.add(uniqueId);
      value(h0.destroyDomain(9));
      settle();
    }
    const { uniqueId } = d1;
    m.shutdown(d1, 'suspend');
    value(h0.resume(1));
    expect(value(h0.domctl.getDomainState(1)).uniqueId).toBe(uniqueId);
  });
});

describe('creation', () => {
  it('T1: a new domain is paused by its controller, has its bit set, and raises no event', () => {
    const { h0, dom0 } = host();
    const port = value(h0.bindVirq(VIRQ_DOM_EXC));
    while (h0.popChanged() !== undefined);
    const d = value(h0.createDomain(4, 'x'));
    expect([d.controllerPauses, d.isRunning, d.isCreationFinished]).toEqual([1, false, false]);
    expect(dom0.ports.isPending(port)).toBe(false);
    expect(h0.popChanged()?.domid).toBe(4);
  });

  it('T2: max_vcpus makes the vCPUs that creation named, and no other number', () => {
    const { h0, h1 } = host();
    const d = value(h0.createDomain(4, 'x', { maxVcpus: 3 }));
    const own = new Hypercalls(host().m, d);
    expect(own.evtchn.bindIpi(0)).toEqual(refused('ENOENT'));
    expect(h0.domctl.maxVcpus(4, 2)).toEqual(refused('EINVAL'));
    expect(h1.domctl.maxVcpus(4, 3)).toEqual(refused('EPERM'));
    value(h0.domctl.maxVcpus(4, 3));
    expect([own.evtchn.bindIpi(2).ok, own.evtchn.bindIpi(3)]).toEqual([true, refused('ENOENT')]);
    expect(value(h0.domctl.getDomainInfo(4)).maxVcpuId).toBe(2);
  });

  it.each([
    ['no vCPU', { maxVcpus: 0 }],
    ['more vCPUs than HVM can have', { type: 'hvm', maxVcpus: 129 }],
    ['no grant frame', { grants: { ...STUBDOM_GRANT_LIMITS, grantFrames: 0 } }],
  ] as const)('DOM-2: createdomain with %s is EINVAL, and takes no id', (_, config) => {
    const { h0 } = host();
    expect(h0.createDomain(DOMID_ANY, 'x', config)).toEqual(refused('EINVAL'));
    expect(value(h0.createDomain(DOMID_ANY, 'x')).domid).toBe(3);
  });

  it('DOM-2: type, grant limits, port limit and capabilities are those of the configuration', () => {
    const { h0, m } = host();
    const config = { type: 'hvm', grants: STUBDOM_GRANT_LIMITS, maxEvtchnPort: 2, capabilities: { xenstore: true } };
    const d = value(h0.createDomain(4, 'x', config as never));
    const own = new Hypercalls(m, d);
    expect([d.memory.translated, own.gnttab.querySize(4).maxNrFrames]).toEqual([true, 4]);
    expect([1, 2, 3].map(() => own.allocUnbound(4, 0).ok)).toEqual([true, true, false]);
    expect(own.domctl.getDomainInfo(0).ok).toBe(true);
  });
});

describe('destruction', () => {
  it('DOM-7: dying shows in get_domain_state alone, dead in both, gone is ESRCH', () => {
    const { m, d1, h0, settle } = host();
    m.seedGrant(d1, 1, 0, d1.memory.alloc());
    const { handle } = h0.mapGrant(1, 1, GNTMAP_host_map);
    const shown = () => {
      const { flags } = value(h0.domctl.getDomainInfo(1));
      return [flags & XEN_DOMINF_dying, value(h0.domctl.getDomainState(1)).state];
    };
    expect(shown()).toEqual([0, DOMSTATE_EXIST]);
    value(h0.destroyDomain(1));
    expect(shown()).toEqual([0, DOMSTATE_EXIST | DOMSTATE_DYING]);
    settle();
    expect(shown()).toEqual([XEN_DOMINF_dying, DOMSTATE_EXIST | DOMSTATE_DEAD]);
    h0.unmapGrant(handle as number);
    expect([h0.domctl.getDomainInfo(1), h0.domctl.getDomainState(1)]).toEqual([refused('ESRCH'), refused('ESRCH')]);
  });

  it('DOM-8, DOM-29, INJ-D7: a mapping makes a zombie, whose end is the second VIRQ', () => {
    const { m, d1, h0, dom0, settle } = host();
    const port = value(h0.bindVirq(VIRQ_DOM_EXC));
    m.seedGrant(d1, 1, 0, d1.memory.alloc());
    const { handle } = h0.mapGrant(1, 1, GNTMAP_host_map);
    value(h0.destroyDomain(1));
    expect(dom0.ports.isPending(port)).toBe(false); // T8 tells nobody
    settle();
    expect(dom0.ports.clear(port)).toBe(true);
    m.scheduler.run(m.nowNs + 1e12);
    expect(m.domain(1)).toBe(d1);
    h0.unmapGrant(handle as number);
    expect([dom0.ports.clear(port), m.domain(1)]).toEqual([true, undefined]);
  });

  it('DOM-8: a stub domain holds its target as a mapping does', () => {
    const { m, h0, settle } = host({ type: 'hvm' });
    expect(h0.domctl.setTarget(1, 2)).toEqual(refused('EOPNOTSUPP'));
    expect(h0.domctl.setTarget(1, 1)).toEqual(refused('EINVAL'));
    value(h0.domctl.setTarget(2, 1));
    expect(h0.domctl.setTarget(2, 1)).toEqual(refused('EINVAL'));
    value(h0.destroyDomain(1));
    settle();
    expect(m.domain(1)?.dying).toBe('dead');
    value(h0.destroyDomain(2));
    settle();
    expect([m.domain(1), m.domain(2)]).toEqual([undefined, undefined]);
  });

  it('DOM-9, DOM-10: others run between the pieces: mappings fall first, then ports from the highest, then memory, then it is dead', () => {
    const { m, d1, d2, h0, h1 } = host();
    const order: string[] = [];
    m.trace.observe((e) => {
      if (e.kind === 'grant') order.push(e.what);
      if (e.kind === 'port') order.push(`${e.what} ${e.port}`);
      if (e.kind === 'life') order.push(e.what);
    });
    for (const ref of [8, 9]) {
      m.seedGrant(d2, ref, 1, d2.memory.alloc());
      expect(h1.mapGrant(2, ref, GNTMAP_host_map).status).toBe(GNTST.okay);
    }
    for (let i = 0; i < 3; i++) value(h1.allocUnbound(1, 0));
    order.length = 0;
    const other = counting(m, 2);
    const stepsAt: number[] = [];
    m.trace.observe(() => stepsAt.push(other.steps));
    value(h0.destroyDomain(1));
    m.scheduler.run(1_000_000);
    expect(order).toEqual(['dying', 'unmap', 'unmap', 'close 3', 'close 2', 'close 1', 'dead', 'gone']);
    expect(stepsAt.at(-1)).toBeGreaterThan(stepsAt[1] as number);
    expect(d1.memory.size).toBe(0);
  });

  it('DOM-9: pages are there until every port is closed', () => {
    const { m, d1, h0, h1 } = host();
    for (let i = 0; i < 3; i++) value(h1.allocUnbound(1, 0));
    d1.memory.alloc();
    value(h0.destroyDomain(1));
    while (d1.ports.activePorts > 0) {
      expect(d1.memory.size).toBeGreaterThan(0);
      m.scheduler.run(m.nowNs + 100);
    }
  });

  it('DOM-11: a dying domain’s grants cannot be mapped nor ports allocated, but its UNBOUND port can be bound', () => {
    const { m, d1, h0, h1, h2 } = host();
    m.seedGrant(d1, 1, 0, d1.memory.alloc());
    const port = value(h1.allocUnbound(1, 2));
    value(h0.destroyDomain(1));
    expect(h0.mapGrant(1, 1, GNTMAP_host_map).status).toBe(GNTST.general_error);
    expect(h0.allocUnbound(1, 2)).toEqual(refused('EINVAL'));
    expect(h2.bindInterdomain(1, port).ok).toBe(true);
  });

  it('DOM-12: not to oneself', () => {
    const { h0, m, dom0 } = host();
    for (const result of [h0.pause(0), h0.resume(0), h0.destroyDomain(0), h0.domctl.maxVcpus(0, 1)])
      expect(result).toEqual(refused('EINVAL'));
    expect(drain(h0.domctl.softReset(0))).toEqual(refused('EINVAL'));
    expect(m.domain(0)).toBe(dom0);
    expect(dom0.isRunning).toBe(true);
  });

  it('CHK-11, INJ-D16: destroydomain is entered again, with the same domid, until the domain is dead; a second caller joins', () => {
    const { m, h0, h1 } = host();
    for (let i = 0; i < 200; i++) value(h1.allocUnbound(1, 0));
    let entries = 0;
    const first = drain(h0.domctl.destroyInSteps(1), () => {
      entries++;
      expect(m.domain(1)?.dying).toBe('dying');
      expect(h0.destroyDomain(1).ok).toBe(true);
      m.scheduler.run(m.nowNs + 300);
    });
    expect([first.ok, entries >= 200, m.domain(1)]).toEqual([true, true, undefined]);
  });
});

describe('pauses', () => {
  it('DOM-13: 255 pauses, then EOVERFLOW; no more unpauses than pauses', () => {
    const { h0, d1 } = host();
    for (let i = 0; i < 255; i++) value(h0.pause(1));
    expect(h0.pause(1)).toEqual(refused('EOVERFLOW'));
    for (let i = 0; i < 255; i++) {
      expect(d1.isRunning).toBe(false);
      value(h0.unpause(1));
    }
    expect(d1.isRunning).toBe(true);
    expect(h0.unpause(1)).toEqual(refused('EINVAL'));
  });

  it('DOM-14, CHK-7, INJ-D3: a paused domain stops between any two steps, and gets the events of the meantime first', () => {
    const { m, d1, h0, h1 } = host();
    const port = value(h1.allocUnbound(1, 0));
    const local = value(h0.bindInterdomain(1, port));
    const seen = counting(m, 1);
    const atEvent: number[] = [];
    d1.ports.handle(port, () => atEvent.push(seen.steps));
    m.scheduler.run(10_500);
    const before = seen.steps;
    value(h0.pause(1));
    h0.send(local);
    m.scheduler.run(50_000);
    expect([seen.steps, atEvent]).toEqual([before, []]);
    value(h0.unpause(1));
    m.scheduler.run(60_000);
    expect(atEvent).toEqual([before]);
    expect(seen.steps).toBeGreaterThan(before);
  });

  it('T3: the first time the count is 0 ends the creation', () => {
    const { h0 } = host();
    const d = value(h0.createDomain(4, 'x'));
    value(h0.pause(4));
    value(h0.unpause(4));
    expect(d.isCreationFinished).toBe(false);
    value(h0.unpause(4));
    expect(d.isCreationFinished).toBe(true);
  });

  it('DOM-6: another seed, other unique ids', () => {
    const ids = ['1', '2'].map((seed) => loneMachine({ seed }).createDomain(1, 'x').uniqueId);
    expect(ids[0]).not.toBe(ids[1]);
  });
});
