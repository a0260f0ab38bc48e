import { describe, expect, it } from 'vitest';
import { BAD_SUSPENDERS, requestOctets } from '../../../guests/hostile/index.ts';
import {
  type ClientHabits,
  handOver,
  LINUX_HABITS,
  LINUX_OLD_HABITS,
  MINIOS_HABITS,
  type Pending,
  restoreGuest,
  resumeGuest,
  split,
  strings,
  suspender,
  suspendGuest,
  type Thread,
  text,
  WINDOWS_HABITS,
  XS,
  Xs,
  XsClient,
} from '../../../guests/index.ts';
import { DomidHistory, destroyDomain, initDom0, Libxl, SharedFiles, writeDomain } from '../../../guests/libxl/index.ts';
import type { Guest, Host } from '../../../scenarios/engine/host.ts';
import { type Actor, type Domain, ERROR as ERROR_AT, REQ_CONS, REQ_PROD } from '../../../sim/index.ts';
import { testHost } from '../../support/host.ts';

/* The toolstack's half of suspend, resume and restore, against real guests and a real store: guests.md 3.5, hypervisor.md 5. */

interface Stage {
  readonly host: Host;
  readonly xs: Xs;
  readonly guest: Guest;
  /** `@releaseDomain` events that dom0 has had since the last call. */
  releases(): number;
  /** What the guest's suspender has come back to. */
  readonly woken: ('same' | 'new')[];
  restore(storePage?: 'zeroed' | 'copied'): Actor<Domain>;
  readonly destroy: (domid: number) => Actor<unknown>;
}

interface Cast {
  readonly habits?: ClientHabits;
  readonly hasChannel?: boolean;
  /** Instead of a kernel that suspends as it should. */
  readonly bad?: (me: Thread, guest: Guest) => Actor;
  /** The piece itself breaks what the machine looks after. */
  readonly isUnchecked?: true;
}

/** Play a piece as dom0 with a store and one guest, domain 1, that is up and running. */
function play(cast: Cast, piece: (stage: Stage) => Actor): Host {
  const host = testHost(cast.isUnchecked ? {} : { checkEverySteps: 50 });
  const { dom0 } = host;
  let over = false;
  dom0.os.start('xl', function* (me): Actor {
    const xs = new Xs(dom0.client, me);
    const xl = new Libxl(dom0.os, dom0.client, { hasBackends: false, shared: new SharedFiles(new DomidHistory(0)) });
    const destroy = (domid: number) => destroyDomain(me, xl, domid);
    yield* initDom0(me, dom0.client);
    const tree = function* (domain: Domain, gfn: number, port: number, name: string): Actor<boolean> {
      return (yield* writeDomain(me, xl, { domain, gfn, port }, { name, type: 'pv' })).rc === 0;
    };
    const built = host.build(1, 'guest');
    yield* tree(built.domain, built.ring.gfn, built.port, 'guest');
    yield* xs.call(XS.INTRODUCE, strings('1', String(built.ring.gfn), String(built.port)));
    const guest = host.boot(built, { ...(cast.habits ?? LINUX_HABITS), tornOneIn: 0 });
    const woken: ('same' | 'new')[] = [];
    guest.os.start('suspend', (own) =>
      cast.bad === undefined
        ? suspender(own, guest.os, guest.client, {
            hasChannel: cast.hasChannel ?? false,
            resumed: (where) => woken.push(where),
          })
        : cast.bad(own, guest),
    );
    dom0.os.hyper.unpause(1);
    const events = { events: [] as { path: string; token: string }[], me };
    yield* dom0.client.watch(events, '@releaseDomain', 'test');
    yield 5_000_000;
    events.events.length = 0;
    yield* piece({
      host,
      xs,
      guest,
      woken,
      releases: () => events.events.splice(0).length,
      destroy,
      *restore(storePage = 'copied') {
        const from = guest.os.domain;
        const heir = yield* restoreGuest(xs, dom0.os, {
          from,
          name: 'heir',
          storeDomid: 0,
          storePage,
          writeTree: (domain, { gfn, port }) => tree(domain, gfn, port, 'guest--incoming'),
          destroy,
        });
        if (heir === undefined) throw new Error('assertion: the restore came to nothing');
        yield* handOver(xs, dom0.os, from, heir, destroy);
        yield 2_000_000;
        return heir;
      },
    });
    over = true;
  });
  host.machine.scheduler.runUntil(() => over, 400e9, 1e7);
  expect(over).toBe(true);
  host.watch?.check();
  return host;
}

