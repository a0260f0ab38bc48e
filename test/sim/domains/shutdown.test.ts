import { describe, expect, it } from 'vitest';
import {
  DOMSTATE_EXIST,
  DOMSTATE_SHUTDOWN,
  GNTMAP_host_map,
  SHUTDOWN_REASONS,
  VIRQ_DOM_EXC,
  XEN_DOMINF_paused,
  XEN_DOMINF_shutdown,
  XEN_DOMINF_shutdownshift,
} from '../../../sim/index.ts';
import { counting, drain, host, refused, value } from './host.ts';

const SECOND = 1_000_000_000;
const [POWEROFF, REBOOT, SUSPEND, CRASH, WATCHDOG] = [0, 1, 2, 3, 4] as const;

/** A host whose dom0 listens to VIRQ_DOM_EXC and has drained it. */
function listening(...args: Parameters<typeof host>) {
  const h = host(...args);
  const port = value(h.h0.bindVirq(VIRQ_DOM_EXC));
  while (h.h0.popChanged() !== undefined);
  return { ...h, port, told: () => h.dom0.ports.clear(port) };
}

describe('shutdown', () => {
  it.each([...SHUTDOWN_REASONS.entries()])('T5, T6: code %i is %s, with the bit and the VIRQ', (code, reason) => {
    const { d1, h0, h1, told } = listening();
    h1.domctl.shutdown(code);
    expect([d1.shutdown, told(), h0.popChanged()?.domid]).toEqual([reason, true, 1]);
    const { flags } = value(h0.domctl.getDomainInfo(1));
    expect([flags & XEN_DOMINF_shutdown, (flags >> XEN_DOMINF_shutdownshift) & 255]).toEqual([
      XEN_DOMINF_shutdown,
      code,
    ]);
  });

  it('T5: a dying domain shuts down like any other, with the bit and the VIRQ, and one that is gone does not', () => {
    const { m, d1, h0, told } = listening();
    value(h0.destroyDomain(1));
    value(h0.domctl.remoteShutdown(1, CRASH));
    expect([d1.shutdown, told(), h0.popChanged()?.domid]).toEqual(['crash', true, 1]);
    expect(value(h0.domctl.getDomainInfo(1)).flags & XEN_DOMINF_shutdown).toBe(XEN_DOMINF_shutdown);
    m.scheduler.run(1_000_000);
    while (h0.popChanged() !== undefined);
    told();
    m.lives.resume(d1);
    m.shutdown(d1, 'crash'); // by somebody who still holds the object
    expect([m.domain(1), d1.isShutDown, told(), h0.popChanged()]).toEqual([undefined, false, false, undefined]);
  });

  it('DOM-15: the first reason stays, also one that was latched before, until resume', () => {
    const { d1, d2, h0, h1, h2 } = host();
    h1.domctl.shutdownCode(REBOOT);
    h1.domctl.shutdownCode(POWEROFF);
    expect(d1.isRunning).toBe(true); // latching is no shutdown
    h1.domctl.shutdown(CRASH);
    expect(d1.shutdown).toBe('reboot');
    h2.domctl.shutdown(SUSPEND);
    value(h0.domctl.remoteShutdown(2, CRASH));
    expect(d2.shutdown).toBe('suspend');
    value(h0.resume(2));
    value(h0.domctl.remoteShutdown(2, CRASH));
    expect(d2.shutdown).toBe('crash');
  });

  it('DOM-15: a code that was latched and never used goes with a resume', () => {
    const { d1, h0, h1 } = host();
    h1.domctl.shutdownCode(REBOOT);
    value(h0.resume(1));
    h1.domctl.shutdown(CRASH);
    expect(d1.shutdown).toBe('crash');
  });

  it('DOM-16, INJ-D18: a vCPU that waits for its device model parks later; meanwhile nothing of the guest runs', () => {
    const { m, d1, h1, told } = listening();
    const seen = counting(m, 1);
    expect(m.lives.deferShutdown(d1, 0)).toBe(true);
    h1.domctl.shutdown(POWEROFF);
    m.scheduler.run(SECOND);
    expect([d1.isShuttingDown, d1.isShutDown, told(), seen.steps]).toEqual([true, false, false, 0]);
    expect(m.lives.deferShutdown(d1, 1)).toBe(false); // the shutdown was first
    m.lives.endDeferral(d1, 0);
    expect([d1.isShutDown, told()]).toEqual([true, true]);
  });

  it('DOM-15, DOM-16: a crash waits for nobody, unless another reason was latched before', () => {
    const { m, d1, d2, h1, h2 } = host();
    m.lives.deferShutdown(d1, 0);
    m.lives.deferShutdown(d2, 0);
    h1.domctl.shutdown(CRASH);
    h2.domctl.shutdownCode(REBOOT);
    h2.domctl.shutdown(CRASH);
    expect([d1.isShutDown, d2.isShutDown]).toEqual([true, false]);
  });

  it('DOM-16: destroy does not wait for the device model', () => {
    const { m, d1, h0, h1, settle } = host();
    m.lives.deferShutdown(d1, 0);
    h1.domctl.shutdown(POWEROFF);
    value(h0.destroyDomain(1));
    settle();
    m.lives.endDeferral(d1, 0);
    expect([m.domain(1), d1.isShutDown]).toEqual([undefined, false]);
  });

  it('DOM-17: the hardware domain’s shutdown is the host’s: nothing runs any more', () => {
    const { m, h0 } = host();
    const seen = counting(m, 1);
    m.scheduler.run(5_500);
    const before = seen.steps;
    h0.domctl.shutdown(REBOOT);
    expect(m.lives.hostShutdown).toBe(REBOOT);
    expect(m.scheduler.run(SECOND)).toBe(false);
    expect(seen.steps).toBe(before);
  });

  it('DOM-18: a second shutdown succeeds and tells nobody', () => {
    const { h0, h1, told } = listening();
    h1.domctl.shutdown(POWEROFF);
    told();
    h0.popChanged();
    h1.domctl.shutdown(POWEROFF);
    expect(h0.domctl.remoteShutdown(1, CRASH).ok).toBe(true);
    expect([told(), h0.popChanged()]).toEqual([false, undefined]);
  });

  it('DOM-19: peers read and write a parked domain’s pages, and their events wait for it', () => {
    const { m, d1, h0, h1 } = host();
    const page = d1.memory.alloc();
    m.seedGrant(d1, 1, 0, page);
    const port = value(h1.allocUnbound(1, 0));
    const local = value(h0.bindInterdomain(1, port));
    let upcalls = 0;
    d1.ports.handle(port, () => upcalls++);
    h1.domctl.shutdown(SUSPEND);
    h0.mapGrant(1, 1, GNTMAP_host_map).frame?.store32(0, 7, false);
    h0.send(local);
    expect([page.load32(0), d1.ports.isPending(port), upcalls]).toEqual([7, true, 0]);
    value(h0.resume(1));
    expect(upcalls).toBe(1);
  });

  it('DOM-20, INJ-D10: a suspend sends on the subscribed port and raises no VIRQ; the bit is set all the same', () => {
    const { d1, dom0, h0, h1, told } = listening();
    const port = value(h0.allocUnbound(1, 0));
    const local = value(h0.bindInterdomain(1, port));
    dom0.ports.clear(local);
    value(h0.domctl.subscribe(1, port));
    h1.domctl.shutdown(SUSPEND);
    expect([told(), dom0.ports.clear(local)]).toEqual([false, true]);
    value(h0.resume(1));
    expect(value(h0.domctl.getDomainState(0x7ff4))).toMatchObject({ domid: 1, state: DOMSTATE_EXIST });
    h1.domctl.shutdown(POWEROFF); // another reason: the VIRQ as ever
    expect([told(), dom0.ports.clear(local), d1.shutdown]).toEqual([true, false, 'poweroff']);
  });

  it('DOM-20: a subscribed port that was closed meanwhile: nobody is told at all', () => {
    const { h0, h1, told } = listening();
    const port = value(h0.allocUnbound(1, 0));
    value(h0.domctl.subscribe(1, port));
    h1.close(port);
    h1.domctl.shutdown(SUSPEND);
    expect([told(), h0.popChanged()?.domid]).toEqual([false, 1]);
  });
});

