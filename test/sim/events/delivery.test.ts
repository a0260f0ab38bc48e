import { describe, expect, it } from 'vitest';
import { checkEvents } from '../../../sim/events/check.ts';
import { VIRQ_DOM_EXC } from '../../../sim/index.ts';
import { connected, errno, host, toFifo, value } from './host.ts';

const PENDING_AT = 2048;
const MASK_AT = 2560;

describe('two-level delivery', () => {
  it('EVT-14: pending, then the selector, then the upcall flag, at the places of xen.h', () => {
    const h = host(2);
    const { local, remote } = connected(h);
    value(h.h1.bindVcpu(remote, 1));
    h.d1.ports.onUpcall = () => {};
    const words = h.d1.ports.sharedInfo;
    expect(remote).toBe(1);
    h.h0.send(local);
    expect([words[PENDING_AT], words[64], words[64 + 8], words[0], words[8]]).toEqual([2, 1, 1, 0, 0]);
  });

  it('EVT-14, CHK-8: a send that finds pending set changes nothing, not even for a port that was unmasked by a store', () => {
    const h = host();
    const { local, remote } = connected(h);
    h.d1.ports.mask(remote);
    h.h0.send(local);
    const words = h.d1.ports.sharedInfo;
    words[MASK_AT] = 0;
    const before = [...words];
    let woken = 0;
    expect(value(h.h1.poll(0, [], 0, () => woken++))).toBe(true);
    h.h0.send(local);
    expect([...words]).toEqual(before);
    expect(woken).toBe(0);
  });

  it('EVT-14: a selector bit that is set already gives no upcall; the flag of a full selector is left to its reader', () => {
    const h = host();
    const { local } = connected(h);
    let upcalls = 0;
    h.d1.ports.onUpcall = (vcpu) => {
      vcpu.upcallPending = false;
      upcalls++;
    };
    h.d1.ports.sharedInfo[8] = 1; // the guest wrote its own selector
    h.h0.send(local);
    expect(upcalls).toBe(0);
  });

  it('EVT-15, EVT-26: the receiver clears the flag and the selector, and runs the ports in bit order', () => {
    const h = host();
    const runs: number[] = [];
    const ports = Array.from({ length: 200 }, () => value(h.h1.bindIpi(0)));
    for (const port of ports) h.d1.ports.handle(port, () => runs.push(port), 'edge');
    const { ports: d1 } = h.d1;
    d1.vcpu(0).upcallMasked = true;
    for (const port of [130, 3, 65, 64, 199]) h.h1.send(port);
    expect(runs).toEqual([]);
    h.h1.block(0, () => {});
    expect(runs).toEqual([3, 64, 65, 130, 199]);
    expect([...d1.sharedInfo.subarray(0, 16)].some((octet) => octet !== 0)).toBe(false);
    expect(d1.isPending(64)).toBe(false);
  });

  it.each([
    ['edge', 0, 0],
    ['fasteoi', 0, 0],
    ['lateeoi', 0, 1],
    ['later', 1, 0],
  ] as const)('EVT-15: a port served as %s is left pending %i, masked %i', (service, pending, masked) => {
    const { h1, d1 } = host();
    const port = value(h1.bindIpi(0));
    let runs = 0;
    d1.ports.handle(port, () => runs++, service);
    h1.send(port);
    expect([runs, Number(d1.ports.isPending(port)), Number(d1.ports.isMasked(port))]).toEqual([1, pending, masked]);
  });

  it('EVT-16: clearing the mask by a store does not re-trigger', () => {
    const { h1, d1 } = host();
    const port = value(h1.bindIpi(0));
    let runs = 0;
    d1.ports.handle(port, () => runs++, 'edge');
    d1.ports.mask(port);
    h1.send(port);
    d1.ports.sharedInfo[MASK_AT] = 0;
    expect([runs, d1.ports.isPending(port), d1.ports.vcpu(0).upcallPending]).toEqual([0, true, false]);
  });

  it('EVT-17: the unmask hypercall delivers on the vCPU that the port notifies', () => {
    const { h1, d1 } = host(2);
    const port = value(h1.allocUnbound(1, 1));
    value(h1.bindVcpu(port, 1));
    const upcalls: number[] = [];
    d1.ports.onUpcall = (vcpu) => {
      vcpu.upcallPending = false;
      upcalls.push(vcpu.id);
    };
    d1.ports.mask(port);
    d1.ports.raise(port);
    value(h1.unmask(port));
    expect(upcalls).toEqual([1]);
    value(h1.unmask(port)); // not masked: nothing
    expect(upcalls).toEqual([1]);
  });

  it('EVT-18: many sends between two clears run the handler once', () => {
    const h = host();
    const { local, remote } = connected(h);
    let runs = 0;
    h.d1.ports.handle(remote, () => runs++);
    for (let n = 0; n < 100; n++) h.h0.send(local);
    expect(runs).toBe(1);
    h.d1.ports.clear(remote);
    h.h0.send(local);
    expect(runs).toBe(2);
  });

  it('EVT-19: a receiver that clears pending after its last look loses the wake-up, one that clears before does not', () => {
    for (const clearsFirst of [true, false]) {
      const h = host();
      const { local, remote } = connected(h);
      const page = h.d1.memory.alloc();
      let runs = 0;
      h.d1.ports.handle(remote, () => runs++);
      h.h0.send(local);
      if (clearsFirst) h.d1.ports.clear(remote);
      expect(page.load32(0)).toBe(0);
      page.store32(0, 1, false);
      h.h0.send(local);
      if (!clearsFirst) h.d1.ports.clear(remote);
      expect(runs).toBe(clearsFirst ? 2 : 1);
    }
  });

  it('DOM-14, EVT-10: a paused domain takes its upcalls when it runs again, each port once', () => {
    const h = host();
    const { local, remote } = connected(h);
    const runs: string[] = [];
    h.m.pause(h.d1);
    h.h0.send(local);
    h.d1.ports.handle(remote, () => runs.push('late handler'));
    expect([runs.length, h.d1.ports.vcpu(0).upcallPending]).toEqual([0, true]);
    h.m.unpause(h.d1);
    expect(runs).toEqual(['late handler']);
  });

  it('INJ-E9: an event taken when nobody cared is not lost on a handler that is installed while the domain is paused', () => {
    const h = host();
    const { local, remote } = connected(h);
    h.h0.send(local);
    expect(h.d1.ports.vcpu(0).upcallPending).toBe(false);
    h.m.pause(h.d1);
    let runs = 0;
    h.d1.ports.handle(remote, () => runs++);
    expect(runs).toBe(0);
    h.m.unpause(h.d1);
    expect(runs).toBe(1);
  });

  it('DOM-43: registering vcpu_info moves the words, sets the whole selector and gives one spurious upcall', () => {
    const { h1, d1 } = host();
    const page = d1.memory.alloc();
    let upcalls = 0;
    d1.ports.onUpcall = (vcpu) => {
      vcpu.upcallPending = false;
      upcalls++;
    };
    value(h1.registerVcpuInfo(0, page.gfn, 128));
    expect([upcalls, ...page.bytes.subarray(136, 144)]).toEqual([1, ...Array(8).fill(255)]);
    expect(errno(h1.registerVcpuInfo(0, page.gfn, 0))).toBe('EBUSY');
  });

  it('a handler that always raises its own port does not hang the step', () => {
    const { m, h1, d1 } = host();
    const port = value(h1.bindIpi(0));
    let runs = 0;
    d1.ports.handle(
      port,
      () => {
        if (++runs < 1_000) h1.send(port);
      },
      'edge',
    );
    h1.send(port);
    expect(runs).toBeLessThan(50);
    m.scheduler.run(1_000_000);
    expect(runs).toBe(1_000);
  });
});