/** Run a program in the guest and wait for what it returns. */
function* inGuest<T>({ guest }: Stage, body: (xs: Xs) => Actor<T>, patienceNs = 5_000_000): Actor<T | undefined> {
  let result: T | undefined;
  guest.os.start('program', function* (me): Actor {
    result = yield* body(new Xs(guest.client, me));
  });
  for (let waitedNs = 0; result === undefined && waitedNs < patienceNs; waitedNs += 10_000) yield 10_000;
  return result;
}

describe('what every client relies on', () => {
  it('CL-3, CL-5: the answer to a WATCH comes first, then its one event; a relative path stays relative', () => {
    play({}, function* (stage) {
      const { guest, xs } = stage;
      const got: string[] = [];
      guest.client.observer = {
        sent: () => {},
        got: (_end, type, _id, _tx, payload) => got.push(`${type} ${text(payload).split('\0')[0]}`),
      };
      const events: { path: string; token: string }[] = [];
      yield* inGuest(stage, function* (own) {
        yield* guest.client.watch({ events, me: own.me }, 'data', 'w');
        return true;
      });
      yield* xs.write('/local/domain/1/data/x', '1');
      yield 1_000_000;
      expect(got).toEqual([`${XS.WATCH} OK`, `${XS.WATCH_EVENT} data`, `${XS.WATCH_EVENT} data/x`]);
    });
  });

  it('CL-4: an event is not queued again while an equal one waits; another path is another event', () => {
    play({}, function* (stage) {
      const { guest, xs } = stage;
      const events: { path: string; token: string }[] = [];
      yield* inGuest(stage, function* (own) {
        yield* guest.client.watch({ events, me: own.me }, 'data', 'w');
        return true;
      });
      yield 1_000_000;
      events.length = 0;
      guest.client.held = true;
      for (let i = 0; i < 60; i++) yield* xs.write(`/local/domain/1/data/${i < 30 ? i : 'x'}`, String(i));
      guest.client.release();
      yield 1_000_000;
      const paths = events.map((e) => e.path);
      expect(paths.slice(0, 30)).toEqual(Array.from({ length: 30 }, (_, i) => `data/${i}`));
      expect(new Set(paths.slice(30))).toEqual(new Set(['data/x']));
      expect(paths.length).toBeLessThan(60); // those that were in the ring already are no longer queued
    });
  });
});

const ALL = [
  ['linux', LINUX_HABITS],
  ['old linux', LINUX_OLD_HABITS],
  ['mini-os', MINIOS_HABITS],
  ['windows', WINDOWS_HABITS],
] as const;

