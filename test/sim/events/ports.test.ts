import { describe, expect, it } from 'vitest';
import { VIRQ_DOM_EXC } from '../../../sim/index.ts';
import { connected, errno, host, toFifo, value } from './host.ts';

describe('allocation and limits', () => {
  it('EVT-1: the lowest free port first, never 0, and a FIFO port that is still linked is passed over', () => {
    const h = host();
    expect([1, 2, 3].map(() => value(h.h1.allocUnbound(1, 0)))).toEqual([1, 2, 3]);
    value(h.h1.close(2));
    expect(value(h.h1.allocUnbound(1, 0))).toBe(2);
    const { array } = toFifo(h.d1, h.h1);
    value(h.h1.close(2));
    array.store32(8, 0x2000_0000, true); // LINKED
    expect(value(h.h1.allocUnbound(1, 0))).toBe(4);
    array.store32(8, 0, true);
    expect(value(h.h1.allocUnbound(1, 0))).toBe(2);
  });

  it('EVT-2: dom0 was built without a limit of its own, a guest has 1023 ports', () => {
    const { h0, h1 } = host();
    for (let i = 0; i < 1023; i++) value(h1.allocUnbound(1, 0));
    expect(errno(h1.allocUnbound(1, 0))).toBe('ENOSPC');
    for (let i = 0; i < 4095; i++) value(h0.allocUnbound(0, 1));
    expect(errno(h0.allocUnbound(0, 1))).toBe('ENOSPC');
  });

  it.each([
    ['max_evtchn_port by default', 'two-level', 1023, 1023],
    ['the 2-level ABI', 'two-level', 200_000, 4095],
    ['the FIFO ABI', 'fifo', 200_000, 131_071],
    ['max_evtchn_port under FIFO', 'fifo', 5_000, 5_000],
  ])('EVT-2: the limit of %s', (_, abi, maxPort, last) => {
    const { d1, h1 } = host();
    d1.ports.maxPort = maxPort;
    if (abi === 'fifo') toFifo(d1, h1);
    let port = 0;
    for (let n = 0; n < last; n++) port = value(h1.allocUnbound(1, 0));
    expect(port).toBe(last);
    expect(errno(h1.allocUnbound(1, 0))).toBe('ENOSPC');
    value(h1.close(7));
    expect(value(h1.allocUnbound(1, 0))).toBe(7);
  });

  it('EVT-3: only the control domain allocates in another, DOMID_SELF is the caller, the remote need not exist', () => {
    const { h0, h1, d1 } = host();
    expect(value(h0.allocUnbound(1, 0x7ff0))).toBe(1);
    expect(d1.ports.get(1)).toEqual({ state: 'unbound', remoteDomid: 0 });
    expect(errno(h1.allocUnbound(2, 1))).toBe('EPERM');
    expect(value(h1.allocUnbound(0x7ff0, 999))).toBe(2);
  });

  it('EVT-4: whoever has the domid at bind time may bind, also a successor', () => {
    const h = host();
    const port = value(h.h0.allocUnbound(0, 1));
    h.m.destroy(h.d1);
    h.m.scheduler.run(1_000_000);
    const heir = h.m.createDomain(1, 'heir');
    expect(errno(h.h2.bindInterdomain(0, port))).toBe('EINVAL');
    expect(h.m.events.bindInterdomain(heir, 0, port)).toBe(1);
  });
});

