import { describe, expect, it } from 'vitest';
import { detach, noteLife, purge } from '../../../../scenarios/judge/oracles/domain-death.ts';
import { parseDomid, parseInt32 } from '../../../../scenarios/judge/oracles/numbers.ts';
import { absolute } from '../../../../scenarios/judge/oracles/paths.ts';
import { formatPerm, parsePerm } from '../../../../scenarios/judge/oracles/permissions.ts';
import { predict } from '../../../../scenarios/judge/oracles/predict.ts';
import { Op } from '../../../../scenarios/judge/oracles/wire.ts';
import { XenstoreModel } from '../../../../scenarios/judge/oracles/xenstore-model.ts';

/** A model with dom0 (connection 0) and domains 1 and 2 (connections 1, 2) that own their homes; `ask` serves one request. */
function host(compat: '4.22' | '4.17' = '4.22') {
  const model = new XenstoreModel(compat);
  let seq = 0;
  let lastTx = 0;
  model.open(0, 0, 'dom0');
  const ask = (conn: number, type: number, payload: string, txId = 0): string => {
    const prediction = predict(model, model.peers.get(conn)!, { conn, type, reqId: ++seq, txId, payload, seq });
    const { answer, effect, always, firstEvent } = prediction;
    if (answer.ok) effect?.(type === Op.TRANSACTION_START ? `${++lastTx}\0` : answer.payload);
    always?.();
    first = firstEvent;
    return answer.ok ? answer.payload : answer.error;
  };
  let first: string | undefined;
  const events = () => [
    ...model.takeEvents().map((e) => `${e.conn} ${e.text}`),
    ...(first === undefined ? [] : [first]),
  ];
  for (const d of [1, 2]) {
    model.open(d, d, `domU${d}`);
    ask(0, Op.MKDIR, `/local/domain/${d}\0`);
    ask(0, Op.SET_PERMS, `/local/domain/${d}\0n${d}\0`);
  }
  model.takeEvents();
  return { model, ask, events };
}

const OK = 'OK\0';