describe('asking a guest to suspend', () => {
  it.each(ALL)('M2, M4: %s acks through control/shutdown, and is parked; @releaseDomain tells it', (_, habits) => {
    play({ habits }, function* (stage) {
      const { xs, host, guest, releases } = stage;
      const outcome = yield* suspendGuest(xs, host.dom0.os, { domid: 1 });
      expect([outcome, guest.os.domain.shutdown]).toEqual([{ kind: 'suspended', heard: 'watch' }, 'suspend']);
      expect(releases()).toBe(1);
      expect(text((yield* xs.read('/local/domain/1/control/shutdown')).payload)).toBe('');
    });
  });

  it('TS-16, DOM-20, INJ-D10: over a subscribed channel the toolstack hears of it, and xenstored does not', () => {
    play({ hasChannel: true }, function* ({ xs, host, guest, releases }) {
      const outcome = yield* suspendGuest(xs, host.dom0.os, { domid: 1 });
      yield 5_000_000;
      expect([outcome, releases()]).toEqual([{ kind: 'suspended', heard: 'channel' }, 0]);
      expect(guest.os.domain.suspendPort).toBe(0);
      // The bit is set: whatever raises the VIRQ next shows a shutdown, if it has not ended by then.
      yield* resumeGuest(xs, host.dom0.os, { domid: 1, how: 'fast' });
      yield 1_000_000;
      expect(releases()).toBe(0);
    });
  });

  it('SUS-9: a guest that cannot be asked is parked wherever it is', () => {
    play({}, function* ({ xs, host, guest }) {
      const outcome = yield* suspendGuest(xs, host.dom0.os, { domid: 1, isAskable: false });
      expect([outcome.kind, guest.os.domain.shutdown]).toEqual(['suspended', 'suspend']);
    });
  });

  it('M4: a shutdown for another reason, and an end, are told apart', () => {
    const crash = (code: number) =>
      function* (me: Thread, guest: Guest): Actor {
        const asked = { events: [] as never[], me };
        yield* guest.client.watch(asked, 'control/shutdown', 't');
        while (asked.events.length < 2) yield 10_000;
        yield* new Xs(guest.client, me).write('control/shutdown', '');
        guest.os.hyper.domctl.shutdown(code);
      };
    play({ bad: crash(3) }, function* ({ xs, host }) {
      expect(yield* suspendGuest(xs, host.dom0.os, { domid: 1 })).toEqual({ kind: 'shut down', reason: 'crash' });
      expect(yield* suspendGuest(xs, host.dom0.os, { domid: 99, isAskable: false, patienceNs: 1_000 })).toEqual({
        kind: 'gone',
      });
    });
  });

  describe.each(BAD_SUSPENDERS)('$id: one that $does', ({ gets, run, id }) => {
    it('costs the toolstack 60 s of waiting, and leaves no request behind', () => {
      play({ bad: (me, { os, client }) => run(me, os, client) }, function* ({ xs, host, guest }) {
        const beforeNs = host.machine.nowNs;
        const outcome = yield* suspendGuest(xs, host.dom0.os, { domid: 1 });
        expect(outcome.kind).toBe(gets);
        expect(Math.floor((host.machine.nowNs - beforeNs) / 1e9)).toBe(60);
        expect(text((yield* xs.read('/local/domain/1/control/shutdown')).payload)).toBe('');
        expect(guest.os.domain.shutdown).toBe(id === 'BAD-33' ? 'suspend' : undefined);
      });
    });
  });

  it('BAD-33: one that parks itself again before XS_RESUME is served is not told of: the store believes in the shutdown before', () => {
    const bad = BAD_SUSPENDERS.find((b) => b.id === 'BAD-33');
    play({ bad: (me, { os, client }) => bad?.run(me, os, client) as Actor }, function* ({ xs, host, guest, releases }) {
      for (let i = 0; i < 3; i++) {
        yield* resumeGuest(xs, host.dom0.os, { domid: 1, how: 'fast' });
        yield 1_000_000;
        expect(guest.os.domain.shutdown).toBe('suspend');
      }
      expect(releases()).toBe(2);
    });
  });

  it.each([
    ['the guest first', 0, 'suspended'],
    ['the toolstack first', 40_000, 'no ack'],
  ] as const)('M3, HS-9: the ack races with the time-out: %s', (_, lateNs, due) => {
    const patienceNs = 1_000_000;
    const seen: string[] = [];
    play(
      {
        *bad(me, { os, client }) {
          const xs = new Xs(client, me);
          const asked = { events: [] as never[], me };
          yield* client.watch(asked, 'control/shutdown', 't');
          while (asked.events.length < 2) yield 1_000;
          // It has read the request in its transaction when the toolstack gives up, and commits before or after it.
          const tx = yield* xs.begin();
          if (!('txId' in tx)) return;
          seen.push(text((yield* xs.read('control/shutdown', tx.txId)).payload));
          yield* xs.write('control/shutdown', '', tx.txId);
          yield patienceNs - 50_000 + 2 * lateNs;
          const failed = yield* xs.end(tx.txId, true);
          seen.push(failed ?? 'committed');
          if (failed === undefined) os.hyper.domctl.shutdown(2);
        },
      },
      function* ({ xs, host, guest }) {
        const outcome = yield* suspendGuest(xs, host.dom0.os, { domid: 1, patienceNs });
        expect(outcome.kind).toBe(due);
        yield 1_000_000;
        expect(seen).toEqual(['suspend', due === 'suspended' ? 'committed' : 'EAGAIN']);
        expect(guest.os.domain.shutdown).toBe(due === 'suspended' ? 'suspend' : undefined);
      },
    );
  });
});

