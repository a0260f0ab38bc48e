import { describe, expect, it } from 'vitest';
import { encodeHvmContext } from '../../../sim/domains/hvm-context.ts';
import {
  DOMCAP_CONTROL,
  DOMCAP_HARDWARE,
  DOMCAP_XENSTORE,
  DOMID_INVALID,
  DOMID_SELF,
  DOMSTATE_DEAD,
  DOMSTATE_EXIST,
  DOMSTATE_SHUTDOWN,
  type Domain,
  Hypercalls,
  loneMachine,
  PERMISSION,
  VIRQ_DOM_EXC,
  XEN_DOMINF_blocked,
  XEN_DOMINF_hvm_guest,
  XEN_DOMINF_paused,
  XEN_DOMINF_running,
  XEN_DOMINF_xs_domain,
} from '../../../sim/index.ts';
import { drain, host, refused, value } from './host.ts';

const VIRQ_CON_RING = 8;

function bound() {
  const h = host();
  const port = value(h.h0.bindVirq(VIRQ_DOM_EXC));
  const pop = () => h.h0.domctl.getDomainState(DOMID_INVALID);
  const drainBits = () => {
    const popped: number[] = [];
    for (let r = pop(); r.ok; r = pop()) popped.push(r.value.domid);
    return popped;
  };
  drainBits();
  return { ...h, port, pop, drainBits, told: () => h.dom0.ports.clear(port) };
}

describe('global VIRQs', () => {
  it('DOM-26: the handler is dom0 until another is set, and again when that one is dead', () => {
    const { m, d1, dom0, h0, h1, settle } = host();
    expect(m.events.virqHandler(VIRQ_DOM_EXC)).toBe(dom0);
    expect(h1.evtchn.setVirqHandler(1, VIRQ_DOM_EXC)).toEqual(refused('EPERM'));
    expect(h0.evtchn.setVirqHandler(1, 0)).toEqual(refused('EINVAL')); // a vCPU's own
    const port = value(h0.bindVirq(VIRQ_CON_RING));
    expect(h0.evtchn.setVirqHandler(1, VIRQ_CON_RING)).toEqual(refused('EBUSY'));
    value(h0.close(port));
    value(h0.evtchn.setVirqHandler(1, VIRQ_CON_RING));
    expect(m.events.virqHandler(VIRQ_CON_RING)).toBe(d1);
    value(h0.destroyDomain(1));
    expect(h0.evtchn.setVirqHandler(1, VIRQ_DOM_EXC)).toEqual(refused('EINVAL'));
    settle();
    expect(m.events.virqHandler(VIRQ_CON_RING)).toBe(dom0);
  });

  it('DOM-26: the hardware domain need not be domain 0', () => {
    const m = loneMachine({ seed: '1' });
    m.createDomain(0, 'boot', { capabilities: { control: true } });
    const hardware = m.createDomain(1, 'hwdom', { capabilities: { hardware: true } });
    expect(m.events.virqHandler(VIRQ_DOM_EXC)).toBe(hardware);
    m.lives.shutdown(hardware, 'crash');
    expect(m.lives.hostShutdown).toBe(3);
  });

  it('DOM-27: binding a global VIRQ without being its handler is EBUSY', () => {
    expect(host().h1.bindVirq(VIRQ_DOM_EXC)).toEqual(refused('EBUSY'));
  });

  it('DOM-28, INJ-E12: dropped while not bound and while the lock is contended, though the bit is set', () => {
    const h = bound();
    h.m.events.faults = { virqContended: () => true };
    h.m.shutdown(h.d1, 'crash');
    expect([h.told(), h.drainBits()]).toEqual([false, [1]]);
  });

  it('DOM-29: one pending bit for any number of changes', () => {
    const h = bound();
    let edges = 0;
    h.dom0.ports.handle(h.port, () => edges++);
    h.m.shutdown(h.d1, 'crash');
    h.m.shutdown(h.d2, 'crash');
    expect([edges, h.drainBits()]).toEqual([1, [1, 2]]);
  });

  it('CHK-6, DOM-36: the bit is set before the VIRQ: who pops until ENOENT within the event sees the change', () => {
    const h = bound();
    const seen: number[][] = [];
    h.dom0.ports.handle(h.port, () => {
      seen.push(h.drainBits());
      h.dom0.ports.clear(h.port);
    });
    h.m.shutdown(h.d1, 'crash');
    h.m.shutdown(h.d2, 'crash');
    expect(seen).toEqual([[1], [2]]);
  });

  it('DOM-36: one pop for each event misses a change', () => {
    const h = bound();
    const seen: number[] = [];
    h.m.shutdown(h.d1, 'crash');
    h.m.shutdown(h.d2, 'crash');
    if (h.told()) seen.push(value(h.pop()).domid);
    expect([seen, h.told(), h.drainBits()]).toEqual([[1], false, [2]]);
  });
});