describe('connect, close, send', () => {
  it('EVT-5: both ports are interdomain, and the binder alone is pending', () => {
    const { h0, h1, d0, d1 } = host();
    const remote = value(h1.allocUnbound(1, 0));
    const local = value(h0.bindInterdomain(1, remote));
    expect([d0.ports.isPending(local), d1.ports.isPending(remote)]).toEqual([true, false]);
    expect(value(h0.status(1, remote))).toEqual({ state: 'interdomain', vcpu: 0, domid: 0, port: local });
    expect(value(h0.status(0, local))).toEqual({ state: 'interdomain', vcpu: 0, domid: 1, port: remote });
  });

  it('EVT-6: a freed port loses its pending bit and keeps its mask bit', () => {
    const { h1, d1 } = host();
    const port = value(h1.bindIpi(0));
    d1.ports.mask(port);
    h1.send(port);
    value(h1.close(port));
    expect([d1.ports.abi.isPending(port), d1.ports.abi.isMasked(port)]).toEqual([false, true]);
    expect(value(h1.bindIpi(0))).toBe(port);
    expect([d1.ports.isPending(port), d1.ports.isMasked(port)]).toEqual([false, true]);
  });

  it('EVT-7: the owner of an unbound port is told nothing of the bind', () => {
    const h = host();
    const runs: string[] = [];
    const remote = value(h.h1.allocUnbound(1, 0));
    h.d1.ports.handle(remote, () => runs.push('d1'));
    value(h.h0.bindInterdomain(1, remote));
    expect(runs).toEqual([]);
    expect(h.d1.ports.vcpu(0).upcallPending).toBe(false);
  });

  it('EVT-8: close frees the own port, the peer is unbound towards the closer with its bits as they were, without an event', () => {
    const h = host(2);
    const { local, remote } = connected(h);
    value(h.h1.bindVcpu(remote, 1));
    h.h1.send(remote);
    h.d0.ports.mask(local);
    const words = [...h.d0.ports.sharedInfo];
    value(h.h1.close(remote));
    expect([...h.d0.ports.sharedInfo]).toEqual(words);
    expect(value(h.h0.status(0, local))).toEqual({ state: 'unbound', vcpu: 0, domid: 1 });
    expect(value(h.h0.status(1, remote))).toEqual({ state: 'closed', vcpu: 0 });
  });

  it('EVT-9, EVT-32: death closes all ports; suspend and resume in place close none', () => {
    const h = host();
    const { local, remote } = connected(h);
    h.m.shutdown(h.d1, 'suspend');
    h.h0.send(local);
    h.m.resume(h.d1);
    expect([h.d1.ports.isPending(remote), value(h.h0.status(0, local)).state]).toEqual([true, 'interdomain']);
    h.m.destroy(h.d1);
    h.m.scheduler.run(1_000_000);
    expect(value(h.h0.status(0, local))).toEqual({ state: 'unbound', vcpu: 0, domid: 1 });
  });

  it.each(['paused', 'shut down', 'dying', 'running'])(
    'EVT-10: send to a domain that is %s sets its bit and says 0',
    (how) => {
      const h = host();
      const { local, remote } = connected(h);
      if (how === 'paused') h.m.pause(h.d1);
      if (how === 'shut down') h.m.shutdown(h.d1, 'poweroff');
      if (how === 'dying') h.m.destroy(h.d1);
      expect(h.h0.send(local)).toBeUndefined();
      expect(h.d1.ports.isPending(remote)).toBe(true);
    },
  );

  it('EVT-10: to an unbound port 0 and nothing happens, to an IPI port oneself, on FREE and VIRQ ports EINVAL', () => {
    const { h0, h1, d1 } = host();
    const unbound = value(h1.allocUnbound(1, 0));
    expect([h1.send(unbound), d1.ports.isPending(unbound)]).toEqual([undefined, false]);
    const ipi = value(h1.bindIpi(0));
    expect([h1.send(ipi), d1.ports.isPending(ipi)]).toEqual([undefined, true]);
    expect([h1.send(0), h1.send(9), h1.send(1 << 20), h0.send(value(h0.bindVirq(VIRQ_DOM_EXC)))]).toEqual(
      Array(4).fill('EINVAL'),
    );
  });

  it('EVT-11: the receiver sees what the sender stored before the send', () => {
    const h = host();
    const { local, remote } = connected(h);
    const page = h.d1.memory.alloc();
    let seen = 0;
    h.d1.ports.handle(remote, () => {
      seen = page.load32(0);
    });
    page.store32(0, 77, false);
    h.h0.send(local);
    expect(seen).toBe(77);
  });

  it('EVT-13: bind_vcpu moves later events, not one that is pending', () => {
    const h = host(2);
    const { local, remote } = connected(h);
    h.d1.ports.onUpcall = () => {};
    h.h0.send(local);
    value(h.h1.bindVcpu(remote, 1));
    expect([0, 1].map((v) => h.d1.ports.vcpu(v).upcallPending)).toEqual([true, false]);
    h.d1.ports.clear(remote);
    h.h0.send(local);
    expect([0, 1].map((v) => h.d1.ports.vcpu(v).upcallPending)).toEqual([true, true]);
  });
});

