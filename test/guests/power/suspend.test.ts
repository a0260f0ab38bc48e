import { describe, expect, it } from 'vitest';
import {
  type ClientHabits,
  LINUX_HABITS,
  LINUX_OLD_HABITS,
  MINIOS_HABITS,
  type Pending,
  type Thread,
  WINDOWS_HABITS,
  XS,
  Xs,
} from '../../../guests/index.ts';
import { type Actor, RSP_CONS, RSP_PROD } from '../../../sim/index.ts';
import { message } from '../../../store/protocol/wire.ts';
import { octets, Peer, shown } from '../xenstore/peer.ts';

/* How four clients come to a rest, and how they go on: guests.md 1.2, 1.3, 1.6, 1.7. The test is the store. */

/** Ask the client for a rest; whether it has come. */
function suspending(peer: Peer): { readonly isQuiet: () => boolean; readonly me: Thread } {
  let isQuiet = false;
  const me = peer.start('suspender', function* (own): Actor {
    yield* peer.client.suspend(own);
    isQuiet = true;
  });
  return { isQuiet: () => isQuiet, me };
}

function ask(peer: Peer, type: number, payload: string, txId = 0): Pending {
  let pending: Pending | undefined;
  peer.start('caller', function* (me): Actor {
    pending = peer.client.submit(me, type, octets(payload), txId);
  });
  return pending as Pending;
}

/** A transaction that a caller has begun; its id. */
function begun(peer: Peer, id = 7): number {
  let txId = -1;
  peer.start('beginner', function* (me): Actor {
    const start = yield* new Xs(peer.client, me).begin();
    if ('txId' in start) txId = start.txId;
  });
  peer.say(XS.TRANSACTION_START, peer.drain()[0]?.reqId ?? 0, `${id}^`);
  return txId;
}

/** Watches on these paths, all of them registered; the events that come. */
function watching(peer: Peer, ...paths: readonly string[]): { readonly path: string; readonly token: string }[] {
  const events: { readonly path: string; readonly token: string }[] = [];
  peer.start('owner', function* (me): Actor {
    for (const path of paths) yield* peer.client.watch({ events, me }, path, `t-${path}`);
  });
  for (const _ of paths) peer.say(XS.WATCH, peer.drain()[0]?.reqId ?? 0, 'OK^');
  return events;
}

/** Answer whatever comes with OK, until nothing comes; the requests. */
function obliging(peer: Peer): string[] {
  const all: string[] = [];
  for (let some = peer.drain(); some.length > 0; some = peer.drain())
    for (const { type, reqId, payload } of some) {
      all.push(`${type} ${payload}`);
      peer.say(type, reqId, 'OK^');
    }
  return all;
}

const said = (pending: Pending) => pending.reply?.error ?? (pending.reply && shown(pending.reply.payload));

describe('coming to a rest', () => {
  it('LX-16: Linux waits for requests that have no answer, and keeps new ones at the door', () => {
    const peer = new Peer(LINUX_HABITS);
    ask(peer, XS.READ, 'a^');
    const { isQuiet } = suspending(peer);
    ask(peer, XS.READ, 'late^');
    expect([peer.drain().map((r) => r.payload), isQuiet()]).toEqual([['a^'], false]);
    peer.say(XS.READ, 0, 'A');
    expect([peer.drain(), isQuiet()]).toEqual([[], true]);
    peer.client.resumeCancelled();
    peer.run();
    expect(peer.drain().map((r) => r.payload)).toEqual(['late^']);
  });

  it.each([
    ['LX-16', LINUX_HABITS, false],
    ['LXO-3', LINUX_OLD_HABITS, false],
    ['MO-5', MINIOS_HABITS, true],
    ['WN-6', WINDOWS_HABITS, true],
  ])('%s: an open transaction holds a suspend up, or does not', (_, habits, atOnce) => {
    const peer = new Peer(habits);
    const tx = begun(peer);
    const { isQuiet } = suspending(peer);
    expect(isQuiet()).toBe(atOnce);
    if (atOnce) return;
    ask(peer, XS.TRANSACTION_END, 'T^', tx); // what belongs to it is let in
    peer.say(XS.TRANSACTION_END, peer.drain()[0]?.reqId ?? 0, 'OK^');
    expect(isQuiet()).toBe(true);
  });

  it.each([
    [
      'LX-16: [trap] Linux counts a transaction that the store had lost for ever, and never suspends again',
      LINUX_HABITS,
      false,
    ],
    ['LXO-3: old Linux does not', LINUX_OLD_HABITS, true],
  ])('%s', (_, habits, suspends) => {
    const peer = new Peer(habits);
    const tx = begun(peer);
    ask(peer, XS.TRANSACTION_END, 'T^', tx);
    peer.say(XS.ERROR, peer.drain()[0]?.reqId ?? 0, 'ENOENT^'); // a forced live update broke it
    const { isQuiet } = suspending(peer);
    peer.run(600_000_000_000);
    expect(isQuiet()).toBe(suspends);
    expect(peer.client.hangs).toBe(!suspends);
    const waits = peer.os.waits.map(({ what }) => what);
    expect(waits).toEqual(suspends ? [] : [expect.stringContaining('a transaction that the store has lost')]);
  });

  it.each([
    ['LX-11: Linux does not suspend in the middle of a message that comes in', LINUX_HABITS, false],
    ['WN-6: Windows does', WINDOWS_HABITS, true],
  ])('%s', (_, habits, atOnce) => {
    const peer = new Peer(habits);
    const event = message(XS.WATCH_EVENT, 0, 0, octets('path^nobody^'));
    peer.put(event.subarray(0, 20));
    peer.signal();
    const { isQuiet } = suspending(peer);
    expect(isQuiet()).toBe(atOnce);
    peer.put(event.subarray(20));
    peer.signal();
    expect(isQuiet()).toBe(true);
  });

  it('LX-14: nobody adds or removes a watch while a suspend is under way', () => {
    const peer = new Peer(LINUX_HABITS);
    suspending(peer);
    const events = { events: [] };
    peer.start('owner', function* (me): Actor {
      yield* peer.client.watch({ ...events, me }, 'a', 't');
    });
    expect(peer.drain()).toEqual([]);
    peer.client.resumeCancelled();
    peer.run();
    expect(peer.drain().map((r) => r.type)).toEqual([XS.WATCH]);
  });
});

