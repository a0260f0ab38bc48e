import { describe, expect, it } from 'vitest';
import type { MigrationNews } from '../../../guests/index.ts';
import type { History, HistoryRecord } from '../../../scenarios/judge/history.ts';
import type { ConsoleHistory, ConsoleRecord } from '../../../scenarios/judge/invariants/console.ts';
import { disksOverHosts } from '../../../scenarios/judge/invariants/disks-over-hosts.ts';
import { livesGoOn } from '../../../scenarios/judge/invariants/lives.ts';
import { migrationConsoles } from '../../../scenarios/judge/invariants/migration-consoles.ts';
import { migrationDevices } from '../../../scenarios/judge/invariants/migration-devices.ts';
import { migrationOwners } from '../../../scenarios/judge/invariants/migration-owners.ts';
import { migrationSpecials } from '../../../scenarios/judge/invariants/migration-specials.ts';
import { migrationTraces } from '../../../scenarios/judge/invariants/migration-traces.ts';
import { joinDisks } from '../../../scenarios/judge/joined-disks.ts';
import { joinSessions } from '../../../scenarios/judge/joined-sessions.ts';
import type { MigrationHistory, MigrationRecord } from '../../../scenarios/judge/migrations.ts';
import { Bench } from '../../../scenarios/lab/migration-bench.ts';

const octets = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));

/** What a sound migration leaves for the judges. */
function sound(): { readonly history: MigrationHistory; readonly histories: readonly History[] } {
  const bench = new Bench();
  bench.migrate();
  return {
    history: bench.migrations.history(),
    histories: bench.runs.runs.flatMap(({ host }) => host.recorder?.history() ?? []),
  };
}

const { history, histories } = sound();

type Life = Extract<MigrationRecord, { kind: 'life' }>;
const isNews = (what: MigrationNews['what']) => (r: MigrationRecord) => r.kind === 'news' && r.news.what === what;
const isLife = (what: Life['what'], host: number, n = 0) => {
  let seen = 0;
  return (r: MigrationRecord) => {
    const { uniqueId } = history.copies.find((copy) => copy.host === host) ?? {};
    return r.kind === 'life' && r.what === what && r.uniqueId === uniqueId && seen++ === n;
  };
};

function without(is: (r: MigrationRecord) => boolean): MigrationHistory {
  return { ...history, records: history.records.filter((r) => !is(r)) };
}

function moved(is: (r: MigrationRecord) => boolean, before: (r: MigrationRecord) => boolean): MigrationHistory {
  const one = history.records.find(is) as MigrationRecord;
  const rest = history.records.filter((r) => r !== one);
  rest.splice(rest.findIndex(before), 0, one);
  return { ...history, records: rest };
}

function findings(changed: MigrationHistory): string {
  return migrationOwners(changed, histories, { toolstack: 'xl' })
    .violations.map(({ detail }) => detail)
    .join('; ');
}

describe('the judge of owners', () => {
  it('says nothing of a sound migration', () => {
    expect(findings(history)).toBe('');
  });

  it.each([
    ['INV-M1', 'the source does not park', () => without(isLife('shutdown', 0))],
    ['INV-M2', 'the heir ends behind the source', () => without(isLife('unpaused', 1))],
    ['INV-M3', 'no go was read', () => without(isNews('go read'))],
    ['INV-M3', 'it starts before all is there', () => moved(isNews('unpaused'), isNews('received all'))],
    ['INV-M4', 'the source is destroyed before the status', () => moved(isNews('destroys'), isNews('status read'))],
    ['INV-M5', 'success is said of a source that stays', () => without(isNews('destroys'))],
  ] as const)('%s: %s', (label, _, changed) => {
    expect(findings(changed())).toContain(label);
  });
});