describe('sleeping', () => {
  it('EVT-27: block lets upcalls in and sleeps unless one is pending', () => {
    const { h1, d1 } = host();
    const port = value(h1.bindIpi(0));
    let runs = 0;
    let woken = 0;
    d1.ports.handle(port, () => runs++, 'edge');
    d1.ports.vcpu(0).upcallMasked = true;
    h1.send(port);
    expect(h1.block(0, () => woken++)).toBe(false);
    expect([runs, woken]).toEqual([1, 0]);
    expect(h1.block(0, () => woken++)).toBe(true);
    h1.send(port);
    h1.send(port);
    expect([runs, woken]).toEqual([3, 1]);
  });

  it('EVT-27: poll returns at once for a pending port, wakes on a masked one, for another only if several are polled', () => {
    const { h1, d1 } = host();
    const [a, b, c] = [1, 2, 3].map(() => value(h1.bindIpi(0))) as [number, number, number];
    for (const port of [a, b, c]) d1.ports.mask(port);
    const woken: string[] = [];
    h1.send(a);
    expect(value(h1.poll(0, [b, a], 0, () => woken.push('never')))).toBe(false);
    expect(value(h1.poll(0, [b], 0, () => woken.push('b')))).toBe(true);
    h1.send(c);
    expect(woken).toEqual([]);
    h1.send(b);
    expect(woken).toEqual(['b']);
    d1.ports.clear(a);
    d1.ports.clear(b);
    d1.ports.clear(c);
    expect(value(h1.poll(0, [a, b], 0, () => woken.push('a or b')))).toBe(true);
    h1.send(c);
    expect(woken).toEqual(['b', 'a or b']);
  });

  it('EVT-27: poll ends at its time, and not again after it was woken', () => {
    const { m, h1 } = host();
    const port = value(h1.bindIpi(0));
    let woken = 0;
    expect(value(h1.poll(0, [port], 500, () => woken++))).toBe(true);
    m.scheduler.run(499);
    expect(woken).toBe(0);
    m.scheduler.run(600);
    expect(woken).toBe(1);
    expect(value(h1.poll(0, [port], 900, () => woken++))).toBe(true);
    h1.send(port);
    m.scheduler.run(1_000);
    expect(woken).toBe(2);
  });
});