describe('watchdog', () => {
  it('DOM-21: two timers; id 0 allocates, an id arms anew, 0 seconds end it', () => {
    const { m, d1, h1 } = host();
    const { watchdog } = { watchdog: (id: number, s: number) => h1.domctl.watchdog(id, s) };
    expect([watchdog(0, 5), watchdog(0, 9)].map(value)).toEqual([1, 2]);
    expect(watchdog(0, 5)).toEqual(refused('ENOSPC'));
    expect(watchdog(3, 5)).toEqual(refused('EINVAL'));
    m.scheduler.run(4 * SECOND);
    expect(value(watchdog(1, 5))).toBe(0);
    m.scheduler.run(8 * SECOND);
    expect(d1.isRunning).toBe(true);
    expect([value(watchdog(1, 0)), watchdog(1, 5)]).toEqual([0, refused('EINVAL')]);
    m.scheduler.run(9 * SECOND);
    expect([d1.shutdown, d1.shutdownCode]).toEqual(['watchdog', WATCHDOG]);
  });

  it('DOM-21, INJ-D17: it fires in a paused domain; while shutting down or dying it does nothing', () => {
    const { m, d1, d2, h0, h1, h2 } = host();
    for (const h of [h1, h2]) value(h.domctl.watchdog(0, 1));
    value(h0.pause(1));
    m.lives.deferShutdown(d2, 0);
    h2.domctl.shutdown(POWEROFF);
    m.scheduler.run(2 * SECOND);
    expect([d1.shutdown, d2.shutdownCode]).toEqual(['watchdog', POWEROFF]);
    value(h0.domctl.remoteShutdown(2, CRASH));
    const d3 = value(h0.createDomain(3, 'x'));
    m.lives.watchdog(d3, 0, 0); // id 0 with 0 seconds fires at once
    value(h0.destroyDomain(3));
    m.scheduler.run(m.nowNs + SECOND);
    expect(d3.isShuttingDown).toBe(false);
  });

  it('DOM-21: a resumed domain’s timers run on, a new domain has none', () => {
    const { m, d1, h0, h1 } = host();
    value(h1.domctl.watchdog(0, 5));
    h1.domctl.shutdown(SUSPEND);
    value(h0.resume(1));
    m.scheduler.run(6 * SECOND);
    expect(d1.shutdown).toBe('watchdog');
    expect(value(h0.createDomain(3, 'restored')).watchdogsNs).toEqual([undefined, undefined]);
  });
});

