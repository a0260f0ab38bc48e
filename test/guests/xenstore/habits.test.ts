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
import { type Outgoing, Requests } from '../../../guests/xenstore/requests.ts';
import { type Actor, REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD } from '../../../sim/index.ts';
import { message } from '../../../store/protocol/wire.ts';
import { octets, Peer, shown } from './peer.ts';

/* Four clients, each on a ring whose other end the test holds. One test for each label of guests.md 1. */

/** Requests that one caller has put in, and leaves to themselves. */
function sent(peer: Peer, ...payloads: readonly string[]): Pending[] {
  const all: Pending[] = [];
  peer.start('caller', function* (me): Actor {
    for (const payload of payloads) all.push(peer.client.submit(me, XS.READ, octets(payload)));
  });
  return all;
}

const said = (pending: Pending | undefined) =>
  pending?.reply === undefined ? 'nothing' : (pending.reply.error ?? shown(pending.reply.payload));

describe('req_ids, and whose reply is whose', () => {
  it('LX-1, LX-2, CL-1: Linux counts up from 0, has many requests outstanding, and takes replies in any order', () => {
    const peer = new Peer(LINUX_HABITS);
    const asked = sent(peer, 'a^', 'b^', 'c^');
    expect(peer.drain().map((r) => [r.reqId, r.payload])).toEqual([[0, 'a^'], [1, 'b^'], [2, 'c^']]); // biome-ignore format: a table
    peer.say(XS.READ, 2, 'C');
    peer.say(XS.READ, 0, 'A');
    expect(asked.map(said)).toEqual(['A', 'nothing', 'C']);
  });

  it('LX-3: a reply with an unknown id is dropped, one of another type than was asked for is EINVAL', () => {
    const peer = new Peer(LINUX_HABITS);
    const asked = sent(peer, 'a^', 'b^');
    peer.drain();
    peer.say(XS.READ, 77, 'X');
    peer.say(XS.WRITE, 0, 'OK^');
    peer.say(XS.ERROR, 1, 'ENOENT^'); // CL-6
    expect([peer.client.strayReplies, ...asked.map(said)]).toEqual([1, 'EINVAL', 'ENOENT']);
  });

  it('LXO-1: old Linux has one request at a time, with id 0, and takes the next reply for its own', () => {
    const peer = new Peer(LINUX_OLD_HABITS);
    const asked = sent(peer, 'a^', 'b^');
    expect(peer.drain().map((r) => [r.reqId, r.payload])).toEqual([[0, 'a^']]);
    peer.say(XS.WATCH_EVENT, 0, 'x^nobody^'); // an event is no reply
    peer.say(XS.READ, 4711, 'A');
    expect(asked.map(said)).toEqual(['A', 'nothing']);
    expect(peer.drain().map((r) => r.payload)).toEqual(['b^']);
  });

  it('MO-1: mini-os has 32 slots, whose numbers are its ids; the 33rd request waits for a free one', () => {
    const peer = new Peer(MINIOS_HABITS);
    const asked = sent(peer, ...Array.from({ length: 33 }, (_, i) => `p${i}^`));
    expect(peer.drain().map((r) => r.reqId)).toEqual(Array.from({ length: 32 }, (_, i) => i));
    peer.say(XS.READ, 5, 'five');
    expect([said(asked[5]), peer.drain()]).toEqual(['five', [expect.objectContaining({ reqId: 5, payload: 'p32^' })]]);
  });

  it('WN-1: ids of Windows have 16 bits, and one that is still in use is passed over', () => {
    const peer = new Peer(WINDOWS_HABITS);
    const requests = new Requests(WINDOWS_HABITS);
    const seen: number[] = [];
    const me = peer.start('caller', function* () {});
    for (let i = 0; i <= 0x1_0000; i++) {
      requests.push({
        me,
        type: XS.READ,
        number: i,
        txId: 0,
        wireTxId: 0,
        payload: octets('x^'),
        reqId: -1,
        sinceNs: 0,
        reply: undefined,
      });
      const { request } = requests.shift() as Outgoing;
      seen.push(request.reqId);
      if (i > 0) requests.match(request.reqId); // the first is never answered
    }
    expect([seen[0], seen[1], seen[0xffff], seen[0x1_0000]]).toEqual([0, 1, 0xffff, 1]);
  });
});

