import {
  DOMID_SELF,
  ERROR as ERROR_AT,
  EVTCHN_PORT,
  endAccess,
  FEATURE_DOMID_ANY,
  FEATURE_ERROR,
  FEATURE_WATCHDEPTH,
  grantAccess,
  openTable,
  REQ_PROD,
  RSP_PROD,
  SERVER_FEATURES,
} from '../../sim/index.ts';
import { XS } from '../../store/protocol/wire.ts';
import type { Attacker, HostileKind } from './attacker.ts';
import { requestOctets, said } from './raw-ring.ts';

/** Virtual time in which a live update is expected by those who prepare for one, ns. */
const SOON_NS = 40_000_000;

/** Guests that are bad before they are introduced, or that wait for a live update to map their page anew. */
export const BIRTH_KINDS: readonly HostileKind[] = [
  {
    name: 'garbage-port',
    ids: ['INJ-R16'],
    does: 'leaves garbage in the evtchn_port word, which 4.22 prefers to the port of the request',
    gets: 'not introduced',
    before: (_os, { ring }) => ring.store32(EVTCHN_PORT, 0x7fff, true),
    introduce: (version) => (version === '4.22' ? 'EINVAL' : 'OK'),
    *run(attacker) {
      if (attacker.version === '4.17') yield* attacker.hello();
      else yield* unheard(attacker);
    },
  },
  {
    name: 'no-ring',
    ids: ['INJ-G1'],
    does: 'has no grant for its ring page when it is introduced',
    gets: 'not introduced',
    before: (os, { domain }) => endAccess(openTable(os.hyper.gnttab, domain.memory), 1),
    introduce: () => 'EINVAL',
    run: unheard,
  },
  {
    name: 'ring-for-another',
    ids: ['INJ-G1'],
    does: 'has granted its ring page to another domain than the store',
    gets: 'not introduced',
    before: (os, { domain, ring }) =>
      grantAccess(openTable(os.hyper.gnttab, domain.memory), 1, { domid: 5, gfn: ring.gfn }),
    introduce: () => 'EINVAL',
    run: unheard,
  },
  {
    name: 'read-only-ring',
    ids: ['INJ-G1'],
    does: 'has granted its ring page for reading alone',
    gets: 'not introduced',
    before: (os, { domain, ring }) =>
      grantAccess(openTable(os.hyper.gnttab, domain.memory), 1, { domid: 0, gfn: ring.gfn, readonly: true }),
    introduce: () => 'EINVAL',
    run: unheard,
  },
  {
    name: 'dirty-ring',
    ids: ['INJ-R11', 'INJ-R14', 'INJ-R15'],
    does: 'has octets and odd indexes in its ring before it is introduced: all of it is lost',
    gets: 'served',
    before: (_os, { ring }) => {
      ring.bytes.set(requestOctets(XS.RM, 1, 0, 'data\0'), 0);
      ring.store32(REQ_PROD, 0xffff_fe00, true);
    },
    *run(attacker) {
      yield* attacker.hello();
      yield* attacker.must('READ', 'data^', '');
    },
  },
  {
    name: 'begins-anew',
    ids: ['XSR-12', 'INJ-R14'],
    does: 'stops amid a request, as a firmware that gives way to a kernel, and is introduced once more: nothing of it counts',
    gets: 'served',
    introducedAgain: true,
    *run(attacker) {
      const offered = attacker.version === '4.22' ? FEATURE_ERROR | FEATURE_WATCHDEPTH | FEATURE_DOMID_ANY : 0;
      attacker.check('server_features', attacker.ring.load(SERVER_FEATURES), offered);
      for (let i = 0; i === 0 || (i < 3 && !attacker.stopping()); i++) {
        yield* attacker.must('WRITE', `data/life^${i}`, 'OK^');
        const bytes = requestOctets(XS.WRITE, 7, 0, 'data/life\0half');
        yield* attacker.ring.put(bytes.subarray(0, attacker.me.draws.between(1, bytes.length - 1)), SOON_NS);
        yield* attacker.untilRead();
        if (!(yield* attacker.introducedAgain())) return;
        const old = attacker.ring.load(REQ_PROD) + attacker.ring.load(RSP_PROD);
        attacker.check('octets in a ring that begins', old, 0);
        yield* attacker.must('READ', 'data/life^', String(i));
      }
    },
  },
  {
    name: 're-points-its-ring',
    ids: ['BAD-20', 'INJ-G2'],
    does: 'lets its first grant name another page, so that the next live update maps that one',
    gets: 'served',
    *run(attacker) {
      yield* attacker.hello();
      const old = attacker.ring.page;
      const other = attacker.os.allocPage();
      const { gnttab } = attacker.os.hyper;
      const { memory } = attacker.os.domain;
      // The old page stays mapped, so the entry is in use: a kernel would wait, this one overwrites it.
      grantAccess(openTable(gnttab, memory), attacker.gref, { domid: 0, gfn: other.gfn });
      // The mapping is of the page, not of the entry (GNT-14). But: 1. It overwrites the entry. 2. The store is between two images,
      // and maps the other page. 3. Nobody reads this.
      yield* attacker.must('READ', 'name^', [attacker.name, 'nothing']);
      yield* attacker.keepAway(SOON_NS);
      attacker.ring.page = other;
      yield* attacker.ring.put(requestOctets(XS.READ, 3, 0, 'name\0'), 1_000_000);
      const got = said(yield* attacker.reply(3, 3_000_000));
      attacker.check('reply through one page or the other', got, [attacker.name, 'nothing']);
      attacker.check('error word', old.load32(ERROR_AT), 0);
    },
  },
  {
    name: 'revokes-its-ring',
    ids: ['BAD-20', 'INJ-G2'],
    does: 'takes back the grant of its ring page, so that the next live update cannot map it',
    gets: 'waits',
    *run(attacker) {
      yield* attacker.hello();
      const table = openTable(attacker.os.hyper.gnttab, attacker.os.domain.memory);
      grantAccess(table, attacker.gref, { domid: DOMID_SELF, gfn: 0 });
      // 1. It takes back the grant. 2. The store is between two images, and cannot map the ring again. 3. Nobody reads this.
      yield* attacker.must('READ', 'name^', [attacker.name, 'nothing']);
      yield* attacker.keepAway(SOON_NS);
      yield* attacker.ring.put(requestOctets(XS.READ, 3, 0, 'name\0'), 1_000_000);
      attacker.check('reply', said(yield* attacker.reply(3, 3_000_000)), [attacker.name, 'nothing']);
      attacker.check('error word', attacker.errorWord, 0); // nobody has the page to write it to
    },
  },
];

/** Without a connection nothing is read. */
function* unheard(attacker: Attacker) {
  const bytes = requestOctets(XS.READ, 3, 0, 'name\0');
  yield* attacker.ring.put(bytes, 100_000);
  yield 2_000_000;
  attacker.check('octets left in the ring', attacker.ring.unread, bytes.length);
  attacker.check('reply', said(yield* attacker.reply(3, 100_000)), 'nothing');
  attacker.check('error word', attacker.errorWord, 0);
}
