import { describe, expect, it } from 'vitest';
import {
  type Actor,
  type Domain,
  decodePlatform,
  encodePlatform,
  GNTMAP_host_map,
  GTF_reading,
  grantAccess,
  Hypercalls,
  loadFlags,
  loadStatus,
  type Machine,
  PARK,
  type PortsImage,
  type Result,
  Universe,
} from '../../sim/index.ts';

const GUEST = 7;
const VIRQ_TIMER = 0;

function value<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.errno);
  return result.value;
}

interface Side {
  readonly m: Machine;
  readonly dom0: Domain;
  readonly h0: Hypercalls;
  readonly guest: Domain;
  readonly h: Hypercalls;
}

function side(universe: Universe, name: string, vcpus: number): Side {
  const m = universe.add(name);
  const dom0 = m.createDomain(0, 'dom0');
  m.unpause(dom0);
  const guest = m.createDomain(GUEST, 'guest', { type: 'hvm' });
  guest.vcpus = vcpus;
  return { m, dom0, h0: new Hypercalls(m, dom0), guest, h: new Hypercalls(m, guest) };
}

/** Two hosts; on the first a guest runs, on the second there is a new domain of its id. */
function hosts(vcpus = 1) {
  const universe = new Universe({ seed: '1' });
  const [a, b] = [side(universe, 'a', vcpus), side(universe, 'b', vcpus)];
  a.m.unpause(a.guest);
  return { universe, a, b };
}

/** What a stream does with ordinary pages. */
function copyMemory(a: Side, b: Side): void {
  for (const page of a.guest.memory.frames)
    if (!page.isSpecial) b.guest.memory.populate(page.gfn)?.bytes.set(page.bytes);
}

/** All of the move but the store and the backends. */
function move(a: Side, b: Side): void {
  a.m.shutdown(a.guest, 'suspend');
  copyMemory(a, b);
  const { ports, grants } = decodePlatform(octetsOf(a));
  value(b.h0.domctl.setGrants(GUEST, grants));
  value(b.h0.domctl.setPorts(GUEST, ports));
}

function octetsOf({ h0 }: Side): Uint8Array {
  return encodePlatform(imageOf(h0));
}

function imageOf(h0: Hypercalls) {
  const [ports, grants] = [value(h0.domctl.getPorts(GUEST)), value(h0.domctl.getGrants(GUEST))];
  return { ports, grants, storePort: 1, consolePort: 2 };
}

const kinds = ({ ports }: PortsImage) => ports.map(({ port, channel: { kind }, vcpu }) => `${port} ${kind} ${vcpu}`);