describe('a guest that parks late, and another migration of it in between', () => {
  const [first] = history.asked;
  const asked = [first!, { ...first!, n: 2 }];
  const copies = history.copies.filter(({ host }) => host === 0);
  const park = history.records.find(isLife('shutdown', 0))!;
  const before = history.records.filter((r) => r.kind === 'life' && r.timeNs < park.timeNs);
  const news = (migration: number, told: MigrationNews): MigrationRecord => ({
    seq: 0,
    timeNs: park.timeNs,
    kind: 'news',
    migration,
    host: 0,
    news: told,
  });
  const givenUp = [
    news(1, { what: 'says', process: 'S', text: 'libxl_domain_suspend failed' }),
    news(1, { what: 'end', process: 'S', how: 'failed_suspend' }),
  ];
  const other = news(2, { what: 'end', process: 'S', how: 'failed_resume' });
  const judged = (records: readonly MigrationRecord[]) => {
    const { violations, known = [] } = migrationOwners({ ...history, asked, copies, records }, histories, {
      toolstack: 'xl',
    });
    return [violations.map(({ detail }) => detail.slice(0, 6)), known.map(({ label }) => label)];
  };

  it('is the known hole of the first', () => {
    expect(judged([...before, ...givenUp, other, park])).toEqual([[], ['FP-7']]);
  });

  it('is none where it parked for the second, which gave it up', () => {
    expect(judged([...before, ...givenUp, park, other])).toEqual([['INV-M2'], []]);
  });
});

describe('the judge of what is left', () => {
  const node = (path: string, value: string) => ({
    path,
    value: Uint8Array.from(value, (c) => c.charCodeAt(0)),
    perms: ['n0'],
  });
  const withTree = (...nodes: readonly ReturnType<typeof node>[]): History[] => {
    const [first, second] = histories as [History, History];
    const records = [...second.records, { seq: second.records.length, timeNs: 0, kind: 'snapshot' as const, nodes }];
    return [first, { ...second, records }];
  };
  const said = (changed: readonly History[]) =>
    migrationTraces(history, changed, { toolstack: 'xl' })
      .violations.map(({ detail }) => detail)
      .join('; ');

  it('says nothing of what is there', () => {
    expect(said(withTree(node('/local/domain/1/name', 'guest')))).toBe('');
  });

  it.each([
    ['INV-M7', node('/local/domain/1/name', 'guest--incoming')],
    ['INV-M26', node('/local/domain/9/name', 'guest')],
    ['INV-M26', node('/local/domain/0/backend/vbd/9/51712/state', '4')],
  ] as const)('%s: %o', (label, left) => {
    expect(said(withTree(left))).toContain(label);
  });
});

describe('INV-M33: the judge of devices that have come', () => {
  const heir = history.copies.find(({ host }) => host === 1)?.domid;
  const node = (path: string, value: string) => ({ path, value: octets(value), perms: ['n0'] });
  const front = `/local/domain/${heir}/device/vbd/51712`;
  const back = `/local/domain/0/backend/vbd/${heir}/51712`;
  const said = (states: readonly [front: string, back: string]) => {
    const [first, second] = histories as [History, History];
    const nodes = [
      node(`/libxl/${heir}/device/vbd/51712`, ''),
      node(front, ''),
      node(`${front}/state`, states[0]),
      node(back, ''),
      node(`${back}/state`, states[1]),
      node(`${back}/online`, '1'),
    ];
    const records = [...second.records, { seq: second.records.length, timeNs: 0, kind: 'snapshot' as const, nodes }];
    return migrationDevices(history, [first, { ...second, records }], {});
  };

  it('says nothing of one that is connected at both ends', () => {
    const { violations, checked } = said(['4', '4']);
    expect(violations).toEqual([]);
    expect(checked).toContainEqual(['devices', 1]);
    expect(checked).toContainEqual(['guests that moved', 1]);
  });

  it.each([
    ['its frontend', ['3', '4']],
    ['its backend', ['4', '2']],
  ] as const)('finds one that did not come back: %s', (end, states) => {
    expect(said(states).violations.map(({ detail }) => detail)).toEqual([
      expect.stringMatching(new RegExp(`^INV-M33: ${end} is in state .* at rest, not 4`)),
    ]);
  });
});

