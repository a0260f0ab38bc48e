import { describe, expect, it } from 'vitest';
import type { History, HistoryRecord } from '../../../../scenarios/judge/history.ts';
import { checkHistory } from '../../../../scenarios/judge/invariants/index.ts';
import {
  HistoryBuilder,
  message,
  octets,
  rewrite,
  type Written,
  withRecords,
  XS,
} from '../../../support/history-builder.ts';

/* Sockets of programs of dom0 beside the rings: several connections of one domid. */

function details(history: History): string[] {
  return checkHistory(history).flatMap((v) => v.violations.map((x) => `${x.invariant}: ${x.detail}`));
}

const matching = (text: string) => expect.arrayContaining([expect.stringContaining(text)]);

/** Connections: 0 dom0's ring, 1 domain 5's, 2 xenopsd's socket, 3 a tool's that closes before the end. */
function ordinary(): History {
  const b = new HistoryBuilder();
  const g = b.introduce(5);
  const xenopsd = b.connect('xenopsd');
  b.request(xenopsd, XS.WATCH, '/local\0x\0');
  b.request(xenopsd, XS.WATCH, '@releaseDomain\0r\0');
  const tool = b.connect('tool');
  b.request(tool, XS.WRITE, 'name\0Domain-0'); // below /local/domain/0
  b.request(tool, XS.WATCH, '/local\0t\0');
  const tx = b.start(tool);
  b.request(tool, XS.WRITE, '/local/domain/5/lost\0x', tx);
  b.request(g, XS.WRITE, 'data\x001');
  b.liveUpdate();
  b.request(xenopsd, XS.READ, '/local/domain/5/data\0');
  b.close(tool);
  b.hangUp(tool);
  b.request(g, XS.WRITE, 'data\x002');
  b.request(xenopsd, XS.READ, '/local/domain/0/name\0');
  return b.finish();
}

const XENOPSD = 2;
const TOOL = 3;

/** Without the first message of which `is` holds. */
const losing = (history: History, conn: number, is: (m: Written) => boolean) =>
  rewrite(history, conn, (list) => {
    const at = list.findIndex(is);
    expect(at).toBeGreaterThanOrEqual(0);
    return (list as (Written | undefined)[]).with(at, undefined);
  });

describe('a history with sockets', () => {
  it('is fine as it is', () => {
    expect(details(ordinary())).toEqual([]);
  });

  it('whose store loses a reply is not', () => {
    const lost = losing(ordinary(), XENOPSD, (m) => m.type === XS.READ && m.payload === '1');
    expect(details(lost)).toEqual(matching('replies: no reply to READ'));
  });

  it('whose store loses the last reply is not, since the program still waits', () => {
    const lost = losing(ordinary(), XENOPSD, (m) => m.type === XS.READ && m.payload === 'Domain-0');
    expect(details(lost)).toEqual(matching('replies: no reply to READ'));
  });

  it('whose store answers wrongly is not', () => {
    const wrong = rewrite(ordinary(), XENOPSD, (list) =>
      list.map((m) => (m.type === XS.READ && m.payload === '1' ? { ...m, payload: '2' } : m)),
    );
    expect(details(wrong)).toEqual(matching('expected "1", came "2"'));
  });

  it.each([
    ['in the middle', '/local/domain/0/name\0x\0'],
    ['at the end', '/local/domain/5/data\0x\0'],
  ])('whose store loses an event %s is not', (_where, payload) => {
    const lost = rewrite(ordinary(), XENOPSD, (list) => {
      const at = list.findLastIndex((m) => m.type === XS.EVENT && m.payload === payload);
      return (list as (Written | undefined)[]).with(at, undefined);
    });
    expect(details(lost)).toEqual(matching('never came'));
  });

  it('whose store goes on telling a socket that it has closed is not', () => {
    const h = ordinary();
    const after = h.records.findIndex((r) => r.kind === 'detach' && r.conn === TOOL) + 3;
    const bytes = message(XS.EVENT, 0, 0, '/local/domain/5/data\0t\0');
    const from = end(h, TOOL, 'rsp');
    const late = { kind: 'publish', conn: TOOL, dir: 'rsp', from, to: from + bytes.length, bytes } as const;
    const records = h.records.toSpliced(after, 0, { ...late, seq: 0, timeNs: h.records[after]!.timeNs });
    expect(details(withRecords(h, records))).toEqual(matching('after it let go of the connection'));
  });

  it('whose store takes the end of a program for the end of domain 0 is not', () => {
    const told = rewrite(ordinary(), XENOPSD, (list) => {
      const at = list.findLastIndex((m) => m.type === XS.READ);
      return list.toSpliced(at, 0, { type: XS.EVENT, reqId: 0, txId: 0, payload: '@releaseDomain\0r\0' });
    });
    expect(details(told)).toEqual(matching('event "@releaseDomain\\0r\\0" without a cause'));
  });

  it('whose store keeps what a transaction of a closed socket wrote is not', () => {
    const h = ordinary();
    const records = h.records.map((r): HistoryRecord => {
      if (r.kind !== 'snapshot') return r;
      return {
        ...r,
        nodes: [...r.nodes, { path: '/local/domain/5/lost', value: octets('x'), perms: ['n5'] }],
      };
    });
    expect(details(withRecords(h, records))).toEqual(matching('/local/domain/5/lost is there'));
  });

  it('that has its octets twice after an update is not', () => {
    const h = ordinary();
    const up = h.records.findIndex((r) => r.kind === 'liveUpdate' && r.what === 'up');
    const again = h.records.findIndex(
      (r, i) => i > up && r.kind === 'publish' && r.dir === 'rsp' && r.conn === XENOPSD,
    );
    const records = h.records.toSpliced(again, 0, h.records[again]!);
    expect(details(withRecords(h, records))).toEqual(matching('were published a second time'));
  });

  it('that has an octet changed on its way is not', () => {
    const h = ordinary();
    const records = h.records.map((r) =>
      r.kind === 'consume' && r.dir === 'req' && r.conn === TOOL && r.from === 16
        ? { ...r, bytes: r.bytes.with(0, 0x6d) }
        : r,
    );
    expect(details(withRecords(h, records))).toEqual(matching('request octet 16 changed on its way'));
  });
});