describe('ports of a domain that is moved without its help', () => {
  it('NC-9, INV-M10: are the same by number, kind and peer, and a bound one waits for its peer to bind it again', () => {
    const { a, b } = hosts(2);
    const ports = Array.from({ length: 5 }, () => value(a.h.allocUnbound(GUEST, 0)));
    value(a.h0.bindInterdomain(GUEST, ports[1] as number));
    value(a.h.close(ports[3] as number));
    const timer = value(a.h.evtchn.bindVirq(VIRQ_TIMER, 1));
    value(a.h.evtchn.bindIpi(1));
    value(a.h.evtchn.bindVcpu(ports[1] as number, 1));
    move(a, b);
    const before = value(a.h0.domctl.getPorts(GUEST));
    expect(kinds(before)).toEqual([
      '1 unbound 0',
      '2 interdomain 1',
      '3 unbound 0',
      '4 virq 1',
      '5 unbound 0',
      '6 ipi 1',
    ]);
    expect(kinds(value(b.h0.domctl.getPorts(GUEST)))[1]).toBe('2 unbound 1');
    value(b.h0.bindInterdomain(GUEST, ports[1] as number));
    expect(kinds(value(b.h0.domctl.getPorts(GUEST)))).toEqual(kinds(before));
    expect(b.guest.ports.vcpu(1).virqPorts[VIRQ_TIMER]).toBe(timer);
    expect(value(b.h.allocUnbound(GUEST, 0))).toBe(7);
  });

  it.each(['two-level', 'fifo'])(
    'NC-10, MIG-61: what was pending is delivered once, what is masked stays so (%s)',
    (abi) => {
      const { a, b } = hosts();
      if (abi === 'fifo') {
        value(a.h.evtchn.initControl(0, a.guest.memory.alloc().gfn, 0));
        value(a.h.evtchn.expandArray(a.guest.memory.alloc().gfn));
      }
      const ports = [0, 1, 2, 3].map(() => value(a.h.allocUnbound(GUEST, 0)));
      const backend = ports.map((port) => value(a.h0.bindInterdomain(GUEST, port)));
      const [pending, masked, quiet, again] = ports as [number, number, number, number];
      const came: number[] = [];
      for (const port of ports) {
        a.guest.ports.handle(port, () => came.push(port), 'edge');
        a.guest.ports.unmask(port);
      }
      a.guest.ports.mask(masked);
      a.m.shutdown(a.guest, 'suspend'); // it stops where it is
      for (const i of [0, 1, 3]) a.h0.send(backend[i] as number); // raised by the backend after the park
      came.length = 0;
      move(a, b);
      expect(b.guest.ports.abi.kind).toBe(abi);
      b.m.carryOver(a.guest, b.guest);
      expect(came).toEqual([]);
      b.m.unpause(b.guest);
      expect(came.sort()).toEqual([pending, again]);
      expect([masked, quiet].map((port) => [b.guest.ports.isPending(port), b.guest.ports.isMasked(port)])).toEqual([
        [true, true],
        [false, false],
      ]);
      b.guest.ports.unmask(masked);
      expect(came.at(-1)).toBe(masked);
      const port = value(b.h0.bindInterdomain(GUEST, quiet));
      b.h0.send(port);
      b.h0.send(port);
      expect(came.slice(3)).toEqual([quiet, quiet]);
    },
  );

  it('NC-10: queues of the FIFO ABI are made anew, and in the order of priorities', () => {
    const { a, b } = hosts();
    value(a.h.evtchn.initControl(0, a.guest.memory.alloc().gfn, 8));
    value(a.h.evtchn.expandArray(a.guest.memory.alloc().gfn));
    const ports = Array.from({ length: 6 }, () => value(a.h.allocUnbound(GUEST, 0)));
    const backend = ports.map((port) => value(a.h0.bindInterdomain(GUEST, port)));
    const came: number[] = [];
    for (const [i, port] of ports.entries()) {
      a.guest.ports.handle(port, () => came.push(port), 'edge');
      a.guest.ports.unmask(port);
      value(a.h.evtchn.setPriority(port, i < 3 ? 9 : 2));
    }
    a.m.shutdown(a.guest, 'suspend');
    for (const port of backend.toReversed()) a.h0.send(port);
    move(a, b);
    b.m.carryOver(a.guest, b.guest);
    expect(value(b.h0.domctl.getPorts(GUEST)).ports.map(({ priority }) => priority)).toEqual([9, 9, 9, 2, 2, 2]);
    b.m.unpause(b.guest);
    expect(came).toEqual([4, 5, 6, 1, 2, 3]);
  });

  it('NC-9: refusals leave the new domain as it was', () => {
    const { a, b } = hosts();
    expect(a.h0.domctl.getPorts(GUEST)).toMatchObject({ errno: 'EBUSY' });
    value(a.h.allocUnbound(GUEST, 0));
    a.m.shutdown(a.guest, 'suspend');
    const image = value(a.h0.domctl.getPorts(GUEST));
    const one = { port: 1, channel: { kind: 'ipi' }, vcpu: 0, priority: 7, pending: false, masked: false } as const;
    const put = (change: Partial<PortsImage>) => b.h0.domctl.setPorts(GUEST, { ...image, ...change });
    expect(put({ sharedInfo: new Uint8Array(3) })).toMatchObject({ errno: 'EINVAL' });
    expect(put({ ports: [one, one] })).toMatchObject({ errno: 'EINVAL' });
    expect(put({ ports: [one, { ...one, port: 5000 }] })).toMatchObject({ errno: 'ENOSPC' });
    expect(put({ ports: [{ ...one, vcpu: 1 }] })).toMatchObject({ errno: 'ENOENT' });
    expect(put({ ports: [{ ...one, priority: 16 }] })).toMatchObject({ errno: 'EINVAL' });
    expect(put({ ports: [{ ...one, channel: { kind: 'virq', virq: 3 } }] })).toMatchObject({ errno: 'EINVAL' });
    expect(put({ vcpuInfo: [{ vcpu: 0, gfn: 0x7777, at: 0 }] })).toMatchObject({ errno: 'EINVAL' });
    expect(put({ fifo: { blocks: [], pages: [] } })).toMatchObject({ errno: 'EINVAL' });
    expect(b.guest.ports.ports()).toEqual([]);
    expect(b.guest.ports.abi.kind).toBe('two-level');
    expect(put({})).toEqual({ ok: true, value: undefined });
    expect(put({})).toMatchObject({ errno: 'EBUSY' });
    expect(b.h.domctl.setPorts(0, image)).toMatchObject({ errno: 'EPERM' });
    expect(b.h0.domctl.getPorts(99)).toMatchObject({ errno: 'ESRCH' });
  });
});

