import { describe, expect, it } from 'vitest';
import {
  type Actor,
  checkFreed,
  checkMachine,
  Digest,
  GNTMAP_host_map,
  loneMachine,
  MachineWatch,
  REQ_CONS,
  REQ_PROD,
  RSP_CONS,
  VIRQ_DOM_EXC,
} from '../../sim/index.ts';
import { counting, host, value } from './domains/host.ts';

/** A host with a channel, a mapping and the VIRQ, in which nothing is wrong. */
function busy() {
  const h = host();
  const port = value(h.h1.allocUnbound(1, 0));
  const local = value(h.h0.bindInterdomain(1, port));
  const page = h.d1.memory.alloc();
  h.m.seedGrant(h.d1, 1, 0, page);
  const { handle } = h.h0.mapGrant(1, 1, GNTMAP_host_map);
  const virq = value(h.h0.bindVirq(VIRQ_DOM_EXC));
  expect(checkMachine(h.m)).toEqual([]);
  return { ...h, port, local, page, virq, handle: handle as number };
}
type Busy = ReturnType<typeof busy>;

describe('checkMachine tells', () => {
  it.each<[string, (h: Busy) => void, RegExp]>([
    ['CHK-1: an id that is nobody’s', (h) => Object.assign(h.d1, { domid: 2 }), /another one has its id/],
    ['CHK-1: an id beyond the ordinary ones', (h) => Object.assign(h.d1, { domid: 0x7ff0 }), /no domain's id/],
    ['CHK-2: a channel that does not lead back', (h) => h.d1.ports.set(h.port, undefined), /does not lead back/],
    ['CHK-3: a mapping of an entry that is not pinned', (h) => h.d1.grants.pinned().length && unpin(h), /pins/],
    ['CHK-4: pins that no handle accounts for', (h) => pinTwice(h), /pins/],
    ['CHK-4: more mappings counted than held', (h) => h.d1.foreignMaps++, /mappings counted/],
    ['CHK-6: a bitmap without the VIRQ', (h) => h.m.lives.domExcBound(false), /bitmap/],
    ['CHK-6: the VIRQ in a table and not at a port', (h) => (h.dom0.ports.vcpu(0).virqPorts[3] = 0), /bitmap/],
    ['CHK-12: one unique id twice', (h) => Object.assign(h.d1, { uniqueId: h.d2.uniqueId }), /unique id/],
    ['CHK-12: unique id 0', (h) => Object.assign(h.d1, { uniqueId: 0n }), /unique id 0/],
    ['a dead domain that nobody holds', (h) => (h.d2.dying = 'dead'), /dead, unreferenced/],
    ['a shutdown without its beginning', (h) => (h.d2.isShutDown = true), /without a reason/],
    ['more unpauses than pauses', (h) => h.d2.controllerPauses--, /-1 pauses/],
  ])('%s', (_, damage, finding) => {
    const h = busy();
    damage(h);
    expect(checkMachine(h.m).join('\n')).toMatch(finding);
  });

  it('CHK-5: what a freed domain still has', () => {
    const h = busy();
    value(h.h1.domctl.watchdog(0, 5));
    expect(checkFreed(h.d1).join('\n')).toMatch(
      /is alive\n.*ports 1\n.*pinned.*\n.*mapped 1 times\n.*pages\n.*watchdogs/,
    );
    h.h0.unmapGrant(h.handle);
    value(h.h0.destroyDomain(1));
    h.settle();
    expect([h.m.domain(1), checkFreed(h.d1), checkMachine(h.m)]).toEqual([undefined, [], []]);
  });
});

function unpin(h: Busy): void {
  const record = h.d1.grants.active(1);
  if (record !== undefined) record.pin = 0;
}

function pinTwice(h: Busy): void {
  const record = h.d1.grants.active(1);
  if (record !== undefined) record.pin += record.pin;
}

describe('a watch', () => {
  it('checks every so many steps, and never changes a run', () => {
    const digest = (every: number) => {
      const { m } = host();
      const watch = every > 0 ? new MachineWatch(m, every) : undefined;
      counting(m, 1);
      m.scheduler.run(100_000);
      return [m.trace.digest.hex(), watch?.checks ?? 0];
    };
    const [plain, watched, often] = [digest(0), digest(10), digest(1)];
    expect([watched[0], often[0]]).toEqual([plain[0], plain[0]]);
    expect([watched[1], often[1]]).toEqual([10, 101]);
  });

  it('a finding ends the run as an error', () => {
    const { m, d1 } = host();
    new MachineWatch(m, 5);
    counting(m, 1);
    m.scheduler.run(2_500);
    d1.foreignMaps = 3;
    expect(() => m.scheduler.run(100_000)).toThrow(/assertion: .*3 mappings counted/);
  });

  it('CHK-5: looks at freed domains again', () => {
    const { m, d1, h0, settle } = host();
    const watch = new MachineWatch(m, 1);
    value(h0.destroyDomain(1));
    settle();
    watch.check();
    d1.ports.set(1, { state: 'ipi' });
    expect(() => watch.check()).toThrow(/freed domain 1 has ports 1/);
  });

  it.each([
    [REQ_PROD, 1_025, /requests from 0 to 1025/],
    [REQ_CONS, 1, /requests from 1 to 0/],
    [RSP_CONS, 5, /responses from 5 to 0/],
  ])('indexes of a trusted ring that pass each other: word %i, %i', (word, index, finding) => {
    const { m, d1, h0, settle } = host();
    const watch = new MachineWatch(m, 1);
    const ring = d1.memory.alloc();
    watch.trust(d1, ring);
    watch.check();
    ring.store32(word, index, true);
    expect(() => watch.check()).toThrow(finding);
    value(h0.destroyDomain(1)); // what is left in the page of a domain that is gone says nothing
    m.scheduler.onStep = undefined;
    settle();
    watch.check();
  });

  it('CHK-6: a VIRQ_DOM_EXC before any bit', () => {
    const h = busy();
    new MachineWatch(h.m, 1);
    while (h.h0.popChanged() !== undefined);
    expect(() => h.m.events.raiseGlobal(VIRQ_DOM_EXC)).toThrow(/without a changed domain/);
  });

  it('CHK-7: a step of a domain that may not run', () => {
    const { m, d1 } = host();
    new MachineWatch(m, 1000);
    let looks = 0;
    // May run when the scheduler looks, and not when the step is taken: what a scheduler that forgets to look would do.
    Object.defineProperty(d1, 'isRunning', { get: () => looks++ % 2 === 0 });
    counting(m, 1);
    expect(() => m.scheduler.run(10)).toThrow(/runs in domain 1, which may not/);
  });

  it('CHK-7: paused, shut down and dying domains take no step', () => {
    const { m, d1, d2, h0, h2 } = host();
    new MachineWatch(m, 1);
    const d3 = value(h0.createDomain(3, 'd3'));
    value(h0.unpause(3));
    const seen = [1, 2, 3].map((domid) => counting(m, domid));
    m.scheduler.run(5_500);
    value(h0.pause(1));
    h2.domctl.shutdown(0);
    value(h0.destroyDomain(3));
    const before = seen.map(({ steps }) => steps);
    m.scheduler.run(100_000);
    expect(seen.map(({ steps }) => steps)).toEqual(before);
    expect([d1, d2, d3].map((d) => d.isRunning)).toEqual([false, false, false]);
  });

  it('CHK-12: a unique id that comes back after its domain is gone', () => {
    const { m, d1, h0, settle } = host();
    new MachineWatch(m, 1);
    value(h0.destroyDomain(1));
    settle();
    expect(() => m.createDomain(1, 'heir', d1.uniqueId)).toThrow(/unique id/);
  });
});

describe('single rules', () => {
  it('CHK-8: a send that finds pending set changes nothing else', () => {
    const { m, d1, h0, local, port } = busy();
    d1.ports.mask(port);
    h0.send(local);
    const words = () => [...d1.ports.sharedInfo].join();
    d1.ports.vcpu(0).upcallPending = false; // would be set again by an edge
    const before = words();
    d1.ports.kernel.install(port, () => expect.unreachable('no upcall'), 'edge');
    h0.send(local);
    expect(words()).toBe(before);
    expect(checkMachine(m)).toEqual([]);
  });

  it('CHK-10: a seed gives byte-identical memory at each step, and another seed other memory', () => {
    const run = (seed: string) => {
      const m = loneMachine({ seed, jitter: { stepNs: 64, absentOneIn: 16, absentNsMax: 1_000 } });
      const d = m.createDomain(1, 'd1');
      m.unpause(d);
      const page = d.memory.alloc();
      const digests: string[] = [];
      m.scheduler.onStep = () => {
        const digest = new Digest();
        for (let at = 0; at < 64; at += 4) digest.word(page.load32(at));
        digests.push(digest.hex());
      };
      for (let cpu = 0; cpu < 4; cpu++)
        m.start(
          `cpu${cpu}`,
          d,
          (function* (): Actor {
            const draws = m.streams.for(`draws${cpu}`);
            for (let i = 0; i < 200; i++) {
              const at = draws.below(16) * 4;
              const value = page.load32(at);
              yield 20;
              page.store32(at, value * 3 + cpu + 1, true);
              yield 20;
            }
          })(),
        );
      m.scheduler.run(10_000_000);
      return digests;
    };
    const first = run('5');
    expect(first.length).toBeGreaterThan(1_600);
    expect(run('5')).toEqual(first);
    expect(run('6')).not.toEqual(first);
  });
});
