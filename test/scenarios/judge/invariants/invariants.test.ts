import { describe, expect, it } from 'vitest';
import type { History, HistoryRecord, Violation } from '../../../../scenarios/judge/history.ts';
import { allInvariants, checkHistory } from '../../../../scenarios/judge/invariants/index.ts';
import {
  type BuilderOptions,
  HistoryBuilder,
  octets,
  rewrite,
  type Written,
  withRecords,
  XS,
} from '../../../support/history-builder.ts';

function violations(history: History): Violation[] {
  return checkHistory(history).flatMap((v) => v.violations);
}

/** dom0 (connection 0) watches and writes, domain 5 (connection 1) reads and writes, with transactions and a live update. */
function ordinary(options: BuilderOptions = {}): History {
  const b = new HistoryBuilder(options);
  const d0 = b.dom0;
  const g = b.introduce(5);
  b.request(d0, XS.WATCH, '/local\0tok\0');
  b.request(g, XS.WATCH, 'data\0w\0');
  b.request(g, XS.WRITE, 'data/one\x001');
  b.request(g, XS.WRITE, 'data/two\x002');
  b.request(g, XS.READ, 'data/one\0');
  const tx = b.start(d0);
  b.request(d0, XS.READ, '/local/domain/5/data/one\0', tx);
  b.request(d0, XS.WRITE, '/local/domain/5/data/one\0left', tx);
  b.request(d0, XS.WRITE, '/local/domain/5/data/two\0right', tx);
  b.request(d0, XS.END, 'T\0', tx);
  b.liveUpdate();
  b.request(g, XS.DIRECTORY, 'data\0');
  b.request(g, XS.UNWATCH, 'data\0w\0');
  b.request(g, XS.WRITE, 'data/three\x003');
  b.request(d0, XS.SET_PERMS, '/local/domain/5/data/two\0n5\0r0\0');
  b.request(g, XS.READ, 'data/two\0');
  return b.finish();
}

const isEvent = (m: Written) => m.type === XS.EVENT;
const eventAt = (path: string) => (m: Written) => isEvent(m) && m.payload.startsWith(`${path}\0`);

type Edited = (Written | undefined)[];

function without(list: Edited, is: (m: Written) => boolean): Edited {
  const at = list.findIndex((m) => m !== undefined && is(m));
  expect(at).toBeGreaterThanOrEqual(0);
  return list.with(at, undefined);
}

function swapped(list: Written[], i: number, j: number): Written[] {
  return list.with(i, list[j]!).with(j, list[i]!);
}

/** Change one record. */
function change(
  history: History,
  is: (r: HistoryRecord) => boolean,
  to: (r: HistoryRecord) => HistoryRecord[],
): History {
  const at = history.records.findIndex(is);
  expect(at).toBeGreaterThanOrEqual(0);
  return withRecords(history, history.records.toSpliced(at, 1, ...to(history.records[at]!)));
}

type Move = Extract<HistoryRecord, { kind: 'publish' | 'consume' }>;
const move = (kind: Move['kind'], dir: Move['dir'], conn: number, nth = 0) => {
  let left = nth;
  return (r: HistoryRecord) => r.kind === kind && r.dir === dir && r.conn === conn && left-- === 0;
};

function flipped(r: HistoryRecord): HistoryRecord[] {
  const m = r as Move;
  return [{ ...m, bytes: m.bytes.with(m.bytes.length - 1, m.bytes.at(-1)! ^ 0x20) }];
}

function onSnapshot(
  history: History,
  edit: (nodes: Extract<HistoryRecord, { kind: 'snapshot' }>['nodes']) => unknown[],
): History {
  return change(
    history,
    (r) => r.kind === 'snapshot',
    (r) => [{ ...r, nodes: edit((r as never as { nodes: never[] }).nodes) } as HistoryRecord],
  );
}

/** Two clients in each other's way: a transaction reads what another writes before it ends. */
function conflict(mistake?: BuilderOptions['mistake'], end = 'T\0'): History {
  const b = new HistoryBuilder(mistake === undefined ? {} : { mistake });
  const g = b.introduce(5);
  b.request(g, XS.WRITE, 'n\0old');
  const tx = b.start(b.dom0);
  b.request(b.dom0, XS.READ, '/local/domain/5/n\0', tx);
  b.request(b.dom0, XS.WRITE, '/local/domain/5/n\0mine', tx);
  b.request(g, XS.WRITE, 'n\0other');
  b.request(b.dom0, XS.END, end, tx);
  b.request(g, XS.READ, 'n\0');
  return b.finish();
}