describe('writing', () => {
  const pieces = (habits: ClientHabits, type: number, payload: string) => {
    const peer = new Peer(habits);
    peer.start('caller', (me) => submitOnly(peer, me, type, payload));
    return peer.logged();
  };

  it('LX-5, LX-6: header, path and value are copied and published one by one; only the first found an empty ring', () => {
    expect(pieces(LINUX_HABITS, XS.WRITE, 'path^value')).toEqual(['req_prod 16', 'send', 'req_prod 21', 'req_prod 26']);
    expect(pieces(LINUX_HABITS, XS.READ, 'path^')).toEqual(['req_prod 16', 'send', 'req_prod 21']);
  });

  it('LXO-2: old Linux sends an event after every chunk written', () => {
    expect(pieces(LINUX_OLD_HABITS, XS.READ, 'path^')).toEqual(['req_prod 16', 'send', 'req_prod 21', 'send']);
  });

  it('WN-2: so does Windows', () => {
    expect(pieces(WINDOWS_HABITS, XS.READ, 'path^')).toEqual(['req_prod 16', 'send', 'req_prod 21', 'send']);
  });

  it('MO-1: mini-os publishes a message in one piece, waits until it fits, and signals each', () => {
    const peer = new Peer(MINIOS_HABITS);
    peer.start('caller', function* (me): Actor {
      for (let i = 0; i < 2; i++) peer.client.submit(me, XS.WRITE, octets(`p^${'v'.repeat(600)}`));
    });
    expect(peer.logged()).toEqual(['req_prod 618', 'send']); // 406 octets are free
    peer.take(500);
    peer.signal();
    expect(peer.logged()).toEqual(['req_prod 1236', 'send']); // around the buffer's end, in one
  });

  it('MO-1: a message that is longer than the ring is a bug check: the domain crashes', () => {
    const peer = new Peer(MINIOS_HABITS);
    peer.start('caller', (me) => submitOnly(peer, me, XS.WRITE, `p^${'v'.repeat(1_006)}`));
    expect(peer.os.domain.shutdown).toBeUndefined();
    peer.start('caller2', (me) => submitOnly(peer, me, XS.WRITE, `p^${'v'.repeat(1_007)}`));
    expect(peer.os.domain.shutdown).toBe('crash');
  });

  it('LX-5: a message that does not fit goes on where it stopped, octet by octet if need be', () => {
    const peer = new Peer(LINUX_HABITS);
    const value = Array.from({ length: 2_000 }, (_, i) => String.fromCharCode(97 + (i % 26))).join('');
    peer.start('caller', (me) => submitOnly(peer, me, XS.WRITE, `p^${value}`));
    const got: string[] = [];
    for (let i = 0; i < 200 && got.length === 0; i++) {
      got.push(...peer.take(17).map((r) => r.payload));
      peer.signal();
    }
    expect(got).toEqual([`p^${value}`]);
  });

  it('LX-6: [trap] the comparison is a plain one: where req_prod passes 2^32, one signal is missing and one is too many', () => {
    const peer = new Peer(LINUX_HABITS, {
      before: (ring) => {
        for (const word of [REQ_CONS, REQ_PROD]) ring.store32(word, 0xffff_ffe0, true);
      },
    });
    peer.ring.subscribe((offset, _before, after) => {
      // The store takes what it sees at once, and goes to sleep.
      if (offset === REQ_PROD) peer.ring.store32(REQ_CONS, after, false);
    });
    peer.start('caller', function* (me): Actor {
      for (const path of ['abcdefghijklmno^', 'a^']) peer.client.submit(me, XS.READ, octets(path));
    });
    expect(peer.logged()).toEqual([
      'req_prod 4294967280',
      'send',
      'req_prod 0',
      'req_prod 16',
      'send',
      'req_prod 18',
      'send',
    ]);
  });

  it('LX-4: when the system goes down waiters get EIO, and the rest of a half-written request never comes', () => {
    const peer = new Peer(LINUX_HABITS);
    const asked: Pending[] = [];
    peer.start('caller', function* (me): Actor {
      asked.push(peer.client.submit(me, XS.WRITE, octets(`p^${'v'.repeat(2_000)}`)));
    });
    peer.client.powerOff();
    expect(said(asked[0])).toBe('EIO');
    peer.drain();
    expect(peer.ring.load32(REQ_PROD)).toBe(1_024);
  });
});

