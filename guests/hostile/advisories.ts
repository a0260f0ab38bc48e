import type { HostileKind } from './attacker.ts';

/** More children with names so long than a directory of a guest may have. */
const CHILDREN = 12;
const LONG_NAME = 200;
/** A token with which a watch can be set, and no event told of a name that is long itself. */
const LONG_TOKEN = 4_000;
/** Levels of a deep tree: as deep as recursion on a small stack does not reach, and far below the quota of nodes. */
const LEVELS = 400;
/** Octets of a relative path that every store takes. */
const PATH_OCTETS = 2_040;
/** Nodes of one life. */
const NODES = 40;

/** A node of dom0 that a domain may read: the first of that id, and no other. */
export function entrustedTo(domid: number): string {
  return `/tool/entrusted-${domid}`;
}

/** Guests that do what an advisory tells of, and get what is due since then. */
export const ADVISORY_KINDS: readonly HostileKind[] = [
  {
    name: 'events-too-long',
    ids: ['XSA-324'],
    does: 'sets a watch with a long token, and writes a long name below it',
    gets: 'served',
    *run(attacker) {
      yield* attacker.must('WATCH', `data^${'t'.repeat(LONG_TOKEN)}^`, 'OK^');
      yield* attacker.hello();
      const before = attacker.events;
      yield* attacker.must('WRITE', `data/${'x'.repeat(LONG_NAME)}^v`, 'OK^');
      yield* attacker.hello();
      attacker.check('events that no message can hold', attacker.events - before, 0);
    },
  },
  {
    name: 'levels-too-many',
    ids: ['XSA-414', 'XSA-415'],
    does: 'makes several levels at once in a directory that is full, and commits what was refused',
    gets: 'served',
    *run(attacker) {
      const names = Array.from({ length: CHILDREN }, (_, i) => `data/full/${String(i).padStart(LONG_NAME, 'x')}`);
      let made = 0;
      while (made < CHILDREN && (yield* attacker.ask('WRITE', `${names[made]}^`)) === 'OK^') made++;
      attacker.check('children of a directory', made < CHILDREN ? 'limited' : made, 'limited');
      const last = names[made - 1] ?? '';
      const leaf = `data/full/${'y'.repeat(LONG_NAME)}/b/c`;
      const levels = [leaf, leaf.slice(0, -2), leaf.slice(0, -4)];
      yield* attacker.must('WRITE', `${leaf}^v`, 'ENOSPC');
      for (const path of levels) yield* attacker.must('READ', `${path}^`, 'ENOENT');
      const tx = Number.parseInt(yield* attacker.ask('TRANSACTION_START', '^'), 10);
      yield* attacker.must('WRITE', `${leaf}^v`, 'ENOSPC', tx);
      // EAGAIN: a live update came in between, and what it carries is refused at commit.
      yield* attacker.must('TRANSACTION_END', 'T^', ['ENOMEM', 'EAGAIN'], tx);
      for (const path of levels) yield* attacker.must('READ', `${path}^`, 'ENOENT');
      yield* attacker.must('RM', `${last}^`, 'OK^');
      yield* attacker.must('WRITE', `${leaf}^v`, 'OK^');
      yield* attacker.must('RM', 'data/full^', 'OK^');
    },
  },
  {
    name: 'deep-tree',
    ids: ['XSA-418'],
    does: 'makes a path of hundreds of levels, and removes its top',
    gets: 'served',
    *run(attacker) {
      const deep = `data${'/d'.repeat(LEVELS)}`;
      yield* attacker.must('WRITE', `${deep}^v`, 'OK^');
      yield* attacker.must('READ', `${deep}^`, 'v');
      yield* attacker.must('RM', 'data/d^', 'OK^');
      yield* attacker.must('READ', `${deep}^`, 'ENOENT');
      yield* attacker.hello();
    },
  },
  {
    name: 'made-and-removed',
    ids: ['XSA-421'],
    does: 'makes a node and removes it in one transaction, among others that stay',
    gets: 'served',
    *run(attacker) {
      for (let round = 0; round < 3; round++) {
        const tx = Number.parseInt(yield* attacker.ask('TRANSACTION_START', '^'), 10);
        for (const name of ['a', 'b']) yield* attacker.ask('WRITE', `data/${name}^${round}`, tx);
        yield* attacker.ask('RM', 'data/b^', tx);
        yield* attacker.ask('WRITE', `data/c^${round}`, tx);
        const end = yield* attacker.must('TRANSACTION_END', 'T^', ['OK^', 'EAGAIN'], tx);
        const [there, gone] = end === 'OK^' ? [String(round), 'ENOENT'] : ['ENOENT', 'ENOENT'];
        yield* attacker.must('READ', 'data/a^', there);
        yield* attacker.must('READ', 'data/b^', gone);
        yield* attacker.must('READ', 'data/c^', there);
        for (const name of ['a', 'c']) yield* attacker.ask('RM', `data/${name}^`);
      }
    },
  },
  {
    name: 'names-both-ways',
    ids: ['XSA-323'],
    does: 'names a node relatively by as many octets as it may, and then absolutely',
    gets: 'served',
    *run(attacker) {
      const level = `/${'z'.repeat(LONG_NAME)}`;
      const path = `data${level.repeat(Math.ceil(PATH_OCTETS / level.length))}`.slice(0, PATH_OCTETS);
      const home = `/local/domain/${attacker.domid}`;
      yield* attacker.must('WRITE', `${path}^v`, 'OK^');
      yield* attacker.must('READ', `${home}/${path}^`, 'v');
      yield* attacker.must('WRITE', `${home}/${path}^w`, 'OK^');
      yield* attacker.must('READ', `${path}^`, 'w');
      yield* attacker.must('RM', `${home}/data${level}^`, 'OK^');
      yield* attacker.must('READ', `${path}^`, 'ENOENT');
    },
  },
  {
    name: 'names-its-parents',
    ids: ['XSA-353', 'XSA-481'],
    does: 'names the root, and the directory of all homes with and without a home',
    gets: 'served',
    *run(attacker) {
      const own = `n${attacker.domid}^`;
      yield* attacker.must('SET_PERMS', `/^${own}`, 'EACCES');
      yield* attacker.must('WRITE', '/^x', 'EACCES');
      yield* attacker.must('MKDIR', '/mine^', 'EACCES');
      yield* attacker.must('RM', '/^', 'EACCES');
      for (const [op, rest] of [
        ['READ', ''],
        ['DIRECTORY', ''],
        ['GET_PERMS', ''],
        ['MKDIR', ''],
        ['RM', ''],
        ['WRITE', 'v'],
        ['SET_PERMS', own],
        ['WATCH', 't^'],
      ] as const)
        yield* attacker.must(op, `/local/domain/^${rest}`, 'EINVAL');
      yield* attacker.hello();
    },
  },
  {
    name: 'resets-amid-transactions',
    ids: ['XSA-484'],
    does: 'forgets its watches and transactions by a request that names one of them',
    gets: 'served',
    *run(attacker) {
      for (let i = 0; i < 10 && !attacker.stopping(); i++) {
        const tx = Number.parseInt(yield* attacker.ask('TRANSACTION_START', '^'), 10);
        yield* attacker.ask('WRITE', `data/r^${i}`, tx);
        yield* attacker.must('RESET_WATCHES', '^', 'OK^', tx);
        yield* attacker.must('READ', 'name^', 'ENOENT', tx);
      }
      yield* attacker.hello();
    },
  },
  {
    name: 'comes-again',
    ids: ['XSA-322', 'XSA-419', 'XSA-483'],
    does: 'makes nodes, goes, and makes them again in another domain with its id, which reads what was meant for the first',
    gets: 'served',
    comesAgain: true,
    *run(attacker) {
      for (let i = 0; i < NODES; i++) yield* attacker.must('WRITE', `data/${i}^v`, 'OK^');
      yield* attacker.ask('READ', `${entrustedTo(attacker.domid)}^`);
      yield* attacker.hello();
    },
  },
];