describe('EVT-12: reset', () => {
  it('closes every guest port, keeps those of Xen, and goes back to 2-level', () => {
    const h = host();
    const { local } = connected(h);
    const xen = h.m.events.allocXen(h.d1, 0, 0, () => {});
    toFifo(h.d1, h.h1);
    const reset = h.h1.reset(1);
    expect(reset.next()).toEqual({ done: true, value: { ok: true, value: undefined } });
    expect(h.d1.ports.ports()).toEqual([xen]);
    expect(h.d1.ports.abi.kind).toBe('two-level');
    expect(value(h.h0.status(0, local)).state).toBe('unbound');
  });

  it('is preemptible: EBUSY for a second one, EAGAIN if a port was opened behind it', () => {
    const { h1 } = host();
    for (let n = 0; n < 100; n++) value(h1.allocUnbound(1, 0));
    const reset = h1.reset(1);
    expect(reset.next().done).toBe(false);
    expect(h1.reset(1).next().value).toEqual({ ok: false, errno: 'EBUSY' });
    expect(value(h1.allocUnbound(1, 0))).toBe(1);
    expect(reset.next().value).toEqual({ ok: false, errno: 'EAGAIN' });
    expect(h1.reset(1).next().value).toEqual({ ok: true, value: undefined });
  });

  it.each([
    ['no such domain', 'h0', 9, 'ESRCH'],
    ['a domain of no concern', 'h1', 2, 'EPERM'],
    ['a domain that is not paused', 'h0', 1, 'EINVAL'],
  ] as const)('%s', (_, who, domid, name) => {
    expect(host()[who].reset(domid).next().value).toEqual({ ok: false, errno: name });
  });
});