describe('reading', () => {
  it('LX-7: Linux signals only when the ring had been full', () => {
    const peer = new Peer(LINUX_HABITS);
    peer.say(XS.WATCH_EVENT, 0, 'a^nobody^');
    expect(peer.logged()).toEqual(['rsp_cons 25']);
    peer.client.held = true;
    const body = `${'x'.repeat(1_000)}^nobody^`;
    peer.say(XS.WATCH_EVENT, 0, body);
    peer.client.release();
    peer.run();
    expect(peer.logged().filter((l) => l === 'send')).toEqual(['send']);
  });

  it.each([
    ['LXO-2', LINUX_OLD_HABITS],
    ['WN-2', WINDOWS_HABITS],
    ['MO-2', MINIOS_HABITS],
  ])('%s: this one signals each time', (_, habits) => {
    const peer = new Peer(habits);
    peer.say(XS.WATCH_EVENT, 0, 'a^nobody^');
    expect(peer.logged()).toEqual(['rsp_cons 25', 'send']);
  });

  it('MO-2: mini-os takes only whole messages; one that does not fit into the ring is the end of it', () => {
    const peer = new Peer(MINIOS_HABITS);
    const [small] = sent(peer, 'small^');
    peer.drain();
    const reply = message(XS.READ, 0, 0, octets('hi'));
    for (const until of [13, 17]) {
      peer.put(reply.subarray(until === 13 ? 0 : 13, until));
      peer.signal();
      expect([peer.ring.load32(RSP_CONS), said(small)]).toEqual([0, 'nothing']);
    }
    peer.put(reply.subarray(17));
    peer.signal();
    expect(said(small)).toBe('hi');
    const fits = new Peer(MINIOS_HABITS);
    const [most] = sent(fits, 'most^');
    fits.drain();
    fits.say(XS.READ, 0, 'x'.repeat(1_008));
    expect(said(most)).toHaveLength(1_008);
    const stuck = new Peer(MINIOS_HABITS);
    const [never] = sent(stuck, 'never^');
    stuck.drain();
    stuck.say(XS.READ, 0, 'x'.repeat(1_009));
    stuck.run(60_000_000_000);
    expect([said(never), stuck.ring.load32(RSP_CONS)]).toEqual(['nothing', 0]); // CL-7
  });

  it('LX-10: a header with more than 4096 is dropped, and its payload is taken for the next header', () => {
    const peer = new Peer(LINUX_HABITS);
    const [asked] = sent(peer, 'a^');
    peer.drain();
    const reply = `${String.fromCharCode(XS.READ)}^^^^^^^^^^^\x02^^^hi`;
    peer.say(XS.READ, 9, reply); // harmless: a whole message, whose payload looks like one
    expect(said(asked)).toBe('nothing');
    peer.put(octets(`${String.fromCharCode(XS.READ)}^^^\x09^^^^^^^\x01\x10^^${reply}`)); // the same, which announces 4097
    peer.signal();
    expect(said(asked)).toBe('hi');
  });

  it('WN-4: Windows flags a reply of exactly 4096 octets, throws those of types away that it never asks for, and drops strangers', () => {
    const peer = new Peer(WINDOWS_HABITS);
    const asked: Pending[] = [];
    peer.start('caller', function* (me): Actor {
      asked.push(peer.client.submit(me, XS.READ, octets('a^')), peer.client.submit(me, XS.GET_PERMS, octets('a^')));
    });
    peer.drain();
    peer.say(XS.READ, 0, 'x'.repeat(4_096));
    peer.say(XS.GET_PERMS, 1, 'n0^');
    peer.say(XS.READ, 9, 'x');
    expect([said(asked[0]).length, said(asked[1])]).toEqual([4_096, 'nothing']);
    expect([peer.client.oddReplies, peer.client.strayReplies]).toEqual([{ ignored: 1, flagged: 1 }, 1]);
  });
});

