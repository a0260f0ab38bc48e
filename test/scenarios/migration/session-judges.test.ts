import { describe, expect, it } from 'vitest';
import type { History, HistoryRecord, Verdict } from '../../../scenarios/judge/history.ts';
import { migrationSecondLives } from '../../../scenarios/judge/invariants/migration-second-lives.ts';
import { migrationSessions } from '../../../scenarios/judge/invariants/migration-sessions.ts';
import { migrationTools } from '../../../scenarios/judge/invariants/migration-tools.ts';
import type { MigrationHistory } from '../../../scenarios/judge/migrations.ts';
import { textOf } from '../../../scenarios/judge/oracles/octets.ts';
import { Bench } from '../../../scenarios/lab/migration-bench.ts';
import { XS } from '../../../store/protocol/wire.ts';

interface Lived {
  readonly history: MigrationHistory;
  readonly histories: readonly History[];
}

function lived(cutAt?: 'SO6' | 'SO9'): Lived {
  const bench = new Bench();
  bench.migrate({
    told: (news, { link }) => {
      if (news.what === 'step' && news.process === 'V' && news.step === cutAt) link?.cut();
    },
  });
  return {
    history: bench.migrations.history(),
    histories: bench.runs.runs.flatMap(({ host }) => host.recorder?.history() ?? []),
  };
}

const sound = lived();
/** The link breaks before the guest is asked, and behind its park. */
const early = lived('SO6');
const late = lived('SO9');

/** The records of one host, changed. */
function changed({ histories }: Lived, host: number, change: (records: HistoryRecord[]) => void): readonly History[] {
  return histories.map((each, i) => {
    if (i !== host) return each;
    const records = [...each.records];
    change(records);
    return { ...each, records: records.map((r, seq) => ({ ...r, seq })) };
  });
}

/** The connection of the guest, or of a process, on a host. */
function connOf({ histories }: Lived, host: number, name: RegExp): number {
  const epoch = histories[host]?.epochs.findLast((each) => name.test(each.name));
  if (epoch === undefined) throw new Error(`nobody is called ${name}`);
  return epoch.conn;
}

const payload = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));
const details = ({ violations }: Verdict) => violations.map(({ detail }) => detail);
const GUEST = /guest/;

function sent(conn: number, type: number, text: string, txId = 0): HistoryRecord {
  const at = { seq: 0, timeNs: 0, kind: 'sent' as const, conn, actor: 'planted' };
  return { ...at, end: 0, type, reqId: 0xffff, txId, payload: payload(text) };
}

/** Where the first record of a kind is. */
const placeOf = (records: readonly HistoryRecord[], is: (r: HistoryRecord) => boolean) => records.findIndex(is);
const isLife = (what: string) => (r: HistoryRecord) => r.kind === 'life' && r.what === what;
/** Before the guest's park. */
const parkOf = (records: readonly HistoryRecord[]) => placeOf(records, isLife('shutdown'));

describe('the judge of sessions around a park', () => {
  it.each([
    ['that succeeds', sound],
    ['that breaks early', early],
    ['that breaks late', late],
  ])('says nothing of a migration %s', (_, { history, histories }) => {
    expect(details(migrationSessions(history, histories))).toEqual([]);
  });

  it('INV-M12: a session that goes on registers nothing anew', () => {
    const conn = connOf(late, 0, GUEST);
    const histories = changed(late, 0, (records) => {
      const watch = records.find((r) => r.kind === 'sent' && r.conn === conn && r.type === XS.WATCH);
      records.push({ ...(watch as HistoryRecord), timeNs: records.at(-1)?.timeNs ?? 0 } as HistoryRecord);
    });
    expect(details(migrationSessions(late.history, histories))).toEqual([expect.stringContaining('INV-M12')]);
  });

  it('INV-M13: a park with a request that is not answered, and with half of one', () => {
    const conn = connOf(sound, 0, GUEST);
    const unanswered = changed(sound, 0, (records) => {
      const at = records.findLastIndex((r, i) => i < parkOf(records) && r.kind === 'got' && r.conn === conn);
      records.splice(at, 1);
    });
    expect(details(migrationSessions(sound.history, unanswered))[0]).toMatch(/INV-M13.*has no answer/);
    const half = changed(sound, 0, (records) => {
      const put = records.findLast((r) => r.kind === 'publish' && r.conn === conn && r.dir === 'req');
      if (put?.kind !== 'publish') throw new Error('nothing was put');
      const more = { ...put, from: put.to, to: put.to + 10, bytes: new Uint8Array(10) };
      records.splice(parkOf(records), 0, more);
    });
    expect(details(migrationSessions(sound.history, half))[0]).toMatch(/INV-M13.*10 octets of half a message/);
  });

  it('INV-M17: the end of a transaction of the old host', () => {
    const conn = connOf(sound, 1, GUEST);
    const histories = changed(sound, 1, (records) => records.push(sent(conn, XS.TRANSACTION_END, 'T\0', 7)));
    expect(details(migrationSessions(sound.history, histories))).toEqual([expect.stringContaining('INV-M17')]);
  });
});