function twoWrites(mistake?: BuilderOptions['mistake'], end = 'T\0', update = false): History {
  const b = new HistoryBuilder(mistake === undefined ? {} : { mistake });
  const tx = b.start(b.dom0);
  b.request(b.dom0, XS.WRITE, '/tool/one\x001', tx);
  b.request(b.dom0, XS.WRITE, '/tool/two\x002', tx);
  if (update) b.liveUpdate();
  b.request(b.dom0, XS.END, end, tx);
  b.request(b.dom0, XS.READ, '/tool/two\0');
  return b.finish();
}

/** dom0 watches, and does not read: two equal changes before, one behind a live update. */
function merging(mistake?: BuilderOptions['mistake']): History {
  const b = new HistoryBuilder(mistake === undefined ? {} : { mistake });
  const g = b.introduce(5);
  b.request(b.dom0, XS.WATCH, '/local\0tok\0');
  for (const what of ['first', 'second', 'third']) {
    b.send(g, XS.WRITE, `n\0${what}`);
    b.serve(g);
    if (what === 'second') b.liveUpdate();
  }
  return b.finish();
}

describe('checkHistory', () => {
  it.each([
    ['an ordinary history', ordinary()],
    ['policy daemon', ordinary({ policy: 'daemon' })],
    ['a refused commit', conflict()],
    ['an abort', conflict(undefined, 'F\0')],
    ['a carried transaction that is refused', twoWrites(undefined, 'T\0', true)],
    ['events repeated after a live update', merging()],
  ])('finds nothing wrong with %s', (_, history) => {
    expect(violations(history)).toEqual([]);
  });

  it('has a claim, a source and counts for each family', () => {
    const verdicts = checkHistory(ordinary());
    expect(verdicts.map((v) => v.invariant)).toEqual(allInvariants.map((i) => i.name));
    for (const v of verdicts) {
      expect(v.claim).not.toBe('');
      expect(v.source).not.toBe('');
      expect(v.checked.some(([, n]) => n > 0)).toBe(true);
    }
  });

  it('accepts that an equal event from before a live update is not repeated', () => {
    const once = rewrite(merging(), 0, (l) => without(l, eventAt('/local/domain/5/n')));
    expect(violations(once)).toEqual([]);
  });

  it('accepts that an event which no guest took for 20 s is dropped, and not earlier', () => {
    const isLost = (waitNs: number) => {
      const b = new HistoryBuilder();
      const g = b.introduce(5);
      b.request(g, XS.WATCH, 'n\0w\0');
      b.send(b.dom0, XS.WRITE, '/local/domain/5/n\0v');
      b.serve(b.dom0);
      b.passNs(waitNs);
      const h = b.finish();
      const at = h.records.findIndex(
        (r) => r.kind === 'publish' && r.dir === 'rsp' && r.conn === g && r.timeNs > waitNs,
      );
      return violations(
        withRecords(
          h,
          h.records.filter((r, i) => i < at || !('conn' in r) || r.conn !== g),
        ),
      );
    };
    expect(isLost(21_000_000_000)).toEqual([]);
    expect(isLost(10_000_000_000)).toMatchObject([
      { invariant: 'watch-events', detail: expect.stringContaining('n\\0w\\0') },
    ]);
  });
});