describe('resume in place', () => {
  it('DOM-22: ports, grants, pages, pending bits and ids are as they were, and the tasks go on', () => {
    const { m, d1, h0, h1 } = host();
    const page = d1.memory.alloc();
    m.seedGrant(d1, 1, 0, page);
    h0.mapGrant(1, 1, GNTMAP_host_map);
    const port = value(h1.allocUnbound(1, 0));
    const local = value(h0.bindInterdomain(1, port));
    h0.send(local);
    const shown = () => [d1.domid, d1.uniqueId, d1.ports.get(port), d1.ports.isPending(port), d1.grants.header(1)];
    const before = shown();
    const seen = counting(m, 1);
    h1.domctl.shutdown(SUSPEND);
    m.scheduler.run(10_000);
    expect(seen.steps).toBe(0);
    value(h0.resume(1));
    m.scheduler.run(20_000);
    expect(shown()).toEqual(before);
    expect(seen.steps).toBeGreaterThan(5);
    expect(d1.memory.frame(page.gfn)).toBe(page);
  });

  it('DOM-24: neither bit nor VIRQ', () => {
    const { h0, h1, told } = listening();
    h1.domctl.shutdown(SUSPEND);
    told();
    h0.popChanged();
    value(h0.resume(1));
    expect([told(), h0.popChanged()]).toEqual([false, undefined]);
  });

  it('DOM-25, INJ-D9: shut down and resumed before anybody looks: the answer shows no shutdown', () => {
    const { h0, h1, told } = listening();
    h1.domctl.shutdown(SUSPEND);
    value(h0.resume(1));
    expect(told()).toBe(true);
    expect(value(h0.domctl.getDomainState(0x7ff4))).toMatchObject({ domid: 1, state: DOMSTATE_EXIST });
  });

  it('a shut-down domain shows shutdown without paused', () => {
    const { h0, h1 } = host();
    h1.domctl.shutdown(SUSPEND);
    const { flags } = value(h0.domctl.getDomainInfo(1));
    expect(flags & (XEN_DOMINF_shutdown | XEN_DOMINF_paused)).toBe(XEN_DOMINF_shutdown);
    expect(value(h0.domctl.getDomainState(1)).state).toBe(DOMSTATE_EXIST | DOMSTATE_SHUTDOWN);
  });
});