describe('resuming in place', () => {
  it.each(ALL)('DOM-23, SUS-5, SUS-12: %s is told that nothing has changed, and nothing has', (_, habits) => {
    play({ habits }, function* (stage) {
      const { xs, host, woken, guest } = stage;
      const events: { path: string; token: string }[] = [];
      yield* inGuest(stage, function* (own) {
        yield* guest.client.watch({ events, me: own.me }, 'data', 'w');
        return true;
      });
      events.length = 0;
      yield* suspendGuest(xs, host.dom0.os, { domid: 1 });
      yield* xs.write('/local/domain/1/data/while-parked', 'x');
      yield* resumeGuest(xs, host.dom0.os, { domid: 1, how: 'fast' });
      yield 1_000_000;
      expect([woken, events.map((e) => e.path)]).toEqual([['same'], ['data/while-parked']]);
      expect(yield* inGuest(stage, (own) => own.write('data/x', '1'))).toMatchObject({ error: undefined });
    });
  });

  it('SUS-8: after a slow resume the guest begins anew in its old domain: its watches are there already', () => {
    play({}, function* (stage) {
      const { xs, host, woken, guest } = stage;
      yield* suspendGuest(xs, host.dom0.os, { domid: 1 });
      yield* resumeGuest(xs, host.dom0.os, { domid: 1, how: 'slow' });
      yield 1_000_000;
      expect([woken, guest.os.domain.domid]).toEqual([['new'], 1]);
      yield* suspendGuest(xs, host.dom0.os, { domid: 1 }); // the watch on control/shutdown still stands
      expect(guest.os.domain.shutdown).toBe('suspend');
    });
  });

  it('DOM-24, INJ-D11: without XS_RESUME the store does not tell of the next shutdown; with it it does', () => {
    play({}, function* ({ xs, host, guest, releases }) {
      const next = function* (tellsStore: boolean): Actor<number> {
        yield* resumeGuest(xs, host.dom0.os, { domid: 1, how: 'fast', tellsStore });
        yield 1_000_000;
        host.machine.shutdown(guest.os.domain, 'suspend');
        yield 1_000_000;
        return releases();
      };
      yield* suspendGuest(xs, host.dom0.os, { domid: 1 });
      expect(releases()).toBe(1);
      expect([yield* next(true), yield* next(false), yield* next(true)]).toEqual([1, 0, 1]);
    });
  });

  it('TS-17: an XS_RESUME that fails changes nothing for the guest', () => {
    play({}, function* ({ xs, host, woken }) {
      yield* suspendGuest(xs, host.dom0.os, { domid: 1 });
      yield* xs.call(XS.RELEASE, strings('1'));
      expect(yield* resumeGuest(xs, host.dom0.os, { domid: 1, how: 'fast' })).toBe('ENOENT');
      yield 1_000_000;
      expect(woken).toEqual(['same']);
    });
  });
});