describe('changed domains', () => {
  it('DOM-30: a bind sets every bit and raises nothing; a close frees the bitmap', () => {
    const h = bound();
    h.m.shutdown(h.d1, 'crash');
    h.h0.close(h.port);
    expect(h.pop()).toEqual(refused('ENOENT'));
    const again = value(h.h0.bindVirq(VIRQ_DOM_EXC));
    expect([h.dom0.ports.isPending(again), h.drainBits()]).toEqual([false, [0, 1, 2]]);
  });

  it('DOM-31: what came and went while unbound leaves no trace', () => {
    const h = bound();
    h.h0.close(h.port);
    value(h.h0.createDomain(7, 'brief'));
    for (const domid of [7, 1]) value(h.h0.destroyDomain(domid));
    h.settle();
    value(h.h0.bindVirq(VIRQ_DOM_EXC));
    expect(h.drainBits()).toEqual([0, 2]);
  });

  it('DOM-32, INJ-D12: pops the lowest, only for the handler; a domid that is gone is all zeros', () => {
    const h = bound();
    expect(h.h1.domctl.getDomainState(DOMID_INVALID)).toEqual(refused('EPERM'));
    for (const domid of [2, 1]) value(h.h0.destroyDomain(domid));
    h.settle();
    expect(h.pop()).toEqual({ ok: true, value: { domid: 1, state: 0, caps: 0, uniqueId: 0n } });
    expect([value(h.pop()).domid, h.pop()]).toEqual([2, refused('ENOENT')]);
  });

  it('DOM-32, DOM-38: the control domain is not the handler once that is a xenstore domain', () => {
    const { m, h0 } = host();
    const xs = m.createDomain(5, 'xenstore', { capabilities: { xenstore: true } });
    const own = new Hypercalls(m, xs);
    expect(own.bindVirq(VIRQ_DOM_EXC)).toEqual(refused('EBUSY'));
    value(h0.evtchn.setVirqHandler(5, VIRQ_DOM_EXC));
    expect(own.bindVirq(VIRQ_DOM_EXC).ok).toBe(true);
    expect(h0.domctl.getDomainState(DOMID_INVALID)).toEqual(refused('EACCES'));
    expect(value(own.domctl.getDomainState(DOMID_INVALID)).domid).toBe(0);
  });

  it('DOM-33: ESRCH, pad0 EINVAL, another interface version EACCES', () => {
    const { h0 } = host();
    expect(h0.domctl.getDomainState(9)).toEqual(refused('ESRCH'));
    expect(h0.domctl.getDomainState(DOMID_SELF)).toEqual(refused('ESRCH'));
    expect(h0.domctl.getDomainState(1, { pad0: 1 })).toEqual(refused('EINVAL'));
    expect(h0.domctl.getDomainState(1, { version: 23 })).toEqual(refused('EACCES'));
    expect(h0.domctl.getDomainState(9, { version: 23 })).toEqual(refused('EACCES'));
  });

  it('DOM-34: state and capability bits; shutdown is independent of death', () => {
    const { m, h0, h1, d1, settle } = host();
    const xs = m.createDomain(5, 'xenstore', { capabilities: { xenstore: true } });
    const bits = (domid: number) => {
      const { state, caps } = value(h0.domctl.getDomainState(domid));
      return [state, caps];
    };
    expect([bits(0), bits(1), bits(xs.domid)]).toEqual([
      [DOMSTATE_EXIST, DOMCAP_CONTROL | DOMCAP_HARDWARE],
      [DOMSTATE_EXIST, 0],
      [DOMSTATE_EXIST, DOMCAP_XENSTORE],
    ]);
    m.seedGrant(d1, 1, 0, d1.memory.alloc());
    h0.mapGrant(1, 1, 2);
    h1.domctl.shutdown(0);
    value(h0.destroyDomain(1));
    settle();
    expect(bits(1)).toEqual([DOMSTATE_EXIST | DOMSTATE_SHUTDOWN | DOMSTATE_DEAD, 0]);
  });

  it('DOM-35: the answer is of now: only the unique id tells the heir of a domid', () => {
    const h = bound();
    const { uniqueId } = h.d1;
    h.m.shutdown(h.d1, 'crash');
    value(h.h0.destroyDomain(1));
    h.settle();
    value(h.h0.createDomain(1, 'heir'));
    const popped = value(h.pop());
    expect([popped.domid, popped.state, popped.uniqueId === uniqueId]).toEqual([1, DOMSTATE_EXIST, false]);
  });
});

