import { describe, expect, it } from 'vitest';
import { type Actor, DOMID_ANY, GNTMAP_host_map, GNTST, Hypercalls } from '../../../sim/index.ts';
import { host, refused, value } from './host.ts';

const SUSPEND = 2;

/** A guest with a ring page granted to dom0 and mapped there, a channel, a handler, and a suspend under way. */
function suspended() {
  const h = host();
  const page = h.d1.memory.alloc();
  h.m.seedGrant(h.d1, 1, 0, page);
  const { handle } = h.h0.mapGrant(1, 1, GNTMAP_host_map);
  const port = value(h.h1.allocUnbound(1, 0));
  const local = value(h.h0.bindInterdomain(1, port));
  h.h1.domctl.shutdown(SUSPEND);
  return { ...h, page, port, local, handle: handle as number };
}

describe('suspend', () => {
  it('SUS-4: a restored domain has another id, and none of the old ports, references and mappings', () => {
    const h = suspended();
    const heir = value(h.h0.createDomain(DOMID_ANY, 'restored'));
    const own = new Hypercalls(h.m, heir);
    expect([heir.domid === 1, heir.uniqueId === h.d1.uniqueId]).toEqual([false, false]);
    expect(own.send(h.port)).toBe('EINVAL');
    expect(h.h0.mapGrant(heir.domid, 1, GNTMAP_host_map).status).toBe(GNTST.general_error);
    expect(own.bindInterdomain(0, h.local)).toEqual(refused('EINVAL'));
    value(h.h0.destroyDomain(1));
    h.settle();
    expect(h.h0.send(h.local)).toBeUndefined(); // dropped: the peer is gone, and nobody says so
    expect(heir.ports.ports()).toEqual([]);
  });

  it('SUS-5: after a cancelled suspend everything is used as it was, and events of the meantime arrive', () => {
    const h = suspended();
    let upcalls = 0;
    h.d1.ports.handle(h.port, () => {
      upcalls++;
      h.d1.ports.clear(h.port);
    });
    h.h0.send(h.local);
    h.page.store32(0, 5, false);
    value(h.h0.resume(1));
    expect([upcalls, h.page.load32(0), h.h1.send(h.port)]).toEqual([1, 5, undefined]);
    expect(h.h0.unmapGrant(h.handle)).toBe(GNTST.okay);
  });

  it('SUS-6: what the restorer leaves of a pv guest’s shared_info: nothing pending, all masked, nothing selected', () => {
    const h = suspended();
    h.h0.send(h.local);
    h.d1.ports.resetWords();
    const { sharedInfo } = h.d1.ports;
    const words = (from: number, to: number) => new Set(sharedInfo.subarray(from, to));
    expect([h.d1.ports.isPending(h.port), h.d1.ports.isMasked(h.port)]).toEqual([false, true]);
    expect(words(0xa00, 0xc00)).toEqual(new Set([255])); // evtchn_mask
    expect(words(0x800, 0xa00)).toEqual(new Set([0])); // evtchn_pending
  });

  it('DOM-23: the vCPUs of a suspended domain go on in a new one, where the return register is 0, each where it was', () => {
    const { m, d1, h0, h1 } = host();
    const seen: string[] = [];
    let heirDomid = -1;
    m.start(
      'guest',
      d1,
      (function* (): Actor {
        for (let i = 0; ; i++) {
          seen.push(`${i} in ${m.scheduler.tasksOf(d1).length > 0 ? 1 : heirDomid}`);
          yield 100;
        }
      })(),
    );
    m.scheduler.run(150);
    const heir = value(h0.createDomain(DOMID_ANY, 'heir'));
    heirDomid = heir.domid;
    expect(h0.domctl.moveContext(1, heir.domid)).toEqual(refused('EINVAL')); // it runs
    h1.domctl.shutdown(SUSPEND);
    value(h0.domctl.setReturnRegister(1, 1));
    expect(h0.domctl.moveContext(1, 1)).toEqual(refused('EINVAL'));
    value(h0.domctl.moveContext(1, heir.domid));
    m.scheduler.run(10_000);
    expect([seen, m.scheduler.tasksOf(d1).length, heir.returnRegister]).toEqual([['0 in 1', '1 in 1'], 0, 0]); // still paused
    value(h0.unpause(heir.domid));
    m.scheduler.run(10_050);
    expect(seen[2]).toBe(`2 in ${heir.domid}`);
    h1.domctl.shutdown(SUSPEND);
    expect(h0.domctl.moveContext(1, heir.domid)).toEqual(refused('EINVAL')); // it has run
  });

  it('SUS-9: a guest without drivers is parked from outside, wherever it is', () => {
    const { m, d1, h0 } = host({ type: 'hvm' });
    let steps = 0;
    m.start(
      'guest',
      d1,
      (function* (): Actor {
        for (;;) {
          steps++;
          yield 100;
        }
      })(),
    );
    m.scheduler.run(1_050);
    value(h0.domctl.remoteShutdown(1, SUSPEND));
    const before = steps;
    m.scheduler.run(100_000);
    expect([d1.shutdown, steps]).toEqual(['suspend', before]);
  });

  it('SUS-10: log-dirty does not see what a backend stores through a mapping before that is taken down', () => {
    const h = suspended();
    h.d1.memory.logDirty(true);
    h.page.store32(0, 1, false);
    expect(h.d1.memory.dirty?.gfns()).toEqual([]);
    h.h0.unmapGrant(h.handle);
    expect(h.d1.memory.dirty?.gfns()).toEqual([h.page.gfn]);
  });

  it('SUS-12: a save that fails after the park ends in a resume in place, any number of times', () => {
    const h = suspended();
    for (let i = 0; i < 3; i++) {
      value(h.h0.resume(1));
      expect(h.d1.isRunning).toBe(true);
      h.h1.domctl.shutdown(SUSPEND);
      expect(h.d1.shutdown).toBe('suspend');
    }
  });
});