describe('INV-M27: the judge of special events', () => {
  const EVENT = 15;
  const at = { timeNs: 0, reqId: 0, txId: 0, end: 0 };
  const got = (seq: number, name: string) =>
    ({ ...at, kind: 'got', seq, conn: 0, type: EVENT, payload: octets(`${name}\0dom\0`) }) as const;
  const watcher = { conn: 0, domid: 0, uniqueId: 0n, name: 'dom0/xenconsoled', isSocket: true } as const;
  const guest = { conn: 1, domid: 5, uniqueId: 7n, name: 'guest' } as const;
  const life = [
    got(0, '@introduceDomain'),
    got(1, '@releaseDomain'),
    { kind: 'open', seq: 2, timeNs: 0, conn: 1 },
    got(3, '@introduceDomain'),
    { kind: 'life', seq: 4, timeNs: 0, domid: 5, uniqueId: 7n, what: 'shutdown' },
    got(5, '@releaseDomain'),
    { kind: 'detach', seq: 6, timeNs: 0, conn: 1 },
    got(7, '@releaseDomain'),
    { kind: 'snapshot', seq: 8, timeNs: 0, nodes: [] },
  ] as const;
  const said = (records: readonly HistoryRecord[]) =>
    migrationSpecials(
      ['x1'],
      [
        {
          epochs: [watcher, guest],
          records: records.map((r, seq) => ({ ...r, seq })),
          transactionPolicy: 'carry',
          compat: '4.22',
        },
      ],
    ).violations.map(({ detail }) => detail);
  const without = (...seqs: readonly number[]) => life.filter(({ seq }) => !seqs.includes(seq));

  it('says nothing of a guest that comes, parks and goes', () => {
    expect(said(life)).toEqual([]);
  });

  it('finds an introduction that nobody was told of, or that was told twice', () => {
    expect(said(without(3))).toEqual(['INV-M27: 0 introductions were told of 1, on x1']);
    expect(said([...life.slice(0, 4), ...life.slice(3)])).toEqual(['INV-M27: 2 introductions were told of 1, on x1']);
  });

  it('finds an end that nobody was told of, and events that nothing was the cause of', () => {
    expect(said(without(5, 7))[0]).toMatch(/^INV-M27: 0 ends and parks were told, and 1 domains went/);
    expect(said([...life.slice(0, 6), got(6, '@releaseDomain'), ...life.slice(6)])[0]).toMatch(/there were 2 at most/);
  });
});

describe('INV-M15: the judge of sessions', () => {
  const WATCH = 4;
  const said = (changed: readonly History[]) => livesGoOn(joinSessions(changed, history, 'newest first'));

  it('says nothing of a guest that registers every watch anew', () => {
    const { violations, checked } = said(histories);
    expect(violations).toEqual([]);
    expect(checked).toContainEqual(['restores', 1]);
  });

  it('finds one that is left out', () => {
    const [first, second] = histories as [History, History];
    const guest = second.epochs.find(
      ({ uniqueId }) => uniqueId === history.copies.find(({ host }) => host === 1)?.uniqueId,
    );
    const left = second.records.find((r) => r.kind === 'sent' && r.conn === guest?.conn && r.type === WATCH);
    const records = second.records.filter((r) => r !== left);
    expect(said([first, { ...second, records }]).violations.length).toBeGreaterThan(0);
  });
});