describe('FIFO delivery', () => {
  const fifo = (vcpus = 1) => {
    const h = host(vcpus);
    return { ...h, ...toFifo(h.d1, h.h1) };
  };
  const PENDING = 0x8000_0000;
  const MASKED = 0x4000_0000;
  const LINKED = 0x2000_0000;

  it('EVT-20: without an array page an event is remembered, and raised when the page comes', () => {
    const { d1, h1 } = host();
    const control = d1.memory.alloc();
    value(h1.initControl(0, control.gfn, 0));
    const port = value(h1.bindIpi(0));
    let runs = 0;
    d1.ports.handle(port, () => runs++, 'edge');
    h1.send(port);
    expect(runs).toBe(0);
    value(h1.expandArray(d1.memory.alloc().gfn));
    expect(runs).toBe(1);
  });

  it('EVT-20: without a control block on the target vCPU it is dropped, as it is when the queue keeps changing', () => {
    const { m, d1, h1 } = host(2);
    value(h1.initControl(0, d1.memory.alloc().gfn, 0));
    const array = d1.memory.alloc();
    value(h1.expandArray(array.gfn));
    const port = value(h1.bindIpi(1));
    h1.send(port);
    expect(array.load32(4 * port)).toBe(0);
    const other = value(h1.bindIpi(0));
    m.events.faults = { queueContended: () => true };
    h1.send(other);
    expect(array.load32(4 * other)).toBe(0);
  });

  it('EVT-21: the first event is the head and sets ready, the next is linked behind it', () => {
    const { h1, d1, blocks, array } = fifo();
    d1.ports.onUpcall = () => {};
    const [a, b] = [value(h1.bindIpi(0)), value(h1.bindIpi(0))];
    h1.send(a);
    h1.send(b);
    expect([blocks[0]?.load32(0), blocks[0]?.load32(8 + 4 * 7)]).toEqual([1 << 7, a]);
    expect([array.load32(4 * a), array.load32(4 * b)]).toEqual([
      (PENDING + LINKED + b) >>> 0,
      (PENDING + LINKED) >>> 0,
    ]);
    expect(d1.ports.vcpu(0).upcallPending).toBe(true);
  });

  it.each([
    [4, true],
    [5, false],
  ])(
    'EVT-22: a guest that changes the tail %i times: linked %s, and only its own event is lost',
    (changes, isLinked) => {
      const { m, h1, d1, array } = fifo();
      d1.ports.onUpcall = () => {};
      const [a, b] = [value(h1.bindIpi(0)), value(h1.bindIpi(0))];
      h1.send(a);
      let n = 0;
      m.events.faults = {
        linking: (_, tail) => {
          if (n++ < changes) array.store32(4 * tail, (array.load32(4 * tail) ^ MASKED) >>> 0, true);
        },
      };
      h1.send(b);
      expect((array.load32(4 * a) & 0x1ffff) === b).toBe(isLinked);
      expect(array.load32(4 * a) & 0x1000_0000).toBe(0);
    },
  );

  it('EVT-22: a tail that the guest unlinked makes the new port the head', () => {
    const { m, h1, d1, array, blocks } = fifo();
    d1.ports.onUpcall = () => {};
    const [a, b] = [value(h1.bindIpi(0)), value(h1.bindIpi(0))];
    h1.send(a);
    m.events.faults = { linking: (_, tail) => array.store32(4 * tail, PENDING, true) };
    h1.send(b);
    expect(blocks[0]?.load32(8 + 4 * 7)).toBe(b);
  });

  it('EVT-23, EVT-26: first linked first served in a queue, strictly by priority across them', () => {
    const { h1, d1 } = fifo();
    const runs: number[] = [];
    const ports = [1, 2, 3, 4].map(() => value(h1.bindIpi(0))) as [number, number, number, number];
    for (const port of ports) d1.ports.handle(port, () => runs.push(port), 'edge');
    value(h1.setPriority(ports[3], 0));
    value(h1.setPriority(ports[0], 15));
    d1.ports.vcpu(0).upcallMasked = true;
    for (const port of [ports[0], ports[2], ports[1], ports[3]]) h1.send(port);
    h1.block(0, () => {});
    expect(runs).toEqual([ports[3], ports[2], ports[1], ports[0]]);
  });

  it('EVT-26: what a handler makes ready at a higher priority goes before the rest of its own queue', () => {
    const { h1, d1 } = fifo();
    const runs: number[] = [];
    const [a, b, urgent] = [1, 2, 3].map(() => value(h1.bindIpi(0))) as [number, number, number];
    value(h1.setPriority(urgent, 0));
    for (const port of [b, urgent]) d1.ports.handle(port, () => runs.push(port), 'edge');
    d1.ports.handle(a, () => h1.send(urgent), 'edge');
    d1.ports.vcpu(0).upcallMasked = true;
    h1.send(a);
    h1.send(b);
    h1.block(0, () => {});
    expect(runs).toEqual([urgent, b]);
  });

  it('EVT-21, EVT-27: pollers are woken when PENDING is newly set, also of a masked port, and by nothing else', () => {
    const { h1, d1 } = fifo();
    const port = value(h1.bindIpi(0));
    d1.ports.mask(port);
    let woken = 0;
    expect(value(h1.poll(0, [port], 0, () => woken++))).toBe(true);
    h1.send(port);
    expect(woken).toBe(1);
    expect(value(h1.poll(0, [], 0, () => woken++))).toBe(true);
    h1.send(port);
    expect(woken).toBe(1);
  });

  it('EVT-23: a port that is no longer pending, or masked, is taken off its queue without its handler', () => {
    const { h1, d1, array } = fifo();
    const runs: number[] = [];
    const ports = [1, 2, 3].map(() => value(h1.bindIpi(0))) as [number, number, number];
    for (const port of ports) d1.ports.handle(port, () => runs.push(port), 'edge');
    d1.ports.vcpu(0).upcallMasked = true;
    for (const port of ports) h1.send(port);
    d1.ports.abi.clearPending(ports[0]);
    d1.ports.mask(ports[1]);
    h1.block(0, () => {});
    expect(runs).toEqual([ports[2]]);
    expect(array.load32(4 * ports[1])).toBe((PENDING + MASKED) >>> 0);
  });

  it('EVT-24: a masked port is not linked; the unmask hypercall links it', () => {
    const { h1, d1, array } = fifo();
    const port = value(h1.bindIpi(0));
    let runs = 0;
    d1.ports.handle(port, () => runs++, 'edge');
    array.store32(4 * port, MASKED, true);
    d1.ports.vcpu(0).upcallMasked = true;
    h1.send(port);
    expect([array.load32(4 * port), runs]).toEqual([(PENDING + MASKED) >>> 0, 0]);
    value(h1.unmask(port));
    expect(array.load32(4 * port)).toBe((PENDING + LINKED) >>> 0);
    h1.block(0, () => {});
    expect([array.load32(4 * port), runs]).toEqual([0, 1]);
  });

  it('EVT-25: pending bits of 2-level are raised as array pages arrive; back only by reset', () => {
    const { h1, d1 } = host();
    const port = value(h1.bindIpi(0));
    let runs = 0;
    d1.ports.vcpu(0).upcallMasked = true;
    h1.send(port);
    d1.ports.handle(port, () => runs++, 'edge');
    d1.ports.clear(port);
    h1.send(port);
    const before = runs;
    value(h1.initControl(0, d1.memory.alloc().gfn, 0));
    expect([d1.ports.abi.kind, d1.ports.isPending(port)]).toEqual(['fifo', false]);
    d1.ports.vcpu(0).upcallMasked = false;
    d1.ports.vcpu(0).upcallPending = false;
    value(h1.expandArray(d1.memory.alloc().gfn));
    expect(runs).toBe(before + 1);
  });

  it('a port that changes its queue while it is the tail leaves that queue empty', () => {
    const { h1, d1, blocks } = fifo();
    const [a, b] = [value(h1.bindIpi(0)), value(h1.bindIpi(0))];
    for (const port of [a, b]) d1.ports.handle(port, () => {}, 'edge');
    h1.send(a);
    value(h1.setPriority(a, 3));
    h1.send(a);
    d1.ports.onUpcall = () => {};
    h1.send(b);
    expect([blocks[0]?.load32(0), blocks[0]?.load32(8 + 4 * 7)]).toEqual([1 << 7, b]);
  });
});