describe('a grant table that is moved', () => {
  it.each([1, 2])('NC-11: is the same octet for octet, but for who uses it now (version %s)', (version) => {
    const { a, b } = hosts();
    value(a.h.gnttab.setVersion(version));
    a.h.gnttab.setupTable(GUEST, 3);
    const { grants } = a.guest;
    const page = a.guest.memory.alloc();
    grantAccess(grants, 1, { domid: 0, gfn: page.gfn });
    grantAccess(grants, grants.size - 1, { domid: 0, gfn: page.gfn, readonly: true });
    const mapped = a.m.mapGrant(a.dom0, GUEST, 1, GNTMAP_host_map); // the store has not let go
    expect(mapped.status).toBe(0);
    move(a, b);
    const [was, is] = [value(a.h0.domctl.getGrants(GUEST)), value(b.h0.domctl.getGrants(GUEST))];
    expect(is.frames.map(({ gfn }) => gfn)).toEqual(was.frames.map(({ gfn }) => gfn));
    expect(is.statusFrames.length).toBe(version === 2 ? was.statusFrames.length : 0);
    expect(loadStatus(grants, 1) & GTF_reading).toBe(GTF_reading);
    expect(loadStatus(b.guest.grants, 1) & GTF_reading).toBe(0);
    for (let gref = 0; gref < grants.size; gref++)
      if (gref !== 1) expect(loadFlags(b.guest.grants, gref)).toBe(loadFlags(grants, gref));
    expect(loadFlags(b.guest.grants, 0)).toBe(0); // reference 0 is not seeded again
    expect(b.m.mapGrant(b.dom0, GUEST, 1, GNTMAP_host_map).frame?.gfn).toBe(page.gfn);
  });

  it('NC-11: errnos', () => {
    const { a, b } = hosts();
    expect(a.h0.domctl.getGrants(GUEST)).toMatchObject({ errno: 'EBUSY' });
    a.m.shutdown(a.guest, 'suspend');
    const image = value(a.h0.domctl.getGrants(GUEST));
    const [frame] = image.frames as [(typeof image.frames)[number]];
    const put = (change: object) => b.h0.domctl.setGrants(GUEST, { ...image, ...change });
    expect(put({ version: 3 })).toMatchObject({ errno: 'EINVAL' });
    expect(put({ frames: [] })).toMatchObject({ errno: 'EINVAL' });
    expect(put({ statusFrames: [frame] })).toMatchObject({ errno: 'EINVAL' });
    expect(put({ frames: [frame, frame] })).toMatchObject({ errno: 'EINVAL' });
    const many = Array.from({ length: 65 }, (_, i) => ({ ...frame, gfn: frame.gfn + i }));
    expect(put({ frames: many })).toMatchObject({ errno: 'ENOSPC' });
    expect(put({ frames: [{ ...frame, octets: new Uint8Array(1) }] })).toMatchObject({ errno: 'EINVAL' });
    b.m.unpause(b.guest);
    expect(put({})).toMatchObject({ errno: 'EBUSY' });
  });
});

