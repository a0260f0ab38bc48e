import {
  CONNECTION,
  ERROR as ERROR_AT,
  REQ_AT,
  REQ_CONS,
  REQ_PROD,
  RING_BYTES,
  RSP_CONS,
  RSP_PROD,
  SERVER_FEATURES,
  used,
  XENSTORE_ERROR_PROTO,
  XENSTORE_ERROR_RINGIDX,
  XENSTORE_RECONNECT,
} from '../../sim/index.ts';
import { HEADER_BYTES, PAYLOAD_MAX, XS } from '../../store/protocol/wire.ts';
import type { HostileKind } from './attacker.ts';
import { requestOctets, said } from './raw-ring.ts';

/** Long enough for the store to look at a ring that was touched, ns. */
const LOOK_NS = 400_000;

/** Longer than a live update keeps the store away, ns. */
const OVER_AN_UPDATE_NS = 5_000_000;

/** Guests that break the rules of the page itself. */
export const RING_KINDS: readonly HostileKind[] = [
  {
    name: 'producer-ahead',
    ids: ['BAD-14', 'INJ-R1'],
    does: 'moves req_prod further ahead of req_cons than the ring has octets',
    gets: 'ignored, error 2',
    *run(attacker) {
      yield* attacker.hello();
      attacker.ring.store(REQ_PROD, attacker.ring.load(REQ_CONS) + RING_BYTES + 1 + attacker.me.draws.below(1 << 30));
      attacker.ring.signal();
      yield* attacker.ignored(XENSTORE_ERROR_RINGIDX);
    },
  },
  {
    name: 'producer-backwards',
    ids: ['BAD-14', 'INJ-R2'],
    does: 'moves req_prod behind req_cons',
    gets: 'ignored, error 2',
    *run(attacker) {
      yield* attacker.hello();
      attacker.ring.store(REQ_PROD, attacker.ring.load(REQ_CONS) - 1 - attacker.me.draws.below(RING_BYTES));
      attacker.ring.signal();
      yield* attacker.ignored(XENSTORE_ERROR_RINGIDX);
    },
  },
  {
    name: 'consumer-moved',
    ids: ['BAD-14', 'INJ-R2', 'INJ-R3'],
    does: "moves the store's own req_cons past req_prod",
    gets: 'ignored, error 2',
    *run(attacker) {
      yield* attacker.hello();
      attacker.ring.store(REQ_CONS, attacker.ring.load(REQ_PROD) + 1);
      attacker.ring.signal();
      yield* attacker.ignored(XENSTORE_ERROR_RINGIDX);
    },
  },
  {
    name: 'replies-consumed-ahead',
    ids: ['BAD-14', 'INJ-R10'],
    does: 'consumes reply octets that are not there; noticed only when there is a reply to write',
    gets: 'ignored, error 2',
    *run(attacker) {
      yield* attacker.hello();
      attacker.ring.store(RSP_CONS, attacker.ring.load(RSP_PROD) + 1);
      attacker.ring.signal();
      yield LOOK_NS;
      attacker.check('error word before there is output', attacker.errorWord, 0);
      yield* attacker.send(XS.READ, 'name^');
      yield* attacker.ignored(XENSTORE_ERROR_RINGIDX);
    },
  },
  {
    name: 'torn-index',
    ids: ['BAD-14', 'INJ-R4'],
    does: 'stores req_prod octet by octet while the store looks, so that it seems to go backwards',
    gets: 'ignored, error 2',
    *run(attacker) {
      yield* attacker.hello();
      // Up to the next multiple of 256, whose low octet alone is less than what the store has consumed.
      const cons = attacker.ring.load(REQ_CONS);
      yield* attacker.ring.storeTorn(REQ_PROD, (cons | 0xff) + 1, OVER_AN_UPDATE_NS);
      yield* attacker.ignored(XENSTORE_ERROR_RINGIDX);
    },
  },
  {
    name: 'flickering-index',
    ids: ['BAD-14', 'INJ-R3'],
    does: 'keeps changing req_prod between a possible and an impossible value, faster than the store looks',
    gets: 'ignored, error 2',
    *run(attacker) {
      yield* attacker.hello();
      const good = attacker.ring.load(REQ_PROD);
      for (let i = 0; i < 20_000 && attacker.errorWord === 0; i++) {
        attacker.ring.store(REQ_PROD, i % 2 === 0 ? good + 4096 : good);
        attacker.ring.signal();
        yield 40 + attacker.me.draws.below(900);
      }
      yield* attacker.ignored(XENSTORE_ERROR_RINGIDX);
    },
  },
  {
    name: 'long-header',
    ids: ['BAD-10', 'XSR-6'],
    does: 'announces more octets of payload than there may be: one more, or many',
    gets: 'ignored, error 3',
    *run(attacker) {
      yield* attacker.hello();
      const tooMany = attacker.me.draws.oneIn(2) ? 1 : attacker.me.draws.between(2, 1 << 30);
      yield* attacker.ring.put(requestOctets(XS.WRITE, 1, 0, '', PAYLOAD_MAX + tooMany), LOOK_NS);
      yield* attacker.ignored(XENSTORE_ERROR_PROTO);
    },
  },
  {
    name: 'one-octet-at-a-time',
    ids: ['INJ-R6', 'INJ-R7'],
    does: 'publishes each octet alone, with an event for each',
    gets: 'served',
    *run(attacker) {
      for (let i = 0; i < 8 && !attacker.stopping(); i++) {
        const bytes = requestOctets(XS.WRITE, i, 0, `data/slow\0${i}`);
        const put = yield* attacker.ring.put(bytes, 10_000_000_000, 1);
        attacker.check('octets taken', put, bytes.length);
        attacker.check('reply', said(yield* attacker.reply(i)), 'OK^');
      }
    },
  },
  {
    name: 'stops-halfway',
    ids: ['BAD-16', 'INJ-R8'],
    does: 'sends some octets of a request and then nothing, for ever',
    gets: 'waits',
    *run(attacker) {
      yield* attacker.must('WRITE', 'data/half^1', 'OK^');
      const bytes = requestOctets(XS.WRITE, 7, 0, 'data/half\x002');
      yield* attacker.ring.put(bytes.subarray(0, attacker.me.draws.between(1, bytes.length - 1)), LOOK_NS);
      yield* attacker.keepAway(20_000_000);
      attacker.check('reply', said(yield* attacker.reply(7, LOOK_NS)), 'nothing');
      // 1. It has written all the time. 2. It is made to wait for credit. 3. The run ends before that has come.
      yield* attacker.untilRead();
      attacker.check('octets left in the ring', attacker.ring.unread, 0);
      attacker.check('error word', attacker.errorWord, 0);
    },
  },
  {
    name: 'never-reads',
    ids: ['BAD-4', 'INJ-R9'],
    does: 'sends requests and consumes no reply: the store stops reading at the quota of outstanding requests',
    gets: 'waits',
    *run(attacker) {
      const one = requestOctets(XS.MKDIR, 9, 0, 'data\0');
      yield* attacker.ring.put(repeat(one, 150), 30_000_000);
      yield LOOK_NS;
      attacker.check(
        'reply octets in the ring',
        used(attacker.ring.load(RSP_PROD), attacker.ring.load(RSP_CONS)),
        RING_BYTES,
      );
      attacker.check('request octets in the ring', attacker.ring.unread > 0 ? 'left' : 'none', 'left');
      attacker.check('error word', attacker.errorWord, 0);
    },
  },
  {
    name: 'never-signals',
    ids: ['BAD-19'],
    does: 'publishes requests and sends no event: served whenever the store is awake for another reason',
    gets: 'waits',
    *run(attacker) {
      for (let i = 0; i < 20 && !attacker.stopping(); i++) {
        yield* attacker.ring.put(requestOctets(XS.READ, i, 0, 'name\0'), 1_000_000, RING_BYTES, true);
        const got = said(yield* attacker.reply(i, 2_000_000));
        attacker.check('reply', got, [attacker.name, 'nothing']);
        if (got === 'nothing') return;
      }
    },
  },
  {
    name: 'event-storm',
    ids: ['BAD-18', 'INJ-E14'],
    does: 'sends events at full rate, without data',
    gets: 'served',
    *run(attacker) {
      for (let i = 0; i < 20_000 && !attacker.stopping(); i++) {
        attacker.ring.signal();
        yield 250;
      }
      yield* attacker.hello();
    },
  },
  {
    name: 'overwrites-words',
    ids: ['BAD-22', 'BAD-23', 'INJ-R13'],
    does: 'overwrites the words error, connection and server_features, and goes on as if nothing were',
    gets: 'served',
    *run(attacker) {
      for (let i = 0; i < 50 && !attacker.stopping(); i++) {
        for (const word of [ERROR_AT, CONNECTION, SERVER_FEATURES])
          attacker.ring.store(word, word === CONNECTION ? XENSTORE_RECONNECT : attacker.me.draws.bits());
        attacker.ring.signal();
        yield* attacker.hello();
        attacker.check('connection word', attacker.ring.load(CONNECTION), XENSTORE_RECONNECT);
      }
      attacker.ring.store(ERROR_AT, 0);
    },
  },
  {
    name: 'rewrites-requests',
    ids: ['BAD-15', 'INJ-R5'],
    does: 'changes the octets of a request after publishing it',
    gets: 'served',
    *run(attacker) {
      yield* attacker.must('WRITE', 'data/a^A', 'OK^');
      yield* attacker.must('WRITE', 'data/b^B', 'OK^');
      for (let i = 0; i < 50 && !attacker.stopping(); i++) {
        const at = attacker.ring.load(REQ_PROD) + HEADER_BYTES + 5; // the last letter of the path
        const reqId = yield* attacker.send(XS.READ, 'data/a^');
        for (let k = 0; k < 8; k++) {
          attacker.ring.page.bytes[REQ_AT + (at & (RING_BYTES - 1))] = k % 2 === 0 ? 0x62 : 0x61;
          attacker.ring.page.wrote();
          yield 150;
        }
        attacker.check('value', said(yield* attacker.reply(reqId)), ['A', 'B']);
      }
    },
  },
  {
    name: 'closes-its-port',
    ids: ['BAD-21', 'INJ-E7'],
    does: 'closes its store port: events to it vanish, and its own go nowhere',
    gets: 'waits',
    *run(attacker) {
      yield* attacker.hello();
      attacker.os.hyper.close(attacker.ring.port);
      yield LOOK_NS;
      yield* attacker.ring.put(requestOctets(XS.READ, 5, 0, 'name\0'), 1_000_000);
      attacker.check('reply', said(yield* attacker.reply(5, 2_000_000)), [attacker.name, 'nothing']);
      attacker.check('error word', attacker.errorWord, 0);
    },
  },
];

function repeat(one: Uint8Array, times: number): Uint8Array {
  const all = new Uint8Array(one.length * times);
  for (let i = 0; i < times; i++) all.set(one, i * one.length);
  return all;
}