describe('restore', () => {
  it('EVT-32, EVT-33: a new domain has the 2-level ABI, no ports, and no pending bits', () => {
    const h = host();
    toFifo(h.d1, h.h1);
    h.m.destroy(h.d1);
    h.m.scheduler.run(1_000_000);
    const heir = h.m.createDomain(1, 'restored');
    expect([heir.ports.abi.kind, heir.ports.ports()]).toEqual(['two-level', []]);
    heir.ports.resetWords();
    expect([...heir.ports.sharedInfo.subarray(PENDING_AT, MASK_AT)].some((o) => o !== 0)).toBe(false);
    expect([...heir.ports.sharedInfo.subarray(MASK_AT, MASK_AT + 512)].every((o) => o === 0xff)).toBe(true);
  });
});

describe('VIRQs', () => {
  it('DOM-26, DOM-27: the handler may be set to a guest, and goes back to dom0 when that dies', () => {
    const { m, h0, h1, d1 } = host();
    value(h0.setVirqHandler(1, VIRQ_DOM_EXC));
    expect(errno(h0.bindVirq(VIRQ_DOM_EXC))).toBe('EBUSY');
    const port = value(h1.bindVirq(VIRQ_DOM_EXC));
    m.shutdown(m.domain(2)!, 'poweroff');
    expect([d1.ports.isPending(port), m.popChanged()]).toEqual([true, 0]);
    expect(errno(h0.setVirqHandler(0, VIRQ_DOM_EXC))).toBe('EBUSY');
    expect(checkEvents(m)).toEqual([]);
    m.destroy(d1);
    m.scheduler.run(1_000_000);
    expect(errno(h0.bindVirq(VIRQ_DOM_EXC))).toBe('success');
  });

  it('DOM-28: unbound, or its lock contended, a VIRQ is dropped; otherwise it goes where the port was moved to', () => {
    const { m, h0, d0 } = host(2);
    m.events.raiseGlobal(VIRQ_DOM_EXC);
    const port = value(h0.bindVirq(VIRQ_DOM_EXC));
    expect(d0.ports.isPending(port)).toBe(false);
    m.events.faults = { virqContended: () => true };
    m.events.raiseGlobal(VIRQ_DOM_EXC);
    expect(d0.ports.isPending(port)).toBe(false);
    m.events.faults = undefined;
    value(h0.bindVcpu(port, 1));
    d0.ports.onUpcall = () => {};
    m.events.raiseGlobal(VIRQ_DOM_EXC);
    expect([d0.ports.isPending(port), d0.ports.vcpu(1).upcallPending]).toEqual([true, true]);
  });

  it('a VIRQ of vCPUs has a port on each', () => {
    const { m, h1, d1 } = host(2);
    const [a, b] = [value(h1.bindVirq(0, 0)), value(h1.bindVirq(0, 1))];
    m.events.raiseVcpu(d1, 0, 1);
    expect([d1.ports.isPending(a), d1.ports.isPending(b)]).toEqual([false, true]);
    value(h1.close(b));
    expect(value(h1.bindVirq(0, 1))).toBe(b);
  });
});