describe('getdomaininfo', () => {
  it('DOM-37, INJ-D14: two calls may show one domain and its heir, and in between none', () => {
    const { h0, settle } = host();
    const seen = [h0.domctl.getDomainInfo(1).ok];
    value(h0.destroyDomain(1));
    settle();
    seen.push(h0.domctl.getDomainInfo(1).ok);
    value(h0.createDomain(1, 'heir'));
    seen.push(h0.domctl.getDomainInfo(1).ok);
    expect(seen).toEqual([true, false, true]);
  });

  it('DOM-37: flags, pages and vCPUs are those of now; no reason for a shutdown is all ones', () => {
    const { m, d1, d2, h0, h1 } = host({ type: 'hvm' });
    for (let i = 0; i < 3; i++) d1.memory.alloc();
    const flags = (domid: number, mask = 0xffff) => value(h0.domctl.getDomainInfo(domid)).flags & mask;
    expect(value(h0.domctl.getDomainInfo(1)).totPages).toBe(d1.memory.size);
    expect([flags(0), flags(1)]).toEqual([XEN_DOMINF_running, XEN_DOMINF_hvm_guest]);
    expect(value(h0.domctl.getDomainInfo(1)).flags >>> 16).toBe(0xffff);
    value(h0.pause(1));
    expect(flags(1)).toBe(XEN_DOMINF_hvm_guest | XEN_DOMINF_paused);
    value(h0.unpause(1));
    expect(h1.evtchn.block(0, () => {})).toBe(true);
    expect(flags(1)).toBe(XEN_DOMINF_hvm_guest | XEN_DOMINF_blocked);
    m.createDomain(5, 'xenstore', { capabilities: { xenstore: true } });
    expect(flags(5)).toBe(XEN_DOMINF_xs_domain | XEN_DOMINF_paused);
    m.lives.latchCode(d2, 1);
    expect(value(h0.domctl.getDomainInfo(2)).flags >>> 16).toBe(1);
  });

  it('DOM-37: the list is ascending from the first, and only for the control domain', () => {
    const { h0, h1 } = host();
    for (const domid of [9, 4]) value(h0.createDomain(domid, 'x'));
    const ids = (first: number, max: number) => value(h0.domctl.getDomainInfoList(first, max)).map((r) => r.domid);
    expect([ids(0, 10), ids(2, 2), ids(10, 5)]).toEqual([[0, 1, 2, 4, 9], [2, 4], []]);
    expect(h1.domctl.getDomainInfoList(0, 1)).toEqual(refused('EPERM'));
  });
});

