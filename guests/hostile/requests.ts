import { XS } from '../../store/protocol/wire.ts';
import type { HostileKind } from './attacker.ts';
import { requestOctets, said } from './raw-ring.ts';

/** How many watches and transactions a domain can have, and what one more is told (store.md 6.1). */
const WATCHES = { '4.22': { most: 127, error: 'ENOSPC' }, '4.17': { most: 129, error: 'E2BIG' } } as const;
const TRANSACTIONS = { '4.22': 9, '4.17': 11 } as const;
/** Most entries that one node's permissions can have. */
const ENTRIES = { '4.22': 4, '4.17': 5 } as const;
/** Nodes that one transaction may touch. */
const TX_NODES = { '4.22': 1023, '4.17': 1024 } as const;
/** The node quota: creating must end at the latest here. */
const NODES = 1000;

/** Guests whose messages are well framed, and that ask for too much or for what is not theirs. */
export const REQUEST_KINDS: readonly HostileKind[] = [
  {
    name: 'unknown-types',
    ids: ['BAD-11'],
    does: 'sends types that do not exist or that only the store sends',
    gets: 'served',
    *run(rig) {
      for (const type of [5_000, 15, 16, 20, 27, 0x7fff_ffff, 0xffff_ffff])
        yield* rig.must(type, 'x^', 'ENOSYS', rig.me.draws.below(1 << 16));
      yield* rig.hello();
    },
  },
  {
    name: 'privileged-requests',
    ids: ['BAD-12'],
    does: 'asks for what only the privileged domain may do',
    gets: 'served',
    *run(rig) {
      const since422 = rig.version === '4.22' ? 'EACCES' : 'ENOSYS';
      const ops = [
        ['CONTROL', 'live-update^-s^', 'EACCES'],
        ['INTRODUCE', '1^1^1^', 'EACCES'],
        ['RELEASE', '1^', 'EACCES'],
        ['RESUME', '1^', 'EACCES'],
        ['IS_DOMAIN_INTRODUCED', '0^', 'EACCES'],
        ['SET_TARGET', `${rig.domid}^0^`, 'EACCES'],
        ['SET_FEATURE', '1^0^', since422],
        ['GET_QUOTA', 'nodes^', since422],
        ['SET_QUOTA', 'nodes^0^', since422],
      ] as const;
      for (const [op, payload, wanted] of ops) yield* rig.must(op, payload, wanted);
      // Privilege comes before the transaction, the transaction before the payload (store.md 1.5).
      yield* rig.must('CONTROL', 'x^', 'EACCES', 77);
      yield* rig.must('READ', '', 'ENOENT', 77);
    },
  },
  {
    name: 'malformed-payloads',
    ids: ['BAD-11'],
    does: 'sends payloads without NULs, with too many, and with the wrong number of strings',
    gets: 'served',
    *run(rig) {
      const one = rig.version === '4.22' ? (['DIRECTORY', 'READ', 'GET_PERMS', 'MKDIR', 'RM'] as const) : [];
      for (const op of one)
        for (const payload of ['', 'data', 'data^^', '^data^']) yield* rig.must(op, payload, 'EINVAL');
      for (const payload of ['', 'data/x']) yield* rig.must('WRITE', payload, 'EINVAL');
      for (const payload of ['', 'data^', 'data']) yield* rig.must('WATCH', payload, 'EINVAL');
      for (const payload of ['', 'data^']) yield* rig.must('UNWATCH', payload, 'EINVAL');
      for (const payload of ['', 'X^', 'T', 'TT^']) yield* rig.must('TRANSACTION_END', payload, 'EINVAL');
      yield* rig.must('TRANSACTION_END', 'T^', 'ENOENT');
      for (const payload of ['', 'data^', 'data^1^2^']) yield* rig.must('DIRECTORY_PART', payload, 'EINVAL');
      for (const payload of ['', 'data^']) yield* rig.must('SET_PERMS', payload, 'EINVAL');
      yield* rig.hello();
    },
  },
  {
    name: 'bad-paths',
    ids: ['BAD-9', 'BAD-11'],
    does: 'names nodes that cannot be: empty, doubled or trailing slashes, strange octets, too long',
    gets: 'served',
    *run(rig) {
      const long = 'x'.repeat(3000);
      for (const path of ['', 'data//x', 'data/', 'data/x y', 'data/\x80', '/data/\x01', '@x', long, `/${long}`])
        yield* rig.must('WRITE', `${path}^v`, 'EINVAL');
      yield* rig.must('WATCH', `${long}^t^`, 'EINVAL');
      yield* rig.must('WRITE', 'data/..^v', 'EINVAL');
      yield* rig.must('WRITE', `data/big^${'v'.repeat(2_024)}`, 'ENOSPC');
      yield* rig.must('WATCH', `data^${'t'.repeat(4_000)}^`, 'OK^');
      yield* rig.must('UNWATCH', `data^${'t'.repeat(4_000)}^`, 'OK^');
    },
  },
  {
    name: 'guesses-transactions',
    ids: ['BAD-12'],
    does: 'uses transaction ids that it was not given',
    gets: 'served',
    *run(rig) {
      for (let i = 0; i < 20; i++) yield* rig.must('READ', 'name^', 'ENOENT', 1 + rig.me.draws.below(0x7fff_ffff));
      const tx = Number.parseInt(yield* rig.ask('TRANSACTION_START', '^'), 10);
      yield* rig.must('TRANSACTION_START', '^', 'EBUSY', tx);
      yield* rig.must('READ', 'name^', rig.name, tx);
      yield* rig.must('TRANSACTION_END', 'F^', 'OK^', tx);
      yield* rig.must('READ', 'name^', 'ENOENT', tx);
    },
  },
  {
    name: 'same-ids',
    ids: ['BAD-13'],
    does: 'gives several requests the same req_id at once',
    gets: 'served',
    *run(rig) {
      for (const id of [0, 5, 0xffff_ffff]) {
        yield* rig.ring.put(requestOctets(XS.READ, id, 0, 'name\0'), 10_000_000_000);
        yield* rig.ring.put(requestOctets(XS.READ, id, 0, 'data\0'), 10_000_000_000);
        // The rig keeps one reply for each id: taken one after the other they come in the order of the requests.
        const replies = [said(yield* rig.replyInOrder()), said(yield* rig.replyInOrder())];
        rig.check(`replies to req_id ${id}`, replies.join(' '), `${rig.name} `);
      }
    },
  },
  {
    name: 'message-in-a-value',
    ids: ['BAD-35'],
    does: 'writes a value that is itself a row of requests',
    gets: 'served',
    *run(rig) {
      let value = '';
      for (const octet of requestOctets(XS.RM, 1, 0, '/local/domain/0\0')) value += String.fromCharCode(octet);
      const reqId = yield* rig.sendOctets(XS.WRITE, `data/m\0${value}`);
      rig.check('reply', said(yield* rig.reply(reqId)), 'OK^');
      rig.check('value', yield* rig.ask('READ', 'data/m^'), value.replaceAll('\0', '^'));
    },
  },
  {
    name: 'watch-flood',
    ids: ['BAD-1'],
    does: 'sets watches to the limit, takes them back, and begins again',
    gets: 'served',
    *run(rig) {
      const { most, error } = WATCHES[rig.version];
      for (let round = 0; round < 2 && !rig.stopping(); round++) {
        for (let i = 0; i < most; i++) yield* rig.must('WATCH', `data/${i}^${round}^`, 'OK^');
        yield* rig.must('WATCH', `data/more^${round}^`, error);
        yield* rig.must('WATCH', `data/0^${round}^`, 'EEXIST');
        for (let i = 0; i < most; i++) yield* rig.must('UNWATCH', `data/${i}^${round}^`, 'OK^');
      }
      yield* rig.must('UNWATCH', 'data/0^0^', 'ENOENT');
    },
  },
  {
    name: 'hoards-transactions',
    ids: ['BAD-6'],
    does: 'opens as many transactions as it can, and never ends them',
    gets: 'served',
    holdsTransactions: true,
    *run(rig) {
      for (let i = 0; i < TRANSACTIONS[rig.version]; i++) {
        const got = yield* rig.ask('TRANSACTION_START', '^');
        rig.check('TRANSACTION_START', /^[0-9]+\^$/.test(got) ? 'an id' : got, 'an id');
      }
      yield* rig.must('TRANSACTION_START', '^', 'ENOSPC');
      yield* rig.rest(50_000_000);
      yield* rig.must('TRANSACTION_START', '^', 'ENOSPC');
    },
  },
  {
    name: 'huge-transaction',
    ids: ['BAD-8'],
    does: 'touches more nodes in one transaction than it may',
    gets: 'served',
    holdsTransactions: true,
    *run(rig) {
      const tx = Number.parseInt(yield* rig.ask('TRANSACTION_START', '^'), 10);
      let touched = 0;
      let got = 'ENOENT';
      // Each missing name touches itself; `data` was looked at with the first.
      while (got === 'ENOENT' && touched < 1_100) got = yield* rig.ask('READ', `data/n${touched++}^`, tx);
      rig.check('refusal', got, 'ENOSPC');
      rig.check(
        'nodes touched',
        touched > TX_NODES[rig.version] - 8 && touched <= TX_NODES[rig.version] + 1 ? 'the quota' : touched,
        'the quota',
      );
      // EAGAIN: a live update came in between, and what it carries is refused at commit.
      yield* rig.must('TRANSACTION_END', 'T^', ['ENOMEM', 'EAGAIN'], tx);
    },
  },
  {
    name: 'node-flood',
    ids: ['BAD-9', 'BAD-26'],
    does: 'creates nodes until it is refused, removes them, and begins again',
    gets: 'served',
    *run(rig) {
      let made = 0;
      let got = 'OK^';
      while (got === 'OK^' && made < NODES + 5 && !rig.stopping()) {
        // Few to a directory: its list of children has a limit of its own.
        got = yield* rig.ask('WRITE', `data/${made % 16}/${made}^${'v'.repeat(200)}`);
        if (got === 'OK^') made++;
      }
      if (!rig.stopping()) rig.check('refusal', got, 'ENOSPC');
      rig.check('nodes', made < NODES ? 'below the quota' : made, 'below the quota');
      for (let i = 0; i < 16 && i < made; i++) yield* rig.must('RM', `data/${i}^`, 'OK^');
    },
  },
  {
    name: 'floods-itself',
    ids: ['BAD-3'],
    does: 'sets many watches that overlap and writes below all of them',
    gets: 'served',
    *run(rig) {
      for (let i = 0; i < 100; i++) yield* rig.must('WATCH', `data^w${i}^`, 'OK^');
      const before = rig.events;
      for (let i = 0; i < 20 && (i === 0 || !rig.stopping()); i++) yield* rig.must('WRITE', `data/x^${i}`, 'OK^');
      rig.check('events', rig.events > before ? 'some' : 'none', 'some');
      yield* rig.must('RESET_WATCHES', '^', 'OK^');
    },
  },
  {
    name: 'hammers',
    ids: ['BAD-2', 'INJ-E14'],
    does: 'keeps its ring full of requests, and reads the replies at once',
    gets: 'served',
    *run(rig) {
      for (let round = 0; round < 40 && !rig.stopping(); round++) {
        const ids: number[] = [];
        for (let i = 0; i < 18; i++) ids.push(yield* rig.send(XS.WRITE, `data/hot^${i}`));
        for (const id of ids) rig.check('reply', said(yield* rig.reply(id)), 'OK^');
      }
    },
  },
  {
    name: 'resets-watches',
    ids: ['BAD-24'],
    does: 'forgets its watches and transactions again and again',
    gets: 'served',
    *run(rig) {
      for (let i = 0; i < 30 && !rig.stopping(); i++) {
        yield* rig.must('WATCH', 'data^t^', 'OK^');
        const tx = Number.parseInt(yield* rig.ask('TRANSACTION_START', '^'), 10);
        yield* rig.must('RESET_WATCHES', '^', 'OK^');
        yield* rig.must('UNWATCH', 'data^t^', 'ENOENT');
        yield* rig.must('READ', 'name^', 'ENOENT', tx);
      }
    },
  },
  {
    name: 'abuses-permissions',
    ids: ['BAD-25'],
    does: 'gives nodes away, to nobody, or to too many',
    gets: 'served',
    *run(rig) {
      const own = `n${rig.domid}^`;
      yield* rig.must('WRITE', 'data/p^x', 'OK^');
      yield* rig.must('SET_PERMS', 'data/p^n0^', 'EPERM');
      yield* rig.must('SET_PERMS', `data/p^x${rig.domid}^`, 'EINVAL');
      yield* rig.must('SET_PERMS', `data/p^n${rig.domid}x^`, 'EINVAL');
      const most = ENTRIES[rig.version];
      yield* rig.must('SET_PERMS', `data/p^${own}${'r0^'.repeat(most - 1)}`, 'OK^');
      yield* rig.must('SET_PERMS', `data/p^${own}${'r0^'.repeat(most)}`, 'ENOSPC');
      yield* rig.must('SET_PERMS', `data/none^${own}`, 'ENOENT');
      yield* rig.must('SET_PERMS', `/tool^${own}`, 'EACCES');
      yield* rig.must('SET_PERMS', `name^${own}`, 'EACCES');
    },
  },
  {
    name: 'trespasses',
    ids: ['BAD-7', 'BAD-27', 'BAD-28'],
    does: "reads, writes and removes what is others'",
    gets: 'served',
    *run(rig) {
      const closed = '/local/domain/0/name';
      yield* rig.must('READ', `${closed}^`, 'EACCES');
      yield* rig.must('WRITE', `${closed}^x`, 'EACCES');
      yield* rig.must('RM', `${closed}^`, 'EACCES');
      yield* rig.must('MKDIR', '/local/domain/0/x^', 'EACCES');
      yield* rig.must('RM', '/local/domain^', 'EACCES');
      yield* rig.must('WRITE', 'name^other', 'EACCES');
      for (const path of ['@introduceDomain', '@releaseDomain']) {
        const before = rig.events;
        yield* rig.must('WATCH', `${path}^t^`, 'OK^');
        yield 300_000;
        yield* rig.hello();
        rig.check('first event', rig.events > before ? 'came' : 'missing', 'came');
        yield* rig.must('UNWATCH', `${path}^t^`, 'OK^');
      }
      yield* rig.must(
        'SET_PERMS',
        `@releaseDomain^n${rig.domid}^`,
        rig.version === '4.22' ? 'EACCES' : ['EACCES', 'EINVAL'],
      );
    },
  },
];