describe('indexes that cannot be', () => {
  it('LX-9: Linux sets both of the request ring to 0, and the request fails with EIO', () => {
    const peer = new Peer(LINUX_HABITS);
    peer.ring.store32(REQ_CONS, 5_000, false);
    const [asked] = sent(peer, 'a^');
    expect([said(asked), peer.ring.load32(REQ_CONS), peer.ring.load32(REQ_PROD)]).toEqual(['EIO', 0, 0]);
  });

  it('LX-9: and both of the response ring, the store’s own among them', () => {
    const peer = new Peer(LINUX_HABITS);
    peer.ring.store32(RSP_PROD, 5_000, false);
    peer.signal();
    expect([peer.ring.load32(RSP_CONS), peer.ring.load32(RSP_PROD)]).toEqual([0, 0]);
  });

  it.each([
    ['MO-3', MINIOS_HABITS],
    ['WN-4', WINDOWS_HABITS],
  ])('%s: this one does not look, and reads garbage', (_, habits) => {
    const peer = new Peer(habits);
    peer.ring.store32(RSP_PROD, 5_000, false);
    peer.signal();
    expect(peer.ring.load32(RSP_CONS)).toBeGreaterThan(0);
    expect(peer.ring.load32(RSP_PROD)).toBe(5_000);
  });
});

describe('watches', () => {
  function watching(habits: ClientHabits, ...paths: readonly string[]) {
    const peer = new Peer(habits);
    const events: { readonly path: string; readonly token: string }[] = [];
    const errors: (string | undefined)[] = [];
    const me = peer.start('owner', function* (own): Actor {
      for (const path of paths) errors.push((yield* peer.client.watch({ events, me: own }, path, `t-${path}`)).error);
    });
    const wires = paths.map(() => {
      const [request] = peer.drain();
      peer.say(XS.WATCH, request?.reqId ?? 0, 'OK^');
      return request?.payload.split('^')[1] ?? '';
    });
    return { peer, events, errors, wires, me };
  }

  it('LX-13: the token of Linux is the address of its watch in hex; unknown ones are dropped; owners see their own', () => {
    const { peer, events, wires } = watching(LINUX_HABITS, 'a', 'b');
    expect(wires).toEqual([
      expect.stringMatching(/^FFFF8880[0-9A-F]{8}$/),
      expect.stringMatching(/^FFFF8880[0-9A-F]{8}$/),
    ]);
    expect(wires[0]).not.toBe(wires[1]);
    peer.say(XS.WATCH_EVENT, 0, `b/x^${wires[1]}^`); // CL-2
    peer.say(XS.WATCH_EVENT, 0, 'b/x^FFFF88800BADF00D^');
    expect([events, peer.client.strayEvents]).toEqual([[{ path: 'b/x', token: 't-b' }], 1]);
  });

  it('WN-5: that of Windows is TOK, an address and an id', () => {
    const { peer, events, wires } = watching(WINDOWS_HABITS, 'a', 'b');
    expect(wires).toEqual([
      expect.stringMatching(/^TOK\|[0-9A-F]{16}\|0000$/),
      expect.stringMatching(/^TOK\|[0-9A-F]{16}\|0001$/),
    ]);
    peer.say(XS.WATCH_EVENT, 0, `a^${wires[0]}^`);
    expect(events).toEqual([{ path: 'a', token: 't-a' }]);
  });

  it('LX-14: an event that overtakes the answer to its WATCH finds the watch; a refused one is taken out again', () => {
    const peer = new Peer(LINUX_HABITS);
    const events: { readonly path: string }[] = [];
    const me = peer.start('owner', function* (own): Actor {
      yield* peer.client.watch({ events: events as never, me: own }, 'a', 't');
    });
    const [request] = peer.drain();
    const wire = request?.payload.split('^')[1];
    peer.say(XS.WATCH_EVENT, 0, `a^${wire}^`);
    expect(events).toHaveLength(1);
    peer.say(XS.ERROR, request?.reqId ?? 0, 'ENOSPC^');
    peer.say(XS.WATCH_EVENT, 0, `a^${wire}^`);
    expect([events.length, peer.client.strayEvents, me.task?.state]).toEqual([1, 1, 'done']);
  });

  it.each([
    ['LX-14: what waits to be handled goes with the watch', LINUX_HABITS, []],
    ['MO-6: a mini-os hands it out all the same', MINIOS_HABITS, [{ path: 'a', token: 't-a' }]],
  ])('%s', (_, habits, left) => {
    const { peer, events, wires } = watching(habits, 'a');
    peer.say(XS.WATCH_EVENT, 0, `a^${wires[0]}^`);
    peer.start('ender', function* (me): Actor {
      yield* peer.client.unwatch(me, 'a', 't-a');
    });
    const [request] = peer.drain();
    expect([request?.type, request?.payload]).toEqual([XS.UNWATCH, `a^${wires[0]}^`]);
    peer.say(XS.UNWATCH, request?.reqId ?? 0, 'OK^');
    expect(events).toEqual(left);
  });

  it('LX-13: [trap] an address is given out again at once: an event of the old watch goes to the new one', () => {
    const { peer, wires } = watching(LINUX_HABITS, 'a');
    const later: { readonly path: string; readonly token: string }[] = [];
    peer.start('ender', function* (me): Actor {
      yield* peer.client.unwatch(me, 'a', 't-a');
      yield* peer.client.watch({ events: later, me }, 'b', 't-b');
    });
    peer.say(XS.UNWATCH, peer.drain()[0]?.reqId ?? 0, 'OK^');
    expect(peer.drain()[0]?.payload).toBe(`b^${wires[0]}^`);
    peer.say(XS.WATCH_EVENT, 0, `a^${wires[0]}^`);
    expect(later).toEqual([{ path: 'a', token: 't-b' }]);
  });

  it('MO-4: mini-os hands events out newest first, Linux in the order in which they came', () => {
    const order = (habits: ClientHabits) => {
      const { peer, events, wires } = watching(habits, 'a');
      for (const name of ['1', '2', '3']) peer.say(XS.WATCH_EVENT, 0, `a/${name}^${wires[0]}^`);
      return events.map((e) => e.path);
    };
    expect([order(MINIOS_HABITS), order(LINUX_HABITS)]).toEqual([
      ['a/3', 'a/2', 'a/1'],
      ['a/1', 'a/2', 'a/3'],
    ]);
  });
});