describe('going on', () => {
  it.each([
    ['LX-18', LINUX_HABITS, ['c', 'b', 'a']],
    ['LXO-3', LINUX_OLD_HABITS, ['c', 'b', 'a']],
    ['MO-5', MINIOS_HABITS, ['c', 'b', 'a']],
    ['WN-6', WINDOWS_HABITS, ['a', 'b', 'c']],
  ])('%s: in a new domain every watch is sent again, and what waited at the door goes first', (_, habits, order) => {
    const peer = new Peer(habits);
    watching(peer, 'a', 'b', 'c');
    suspending(peer);
    ask(peer, XS.READ, 'late^');
    peer.resume();
    const [first, ...watches] = obliging(peer);
    expect([first, watches.map((w) => w.split('^')[0])]).toEqual([
      `${XS.READ} late^`,
      order.map((p) => `${XS.WATCH} ${p}`),
    ]);
  });

  it('LX-18: errors are ignored: a refused watch stays in the list, and is sent at the next resume', () => {
    const peer = new Peer(LINUX_HABITS);
    watching(peer, 'a');
    for (let life = 0; life < 2; life++) {
      suspending(peer);
      peer.resume();
      const [watch] = peer.drain();
      expect(watch?.payload.split('^')[0]).toBe('a');
      peer.say(XS.ERROR, watch?.reqId ?? 0, 'EEXIST^');
    }
  });

  it('SUS-5: a cancelled suspend sends nothing: watches stand, and what came meanwhile is handled', () => {
    const peer = new Peer(LINUX_HABITS);
    const events = watching(peer, 'a');
    const wire = `FFFF888003000000`;
    suspending(peer);
    peer.say(XS.WATCH_EVENT, 0, `a^${wire}^`);
    expect(events).toEqual([]);
    peer.client.resumeCancelled();
    peer.run();
    expect([events, peer.drain()]).toEqual([[{ path: 'a', token: 't-a' }], []]);
  });

  it('SUS-1: a half-received message of the former life is no part of the first one of the new', () => {
    const peer = new Peer(WINDOWS_HABITS);
    peer.put(message(XS.WATCH_EVENT, 0, 0, octets('path^nobody^')).subarray(0, 20));
    peer.signal();
    suspending(peer);
    peer.resume();
    const asked = ask(peer, XS.READ, 'a^');
    peer.say(XS.READ, peer.drain()[0]?.reqId ?? 0, 'A');
    expect(said(asked)).toBe('A');
  });

  it('LX-19a: events that were queued in the old kernel are handled in the new domain, with the paths of the old life', () => {
    const peer = new Peer(LINUX_HABITS);
    const events = watching(peer, 'a');
    peer.say(XS.WATCH_EVENT, 0, '/local/domain/1/a^FFFF888003000000^');
    suspending(peer);
    peer.resume();
    obliging(peer);
    expect(events).toEqual([{ path: '/local/domain/1/a', token: 't-a' }]);
  });

  it('WN-6: Windows signals each watch once by itself, and its owners add it under a new token', () => {
    const peer = new Peer(WINDOWS_HABITS);
    const events = watching(peer, 'a', 'b');
    suspending(peer);
    peer.resume();
    expect(events.map((e) => e.path)).toEqual(['a', 'b']);
    const tokens = obliging(peer).map((r) => r.split('^')[1]);
    expect(tokens).toEqual([expect.stringMatching(/\|0002$/), expect.stringMatching(/\|0003$/)]);
  });

  it('WN-7: a request in a transaction of the former life is told to try again, and nothing is sent', () => {
    const peer = new Peer(WINDOWS_HABITS);
    const old = begun(peer, 1);
    suspending(peer);
    const late = ask(peer, XS.READ, 'a^', old);
    peer.resume();
    const fresh = begun(peer, 1); // the same number on the wire
    const stale = ask(peer, XS.TRANSACTION_END, 'T^', old);
    expect([said(late), said(stale), peer.drain()]).toEqual(['EAGAIN', 'EAGAIN', []]);
    const own = ask(peer, XS.READ, 'a^', fresh);
    expect(peer.drain().map((r) => r.txId)).toEqual([1]);
    expect(said(own)).toBeUndefined();
  });

  it('LX-16: Linux and mini-os send it all the same, where it may be somebody else’s number now', () => {
    const peer = new Peer(MINIOS_HABITS);
    const old = begun(peer, 1);
    suspending(peer);
    peer.resume();
    ask(peer, XS.READ, 'a^', old);
    expect(peer.drain().map((r) => r.txId)).toEqual([1]);
  });
});