describe('the judge of second lives', () => {
  const said = (histories: readonly History[]) => details(migrationSecondLives(sound.history, histories));
  const heir = connOf(sound, 1, GUEST);
  const EVENT = XS.WATCH_EVENT;
  const got = (type: number, text: string, reqId = 0): HistoryRecord => {
    const { timeNs = 0 } = sound.histories[1]?.records.at(-1) ?? {};
    return { seq: 0, timeNs, kind: 'got', conn: heir, end: 0, type, reqId, txId: 0, payload: payload(text) };
  };
  const asNow = (record: HistoryRecord) => ({ ...record, timeNs: got(0, '').timeNs });

  it.each([
    ['that succeeds', sound, 1],
    ['that breaks early', early, 0],
    ['that breaks late', late, 0],
  ])('says nothing of a migration %s', (_, { history, histories }, sessions) => {
    const verdict = migrationSecondLives(history, histories);
    expect(details(verdict)).toEqual([]);
    expect(Object.fromEntries(verdict.checked)['second sessions'] ?? 0).toBe(sessions);
  });

  it.each([
    ['an answer to a request of the old host', [got(XS.READ, 'x', 0x7777)]],
    ['an event of a watch that it has there alone', [got(EVENT, 'data\0of-old\0')]],
    [
      'an effect of a transaction that was begun there',
      [asNow(sent(heir, XS.WRITE, 'data/x\0y', 7)), got(XS.WRITE, 'OK\0', 0xffff)],
    ],
  ])('INV-M14: %s', (_, planted) => {
    const [found, ...more] = said(changed(sound, 1, (records) => records.push(...planted)));
    expect(found).toMatch(/^INV-M14: .*, on beta$/);
    expect(more).toEqual([]);
  });

  it('INV-M14: octets that the copy has not put in', () => {
    const histories = changed(sound, 1, (records) => {
      const first = placeOf(records, (r) => r.kind === 'publish' && r.conn === heir && r.dir === 'req');
      records.splice(first, 1);
    });
    expect(said(histories)).toEqual([expect.stringContaining('INV-M14: the first octets')]);
  });

  it('INV-M16: a place that is not what it was, and a watch that has not fired', () => {
    const isRead = (conn: number) => (r: HistoryRecord) =>
      r.kind === 'sent' && r.conn === conn && r.type === XS.READ && textOf(r.payload).startsWith('memory/target');
    const old = connOf(sound, 0, GUEST);
    const answerTo = (records: readonly HistoryRecord[], conn: number) => {
      const asked = records.find(isRead(conn));
      if (asked?.kind !== 'sent') throw new Error('memory/target was not read');
      return records.findIndex(
        (r) => r.kind === 'got' && r.conn === conn && r.reqId === asked.reqId && r.type === XS.READ,
      );
    };
    const otherwise = changed(sound, 0, (records) => {
      const at = answerTo(records, old);
      records[at] = { ...records[at], payload: payload('17') } as HistoryRecord;
    });
    expect(said(otherwise)).toEqual([]);
    const unheard = changed({ ...sound, histories: otherwise }, 1, (records) => {
      const isHeard = (r: HistoryRecord) =>
        r.kind === 'got' && r.conn === heir && r.type === EVENT && textOf(r.payload).startsWith('memory/target');
      for (let at = placeOf(records, isHeard); at >= 0; at = placeOf(records, isHeard)) records.splice(at, 1);
    });
    expect(said(unheard)).toEqual([expect.stringContaining('INV-M16: it is not what it was')]);
  });

  it('INV-M18: a node that was written at the old host alone', () => {
    const domid = sound.histories[1]?.epochs[heir]?.domid;
    const old = connOf(sound, 0, GUEST);
    const node = { path: `/local/domain/${domid}/data/of-old`, value: payload('x'), perms: ['n0'] };
    const atRest = { seq: 0, timeNs: got(0, '').timeNs, kind: 'snapshot' as const, nodes: [node] };
    const there = changed(sound, 1, (records) => records.push(atRest));
    expect(said(there)).toEqual([]);
    const written = changed({ ...sound, histories: there }, 0, (records) =>
      records.splice(parkOf(records), 0, {
        ...sent(old, XS.WRITE, 'data/of-old\0x'),
        timeNs: records[parkOf(records)]?.timeNs ?? 0,
      } as HistoryRecord),
    );
    expect(said(written)).toEqual([expect.stringContaining('INV-M18: it is there')]);
    const reads = (path: string) =>
      said(
        changed({ ...sound, histories: written }, 1, (records) => {
          records.pop();
          records.push(asNow(sent(heir, XS.READ, `${path}\0`)), got(XS.READ, 'x', 0xffff));
        }),
      );
    expect(reads('data/of-old')).toEqual([expect.stringContaining('INV-M18: it is there')]);
    // In the home of another there may be one of the same name.
    expect(reads('/local/domain/77/data/of-old')).toEqual([]);
  });
});