describe('going on in a new domain', () => {
  it.each(ALL)('SUS-1, SUS-2, SUS-4, LX-18: %s has its watches again, and nothing else of its session', (_, habits) => {
    play({ habits }, function* (stage) {
      const { xs, host, woken, guest } = stage;
      const events: { path: string; token: string }[] = [];
      yield* inGuest(stage, function* (own) {
        yield* guest.client.watch({ events, me: own.me }, 'data', 'w');
        yield* guest.client.watch({ events, me: own.me }, '/local/domain/1/data', 'w-absolute');
        return true;
      });
      const old = guest.os.domain;
      yield* suspendGuest(xs, host.dom0.os, { domid: 1 });
      events.length = 0;
      const heir = yield* stage.restore(habits === WINDOWS_HABITS ? 'zeroed' : 'copied');
      expect([woken, guest.os.domain === heir, heir.domid === 1, host.machine.domain(1)]).toEqual([
        ['new'],
        true,
        false,
        undefined,
      ]);
      expect(new Set(events.map((e) => e.path))).toEqual(new Set(['data', '/local/domain/1/data'])); // each at least once
      events.length = 0;
      yield* inGuest(stage, (own) => own.write('data/after', '1'));
      yield 1_000_000;
      expect(events).toEqual([{ path: 'data/after', token: 'w' }]); // relative paths work, absolute ones dangle
      expect(old.dying).toBe('dead');
    });
  });

  it('SUS-2: a request that waits while its guest is suspended is answered in the new domain', () => {
    play({}, function* (stage) {
      const { xs, host, guest } = stage;
      let answer = '';
      guest.os.start('program', function* (me): Actor {
        const own = new Xs(guest.client, me);
        for (;;) {
          answer = text((yield* own.read('domid')).payload);
          yield 100;
        }
      });
      yield* suspendGuest(xs, host.dom0.os, { domid: 1 });
      expect(answer).toBe('1');
      const heir = yield* stage.restore();
      expect(answer).toBe(String(heir.domid));
    });
  });

  it('SUS-3: the new ring holds nothing when the guest first looks, whatever was in the old page', () => {
    play({ isUnchecked: true }, function* (stage) {
      const { xs, host, guest } = stage;
      yield* suspendGuest(xs, host.dom0.os, { domid: 1 });
      const from = guest.os.domain;
      const page = from.memory.frame(from.startInfo?.storeGfn ?? 0);
      page?.bytes.fill(0x55, 0, 2_048);
      page?.store32(REQ_PROD, 0xffff_fff0, true);
      const heir = yield* restoreGuest(xs, host.dom0.os, {
        from,
        name: 'heir',
        storeDomid: 0,
        storePage: 'copied',
        *writeTree() {
          return true;
        },
        destroy: stage.destroy,
      });
      const copy = heir?.memory.frame(heir.startInfo?.storeGfn ?? 0);
      expect([REQ_CONS, REQ_CONS + 4, REQ_CONS + 8, REQ_CONS + 12].map((at) => copy?.load32(at))).toEqual([0, 0, 0, 0]);
      expect(copy?.bytes[0]).toBe(0x55);
    });
  });

  it.each([
    ['copied', 0x77],
    ['zeroed', 0],
  ] as const)(
    'SUS-7: memory is copied, the store page is %s, page numbers stay, ports are new',
    (storePage, inStorePage) => {
      play({}, function* (stage) {
        const { xs, host, guest } = stage;
        const own = guest.os.allocPage();
        own.bytes.fill(0x66);
        yield* suspendGuest(xs, host.dom0.os, { domid: 1 });
        const old = guest.os.domain;
        const before = old.startInfo;
        old.memory.frame(before?.storeGfn ?? 0)?.bytes.fill(0x77, 3_000);
        const heir = yield* stage.restore(storePage);
        expect([heir.memory.frame(own.gfn)?.bytes[9], heir.startInfo?.storeGfn]).toEqual([0x66, before?.storeGfn]);
        expect(heir.memory.frame(before?.storeGfn ?? 0)?.bytes[4_000]).toBe(inStorePage);
      });
    },
  );

  it('SUS-13: what the guest wrote into its old tree is not carried over', () => {
    play({}, function* (stage) {
      const { xs, host } = stage;
      yield* inGuest(stage, (own) => own.write('data/agent', 'here'));
      yield* suspendGuest(xs, host.dom0.os, { domid: 1 });
      const heir = yield* stage.restore();
      const listed = yield* xs.directory(`/local/domain/${heir.domid}/data`);
      expect(split(listed.payload)).toEqual([]);
      expect((yield* xs.read('/local/domain/1/data/agent')).error).toBe('ENOENT');
    });
  });

  it('SUS-12, INJ-T12: a restore that comes to nothing leaves the guest where it was, and it goes on there', () => {
    play({}, function* (stage) {
      const { xs, host, guest, woken } = stage;
      yield* suspendGuest(xs, host.dom0.os, { domid: 1 });
      const heir = yield* restoreGuest(xs, host.dom0.os, {
        from: guest.os.domain,
        name: 'heir',
        storeDomid: 0,
        storePage: 'copied',
        *writeTree() {
          return false;
        },
        destroy: stage.destroy,
      });
      expect([heir, host.machine.domains().map((d) => d.domid)]).toEqual([undefined, [0, 1]]);
      yield* resumeGuest(xs, host.dom0.os, { domid: 1, how: 'fast' });
      yield 1_000_000;
      expect(woken).toEqual(['same']);
    });
  });

  it('EVT-32: the channel for suspends is offered again, and works', () => {
    play({ hasChannel: true }, function* (stage) {
      const { xs, host, guest } = stage;
      for (let i = 0; i < 3; i++) {
        const outcome = yield* suspendGuest(xs, host.dom0.os, { domid: guest.os.domain.domid });
        expect(outcome).toEqual({ kind: 'suspended', heard: 'channel' });
        yield* stage.restore();
      }
    });
  });
});