describe('INV-M30: the judge of consoles', () => {
  const [source, heir] = [0, 1].map((host) => history.copies.find((copy) => copy.host === host));
  const parkNs = history.records.find(isLife('shutdown', 0))?.timeNs ?? 0;
  type Move = readonly [kind: 'publish' | 'consume' | 'tty', text: string, timeNs?: number];
  const of = (copy: typeof source, keepsRing: boolean, moves: readonly Move[]): ConsoleHistory => ({
    consoles: [{ domid: copy?.domid ?? 0, uniqueId: copy?.uniqueId ?? 0n, name: 'guest', keepsRing, isRunning: true }],
    records: moves.map(
      ([kind, text, timeNs = 0], seq): ConsoleRecord => ({
        seq,
        timeNs,
        console: 0,
        kind,
        dir: 'out',
        bytes: octets(text),
      }),
    ),
  });
  const said = (keepsRing: boolean, old: readonly Move[], heirs: readonly Move[]) =>
    migrationConsoles(history, [of(source, keepsRing, old), of(heir, keepsRing, heirs)]).violations.map(
      ({ detail }) => detail,
    );
  /** It parks with `cd` in its ring, and its old daemon takes the `c` afterwards. */
  const old: readonly Move[] = [
    ['publish', 'abcd'],
    ['consume', 'ab'],
    ['tty', 'ab'],
    ['consume', 'c', parkNs + 1],
  ];

  it.each([
    ['without the rest of its ring', false, 'ef'],
    ['PV: with what the old daemon has left', true, 'def'],
    ['PV: and with what it has taken since the park', true, 'cdef'],
  ])('lets a guest go on %s', (_, keepsRing, shown) => {
    expect(
      said(keepsRing, old, [
        ['publish', 'ef'],
        ['consume', shown],
        ['tty', shown],
      ]),
    ).toEqual([]);
  });

  it.each([
    ['what was shown before the park', true, 'bcdef'],
    ['a ring that is not there', false, 'def'],
    ['with a hole', true, 'df'],
    ['without its first octet', false, 'f'],
  ])('finds one that goes on with %s', (_, keepsRing, shown) => {
    expect(
      said(keepsRing, old, [
        ['publish', 'ef'],
        ['consume', shown],
      ]),
    ).toEqual([expect.stringMatching(/^INV-M30: \d octets that came out of the ring/)]);
  });

  it('finds a terminal that shows something else', () => {
    expect(said(false, [...old, ['tty', 'x']], [])).toEqual([
      expect.stringContaining('INV-M30: octet 2 of what a terminal'),
    ]);
  });
});

describe('INV-M28: the judge of disks', () => {
  const [source, heir] = [0, 1].map((host) => history.copies.find((copy) => copy.host === host));
  const write = (host: number, seq: number, timeNs: number, what: string, more: object) => ({
    host,
    record: { seq, timeNs, dev: `vbd/${(host === 0 ? source : heir)?.domid}/51712`, what, ...more },
  });
  const extent = (id: number, sum: number) => ({ id, op: 'write', sector: 0, sectors: 1, sums: [sum] });
  /** The guest writes twice at its new host; the old backend executes what it had taken before (INJ-M19) at `lateNs`. */
  const run = (lateNs: number) => {
    const endNs = 10_000_000_000;
    const all = [
      write(0, 1e9, 60_000_000, 'submitted', extent(1, 11)),
      write(0, 1e9, 60_000_001, 'taken', { id: 1 }),
      write(0, 1e9, lateNs, 'executed', { ...extent(1, 11), ok: true }),
      write(1, 1e9, endNs - 100, 'withdrawn', {}),
      write(1, 1e9, endNs - 90, 'submitted', extent(1, 11)),
      write(1, 1e9, endNs - 89, 'taken', { id: 1 }),
      write(1, 1e9, endNs - 88, 'executed', { ...extent(1, 11), ok: true }),
      write(1, 1e9, endNs - 87, 'completed', { id: 1, ok: true, sums: [] }),
      write(1, 1e9, endNs - 80, 'submitted', extent(2, 22)),
      write(1, 1e9, endNs - 79, 'taken', { id: 2 }),
      write(1, 1e9, endNs - 78, 'executed', { ...extent(2, 22), ok: true }),
      write(1, 1e9, endNs - 77, 'completed', { id: 2, ok: true, sums: [] }),
    ];
    const joined = histories.map((each, host) => ({
      ...each,
      devices: all.flatMap((one) => (one.host === host ? [one.record as never] : [])),
    }));
    const verdict = disksOverHosts(
      joinDisks(joined, history, [{ uuid: source?.uuid ?? '', devid: 51712, sums: [22] }]),
    );
    return verdict.violations.map(({ detail }) => detail);
  };

  it('lets a backend finish before its successor begins', () => {
    expect(run(60_000_002)).toEqual([]);
  });

  it('finds a write that the old backend executes late', () => {
    expect(run(10_000_000_000 - 70).length).toBeGreaterThan(0);
  });
});