/** Each row: a mistake, the family that must bark, and what its message must name. */
const MUTATIONS: readonly (readonly [what: string, family: string, history: () => History, names: RegExp])[] = [
  // ring-octets
  [
    'a request octet changes on its way',
    'ring-octets',
    () => change(ordinary(), move('consume', 'req', 1, 3), flipped),
    /domU5|octet \d+ changed.*published.*consumed/,
  ],
  [
    'a reply octet changes on its way',
    'ring-octets',
    () => change(ordinary(), move('consume', 'rsp', 0, 2), flipped),
    /reply octet \d+ changed/,
  ],
  [
    'an octet is consumed twice',
    'ring-octets',
    () => change(ordinary(), move('consume', 'req', 1, 4), (r) => [r, r]),
    /request octets \d+ to \d+ were consumed a second time/,
  ],
  [
    'octets are skipped by the store',
    'ring-octets',
    () => change(ordinary(), move('consume', 'req', 1, 4), () => []),
    /were skipped: consumed range/,
  ],
  [
    'a reply is published twice',
    'ring-octets',
    () => change(ordinary(), move('publish', 'rsp', 0, 4), (r) => [r, r]),
    /reply octets \d+ to \d+ were published a second time/,
  ],
  [
    'the consumer passes the producer',
    'ring-octets',
    () => {
      const h = ordinary();
      const at = h.records.findIndex(move('publish', 'req', 1, 2));
      const [published] = [h.records[at]!];
      return withRecords(h, h.records.toSpliced(at, 1).toSpliced(at + 3, 0, published));
    },
    /were consumed, but only \d+ were published/,
  ],
  [
    'the producer runs too far ahead',
    'ring-octets',
    () => {
      const b = new HistoryBuilder();
      for (let i = 0; i < 3; i++) b.send(b.dom0, XS.WRITE, `/tool/x\0${'v'.repeat(500)}`);
      return b.finish();
    },
    /request producer is \d+ octets ahead/,
  ],
  [
    'a client gets something else than was written',
    'ring-octets',
    () =>
      change(
        ordinary(),
        (r) => r.kind === 'got' && r.conn === 1,
        (r) => [{ ...r, payload: octets('KO\0') } as HistoryRecord],
      ),
    /client got .*KO/,
  ],
  [
    'a client never gets a message',
    'ring-octets',
    () =>
      change(
        ordinary(),
        (r) => r.kind === 'got' && r.conn === 1,
        () => [],
      ),
    /client never got/,
  ],
  [
    'a library says it sent something else',
    'ring-octets',
    () =>
      change(
        ordinary(),
        (r) => r.kind === 'sent' && r.conn === 1,
        (r) => [{ ...r, reqId: 999 } as HistoryRecord],
      ),
    /sent WATCH req_id 999/,
  ],
  [
    'a request is left in the ring',
    'ring-octets',
    () => {
      const h = ordinary();
      const last = h.records.findLast((r) => r.kind === 'publish' && r.dir === 'req' && r.conn === 1)!.seq;
      return withRecords(
        h,
        h.records.filter((r) => !(r.seq > last && r.kind === 'consume' && r.dir === 'req')),
      );
    },
    /octets of requests were never consumed/,
  ],

  // replies
  [
    'a reply is dropped',
    'replies',
    () => rewrite(ordinary(), 1, (l) => without(l, (m) => m.type === XS.READ)),
    /no reply to READ req_id \d+ tx 0 "data\/one\\0"/,
  ],
  [
    'two replies change places',
    'replies',
    () => {
      const b = new HistoryBuilder();
      b.send(b.dom0, XS.READ, '/tool\0');
      b.send(b.dom0, XS.DIRECTORY, '/tool\0');
      return rewrite(b.finish(), 0, (l) => swapped(l, 0, 1));
    },
    /reply to READ req_id 1 .* came after DIRECTORY req_id 2/,
  ],
  [
    'a reply comes twice',
    'replies',
    () => rewrite(ordinary(), 1, (l) => [...l, l.at(-1)!]),
    /reply without a request: READ/,
  ],
  [
    'a req_id changes',
    'replies',
    () => rewrite(ordinary(), 1, (l) => l.with(-1, { ...l.at(-1)!, reqId: 4711 })),
    /reply without a request: READ req_id 4711/,
  ],
  [
    'a tx_id changes',
    'replies',
    () => rewrite(ordinary(), 1, (l) => l.with(-1, { ...l.at(-1)!, txId: 3 })),
    /came with tx_id 3/,
  ],
  [
    'a reply has another type',
    'replies',
    () => rewrite(ordinary(), 1, (l) => l.with(-1, { ...l.at(-1)!, type: XS.WRITE })),
    /READ req_id \d+ tx 0 was answered by type WRITE/,
  ],
  [
    'an error has no known name',
    'replies',
    () => rewrite(ordinary(), 1, (l) => l.with(-1, { ...l.at(-1)!, type: XS.ERROR, payload: 'EWHAT\0' })),
    /unknown error "EWHAT\\0"/,
  ],
  [
    'a value that was never written is read',
    'replies',
    () =>
      rewrite(ordinary(), 1, (l) =>
        l.map((m) => (m.type === XS.READ && m.payload === '1' ? { ...m, payload: '9' } : m)),
      ),
    /data\/one.*expected "1", came "9"/,
  ],
  [
    'a list has another order',
    'replies',
    () => rewrite(ordinary(), 1, (l) => l.map((m) => (m.type === XS.DIRECTORY ? { ...m, payload: 'two\0one\0' } : m))),
    /expected "one\\0two\\0", came "two\\0one\\0"/,
  ],
  [
    'an error without reason',
    'replies',
    () =>
      rewrite(ordinary(), 1, (l) =>
        l.map((m) => (m.type === XS.UNWATCH ? { ...m, type: XS.ERROR, payload: 'ENOENT\0' } : m)),
      ),
    /UNWATCH.*expected "OK\\0", came ENOENT/,
  ],

  // watch-events
  [
    'an event is lost',
    'watch-events',
    () => rewrite(ordinary(), 0, (l) => without(l, eventAt('/local/domain/5/data/two'))),
    /event "\/local\/domain\/5\/data\/two\\0tok\\0" never came; caused by domU5 WRITE/,
  ],
  [
    'an event comes twice',
    'watch-events',
    () => rewrite(ordinary(), 0, (l) => l.flatMap((m) => (eventAt('/local/domain/5/data/three')(m) ? [m, m] : [m]))),
    /data\/three\\0tok\\0" without a cause: watch "tok" stands on \/local/,
  ],
  [
    'an event comes before the WATCH reply',
    'watch-events',
    () => rewrite(ordinary(), 1, (l) => swapped(l, 0, 1)),
    /event "data\\0w\\0".*came before the reply to WATCH/,
  ],
  [
    'an event comes behind the reply to its cause',
    'watch-events',
    () => rewrite(ordinary(), 1, (l) => swapped(l, 2, 3)),
    /event "data\/one\\0w\\0".*out of order/,
  ],
  [
    'an event comes after UNWATCH',
    'watch-events',
    () => rewrite(ordinary(), 1, (l) => [...l, { type: XS.EVENT, reqId: 0, txId: 0, payload: 'data/three\0w\0' }]),
    /data\/three\\0w\\0" without a cause: its watch on \/local\/domain\/5\/data was ended by UNWATCH/,
  ],
  [
    'an event of a watch that never was',
    'watch-events',
    () => rewrite(ordinary(), 1, (l) => [...l, { type: XS.EVENT, reqId: 0, txId: 0, payload: 'a\0zz\0' }]),
    /no watch with token "zz"/,
  ],
  [
    'two events change places',
    'watch-events',
    () =>
      rewrite(ordinary(), 0, (l) => {
        const [i, j] = ['one', 'two'].map((n) => l.findLastIndex(eventAt(`/local/domain/5/data/${n}`))) as [
          number,
          number,
        ];
        return swapped(l, i, j > i ? j : l.findIndex(eventAt('/local/domain/5/data/two')));
      }),
    /came out of order|never came/,
  ],
  [
    'an absolute path where the watch is relative',
    'watch-events',
    () =>
      rewrite(ordinary(), 1, (l) =>
        l.map((m) => (eventAt('data/one')(m) ? { ...m, payload: '/local/domain/5/data/one\0w\0' } : m)),
      ),
    /"\/local\/domain\/5\/data\/one\\0w\\0" without a cause/,
  ],
  [
    'watches are forgotten by a live update',
    'watch-events',
    () => ordinary({ mistake: 'forgets-watches' }),
    /event "\/local\/domain\/5\/data\/three\\0tok\\0" never came/,
  ],
  [
    'a live update fires restored watches',
    'watch-events',
    () => ordinary({ mistake: 'renews-watches' }),
    /event "data\\0w\\0" without a cause/,
  ],
  [
    'both of two equal events are lost',
    'watch-events',
    () => rewrite(merging(), 0, (l) => without(without(l, eventAt('/local/domain/5/n')), eventAt('/local/domain/5/n'))),
    /\/local\/domain\/5\/n\\0tok\\0" never came/,
  ],
  [
    'an event more than a live update can explain',
    'watch-events',
    () => rewrite(merging(), 0, (l) => [...l, l.find(eventAt('/local/domain/5/n'))!]),
    /n\\0tok\\0" without a cause/,
  ],

  // transactions
  [
    'a commit overwrites a conflicting change',
    'transactions',
    () => conflict('no-conflicts'),
    /expected EAGAIN \(\/local\/domain\/5\/n, first accessed at seq \d+, was changed by domU5 WRITE/,
  ],
  [
    'a commit takes effect by half',
    'transactions',
    () => twoWrites('half-commit'),
    /expected "2", came ENOENT; \/tool\/two was last written by the commit dom0 TRANSACTION_END/,
  ],
  [
    'EAGAIN without a conflict',
    'transactions',
    () => twoWrites('always-conflict'),
    /expected "OK\\0", came EAGAIN; nothing it had accessed was changed by anybody: \/tool\/one/,
  ],
  [
    'an aborted transaction leaves a trace',
    'transactions',
    () => twoWrites('leaky-abort', 'F\0'),
    /"2" was written to \/tool\/two in transaction 1 of dom0, aborted at seq \d+, which must have no effect/,
  ],
  [
    'a transaction is lost by a live update',
    'transactions',
    () => twoWrites('lost-update', 'T\0', true),
    /expected "OK\\0", came ENOENT; it had accessed \/tool\/one.*carried over a live update/,
  ],
  [
    'an id is given twice',
    'transactions',
    () => {
      const b = new HistoryBuilder();
      b.start(b.dom0);
      b.start(b.dom0);
      return rewrite(b.finish(), 0, (l) => l.with(1, { ...l[1]!, payload: '1\0' }));
    },
    /transaction 1 of this connection is still open/,
  ],
  [
    'a transaction sees what was changed since it looked',
    'transactions',
    () => {
      const b = new HistoryBuilder();
      const tx = b.start(b.dom0);
      b.request(b.dom0, XS.READ, '/tool\0', tx);
      b.request(b.dom0, XS.WRITE, '/tool\0new');
      b.request(b.dom0, XS.READ, '/tool\0', tx);
      return rewrite(b.finish(), 0, (l) => l.with(-1, { ...l.at(-1)!, payload: 'new' }));
    },
    /READ req_id \d+ tx 1 "\/tool\\0".*expected "", came "new"/,
  ],
  [
    'an unknown id is served',
    'transactions',
    () => {
      const b = new HistoryBuilder();
      b.request(b.dom0, XS.READ, '/tool\0', 77);
      return rewrite(b.finish(), 0, (l) => l.map((m) => ({ ...m, type: XS.READ, payload: '' })));
    },
    /expected ENOENT \(connection has no transaction 77\)/,
  ],

  // final-tree
  [
    'a write is lost',
    'final-tree',
    () => onSnapshot(ordinary(), (n) => n.filter((x) => !x.path.endsWith('three'))),
    /\/local\/domain\/5\/data\/three is missing, expected with value "3"; last written by domU5 WRITE/,
  ],
  [
    'a value is another',
    'final-tree',
    () => onSnapshot(ordinary(), (n) => n.map((x) => (x.path.endsWith('two') ? { ...x, value: octets('2') } : x))),
    /value of \/local\/domain\/5\/data\/two: expected "right", came "2"/,
  ],
  [
    'a permission is another',
    'final-tree',
    () => onSnapshot(ordinary(), (n) => n.map((x) => (x.path.endsWith('two') ? { ...x, perms: ['n5'] } : x))),
    /permissions of \/local\/domain\/5\/data\/two: expected n5 r0, came n5/,
  ],
  [
    'a node is there that nobody made',
    'final-tree',
    () => onSnapshot(ordinary(), (n) => [...n, { path: '/ghost', value: octets(''), perms: ['n0'] }]),
    /\/ghost is there with value "", but must not be/,
  ],
  [
    'special permissions are lost',
    'final-tree',
    () => onSnapshot(ordinary(), (n) => n.map((x) => (x.path === '@releaseDomain' ? { ...x, perms: ['n0'] } : x))),
    /permissions of @releaseDomain: expected n0 r32757, came n0/,
  ],
  [
    'there is no snapshot',
    'final-tree',
    () =>
      change(
        ordinary(),
        (r) => r.kind === 'snapshot',
        () => [],
      ),
    /no snapshot/,
  ],
];

describe('a history in which', () => {
  it.each(MUTATIONS)('%s is a violation of %s', (_, family, history, names) => {
    const found = violations(history());
    expect(found.map((v) => v.invariant)).toContain(family);
    const details = found.filter((v) => v.invariant === family).map((v) => v.detail);
    expect(
      details.some((d) => names.test(d)),
      details.join('\n'),
    ).toBe(true);
  });
});