describe('soft reset', () => {
  function parked(config: Parameters<typeof host>[0] = { type: 'hvm' }) {
    const h = listening(config);
    const port = value(h.h1.allocUnbound(1, 0));
    const local = value(h.h0.bindInterdomain(1, port));
    const page = h.d1.memory.alloc();
    page.store32(0, 42, true);
    h.m.seedGrant(h.d1, 1, 0, page);
    const { handle } = h.h0.mapGrant(1, 1, GNTMAP_host_map);
    const info = h.d1.memory.alloc();
    value(h.h1.evtchn.registerVcpuInfo(0, info.gfn, 0));
    h.h1.domctl.shutdown(5);
    h.told();
    while (h.h0.popChanged() !== undefined);
    return { ...h, local, page, info, handle: handle as number };
  }

  it('DOM-39: wholly parked, not oneself, paused by its controller, hvm: otherwise EINVAL', () => {
    const h = parked();
    expect(drain(h.h0.domctl.softReset(1))).toEqual(refused('EINVAL')); // not paused
    value(h.h0.pause(1));
    value(h.h0.pause(2));
    expect(drain(h.h0.domctl.softReset(2))).toEqual(refused('EINVAL')); // not shut down
    expect(drain(h.h1.domctl.softReset(2))).toEqual(refused('EPERM'));
    expect(drain(h.h0.domctl.softReset(9))).toEqual(refused('ESRCH'));
    expect(drain(h.h0.domctl.softReset(1)).ok).toBe(true);
    const pv = parked({ type: 'pv' });
    value(pv.h0.pause(1));
    expect(drain(pv.h0.domctl.softReset(1))).toEqual(refused('EINVAL'));
    expect(pv.d1.isShutDown).toBe(true);
  });

  it('DOM-40: ports are closed, vcpu_info is back in a shared_info of zeros, the domain is resumed, nobody is told', () => {
    const h = parked();
    value(h.h0.pause(1));
    value(drain(h.h0.domctl.softReset(1)));
    expect(h.d1.ports.ports()).toEqual([]);
    expect(h.dom0.ports.get(h.local)).toEqual({ state: 'unbound', remoteDomid: 1 });
    expect(h.d1.ports.sharedInfo.every((octet) => octet === 0)).toBe(true);
    expect(h.h1.evtchn.registerVcpuInfo(0, h.info.gfn, 0).ok).toBe(true); // not EBUSY
    expect([h.d1.isShutDown, h.d1.shutdownCode, h.told(), h.h0.popChanged()]).toEqual([
      false,
      undefined,
      false,
      undefined,
    ]);
    value(h.h0.unpause(1));
    expect(h.d1.isRunning).toBe(true);
  });

  it('DOM-41: ids and memory are kept', () => {
    const h = parked();
    const { uniqueId } = h.d1;
    value(h.h0.pause(1));
    value(drain(h.h0.domctl.softReset(1)));
    expect([h.m.domain(1)?.uniqueId, h.d1.memory.frame(h.page.gfn), h.page.load32(0)]).toEqual([uniqueId, h.page, 42]);
  });

  it('DOM-42: mappings of others stay, and a reference that is granted anew still gives the old page', () => {
    const h = parked();
    value(h.h0.pause(1));
    value(drain(h.h0.domctl.softReset(1)));
    h.m.seedGrant(h.d1, 1, 0, h.d1.memory.alloc());
    expect(h.h0.mapGrant(1, 1, GNTMAP_host_map).frame).toBe(h.page);
    expect(h.h0.unmapGrant(h.handle)).toBe(0);
  });

  it('CHK-11, DOM-39: it is preemptible; a second one meanwhile is EBUSY, and the first ends all the same', () => {
    const h = host({ type: 'hvm' });
    for (let i = 0; i < 300; i++) value(h.h1.allocUnbound(1, 0));
    h.h1.domctl.shutdown(5);
    value(h.h0.pause(1));
    let pieces = 0;
    const result = drain(h.h0.domctl.softReset(1), () => {
      pieces++;
      expect(drain(h.h0.domctl.softReset(1))).toEqual(refused('EBUSY'));
    });
    expect([result.ok, pieces > 3, h.d1.ports.activePorts]).toEqual([true, true, 0]);
  });
});

describe('vcpu_info', () => {
  it('DOM-43: registering keeps the contents, sets the whole selector and one upcall; a second time is EBUSY', () => {
    const { d1, h1, h0 } = host();
    const page = d1.memory.alloc();
    value(h0.pause(1)); // so that the upcall stays to be seen
    value(h1.evtchn.registerVcpuInfo(0, page.gfn, 64));
    const vcpu = d1.ports.vcpu(0);
    expect([vcpu.info === page.bytes, vcpu.upcallPending]).toEqual([true, true]);
    expect(page.bytes.subarray(vcpu.selectorAt, vcpu.selectorAt + 8)).toEqual(new Uint8Array(8).fill(0xff));
    expect(h1.evtchn.registerVcpuInfo(0, page.gfn, 128)).toEqual(refused('EBUSY'));
  });
});