describe('permissions', () => {
  type Call = (h: Hypercalls, domid: number) => unknown;
  const CALLS: Record<keyof typeof PERMISSION, Call> = {
    XEN_DOMCTL_createdomain: (h) => h.createDomain(40, 'x'),
    XEN_DOMCTL_destroydomain: (h, d) => h.destroyDomain(d),
    XEN_DOMCTL_pausedomain: (h, d) => h.pause(d),
    XEN_DOMCTL_unpausedomain: (h, d) => h.unpause(d),
    XEN_DOMCTL_resumedomain: (h, d) => h.resume(d),
    XEN_DOMCTL_getvcpucontext: (h, d) => h.domctl.moveContext(d, 3),
    XEN_DOMCTL_setvcpucontext: (h, d) => h.domctl.setReturnRegister(d, 1),
    XEN_DOMCTL_get_evtchns: (h, d) => h.domctl.getPorts(d),
    XEN_DOMCTL_set_evtchns: (h, d) =>
      h.domctl.setPorts(d, { ports: [], sharedInfo: new Uint8Array(4096), vcpuInfo: [] }),
    XEN_DOMCTL_get_grant_table: (h, d) => h.domctl.getGrants(d),
    XEN_DOMCTL_set_grant_table: (h, d) => h.domctl.setGrants(d, { version: 1, frames: [], statusFrames: [] }),
    XEN_DOMCTL_max_vcpus: (h, d) => h.domctl.maxVcpus(d, 1),
    XEN_DOMCTL_subscribe: (h, d) => h.domctl.subscribe(d, 0),
    XEN_DOMCTL_soft_reset: (h, d) => drain(h.domctl.softReset(d)),
    XEN_DOMCTL_set_target: (h, d) => h.domctl.setTarget(d, d),
    XEN_DOMCTL_set_virq_handler: (h, d) => h.evtchn.setVirqHandler(d, VIRQ_CON_RING),
    XEN_SYSCTL_getdomaininfolist: (h) => h.domctl.getDomainInfoList(0, 9),
    XEN_DOMCTL_getdomaininfo: (h, d) => h.domctl.getDomainInfo(d),
    XEN_DOMCTL_get_domain_state: (h, d) => h.domctl.getDomainState(d),
    SCHEDOP_remote_shutdown: (h, d) => h.domctl.remoteShutdown(d, 0),
    EVTCHNOP_alloc_unbound: (h, d) => h.allocUnbound(d, 0),
    EVTCHNOP_status: (h, d) => h.evtchn.status(d, 1),
    EVTCHNOP_reset: (h, d) => drain(h.evtchn.reset(d)),
    GNTTABOP_setup_table: (h, d) => h.gnttab.setupTable(d, 1),
    GNTTABOP_get_status_frames: (h, d) => h.gnttab.getStatusFrames(d, 0),
    GNTTABOP_query_size: (h, d) => h.gnttab.querySize(d),
    GNTTABOP_get_version: (h, d) => h.gnttab.getVersion(d),
    XENMEM_add_to_physmap: (h, d) => h.gnttab.addToPhysmap(d, 0, 0x9000),
    XEN_DOMCTL_max_mem: (h, d) => h.paging.setMaxPages(d, 10),
    XEN_DOMCTL_shadow_op: (h, d) => h.paging.logDirty(d, 'enable'),
    XEN_DOMCTL_getpageframeinfo3: (h, d) => h.paging.pageTypes(d, [1]),
    XEN_DOMCTL_gettscinfo: (h, d) => h.paging.tscInfo(d),
    XEN_DOMCTL_settscinfo: (h, d) => h.paging.setTscInfo(d, { mode: 0, khz: 1, nsec: 0n, incarnation: 0 }),
    XEN_DOMCTL_get_cpu_policy: (h, d) => h.paging.cpuPolicy(d),
    XEN_DOMCTL_gethvmcontext: (h, d) => h.paging.hvmContext(d),
    XEN_DOMCTL_sethvmcontext: (h, d) => h.paging.setHvmContext(d, encodeHvmContext([], 1)),
    XENMEM_maximum_gpfn: (h, d) => h.paging.maximumGfn(d),
    XENMEM_populate_physmap: (h, d) => h.paging.populate(d, [0x9000]),
    XENMEM_foreign_map: (h, d) => h.paging.map(d, [0x1000], true),
    HVMOP_get_param: (h, d) => h.paging.hvmParam(d, 1),
    HVMOP_set_param: (h, d) => h.paging.setHvmParam(d, 1, 0n),
  };
  const isRefused = (answer: unknown) =>
    (answer as { errno?: string }).errno === 'EPERM' || (answer as { status?: number }).status === -8;
  /** Which callers a class lets through. */
  const ALLOWED = {
    HOOK: [true, true, true, true, true],
    TARGET: [true, false, true, false, true],
    DM_PRIV: [true, false, true, false, false],
    XS_PRIV: [true, true, false, false, false],
    PRIV: [true, false, false, false, false],
  } as const;

  it.each(Object.entries(PERMISSION))('DOM-38, EVT-3: %s is of class %s', (name, permission) => {
    const callers = ['control', 'xenstore', 'device model', 'stranger', 'itself'] as const;
    const through = callers.map((_, i) => {
      const m = loneMachine({ seed: '1' });
      const domains = [
        m.createDomain(0, 'dom0'),
        m.createDomain(1, 'xs', { capabilities: { xenstore: true } }),
        m.createDomain(2, 'dm'),
        m.createDomain(3, 'stranger'),
        m.createDomain(4, 'guest', { type: 'hvm' }),
      ] as const;
      m.lives.setTarget(domains[2], domains[4]);
      return !isRefused(CALLS[name as keyof typeof PERMISSION](new Hypercalls(m, domains[i] as Domain), 4));
    });
    expect(through).toEqual(ALLOWED[permission]);
  });

  it('DOM-33: of a domid without a domain a caller without control learns EPERM, not ESRCH', () => {
    const { h0, h1 } = host();
    expect([h0.pause(99), h1.pause(99)]).toEqual([refused('ESRCH'), refused('EPERM')]);
  });
});