describe('a kernel over a ring that is not empty', () => {
  /** What a former kernel left: a reply that it never took. */
  const stale = (reqId: number) => (ring: Peer['ring']) => {
    const bytes = message(XS.READ, reqId, 0, octets('stale'));
    ring.bytes.set(bytes, 1_024);
    ring.store32(RSP_PROD, bytes.length, false);
  };

  it.each([
    ['LX-19', LINUX_HABITS],
    ['LXO-4', LINUX_OLD_HABITS],
  ])('%s: it skips what it finds there', (_, habits: ClientHabits) => {
    const peer = new Peer(habits, { before: stale(0) });
    expect(peer.ring.load32(RSP_CONS)).toBe(21);
    const asked = ask(peer, XS.READ, 'a^');
    peer.say(XS.READ, peer.drain()[0]?.reqId ?? 0, 'A');
    expect(said(asked)).toBe('A');
  });

  it('LX-19: with reset_devices, as for a dump, it takes it for a reply: an unknown id is dropped, a known one believed', () => {
    const unknown = new Peer(LINUX_HABITS, { before: stale(9), resetDevices: true });
    expect(unknown.client.strayReplies).toBe(1);
    const known = new Peer(LINUX_HABITS, { resetDevices: true });
    const asked = ask(known, XS.READ, 'a^');
    known.say(XS.READ, 0, 'stale');
    expect(said(asked)).toBe('stale');
  });

  it('LXO-4: [trap] without ids the stale reply answers the first request, and every later one is off by one', () => {
    const peer = new Peer(LINUX_OLD_HABITS, { before: stale(0), resetDevices: true });
    const [first, second, third] = [ask(peer, XS.READ, 'a^'), ask(peer, XS.READ, 'b^'), ask(peer, XS.READ, 'c^')];
    for (let some = peer.drain(); some.length > 0; some = peer.drain())
      for (const { payload } of some) peer.say(XS.READ, 0, payload);
    expect([said(first), said(second), said(third)]).toEqual(['stale', 'a^', 'b^']);
  });

  it.each([
    ['1', 'hvm', LINUX_HABITS, true],
    ['0', 'hvm', LINUX_HABITS, false],
    ['1', 'pv', LINUX_HABITS, false],
    ['1', 'hvm', MINIOS_HABITS, false],
  ] as const)(
    'LX-15: RESET_WATCHES where the platform feature is %s and the guest is %s (%#)',
    (feature, type, habits, resets) => {
      const peer = new Peer(habits);
      peer.os.domain.memory.translated = type === 'hvm';
      peer.start('kernel', (me: Thread) => peer.client.resetWatches(me));
      for (const { type: asked, reqId, payload } of peer.drain()) {
        expect([asked, payload]).toEqual([XS.READ, 'control/platform-feature-xs_reset_watches^']);
        peer.say(XS.READ, reqId, feature);
      }
      expect(peer.drain().map((r) => r.type)).toEqual(resets ? [XS.RESET_WATCHES] : []);
    },
  );
});