function end(history: History, conn: number, dir: 'req' | 'rsp'): number {
  const moves = history.records.filter((r) => r.kind === 'publish' && r.conn === conn && r.dir === dir);
  return Math.max(...moves.map((r) => (r.kind === 'publish' ? r.to : 0)));
}

describe('a program that closes its socket', () => {
  it('may leave a request that the store never reads', () => {
    const b = new HistoryBuilder();
    const tool = b.connect('tool');
    b.send(tool, XS.WRITE, '/a\0x');
    b.close(tool);
    b.hangUp(tool);
    expect(details(b.finish())).toEqual([]);
  });

  it('may leave one that the store has not noticed when all is over', () => {
    const b = new HistoryBuilder();
    const tool = b.connect('tool');
    b.request(tool, XS.WATCH, '/\0w\0');
    const h = b.finish();
    const last = h.records.at(-1)!;
    const bytes = message(XS.WRITE, 9, 0, '/a\0x');
    const from = end(h, tool, 'req');
    const send: HistoryRecord = {
      ...last,
      kind: 'publish',
      conn: tool,
      dir: 'req',
      from,
      to: from + bytes.length,
      bytes,
    };
    const close: HistoryRecord = { seq: 0, timeNs: last.timeNs, kind: 'close', conn: tool };
    const left = withRecords(h, h.records.toSpliced(-1, 0, send, close));
    expect(details(left)).toEqual([]);
    const stillThere = withRecords(h, h.records.toSpliced(-1, 0, send));
    expect(details(stillThere)).toEqual(matching('20 octets of requests were never consumed'));
  });

  it('may die before its answer, which counts all the same', () => {
    const b = new HistoryBuilder();
    const tool = b.connect('tool');
    b.send(tool, XS.WRITE, '/a\0x');
    b.close(tool);
    b.serve(tool);
    b.hangUp(tool);
    expect(b.request(b.dom0, XS.READ, '/a\0')).toBe('x');
    expect(details(b.finish())).toEqual([]);
  });

  it('leaves the ring of its domain, and the sockets of others, as they are', () => {
    const b = new HistoryBuilder();
    const other = b.connect('other');
    const tool = b.connect('tool');
    for (const conn of [b.dom0, other, tool]) b.request(conn, XS.WATCH, '/\0w\0');
    const tx = b.start(other);
    b.close(tool);
    b.hangUp(tool);
    expect(b.request(b.dom0, XS.WRITE, '/a\0x')).toBe('OK\0');
    expect(b.request(other, XS.END, 'T\0', tx)).toBe('OK\0');
    expect(details(b.finish())).toEqual([]);
  });
});