describe('the model of xenstore', () => {
  it.each([
    [0, Op.READ, '', 0, 'EINVAL', 'no payload'],
    [0, Op.READ, '/tool', 0, 'EINVAL', 'no NUL'],
    [0, Op.READ, '/tool\0\0', 0, 'EINVAL', 'octets after the NUL'],
    [0, 15, '', 0, 'ENOSYS', 'an event is no request'],
    [0, 27, '', 0xdeadbeef, 'ENOSYS', 'unknown type, before the transaction id is looked at'],
    [1, Op.CONTROL, 'x\0', 77, 'EACCES', 'privilege before transaction'],
    [1, Op.READ, '', 77, 'ENOENT', 'transaction before payload'],
    [1, Op.WATCH, 'x\0t\0', 77, OK, 'WATCH ignores the transaction id'],
    [0, Op.WATCH, '/a\0u\0-1\0', 0, 'EINVAL', 'negative depth'],
    [0, Op.WATCH, '/a\0u\0x\0', 0, OK, 'no number is depth 0'],
    [0, Op.UNWATCH, '/a b\0t\0', 0, 'EINVAL', 'invalid path'],
    [0, Op.UNWATCH, '/zz\0t\0', 0, 'ENOENT', 'no such watch'],
    [0, Op.RM, '/\0', 0, 'EINVAL', 'the root stays'],
    [0, Op.RM, '/nope\0', 0, OK, 'nothing to remove'],
    [0, Op.RM, '/nope/x\0', 0, 'ENOENT', 'the parent is missing'],
    [1, Op.READ, '/secret\0', 0, 'EACCES', 'a missing node below an unreadable one is hidden'],
    [1, Op.READ, 'missing\0', 0, 'ENOENT', 'a missing node below a readable one is not'],
    [0, Op.SET_PERMS, '/bad/\0n99\0', 0, 'ENOENT', 'the owner is looked at before the path'],
    [0, Op.SET_PERMS, '/tool\0n0x0\0r010\0r 1\0r-1\0', 0, OK, 'numbers as strtol takes them'],
    [1, Op.SET_PERMS, '/local/domain/1\0n2\0', 0, 'EPERM', 'nobody gives away what he owns'],
    [0, Op.DIRECTORY, '/\0', 0, 'tool\0local\0', 'in order of creation'],
    [0, Op.GET_PERMS, '@releaseDomain\0', 0, 'n0\0r32757\0', 'special nodes have permissions'],
    [0, Op.READ, '@introduceDomain\0', 0, 'EINVAL', 'and nothing else'],
    [0, Op.GET_PERMS, '@foo\0', 0, 'ENOENT', 'there are two of them'],
    [0, Op.GET_DOMAIN_PATH, ' 5\0', 0, '/local/domain/5\0', 'strtoul skips white space'],
    [0, Op.GET_DOMAIN_PATH, '65536\0', 0, 'EINVAL', 'domids have 16 bits'],
    [0, Op.IS_DOMAIN_INTRODUCED, '1\0', 0, 'T\0', 'it is'],
    [0, Op.IS_DOMAIN_INTRODUCED, '9\0', 0, 'F\0', 'it is not'],
    [0, Op.TRANSACTION_END, 'T\0', 0, 'ENOENT', 'there is no transaction 0'],
    [0, Op.TRANSACTION_END, 'X\0', 0, 'EINVAL', 'the argument comes first'],
    [0, Op.RELEASE, '0\0', 0, 'EINVAL', 'the store lives there'],
    [0, Op.RELEASE, '9\0', 0, 'ENOENT', 'not introduced'],
  ])('connection %i, type %i, %j in transaction %i: %j, since %s', (conn, type, payload, txId, expected) => {
    expect(host().ask(conn, type, payload, txId)).toBe(expected);
  });

  it("gives the creator what an unprivileged domain creates, with its parent's permissions", () => {
    const { ask } = host();
    ask(0, Op.WRITE, '/open\0');
    ask(0, Op.SET_PERMS, '/open\0n0\0b1\0');
    expect(ask(1, Op.WRITE, '/open/x/y\0v')).toBe(OK);
    for (const path of ['/open/x', '/open/x/y']) expect(ask(0, Op.GET_PERMS, `${path}\0`)).toBe('n1\0b1\0');
  });

  it('fires one event for a deep creation, and none for the directories', () => {
    const { ask, events } = host();
    for (const p of ['/p', '/p/q', '/p/q/r']) ask(0, Op.WATCH, `${p}\0${p.length}\0`);
    events();
    ask(0, Op.WRITE, '/p/q/r\0v');
    expect(events().filter((e) => e.startsWith('0'))).toEqual([
      '0 /p/q/r\x002\0',
      '0 /p/q/r\x004\0',
      '0 /p/q/r\x006\0',
    ]);
  });

  it('tells a removal from the leaves to the top', () => {
    const { ask, events } = host();
    for (const p of ['/rm/a/b/c', '/rm/a/b/f', '/rm/a/d']) ask(0, Op.WRITE, `${p}\0`);
    for (const p of ['/rm/a/d', '/rm/a/b/f', '/rm/a/b/c', '/rm/a/b', '/rm']) ask(0, Op.WATCH, `${p}\0t\0`);
    events();
    ask(0, Op.RM, '/rm/a\0');
    const removed = events().filter((e) => e.startsWith('0'));
    expect(removed).toEqual(['b/c', 'b/f', 'b', 'd', ''].map((p) => `0 ${`/rm/a/${p}`.replace(/\/$/, '')}\0t\0`));
  });

  it('tells a removal in a transaction from the top, in order of access', () => {
    const { ask, events } = host();
    ask(0, Op.WRITE, '/ev/a/b\0');
    ask(0, Op.WATCH, '/ev/a\0t\0');
    ask(0, Op.WATCH, '/ev/a/b\0u\0');
    ask(0, Op.TRANSACTION_START, '\0');
    ask(0, Op.RM, '/ev/a\0', 1);
    events();
    expect(ask(0, Op.TRANSACTION_END, 'T\0', 1)).toBe(OK);
    expect(events()).toEqual(['0 /ev/a\0t\0', '0 /ev/a/b\0u\0']);
  });

  it.each([
    ['reads, another writes the same', [Op.READ, '/a/b\0'], [Op.WRITE, '/a/b\x001'], 'EAGAIN'],
    ['reads what is missing, another creates beside it', [Op.READ, '/a/none/x\0'], [Op.WRITE, '/a/k\0'], 'EAGAIN'],
    ['reads a child, another creates a sibling', [Op.READ, '/a/b\0'], [Op.WRITE, '/a/k\0'], OK],
    ['lists, another writes a child', [Op.DIRECTORY, '/a\0'], [Op.WRITE, '/a/b\0x'], OK],
    ['creates, another creates beside it', [Op.WRITE, '/a/k1\0'], [Op.WRITE, '/a/k2\0'], 'EAGAIN'],
    ['reads, another changes permissions', [Op.READ, '/a/b\0'], [Op.SET_PERMS, '/a/b\0n0\0r1\0'], 'EAGAIN'],
  ] as const)('ends a transaction that %s', (_, mine, theirs, end) => {
    const { ask } = host();
    ask(0, Op.WRITE, '/a/b\x001');
    ask(0, Op.TRANSACTION_START, '\0');
    ask(0, mine[0], mine[1], 1);
    ask(0, theirs[0], theirs[1]);
    expect(ask(0, Op.TRANSACTION_END, 'T\0', 1)).toBe(end);
    expect(ask(0, Op.READ, '/\0', 1)).toBe('ENOENT');
  });

  it('refuses a removal in a transaction from under a parent that somebody else has removed, and removes nothing', () => {
    const { ask } = host();
    ask(0, Op.WRITE, '/a/b/c\0v');
    ask(0, Op.TRANSACTION_START, '\0');
    ask(0, Op.READ, '/a/b/c\0', 1);
    ask(0, Op.RM, '/a/b\0');
    expect(ask(0, Op.RM, '/a/b/c\0', 1)).toBe('EINVAL');
    expect(ask(0, Op.READ, '/a/b/c\0', 1)).toBe('v');
    expect(ask(0, Op.TRANSACTION_END, 'T\0', 1)).toBe('EAGAIN');
  });

  it.each([
    ['4.22', true],
    ['4.17', false],
  ] as const)(
    'gives up a removal at a node whose owner was let go of, and the commit removes it (%s: %j)',
    (compat, gives) => {
      const { model, ask } = host(compat);
      for (const p of ['/x/y/z', '/x/y/w']) ask(0, Op.WRITE, `${p}\0`);
      ask(0, Op.TRANSACTION_START, '\0');
      ask(0, Op.SET_PERMS, '/x/y\0n1\0', 1);
      detach(model, 1, 99);
      const rm = predict(model, model.peers.get(0)!, {
        conn: 0,
        type: Op.RM,
        reqId: 9,
        txId: 1,
        payload: '/x/y\0',
        seq: 100,
      });
      expect(rm.mayFail?.includes('EIO') === true).toBe(gives);
      if (!gives) return;
      rm.onFailure?.();
      expect(ask(0, Op.DIRECTORY, '/x/y\0', 1)).toBe('');
      expect(ask(0, Op.DIRECTORY, '/x\0', 1)).toBe('y\0');
      const end = predict(model, model.peers.get(0)!, {
        conn: 0,
        type: Op.TRANSACTION_END,
        reqId: 10,
        txId: 1,
        payload: 'T\0',
        seq: 101,
      });
      end.effect?.('OK\0');
      expect([ask(0, Op.DIRECTORY, '/x\0'), ask(0, Op.READ, '/x/y\0')]).toEqual(['', 'ENOENT']);
    },
  );

  it('takes a node into the view of a transaction when it is first accessed, not before', () => {
    const { ask } = host();
    ask(0, Op.WRITE, '/a\0old');
    ask(0, Op.TRANSACTION_START, '\0');
    ask(0, Op.WRITE, '/a\0seen');
    expect(ask(0, Op.READ, '/a\0', 1)).toBe('seen');
    ask(0, Op.WRITE, '/a\0unseen');
    expect(ask(0, Op.READ, '/a\0', 1)).toBe('seen');
    expect(ask(0, Op.READ, '/a\0')).toBe('unseen');
  });

  it('fires nothing for what a transaction creates and removes', () => {
    const { ask, events } = host();
    ask(0, Op.WATCH, '/q\0t\0');
    ask(0, Op.TRANSACTION_START, '\0');
    ask(0, Op.WRITE, '/q\x001', 1);
    ask(0, Op.RM, '/q\0', 1);
    events();
    expect(ask(0, Op.TRANSACTION_END, 'T\0', 1)).toBe(OK);
    expect(events()).toEqual([]);
  });

  it('removes what a dead domain owned, takes out its entries, and tells the world', () => {
    const { model, ask, events } = host();
    ask(1, Op.WRITE, 'x/f\0v');
    ask(0, Op.WRITE, '/n\0v');
    ask(0, Op.SET_PERMS, '/n\0n0\0r1\0w2\0');
    ask(0, Op.WATCH, '/local/domain/1/x/f\0t\0');
    ask(0, Op.WATCH, '@releaseDomain\0p\0');
    ask(0, Op.WATCH, '@releaseDomain\0d\x001\0');
    ask(0, Op.WATCH, '@releaseDomain/1\0one\0');
    ask(0, Op.WATCH, '@releaseDomain\0none\x000\0');
    ask(2, Op.WATCH, '@releaseDomain\0w\0');
    ask(0, Op.READ, '/tool\0');
    events();
    detach(model, 1, 100);
    expect(events()).toEqual([
      '0 /local/domain/1/x/f\0t\0',
      '0 @releaseDomain\0p\0',
      '2 @releaseDomain\0w\0',
      '0 @releaseDomain/1\0d\0',
      '0 @releaseDomain/1\0one\0',
    ]);
    expect(ask(0, Op.READ, '/local/domain/1\0')).toBe('ENOENT');
    expect(ask(0, Op.GET_PERMS, '/n\0')).toBe('n0\0w2\0');
  });

  it.each([
    ['lives', (_: XenstoreModel) => {}, { children: 'a\0', doubtful: [false] }],
    [
      'has gone, which the store may not have noticed',
      (m: XenstoreModel) => noteLife(m, 9, 'gone'),
      { children: 'a\0', doubtful: [true] },
    ],
    [
      'has gone, and the store has noticed',
      (m: XenstoreModel) => {
        noteLife(m, 9, 'gone');
        purge(m, 9, 0);
      },
      { children: '', doubtful: [] },
    ],
  ])('commits what was made for a domain without a ring that %s', (_, happens, expected) => {
    const { model, ask } = host();
    noteLife(model, 9, 'created');
    ask(0, Op.MKDIR, '/dir\0');
    ask(0, Op.WATCH, '/dir\0t\0');
    ask(0, Op.SET_PERMS, '/tool\0n0\0r9\0');
    ask(0, Op.TRANSACTION_START, '\0');
    const tx = 1;
    ask(0, Op.WRITE, '/dir/a\0x', tx);
    ask(0, Op.SET_PERMS, '/dir/a\0n9\0', tx);
    happens(model);
    model.takeEvents();
    expect(ask(0, Op.TRANSACTION_END, 'T\0', tx)).toBe(OK);
    const doubtful = model
      .takeEvents()
      .filter(({ text }) => text.startsWith('/dir/a'))
      .map((e) => e.isDoubtful === true);
    expect({ children: ask(0, Op.DIRECTORY, '/dir\0'), doubtful }).toEqual(expected);
  });

  it('lets an unprivileged domain hear of a node if it may read the node or its parent', () => {
    const { ask, events } = host();
    ask(0, Op.WRITE, '/s/hidden\0');
    ask(0, Op.WRITE, '/s/shown\0');
    ask(0, Op.SET_PERMS, '/s/shown\0n0\0r1\0');
    ask(1, Op.WATCH, '/s\0t\0');
    events();
    for (const p of ['/s/hidden', '/s/shown']) ask(0, Op.WRITE, `${p}\0x`);
    ask(0, Op.SET_PERMS, '/s/shown\0n0\0');
    ask(0, Op.WRITE, '/s/shown\0y');
    expect(events()).toEqual(['1 /s/shown\0t\0', '1 /s/shown\0t\0']);
  });

  it('knows of no depth, no special nodes and no DOMID_ANY in 4.17', () => {
    const { ask, model, events } = host('4.17');
    expect(ask(0, Op.WATCH, '/a\0t\x001\0')).toBe('EINVAL');
    expect(ask(0, Op.GET_PERMS, '@releaseDomain\0')).toBe('EINVAL');
    ask(2, Op.WATCH, '@releaseDomain\0w\0');
    ask(0, Op.WATCH, '@releaseDomain\0p\0');
    ask(0, Op.READ, '/tool\0');
    events();
    detach(model, 1, 100);
    expect(events()).toEqual(['0 @releaseDomain\0p\0']);
  });
});