describe('what goes wrong', () => {
  it('WN-3: every 15 s Windows looks for a peer that does not move, and signals it; the others wait for ever (CL-7)', () => {
    const after = (habits: ClientHabits) => {
      const peer = new Peer(habits);
      sent(peer, 'a^');
      peer.logged();
      peer.run(14_000_000_000);
      expect(peer.logged()).toEqual([]);
      peer.run(2_000_000_000);
      return peer.logged();
    };
    expect([WINDOWS_HABITS, LINUX_HABITS, LINUX_OLD_HABITS, MINIOS_HABITS].map(after)).toEqual([['send'], [], [], []]);
  });

  it('WN-3: it also looks at its own ring: a lost event of the store is repaired', () => {
    const peer = new Peer(WINDOWS_HABITS);
    const [asked] = sent(peer, 'a^');
    peer.take();
    peer.put(Uint8Array.of(XS.READ, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 65)); // and no event
    peer.run(14_000_000_000);
    expect(said(asked)).toBe('nothing');
    peer.run(2_000_000_000);
    expect(said(asked)).toBe('A');
  });

  it('LX-17, MO-6: EAGAIN at the end means once more from the start; ENOENT is a failure', () => {
    const rounds = (end: string) => {
      const peer = new Peer(LINUX_HABITS);
      let bodies = 0;
      let got: unknown;
      peer.start('caller', function* (me): Actor {
        got = yield* new Xs(peer.client, me).transaction(function* (): Actor<true> {
          bodies++;
          return true;
        }, 9);
      });
      for (let i = 0; i < 3; i++) {
        const start = peer.drain()[0];
        if (start === undefined) break;
        peer.say(XS.TRANSACTION_START, start.reqId, `${i + 1}^`);
        const last = peer.drain()[0];
        if (i < 2) peer.say(XS.ERROR, last?.reqId ?? 0, end);
        else peer.say(XS.TRANSACTION_END, last?.reqId ?? 0, 'OK^');
      }
      return [bodies, got];
    };
    expect(rounds('EAGAIN^')).toEqual([3, { value: true, rounds: 3 }]);
    expect(rounds('ENOENT^')).toEqual([1, { error: 'ENOENT', rounds: 1 }]);
  });
});

function* submitOnly(peer: Peer, me: Thread, type: number, payload: string): Actor {
  peer.client.submit(me, type, octets(payload));
}