describe('a socket', () => {
  it('takes its transactions with it, so that an update need not wait for them', () => {
    const b = new HistoryBuilder({ policy: 'daemon' });
    const tool = b.connect('tool');
    b.start(tool);
    b.close(tool);
    b.hangUp(tool);
    b.send(b.dom0, 0, 'live-update\0-s\0');
    b.serve(b.dom0);
    b.liveUpdate();
    const answered = (l: Written[]) =>
      l.map((m) => (m.payload === 'ENOSYS\0' ? { ...m, type: 0, payload: 'OK\0' } : m));
    expect(details(rewrite(b.finish(), 0, answered))).toEqual([]);
  });

  it('holds more than a ring, and no more than its buffer', () => {
    const filled = (octetCount: number) => {
      const b = new HistoryBuilder();
      const tool = b.connect('tool');
      const h = b.finish();
      const last = h.records.at(-1)!;
      const bytes = new Uint8Array(octetCount);
      const put: HistoryRecord = { ...last, kind: 'publish', conn: tool, dir: 'req', from: 0, to: octetCount, bytes };
      const close: HistoryRecord = { seq: 0, timeNs: last.timeNs, kind: 'close', conn: tool };
      return details(withRecords(h, h.records.toSpliced(-1, 0, put, close)));
    };
    expect(filled(212_992)).toEqual([]);
    expect(filled(212_993)).toEqual(matching('request producer is 212993 octets ahead of its consumer, of 212992'));
  });

  it('is never what IS_DOMAIN_INTRODUCED or RELEASE mean', () => {
    const b = new HistoryBuilder();
    b.introduce(5);
    const tool = b.connect('tool');
    b.request(tool, XS.WATCH, '@releaseDomain\0r\0');
    b.request(tool, XS.RELEASE, '5\0');
    b.request(tool, XS.RELEASE, '5\0');
    expect(details(b.finish())).toEqual([]);
  });
});

describe('a TRANSACTION_START and a live update that was given up', () => {
  /** A program asks for an update that comes to nothing; another starts a transaction, with its reply behind a later one. */
  function overtaken(end: 'pending' | 'answered' | 'closed'): string[] {
    const b = new HistoryBuilder({ policy: 'daemon' });
    const operator = b.connect('operator');
    const tool = b.connect('tool');
    b.send(operator, 0, end === 'answered' ? 'live-update\0-s\0' : 'live-update\0-f\0/x\0');
    b.serve(operator);
    if (end !== 'pending') b.settle();
    if (end === 'closed') {
      b.close(operator);
      b.hangUp(operator);
    }
    b.send(tool, XS.START, '\0');
    const start = b.take(tool)!;
    b.request(tool, XS.READ, '/tool\0');
    start();
    const said = end === 'answered' ? 'timeout\0' : 'OK\0';
    const answered = (l: Written[]) => l.map((m) => (m.payload === 'ENOSYS\0' ? { ...m, type: 0, payload: said } : m));
    return details(rewrite(b.finish(), operator, answered));
  }

  it('may be put aside as long as the update is pending', () => {
    expect(overtaken('pending')).toEqual([]);
  });

  it.each(['answered', 'closed'] as const)('may not when whoever asked for the update was %s', (how) => {
    expect(overtaken(how)).toEqual(matching('reply to TRANSACTION_START req_id 1 tx 0'));
  });

  it('may have started what RESET_WATCHES dropped before the reply was written', () => {
    const b = new HistoryBuilder({ policy: 'daemon' });
    const g = b.introduce(5);
    b.send(b.dom0, 0, 'live-update\0-s\0');
    b.serve(b.dom0);
    b.send(g, XS.START, '\0');
    b.serve(g);
    b.send(g, XS.RESET_WATCHES, '\0');
    b.serve(g);
    b.settle();
    b.request(g, XS.WRITE, 'x\0y', 1);
    const h = rewrite(b.finish(), 0, (l) =>
      l.map((m) => (m.payload === 'ENOSYS\0' ? { ...m, type: 0, payload: 'timeout\0' } : m)),
    );
    expect(details(h)).toEqual([]);
  });
});
