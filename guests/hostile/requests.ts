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
    *run(attacker) {
      for (const type of [5_000, 15, 16, 20, 27, 0x7fff_ffff, 0xffff_ffff])
        yield* attacker.must(type, 'x^', 'ENOSYS', attacker.me.draws.below(1 << 16));
      yield* attacker.hello();
    },
  },
  {
    name: 'privileged-requests',
    ids: ['BAD-12'],
    does: 'asks for what only the privileged domain may do',
    gets: 'served',
    *run(attacker) {
      const since422 = attacker.version === '4.22' ? 'EACCES' : 'ENOSYS';
      const ops = [
        ['CONTROL', 'live-update^-s^', 'EACCES'],
        ['INTRODUCE', '1^1^1^', 'EACCES'],
        ['RELEASE', '1^', 'EACCES'],
        ['RESUME', '1^', 'EACCES'],
        ['IS_DOMAIN_INTRODUCED', '0^', 'EACCES'],
        ['SET_TARGET', `${attacker.domid}^0^`, 'EACCES'],
        ['SET_FEATURE', '1^0^', since422],
        ['GET_QUOTA', 'nodes^', since422],
        ['SET_QUOTA', 'nodes^0^', since422],
      ] as const;
      for (const [op, payload, wanted] of ops) yield* attacker.must(op, payload, wanted);
      // Privilege comes before the transaction, the transaction before the payload (store.md 1.5).
      yield* attacker.must('CONTROL', 'x^', 'EACCES', 77);
      yield* attacker.must('READ', '', 'ENOENT', 77);
    },
  },
  {
    name: 'malformed-payloads',
    ids: ['BAD-11'],
    does: 'sends payloads without NULs, with too many, and with the wrong number of strings',
    gets: 'served',
    *run(attacker) {
      const one = attacker.version === '4.22' ? (['DIRECTORY', 'READ', 'GET_PERMS', 'MKDIR', 'RM'] as const) : [];
      for (const op of one)
        for (const payload of ['', 'data', 'data^^', '^data^']) yield* attacker.must(op, payload, 'EINVAL');
      for (const payload of ['', 'data/x']) yield* attacker.must('WRITE', payload, 'EINVAL');
      for (const payload of ['', 'data^', 'data']) yield* attacker.must('WATCH', payload, 'EINVAL');
      for (const payload of ['', 'data^']) yield* attacker.must('UNWATCH', payload, 'EINVAL');
      for (const payload of ['', 'X^', 'T', 'TT^']) yield* attacker.must('TRANSACTION_END', payload, 'EINVAL');
      yield* attacker.must('TRANSACTION_END', 'T^', 'ENOENT');
      for (const payload of ['', 'data^', 'data^1^2^']) yield* attacker.must('DIRECTORY_PART', payload, 'EINVAL');
      for (const payload of ['', 'data^']) yield* attacker.must('SET_PERMS', payload, 'EINVAL');
      yield* attacker.hello();
    },
  },
  {
    name: 'bad-paths',
    ids: ['BAD-9', 'BAD-11'],
    does: 'names nodes that cannot be: empty, doubled or trailing slashes, strange octets, too long',
    gets: 'served',
    *run(attacker) {
      const long = 'x'.repeat(3000);
      for (const path of ['', 'data//x', 'data/', 'data/x y', 'data/\x80', '/data/\x01', '@x', long, `/${long}`])
        yield* attacker.must('WRITE', `${path}^v`, 'EINVAL');
      yield* attacker.must('WATCH', `${long}^t^`, 'EINVAL');
      yield* attacker.must('WRITE', 'data/..^v', 'EINVAL');
      yield* attacker.must('WRITE', `data/big^${'v'.repeat(2_024)}`, 'ENOSPC');
      yield* attacker.must('WATCH', `data^${'t'.repeat(4_000)}^`, 'OK^');
      yield* attacker.must('UNWATCH', `data^${'t'.repeat(4_000)}^`, 'OK^');
    },
  },
  {
    name: 'guesses-transactions',
    ids: ['BAD-12'],
    does: 'uses transaction ids that it was not given',
    gets: 'served',
    *run(attacker) {
      for (let i = 0; i < 20; i++)
        yield* attacker.must('READ', 'name^', 'ENOENT', 1 + attacker.me.draws.below(0x7fff_ffff));
      const tx = Number.parseInt(yield* attacker.ask('TRANSACTION_START', '^'), 10);
      yield* attacker.must('TRANSACTION_START', '^', 'EBUSY', tx);
      yield* attacker.must('READ', 'name^', attacker.name, tx);
      yield* attacker.must('TRANSACTION_END', 'F^', 'OK^', tx);
      yield* attacker.must('READ', 'name^', 'ENOENT', tx);
    },
  },
  {
    name: 'same-ids',
    ids: ['BAD-13'],
    does: 'gives several requests the same req_id at once',
    gets: 'served',
    *run(attacker) {
      for (const id of [0, 5, 0xffff_ffff]) {
        yield* attacker.ring.put(requestOctets(XS.READ, id, 0, 'name\0'), 10_000_000_000);
        yield* attacker.ring.put(requestOctets(XS.READ, id, 0, 'data\0'), 10_000_000_000);
        // The attacker keeps one reply for each id: taken one after the other they come in the order of the requests.
        const replies = [said(yield* attacker.replyInOrder()), said(yield* attacker.replyInOrder())];
        attacker.check(`replies to req_id ${id}`, replies.join(' '), `${attacker.name} `);
      }
    },
  },
  {
    name: 'message-in-a-value',
    ids: ['BAD-35'],
    does: 'writes a value that is itself a row of requests',
    gets: 'served',
    *run(attacker) {
      let value = '';
      for (const octet of requestOctets(XS.RM, 1, 0, '/local/domain/0\0')) value += String.fromCharCode(octet);
      const reqId = yield* attacker.sendOctets(XS.WRITE, `data/m\0${value}`);
      attacker.check('reply', said(yield* attacker.reply(reqId)), 'OK^');
      attacker.check('value', yield* attacker.ask('READ', 'data/m^'), value.replaceAll('\0', '^'));
    },
  },
  {
    name: 'watch-flood',
    ids: ['BAD-1'],
    does: 'sets watches to the limit, takes them back, and begins again',
    gets: 'served',
    *run(attacker) {
      const { most, error } = WATCHES[attacker.version];
      for (let round = 0; round < 2 && !attacker.stopping(); round++) {
        for (let i = 0; i < most; i++) yield* attacker.must('WATCH', `data/${i}^${round}^`, 'OK^');
        yield* attacker.must('WATCH', `data/more^${round}^`, error);
        yield* attacker.must('WATCH', `data/0^${round}^`, 'EEXIST');
        for (let i = 0; i < most; i++) yield* attacker.must('UNWATCH', `data/${i}^${round}^`, 'OK^');
      }
      yield* attacker.must('UNWATCH', 'data/0^0^', 'ENOENT');
    },
  },
  {
    name: 'hoards-transactions',
    ids: ['BAD-6'],
    does: 'opens as many transactions as it can, and never ends them',
    gets: 'served',
    holdsTransactions: true,
    *run(attacker) {
      for (let i = 0; i < TRANSACTIONS[attacker.version]; i++) {
        const got = yield* attacker.ask('TRANSACTION_START', '^');
        attacker.check('TRANSACTION_START', /^[0-9]+\^$/.test(got) ? 'an id' : got, 'an id');
      }
      yield* attacker.must('TRANSACTION_START', '^', 'ENOSPC');
      yield* attacker.keepAway(50_000_000);
      yield* attacker.must('TRANSACTION_START', '^', 'ENOSPC');
    },
  },
  {
    name: 'huge-transaction',
    ids: ['BAD-8'],
    does: 'touches more nodes in one transaction than it may',
    gets: 'served',
    holdsTransactions: true,
    *run(attacker) {
      const tx = Number.parseInt(yield* attacker.ask('TRANSACTION_START', '^'), 10);
      let touched = 0;
      let got = 'ENOENT';
      // Each missing name touches itself; `data` was looked at with the first.
      while (got === 'ENOENT' && touched < 1_100) got = yield* attacker.ask('READ', `data/n${touched++}^`, tx);
      attacker.check('refusal', got, 'ENOSPC');
      attacker.check(
        'nodes touched',
        touched > TX_NODES[attacker.version] - 8 && touched <= TX_NODES[attacker.version] + 1 ? 'the quota' : touched,
        'the quota',
      );
      // EAGAIN: a live update came in between, and what it carries is refused at commit.
      yield* attacker.must('TRANSACTION_END', 'T^', ['ENOMEM', 'EAGAIN'], tx);
    },
  },
  {
    name: 'node-flood',
    ids: ['BAD-9', 'BAD-26'],
    does: 'creates nodes until it is refused, removes them, and begins again',
    gets: 'served',
    *run(attacker) {
      let made = 0;
      let got = 'OK^';
      while (got === 'OK^' && made < NODES + 5 && !attacker.stopping()) {
        // Few to a directory: its list of children has a limit of its own.
        got = yield* attacker.ask('WRITE', `data/${made % 16}/${made}^${'v'.repeat(200)}`);
        if (got === 'OK^') made++;
      }
      if (!attacker.stopping()) attacker.check('refusal', got, 'ENOSPC');
      attacker.check('nodes', made < NODES ? 'below the quota' : made, 'below the quota');
      for (let i = 0; i < 16 && i < made; i++) yield* attacker.must('RM', `data/${i}^`, 'OK^');
    },
  },
  {
    name: 'floods-itself',
    ids: ['BAD-3'],
    does: 'sets many watches that overlap and writes below all of them',
    gets: 'served',
    *run(attacker) {
      for (let i = 0; i < 100; i++) yield* attacker.must('WATCH', `data^w${i}^`, 'OK^');
      const before = attacker.events;
      for (let i = 0; i < 20 && (i === 0 || !attacker.stopping()); i++)
        yield* attacker.must('WRITE', `data/x^${i}`, 'OK^');
      attacker.check('events', attacker.events > before ? 'some' : 'none', 'some');
      yield* attacker.must('RESET_WATCHES', '^', 'OK^');
    },
  },
  {
    name: 'hammers',
    ids: ['BAD-2', 'INJ-E14'],
    does: 'keeps its ring full of requests, and reads the replies at once',
    gets: 'served',
    *run(attacker) {
      for (let round = 0; round < 40 && !attacker.stopping(); round++) {
        const ids: number[] = [];
        for (let i = 0; i < 18; i++) ids.push(yield* attacker.send(XS.WRITE, `data/hot^${i}`));
        for (const id of ids) attacker.check('reply', said(yield* attacker.reply(id)), 'OK^');
      }
    },
  },
  {
    name: 'resets-watches',
    ids: ['BAD-24'],
    does: 'forgets its watches and transactions again and again',
    gets: 'served',
    *run(attacker) {
      for (let i = 0; i < 30 && !attacker.stopping(); i++) {
        yield* attacker.must('WATCH', 'data^t^', 'OK^');
        const tx = Number.parseInt(yield* attacker.ask('TRANSACTION_START', '^'), 10);
        yield* attacker.must('RESET_WATCHES', '^', 'OK^');
        yield* attacker.must('UNWATCH', 'data^t^', 'ENOENT');
        yield* attacker.must('READ', 'name^', 'ENOENT', tx);
      }
    },
  },
  {
    name: 'abuses-permissions',
    ids: ['BAD-25'],
    does: 'gives nodes away, to nobody, or to too many',
    gets: 'served',
    *run(attacker) {
      const own = `n${attacker.domid}^`;
      yield* attacker.must('WRITE', 'data/p^x', 'OK^');
      yield* attacker.must('SET_PERMS', 'data/p^n0^', 'EPERM');
      yield* attacker.must('SET_PERMS', `data/p^x${attacker.domid}^`, 'EINVAL');
      yield* attacker.must('SET_PERMS', `data/p^n${attacker.domid}x^`, 'EINVAL');
      const most = ENTRIES[attacker.version];
      yield* attacker.must('SET_PERMS', `data/p^${own}${'r0^'.repeat(most - 1)}`, 'OK^');
      yield* attacker.must('SET_PERMS', `data/p^${own}${'r0^'.repeat(most)}`, 'ENOSPC');
      yield* attacker.must('SET_PERMS', `data/none^${own}`, 'ENOENT');
      yield* attacker.must('SET_PERMS', `/tool^${own}`, 'EACCES');
      yield* attacker.must('SET_PERMS', `name^${own}`, 'EACCES');
    },
  },
  {
    name: 'trespasses',
    ids: ['BAD-7', 'BAD-27', 'BAD-28'],
    does: "reads, writes and removes what is others'",
    gets: 'served',
    *run(attacker) {
      const closed = '/local/domain/0/name';
      yield* attacker.must('READ', `${closed}^`, 'EACCES');
      yield* attacker.must('WRITE', `${closed}^x`, 'EACCES');
      yield* attacker.must('RM', `${closed}^`, 'EACCES');
      yield* attacker.must('MKDIR', '/local/domain/0/x^', 'EACCES');
      yield* attacker.must('RM', '/local/domain^', 'EACCES');
      yield* attacker.must('WRITE', 'name^other', 'EACCES');
      for (const path of ['@introduceDomain', '@releaseDomain']) {
        const before = attacker.events;
        yield* attacker.must('WATCH', `${path}^t^`, 'OK^');
        yield 300_000;
        yield* attacker.hello();
        attacker.check('first event', attacker.events > before ? 'came' : 'missing', 'came');
        yield* attacker.must('UNWATCH', `${path}^t^`, 'OK^');
      }
      yield* attacker.mustRefuse(
        'SET_PERMS',
        `@releaseDomain^n${attacker.domid}^`,
        attacker.version === '4.22' ? ['EACCES'] : ['EACCES', 'EINVAL'],
      );
    },
  },
];