describe('the judge of those who move guests', () => {
  it.each([
    ['that succeeds', sound],
    ['that breaks early', early],
    ['that breaks late', late],
  ])('says nothing of a migration %s', (_, { history, histories }) => {
    expect(details(migrationTools(history, histories))).toEqual([]);
  });

  it('INV-M6: a node that is written of a guest that never stopped', () => {
    const conn = connOf(early, 0, /xl-migrate-1/);
    const histories = changed(early, 0, (records) =>
      records.push(sent(conn, XS.WRITE, '/local/domain/1/name\0guest--migratedaway')),
    );
    expect(details(migrationTools(early.history, histories))).toEqual([expect.stringContaining('INV-M6')]);
  });

  it('INV-M31: an INTRODUCE that comes twice, or too early', () => {
    const isIntroduce = (conn: number) => (r: HistoryRecord) =>
      r.kind === 'sent' && r.conn === conn && r.type === XS.INTRODUCE;
    const conn = connOf(sound, 1, /xl-migrate-receive-1/);
    const twice = changed(sound, 1, (records) => records.push(records.find(isIntroduce(conn)) as HistoryRecord));
    expect(details(migrationTools(sound.history, twice))).toEqual(['INV-M31: it introduces its copy twice']);
    const early = changed(sound, 1, (records) => {
      const [one] = records.splice(placeOf(records, isIntroduce(conn)), 1);
      records.splice(
        placeOf(records, (r) => r.kind === 'sent' && r.conn === conn),
        0,
        one as HistoryRecord,
      );
    });
    expect(details(migrationTools(sound.history, early))).toEqual([
      'INV-M31: it introduces its copy behind 0 transactions',
    ]);
  });

  it('INV-M32: a side that does not end', () => {
    const { history, histories } = sound;
    const records = history.records.map((r) =>
      r.kind === 'news' && r.news.what === 'end' && r.news.process === 'R' ? { ...r, timeNs: 1e12 } : r,
    );
    expect(details(migrationTools({ ...history, records }, histories))).toEqual([
      expect.stringContaining('INV-M32: R has not ended'),
    ]);
  });
});