describe('faults', () => {
  it('a dropped edge leaves no trace, a delayed one arrives later, a spurious one needs no sender', () => {
    const h = host();
    const { local, remote } = connected(h);
    let runs = 0;
    h.d1.ports.handle(remote, () => runs++, 'edge');
    h.m.events.faults = { edge: () => ({ kind: 'drop' }) };
    expect(h.h0.send(local)).toBeUndefined();
    expect([runs, h.d1.ports.isPending(remote)]).toEqual([0, false]);
    h.m.events.faults = { edge: () => ({ kind: 'delay', delayNs: 500 }) };
    h.h0.send(local);
    h.m.scheduler.run(499);
    expect(runs).toBe(0);
    h.m.scheduler.run(500);
    expect(runs).toBe(1);
    h.m.events.faults = undefined;
    h.m.events.spurious(h.d1, remote);
    expect(runs).toBe(2);
  });

  it('INJ-E1: edges coalesce until the upcall is let through', () => {
    const h = host();
    const { local, remote } = connected(h);
    let runs = 0;
    h.d1.ports.handle(remote, () => runs++, 'edge');
    h.m.events.faults = { edge: () => ({ kind: 'coalesce', delayNs: 500 }) };
    for (let n = 0; n < 5; n++) h.h0.send(local);
    expect([runs, h.d1.ports.isPending(remote)]).toEqual([0, true]);
    h.m.scheduler.run(500);
    expect(runs).toBe(1);
  });

  it('INJ-E6: a lost kick leaves the flag set until the vCPU next enters the guest', () => {
    const h = host();
    const { local, remote } = connected(h);
    let runs = 0;
    h.d1.ports.handle(remote, () => runs++, 'edge');
    let lose = true;
    h.m.events.faults = { kick: () => ({ kind: lose ? 'lose' : 'pass' }) };
    h.h0.send(local);
    expect([runs, h.d1.ports.vcpu(0).upcallPending]).toEqual([0, true]);
    lose = false;
    h.h1.send(remote);
    expect(runs).toBe(1);
  });

  it('INJ-E2: a delayed kick', () => {
    const h = host();
    const { local, remote } = connected(h);
    let runs = 0;
    h.d1.ports.handle(remote, () => runs++, 'edge');
    h.m.events.faults = { kick: () => ({ kind: 'delay', delayNs: 700 }) };
    h.h0.send(local);
    h.m.scheduler.run(699);
    expect(runs).toBe(0);
    h.m.scheduler.run(701);
    expect(runs).toBe(1);
  });
});
