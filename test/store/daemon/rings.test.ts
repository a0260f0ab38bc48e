import { describe, expect, it } from 'vitest';
import { Rig, requestOctets, type StoreVersion, said } from '../../../guests/hostile/index.ts';
import { type BuiltDomain, GuestOs, strings, text, XS, Xs } from '../../../guests/index.ts';
import type { Host } from '../../../scenarios/engine/host.ts';
import {
  type Actor,
  CONNECTION,
  ERROR as ERROR_AT,
  EVTCHN_PORT,
  endAccess,
  grantAccess,
  openTable,
  REQ_CONS,
  REQ_PROD,
  RSP_CONS,
  RSP_PROD,
  SERVER_FEATURES,
} from '../../../sim/index.ts';

import { testHost } from '../../support/host.ts';

/* One test for each label of the ring's rules between a guest and the store. */

interface Stage {
  readonly host: Host;
  readonly xs: Xs;
  readonly rig: Rig;
  readonly built: BuiltDomain;
  /** Send INTRODUCE for the domain; what the store says. */
  introduce(port?: number): Actor<string>;
  update(): Actor<string>;
  /** Events that the store has sent to the guest since the last call. */
  storeSends(): number;
}

/** Play a piece as dom0 against a store and one domain that is built, granted and not introduced. */
function play(piece: (stage: Stage) => Actor, version: StoreVersion = '4.22'): void {
  const host = testHost({ compat: version });
  const built = host.build(3, 'guest');
  const os = new GuestOs(host.machine, built.domain);
  let sends = 0;
  const storePorts = new Set<number>();
  host.machine.trace.observe((e) => {
    if (e.kind === 'port' && e.what === 'bind' && e.domid === 0 && e.remoteDomid === 3) storePorts.add(e.port);
    if (e.kind === 'send' && e.domid === 0 && storePorts.has(e.port)) sends++;
  });
  let over = false;
  host.dom0.os.start('test', function* (me): Actor {
    const xs = new Xs(host.dom0.client, me);
    for (const [path, value, perms] of [
      ['/local/domain/3', '', ['n0', 'r3']],
      ['/local/domain/3/name', 'guest', ['n0', 'r3']],
      ['/local/domain/3/data', '', ['n3']],
    ] as const) {
      yield* xs.write(path, value);
      yield* xs.setPerms(path, perms);
    }
    const say = (reply: { readonly error: string | undefined; readonly payload: Uint8Array }) =>
      reply.error ?? text(reply.payload).slice(0, -1);
    const stage: Stage = {
      host,
      xs,
      built,
      rig: new Rig(os, me, built, version, () => false),
      *introduce(port = built.port) {
        return say(yield* xs.call(XS.INTRODUCE, strings('3', '1', String(port))));
      },
      *update() {
        yield* xs.call(XS.CONTROL, strings('live-update', '-f', '/usr/sbin/xenstored'));
        return say(yield* xs.call(XS.CONTROL, strings('live-update', '-s', '-t', '0')));
      },
      storeSends() {
        const n = sends;
        sends = 0;
        return n;
      },
    };
    yield* piece(stage);
    over = true;
  });
  host.machine.scheduler.runUntil(() => over, 60e9, 1e7);
  expect(over).toBe(true);
}

const indexes = ({ rig }: Stage) => [REQ_PROD, REQ_CONS, RSP_PROD, RSP_CONS].map((at) => rig.ring.load(at));