describe('a kernel started over another', () => {
  it('SUS-18: half a request of the old one swallows the beginning of the new one’s, for good', () => {
    const host = play({}, function* (stage) {
      const { guest, xs } = stage;
      const { domain } = guest.os;
      const ring = domain.memory.frame(domain.startInfo?.storeGfn ?? 0);
      if (ring === undefined || domain.startInfo === undefined) throw new Error('assertion: no ring');
      guest.client.held = true; // the old kernel has crashed
      const half = requestOctets(XS.WRITE, 1, 0, `data/x\0${'v'.repeat(300)}`).subarray(0, 40);
      const prod = ring.load32(REQ_PROD);
      half.forEach((octet, i) => {
        ring.bytes[(prod + i) & 1_023] = octet;
      });
      ring.store32(REQ_PROD, prod + half.length, true);
      const kdump = new XsClient(guest.os, ring, domain.startInfo.storePort, { ...LINUX_HABITS, tornOneIn: 0 });
      kdump.start({ resetDevices: true });
      const asked: Pending[] = [];
      guest.os.start('dump', function* (me): Actor {
        for (let i = 0; i < 20; i++) asked.push(kdump.submit(me, XS.READ, strings(`name-that-is-long-${i}`)));
      });
      yield 50_000_000;
      expect(asked.map((p) => p.reply).filter((reply) => reply !== undefined)).toEqual([]);
      expect(text((yield* xs.read('/local/domain/1/name')).payload)).toBe('guest'); // dom0 is served all the same
    });
    const domain = host.machine.domain(1);
    expect(domain?.memory.frame(domain.startInfo?.storeGfn ?? 0)?.load32(ERROR_AT)).toBe(3);
  });
});