describe('errnos in the order of the checks', () => {
  const full = (h: ReturnType<typeof host>) => {
    h.d1.ports.maxPort = 3;
    for (let n = 0; n < 3; n++) value(h.h1.allocUnbound(1, 0));
  };
  const die = (h: ReturnType<typeof host>) => h.m.destroy(h.d1);
  /** The answer of the second of two calls. */
  const second = (_first: unknown, answer: string) => answer;
  type Row = readonly [string, string, (h: ReturnType<typeof host>) => unknown];
  const rows: readonly Row[] = [
    ['ESRCH', 'alloc_unbound: no domain', (h) => errno(h.h1.allocUnbound(9, 0))],
    ['EINVAL', 'alloc_unbound: dying wins over EPERM', (h) => second(die(h), errno(h.h2.allocUnbound(1, 0)))],
    ['ENOSPC', 'alloc_unbound: full wins over EPERM', (h) => second(full(h), errno(h.h2.allocUnbound(1, 0)))],
    ['EPERM', 'alloc_unbound: no right', (h) => errno(h.h2.allocUnbound(1, 0))],
    [
      'ESRCH',
      'bind_interdomain: no domain wins over ENOSPC',
      (h) => second(full(h), errno(h.h1.bindInterdomain(9, 1))),
    ],
    ['EINVAL', 'bind_interdomain: caller dying', (h) => second(die(h), errno(h.h1.bindInterdomain(0, 1)))],
    [
      'ENOSPC',
      'bind_interdomain: full wins over a bad port',
      (h) => second(full(h), errno(h.h1.bindInterdomain(0, 999))),
    ],
    ['EINVAL', 'bind_interdomain: a port that is FREE', (h) => errno(h.h1.bindInterdomain(0, 5))],
    ['EINVAL', 'bind_interdomain: port 0', (h) => errno(h.h1.bindInterdomain(0, 0))],
    ['EINVAL', 'bind_interdomain: bound already', (h) => errno(h.h0.bindInterdomain(1, connected(h).remote))],
    ['EINVAL', 'bind_virq: negative', (h) => errno(h.h0.bindVirq(-1, 9))],
    ['EINVAL', 'bind_virq: 24 wins over ENOENT', (h) => errno(h.h0.bindVirq(24, 9))],
    ['EINVAL', 'bind_virq: global on vcpu 1', (h) => errno(h.h0.bindVirq(3, 1))],
    ['EINVAL', 'bind_virq: domain VIRQ on vcpu 1', (h) => errno(h.h0.bindVirq(11, 1))],
    ['ENOENT', 'bind_virq: no vcpu', (h) => errno(h.h0.bindVirq(0, 1))],
    ['EBUSY', 'bind_virq: not the handler, wins over ENOSPC', (h) => second(full(h), errno(h.h1.bindVirq(3)))],
    ['EEXIST', 'bind_virq: bound already', (h) => second(h.h0.bindVirq(3), errno(h.h0.bindVirq(3)))],
    ['ENOSPC', 'bind_virq: full', (h) => second(full(h), errno(h.h1.bindVirq(0)))],
    ['ENOENT', 'bind_ipi: no vcpu', (h) => errno(h.h1.bindIpi(1))],
    ['ENOSPC', 'bind_ipi: full', (h) => second(full(h), errno(h.h1.bindIpi(0)))],
    ['ENOENT', 'bind_vcpu: no vcpu wins over a bad port', (h) => errno(h.h1.bindVcpu(999, 7))],
    ['EINVAL', 'bind_vcpu: FREE', (h) => errno(h.h1.bindVcpu(5, 0))],
    ['EINVAL', 'bind_vcpu: RESERVED', (h) => errno(h.h1.bindVcpu(0, 0))],
    ['EINVAL', 'bind_vcpu: IPI', (h) => errno(h.h1.bindVcpu(value(h.h1.bindIpi(0)), 0))],
    ['EINVAL', 'bind_vcpu: VIRQ of a vcpu', (h) => errno(h.h1.bindVcpu(value(h.h1.bindVirq(0)), 0))],
    ['success', 'bind_vcpu: global VIRQ', (h) => errno(h.h0.bindVcpu(value(h.h0.bindVirq(3)), 0))],
    ['EINVAL', 'close: FREE', (h) => errno(h.h1.close(5))],
    ['EINVAL', 'close: RESERVED', (h) => errno(h.h1.close(0))],
    ['EINVAL', 'close: Xen-attached', (h) => errno(h.h1.close(h.m.events.allocXen(h.d1, 0, 0, () => {})))],
    ['EINVAL', 'send: Xen-attached', (h) => h.h1.send(h.m.events.allocXen(h.d1, 0, 0, () => {}))],
    [
      'EINVAL',
      'bind_vcpu: Xen-attached',
      (h) =>
        errno(
          h.h1.bindVcpu(
            h.m.events.allocXen(h.d1, 0, 0, () => {}),
            0,
          ),
        ),
    ],
    ['ESRCH', 'status: no domain', (h) => errno(h.h1.status(9, 1))],
    ['EINVAL', 'status: a port beyond the table wins over EPERM', (h) => errno(h.h1.status(2, 64))],
    ['EPERM', 'status: no right', (h) => errno(h.h1.status(2, 63))],
    ['success', 'status: FREE is closed', (h) => errno(h.h1.status(1, 63))],
    ['EINVAL', 'unmask: a port beyond the table', (h) => errno(h.h1.unmask(64))],
    ['success', 'unmask: FREE', (h) => errno(h.h1.unmask(63))],
    ['ENOENT', 'init_control: no vcpu', (h) => errno(h.h1.initControl(1, 0, 1))],
    ['EINVAL', 'init_control: crosses the page', (h) => errno(h.h1.initControl(0, h.d1.memory.alloc().gfn, 4032))],
    ['EINVAL', 'init_control: unaligned', (h) => errno(h.h1.initControl(0, h.d1.memory.alloc().gfn, 4))],
    ['EINVAL', 'init_control: no page', (h) => errno(h.h1.initControl(0, 0xdead, 0))],
    [
      'EINVAL',
      'init_control: twice',
      (h) => second(toFifo(h.d1, h.h1), errno(h.h1.initControl(0, h.d1.memory.alloc().gfn, 0))),
    ],
    ['success', 'init_control: the last place', (h) => errno(h.h1.initControl(0, h.d1.memory.alloc().gfn, 4024))],
    ['EOPNOTSUPP', 'expand_array: 2-level', (h) => errno(h.h1.expandArray(0xdead))],
    ['EINVAL', 'expand_array: no page', (h) => second(toFifo(h.d1, h.h1), errno(h.h1.expandArray(0xdead)))],
    [
      'ENOSPC',
      'expand_array: 128 pages, wins over a bad page',
      (h) => {
        toFifo(h.d1, h.h1);
        for (let n = 1; n < 128; n++) value(h.h1.expandArray(h.d1.memory.alloc().gfn));
        return errno(h.h1.expandArray(0xdead));
      },
    ],
    ['EINVAL', 'set_priority: a port beyond the table wins over ENOSYS', (h) => errno(h.h1.setPriority(64, 99))],
    ['ENOSYS', 'set_priority: 2-level wins over EACCES', (h) => errno(h.h1.setPriority(5, 99))],
    [
      'EACCES',
      'set_priority: FREE wins over the priority',
      (h) => second(toFifo(h.d1, h.h1), errno(h.h1.setPriority(5, 99))),
    ],
    [
      'EINVAL',
      'set_priority: 16',
      (h) => second(toFifo(h.d1, h.h1), errno(h.h1.setPriority(value(h.h1.bindIpi(0)), 16))),
    ],
    ['EINVAL', 'poll: 129 ports', (h) => errno(h.h1.poll(0, Array(129).fill(1), 0, () => {}))],
    ['EINVAL', 'poll: a port that is not open', (h) => errno(h.h1.poll(0, [3], 0, () => {}))],
    ['EPERM', 'set_virq_handler: not the control domain', (h) => errno(h.h1.setVirqHandler(1, 3))],
    ['ESRCH', 'set_virq_handler: no domain', (h) => errno(h.h0.setVirqHandler(9, 3))],
    ['EINVAL', 'set_virq_handler: not global', (h) => errno(h.h0.setVirqHandler(1, 0))],
    ['EINVAL', 'set_virq_handler: dying', (h) => second(die(h), errno(h.h0.setVirqHandler(1, 3)))],
    ['EBUSY', 'set_virq_handler: bound', (h) => second(h.h0.bindVirq(3), errno(h.h0.setVirqHandler(1, 3)))],
    [
      'success',
      'set_virq_handler: the present one, though bound',
      (h) => second(h.h0.bindVirq(3), errno(h.h0.setVirqHandler(0, 3))),
    ],
    ['EINVAL', 'register_vcpu_info: no page', (h) => errno(h.h1.registerVcpuInfo(0, 0xdead, 0))],
    [
      'ENXIO',
      'register_vcpu_info: crosses the page',
      (h) => errno(h.h1.registerVcpuInfo(0, h.d1.memory.alloc().gfn, 4040)),
    ],
  ];
  it.each(rows)('%s: %s', (expected, _, call) => {
    expect(call(host())).toBe(expected);
  });
});