describe('the ring and its rules', () => {
  it('XSR-1: indexes run freely over 2^32; after INTRODUCE all four are 0', () =>
    play(function* (stage) {
      for (const at of [REQ_PROD, REQ_CONS, RSP_PROD, RSP_CONS]) stage.rig.ring.store(at, 0xffff_fff0);
      expect(yield* stage.introduce()).toBe('OK');
      expect(indexes(stage)).toEqual([0, 0, 0, 0]);
      for (const at of [REQ_PROD, REQ_CONS, RSP_PROD, RSP_CONS]) stage.rig.ring.store(at, 0xffff_fff0);
      for (let i = 0; i < 3; i++) expect(yield* stage.rig.ask('READ', 'name^')).toBe('guest');
      expect(stage.rig.ring.load(REQ_CONS)).toBe((0xffff_fff0 + 3 * 21) >>> 0);
    }));

  it('XSR-2, XSR-3: a message over the physical end is two chunks each way; every chunk is followed by an event', () =>
    play(function* (stage) {
      yield* stage.introduce();
      stage.storeSends();
      yield* stage.rig.ask('READ', 'name^');
      expect(stage.storeSends()).toBe(4); // header and body, each way
      for (const at of [REQ_PROD, REQ_CONS]) stage.rig.ring.store(at, 1024 - 8);
      yield* stage.rig.ask('READ', 'name^');
      expect(stage.storeSends()).toBe(5); // the header in two chunks
      for (const at of [RSP_PROD, RSP_CONS]) stage.rig.ring.store(at, 1024 - 18);
      yield* stage.rig.ask('READ', 'name^');
      expect(stage.storeSends()).toBe(5); // the reply's body in two chunks
    }));

  it('XSR-4, XSR-9: a request without an event waits until the store is awake for another reason', () =>
    play(function* ({ rig, introduce, xs }) {
      yield* introduce();
      yield 1_000_000;
      yield* rig.ring.put(requestOctets(XS.READ, 1, 0, 'name\0'), 0, 1024, true);
      expect(said(yield* rig.reply(1, 50_000_000))).toBe('nothing');
      yield* xs.read('/');
      expect(said(yield* rig.reply(1, 1_000_000))).toBe('guest');
    }));

  it('XSR-5: a payload of 4096 octets passes, through more than five ring fills', () =>
    play(function* (stage) {
      yield* stage.introduce();
      stage.storeSends();
      const path = 'data/x\0';
      expect(yield* stage.rig.ask('WRITE', path + 'v'.repeat(4096 - path.length))).toBe('ENOSPC'); // whole, and too big a node
      expect(stage.storeSends()).toBeGreaterThan(6);
      expect(stage.rig.errorWord).toBe(0);
    }));

  it('XSR-6: bad indexes and long headers end a connection, which loses its watches; it stays introduced', () =>
    play(function* ({ rig, introduce, xs }) {
      yield* introduce();
      yield* rig.ask('WATCH', 'data^t^');
      rig.ring.store(REQ_PROD, rig.ring.load(REQ_CONS) + 1025);
      rig.ring.signal();
      yield* rig.ignored(2);
      expect(rig.errorWord).toBe(2);
      const before = rig.ring.load(RSP_PROD);
      yield* xs.write('/local/domain/3/data/x', '1');
      yield 1_000_000;
      expect(rig.ring.load(RSP_PROD)).toBe(before);
      expect(text((yield* xs.call(XS.IS_DOMAIN_INTRODUCED, strings('3'))).payload)).toBe('T\0');
    }));

  it('XSR-7: at the quota of outstanding requests octets stay in the ring, and reading goes on when there is room', () =>
    play(function* ({ rig, introduce }) {
      yield* introduce();
      const one = requestOctets(XS.MKDIR, 9, 0, 'data\0');
      for (let i = 0; i < 110; i++) yield* rig.ring.put(one, 100_000);
      yield 1_000_000;
      const stuck = rig.ring.load(REQ_CONS);
      expect(stuck / one.length).toBe(53 + 20); // 53 whole replies fill the ring, 20 more are outstanding
      yield 10_000_000;
      expect(rig.ring.load(REQ_CONS)).toBe(stuck);
      expect(yield* rig.ask('READ', 'name^')).toBe('guest');
    }));

  it('XSR-8: events that wait for 20 s are dropped, replies never', () =>
    play(function* ({ rig, introduce, xs }) {
      yield* introduce();
      yield* rig.ask('WATCH', 'data^t^');
      yield* rig.reply(0, 1_000_000);
      const before = rig.events;
      const one = requestOctets(XS.MKDIR, 9, 0, 'data\0');
      for (let i = 0; i < 60; i++) yield* rig.ring.put(one, 100_000);
      yield 1_000_000; // the reply ring is full, some replies wait
      yield* xs.write('/local/domain/3/data/x', '1');
      yield 21_000_000_000;
      let replies = 0;
      while ((yield* rig.reply(9, 100_000)) !== undefined) replies++;
      while ((yield* rig.replyInOrder(1_000_000)) !== undefined) replies++;
      expect(rig.events).toBe(before);
      expect(rig.taken).toBe(61); // 60 and the one to WATCH
      expect(replies).toBeGreaterThan(0);
    }));

  it('XSR-10: one message in for each ring and pass: a full ring does not keep another waiting', () =>
    play(function* ({ rig, introduce, xs, host }) {
      yield* introduce();
      const one = requestOctets(XS.READ, 9, 0, 'name\0');
      for (let i = 0; i < 48; i++) yield* rig.ring.put(one, 0, 1024, true);
      const from = rig.ring.load(REQ_CONS);
      const sinceNs = host.machine.nowNs;
      yield* xs.read('/');
      expect((rig.ring.load(REQ_CONS) - from) / one.length).toBeLessThan(12);
      expect(host.machine.nowNs - sinceNs).toBeLessThan(40_000);
    }));

  it('XSR-11: the page names the port on 4.22, features are published, and a failure leaves nothing', () => {
    for (const version of ['4.22', '4.17'] as const)
      play(function* ({ rig, introduce, xs, built }) {
        const word = version === '4.22';
        rig.ring.store(EVTCHN_PORT, built.port + 77);
        expect(yield* introduce()).toBe(word ? 'EINVAL' : 'OK');
        rig.ring.store(EVTCHN_PORT, built.port);
        const introduced = text((yield* xs.call(XS.IS_DOMAIN_INTRODUCED, strings('3'))).payload);
        expect(introduced).toBe(word ? 'F\0' : 'T\0');
        if (word) expect(yield* introduce(built.port + 77)).toBe('OK');
        expect(rig.ring.load(SERVER_FEATURES)).toBe(word ? 14 : 0);
        expect(yield* rig.ask('READ', 'name^')).toBe('guest');
      }, version);
  });

  it('XSR-12: a reset answers connection 1 with 0 and an event, and forgets watches, transactions and output', () =>
    play(function* (stage) {
      const { rig, introduce } = stage;
      rig.ring.store(CONNECTION, 1);
      expect(yield* introduce()).toBe('OK');
      expect(rig.ring.load(CONNECTION)).toBe(0);
      expect(stage.storeSends()).toBe(1);
      yield* rig.ask('WATCH', 'data^t^');
      const tx = Number.parseInt(yield* rig.ask('TRANSACTION_START', '^'), 10);
      const port = rig.os.hyper.allocUnbound(3, 0);
      expect(yield* introduce(port.ok ? port.value : 0)).toBe('OK');
      const again = new Rig(rig.os, rig.me, { ...rig.built, port: port.ok ? port.value : 0 }, '4.22', () => false);
      expect(yield* again.ask('UNWATCH', 'data^t^')).toBe('ENOENT');
      expect(yield* again.ask('READ', 'name^', tx)).toBe('ENOENT');
    }));

  it('XSR-13: INTRODUCE once more succeeds with a port that cannot be bound, lifts no error, publishes nothing', () =>
    play(function* ({ rig, introduce }) {
      yield* introduce();
      rig.ring.store(REQ_PROD, rig.ring.load(REQ_CONS) + 2000);
      rig.ring.signal();
      yield* rig.ignored(2);
      rig.ring.store(SERVER_FEATURES, 0);
      expect(yield* introduce(4_000)).toBe('OK');
      expect(rig.ring.load(SERVER_FEATURES)).toBe(0);
      expect(rig.ring.load(ERROR_AT)).toBe(2);
      yield* rig.ring.put(requestOctets(XS.READ, 4, 0, 'name\0'), 0);
      expect(said(yield* rig.reply(4, 5_000_000))).toBe('nothing');
    }));

  it('XSR-14: four stores make a reset, in the order req_prod, req_cons, rsp_prod, rsp_cons', () =>
    play(function* ({ rig, introduce, host }) {
      for (const at of [REQ_PROD, REQ_CONS, RSP_PROD, RSP_CONS]) rig.ring.store(at, 40);
      const words: number[] = [];
      host.machine.trace.observe((e) => {
        if (e.kind === 'index' && e.domid === 3 && e.by === 'store' && e.to === 0) words.push(e.word);
      });
      yield* introduce();
      expect(words).toEqual([1, 0, 3, 2]);
    }));

  it('XSR-15: RELEASE of a living domain takes its nodes and watches; unread octets stay in the page', () =>
    play(function* ({ rig, introduce, xs }) {
      yield* introduce();
      yield* rig.ask('WRITE', 'data/mine^x');
      expect(text((yield* xs.call(XS.RELEASE, strings('3'))).payload)).toBe('OK\0');
      expect((yield* xs.read('/local/domain/3/data/mine')).error).toBe('ENOENT');
      expect((yield* xs.read('/local/domain/3/name')).error).toBeUndefined();
      yield* rig.ring.put(requestOctets(XS.READ, 4, 0, 'name\0'), 0);
      yield 2_000_000;
      expect(rig.ring.unread).toBe(21);
    }));

  it('XSR-17: a ring that cannot be mapped again is ignored, and the update goes on', () =>
    play(function* ({ rig, introduce, update, xs }) {
      yield* introduce();
      const table = openTable(rig.os.hyper.gnttab, rig.os.domain.memory);
      grantAccess(table, 1, { domid: 0x7ff0, gfn: 0 });
      expect(yield* update()).toBe('OK');
      yield* rig.ring.put(requestOctets(XS.READ, 4, 0, 'name\0'), 0);
      expect(said(yield* rig.reply(4, 5_000_000))).toBe('nothing');
      expect(text((yield* xs.call(XS.IS_DOMAIN_INTRODUCED, strings('3'))).payload)).toBe('T\0');
    }));

  it('XSR-18: after a live update an ignored ring is served again, the error word stays', () =>
    play(function* ({ rig, introduce, update }) {
      yield* introduce();
      const good = rig.ring.load(REQ_PROD);
      rig.ring.store(REQ_PROD, good + 2000);
      rig.ring.signal();
      yield* rig.ignored(2);
      rig.ring.store(REQ_PROD, good);
      expect(yield* update()).toBe('OK');
      expect(yield* rig.ask('READ', 'name^')).toBe('guest');
      expect(rig.errorWord).toBe(2);
    }));

  it('XSR-19: a domain that died in the window of an update is found and torn down by the successor', () =>
    play(function* ({ rig, introduce, xs, host }) {
      yield* introduce();
      yield* rig.ask('WRITE', 'data/mine^x');
      yield* xs.call(XS.CONTROL, strings('live-update', '-f', '/usr/sbin/xenstored'));
      host.machine.trace.observe((e) => {
        if (e.kind === 'store' && e.phase === 'dump') host.machine.destroy(rig.os.domain);
      });
      expect(text((yield* xs.call(XS.CONTROL, strings('live-update', '-s', '-t', '0'))).payload)).toBe('OK\0');
      expect(text((yield* xs.call(XS.IS_DOMAIN_INTRODUCED, strings('3'))).payload)).toBe('F\0');
      expect((yield* xs.read('/local/domain/3/data/mine')).error).toBe('ENOENT');
      expect(host.machine.domain(3)).toBeUndefined();
    }));

  it('XSR-11: an entry that is no grant any more refuses INTRODUCE, and can be tried again', () =>
    play(function* ({ rig, introduce, built }) {
      const table = openTable(rig.os.hyper.gnttab, rig.os.domain.memory);
      endAccess(table, 1);
      expect(yield* introduce()).toBe('EINVAL');
      grantAccess(table, 1, { domid: 0, gfn: built.ring.gfn });
      expect(yield* introduce()).toBe('OK');
      expect(yield* rig.ask('READ', 'name^')).toBe('guest');
    }));
});