describe('names and numbers', () => {
  const guest = { domid: 5, isPriv: false };
  const paths: readonly (readonly [raw: string, expected: string | undefined, why: string])[] = [
    ['x', '/local/domain/5/x', 'relative'],
    ['', undefined, 'ends in a slash'],
    ['/', '/', 'the root'],
    ['/a/', undefined, 'ends in a slash'],
    ['/a//b', undefined, 'an empty component'],
    ['/a b', undefined, 'a space'],
    ['@x', undefined, 'not special here'],
    ['/@x', '/@x', 'an ordinary node'],
    ['x'.repeat(2047), `/local/domain/5/${'x'.repeat(2047)}`, 'as long as can be'],
    ['x'.repeat(2048), undefined, 'too long'],
  ];
  it.each(paths)('the path %j is %j: %s', (raw, expected) => {
    expect(absolute(raw, guest, false, '4.22')).toBe(expected);
  });

  it('reads numbers as C does', () => {
    expect(
      ['', '-1', '-18446744073709551615', '0x10', '+5', ' 5', '007', '5x'].map((t) => parseDomid(t, '4.22')),
    ).toEqual([0, undefined, 1, undefined, 5, 5, 7, undefined]);
    expect(['-1', 'abc', '5x', ' 7'].map(parseInt32)).toEqual([-1, 0, 5, 7]);
    expect(
      ['r010', 'r0x1', 'r 1', 'r-1', 'b5', 'x1', 'r', 'r1 ', 'r08']
        .map((t) => parsePerm(t))
        .map((p) => p && formatPerm(p)),
    ).toEqual(['r8', 'r1', 'r1', 'r-1', 'b5', undefined, undefined, undefined, undefined]);
  });
});