describe('ports and grants as octets', () => {
  it('NC-2: come back as they were, whatever they are, and cut or changed ones are EINVAL with an offset, or other values', () => {
    const { a } = hosts(2);
    value(a.h.evtchn.initControl(0, a.guest.memory.alloc().gfn, 0));
    value(a.h.evtchn.expandArray(a.guest.memory.alloc().gfn));
    value(a.h.evtchn.registerVcpuInfo(1, a.guest.memory.alloc().gfn, 64));
    value(a.h.gnttab.setVersion(2));
    value(a.h.allocUnbound(GUEST, 3));
    value(a.h.evtchn.bindVirq(VIRQ_TIMER, 1));
    value(a.h.evtchn.bindIpi(1));
    a.m.shutdown(a.guest, 'suspend');
    const octets = octetsOf(a);
    const image = imageOf(a.h0);
    expect(decodePlatform(octets)).toEqual(image);
    for (let n = 0; n < octets.length; n += n < 200 || n > octets.length - 20 ? 1 : 97)
      expect(() => decodePlatform(octets.subarray(0, n))).toThrow(/EINVAL: offset \d+/);
    expect(() => decodePlatform(new Uint8Array([...octets, 0]))).toThrow(/offset \d+: 1 octets too many/);
    for (let n = 0; n < 120; n++) {
      const changed = octets.slice();
      changed[n] = (changed[n] as number) ^ 0x80;
      try {
        expect(decodePlatform(changed)).not.toEqual(image);
      } catch (error) {
        expect(String(error)).toMatch(/EINVAL: offset \d+/);
      }
    }
  });
});

describe('carryOver', () => {
  it('NC-1, NC-4: programs go on with the pages that they know, whose octets are those that came', () => {
    const { universe, a, b } = hosts();
    const page = a.guest.memory.alloc();
    const seen: string[] = [];
    const wakes: (() => void)[] = [];
    a.m.start(
      'guest/p',
      a.guest,
      (function* (): Actor {
        for (let n = 0; ; n++) {
          page.store32(0, n, true);
          seen.push(`${n} ${page.load32(4)}`);
          yield PARK;
        }
      })(),
    );
    a.m.start(
      'guest/sleeper',
      a.guest,
      (function* (): Actor {
        for (;;) {
          if (a.h.evtchn.block(0, () => wakes.push(() => {})) === false) yield 1;
          yield PARK;
        }
      })(),
    );
    universe.timeline.run(1_000);
    a.m.shutdown(a.guest, 'suspend');
    grantAccess(a.guest.grants, 9, { domid: 0, gfn: page.gfn });
    const handle = a.m.mapGrant(a.dom0, GUEST, 9, GNTMAP_host_map);
    copyMemory(a, b);
    b.guest.memory.frame(page.gfn)?.store32(4, 77, false); // what came is what counts
    value(b.h0.domctl.setGrants(GUEST, value(a.h0.domctl.getGrants(GUEST))));
    value(b.h0.domctl.setPorts(GUEST, value(a.h0.domctl.getPorts(GUEST))));
    b.m.carryOver(a.guest, b.guest);
    expect(b.guest.memory.frame(page.gfn)).toBe(page);
    expect(a.guest.memory.frame(page.gfn)).not.toBe(page);
    handle.page?.store32(8, 5, false); // a late write of a backend that was not told: it meets what was left behind
    expect([page.load32(8), a.guest.memory.frame(page.gfn)?.load32(8)]).toEqual([0, 5]);
    expect([a.m.scheduler.tasksOf(a.guest).length, b.m.scheduler.tasksOf(b.guest).length]).toEqual([0, 2]);
    b.m.unpause(b.guest);
    for (const task of b.m.scheduler.tasksOf(b.guest)) task.wake();
    universe.timeline.run(10_000);
    expect(seen).toEqual(['0 0', '1 77']);
    a.m.scheduler.halt(); // the source goes down: nothing of the guest is its any more
    for (const task of b.m.scheduler.tasksOf(b.guest)) task.wake();
    universe.timeline.run(20_000);
    expect(seen).toHaveLength(3);
  });

  it('NC-7, NC-26: not into another id, not from one that runs, not into one that has run', () => {
    const { a, b } = hosts();
    expect(() => b.m.carryOver(a.guest, b.guest)).toThrow('EINVAL');
    a.m.shutdown(a.guest, 'suspend');
    expect(() => b.m.carryOver(a.guest, b.m.createDomain(8, 'other'))).toThrow('EINVAL');
    b.m.start('of its own', b.guest, (function* (): Actor {})());
    expect(() => b.m.carryOver(a.guest, b.guest)).toThrow('EINVAL');
  });
});
