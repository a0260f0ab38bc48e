import { describe, expect, it } from 'vitest';
import type { History, HistoryRecord } from '../../../../scenarios/judge/history.ts';
import { checkHistory, toolstackIntends } from '../../../../scenarios/judge/invariants/index.ts';
import { HistoryBuilder, rewrite, type Written, withRecords, XS } from '../../../support/history-builder.ts';

function details(history: History): string[] {
  return checkHistory(history).flatMap((v) => v.violations.map((x) => `${x.invariant}: ${x.detail}`));
}

const isEvent = (m: Written) => m.type === XS.EVENT;

function swappedAt(list: Written[], i: number): Written[] {
  return list.with(i, list[i + 1]!).with(i + 1, list[i]!);
}

describe('a release', () => {
  /** dom0's ring is the first of the list, domain 5's the next, domain 6's the one after. */
  function releasing(domid: number): History {
    const b = new HistoryBuilder();
    b.introduce(5);
    b.introduce(6);
    b.request(b.dom0, XS.WATCH, '@releaseDomain\0r\0');
    b.request(b.dom0, XS.RELEASE, `${domid}\0`);
    return b.finish();
  }
  /** With the reply ahead of the event. */
  const replyFirst = (domid: number) => rewrite(releasing(domid), 0, (l) => swappedAt(l, l.findLastIndex(isEvent)));

  it('may be answered before or behind its events where its ring comes next in the list', () => {
    expect(details(releasing(5))).toEqual([]);
    expect(details(replyFirst(5))).toEqual([]);
  });

  it('is answered behind its events otherwise', () => {
    expect(details(releasing(6))).toEqual([]);
    expect(details(replyFirst(6))).toEqual([
      expect.stringContaining('event "@releaseDomain\\0r\\0", caused by dom0 RELEASE'),
    ]);
  });

  it('is told', () => {
    const silent = rewrite(releasing(6), 0, (l) => l.with(l.findLastIndex(isEvent), l.at(-1)!).slice(0, -1));
    expect(details(silent)).toContainEqual(expect.stringContaining('event "@releaseDomain\\0r\\0" never came'));
  });
});

describe('a TRANSACTION_START during a live update', () => {
  function aside(withUpdate: boolean): History {
    const b = new HistoryBuilder();
    b.send(b.dom0, XS.START, '\0');
    const start = b.take(b.dom0)!;
    b.request(b.dom0, XS.READ, '/tool\0');
    if (withUpdate) b.liveUpdate();
    start();
    b.settle();
    b.request(b.dom0, XS.WRITE, '/tool\0x', 1);
    b.request(b.dom0, XS.END, 'T\0', 1);
    return b.finish();
  }

  it('may be overtaken', () => {
    expect(details(aside(true))).toEqual([]);
  });

  it('may not, when there is no update', () => {
    expect(details(aside(false))).toContainEqual(expect.stringContaining('reply to TRANSACTION_START req_id 1 tx 0'));
  });
});

describe('a guest that does not run', () => {
  /** Its last request stays in its ring. */
  function unread(rest: (b: HistoryBuilder, g: number) => void): string[] {
    const b = new HistoryBuilder();
    const g = b.introduce(5);
    b.send(g, XS.READ, '/tool\0');
    rest(b, g);
    const history = b.finish();
    const isServed = (r: HistoryRecord) =>
      'conn' in r &&
      r.conn === g &&
      (r.kind === 'got' || r.kind === 'consume' || (r.kind === 'publish' && r.dir === 'rsp'));
    return details(
      withRecords(
        history,
        history.records.filter((r) => !isServed(r)),
      ),
    ).filter((detail) => detail.includes('never consumed'));
  }

  it('is owed nothing while it is paused or shut down', () => {
    expect(unread((b, g) => b.pause(g, true))).toEqual([]);
    expect(unread((b, g) => b.shutdown(g))).toEqual([]);
  });

  it('runs again when its pause ends, unless it was shut down meanwhile', () => {
    expect(
      unread((b, g) => {
        b.pause(g, true);
        b.pause(g, false);
      }),
    ).toHaveLength(1);
    expect(
      unread((b, g) => {
        b.pause(g, true);
        b.shutdown(g);
        b.pause(g, false);
      }),
    ).toEqual([]);
  });
});

describe('the shutdown of a domain', () => {
  function shutdown(tell: boolean, update = false, isSubscribed = false): History {
    const b = new HistoryBuilder();
    const g = b.introduce(5);
    b.request(b.dom0, XS.WATCH, '@releaseDomain\0r\0');
    b.shutdown(g, isSubscribed);
    b.request(b.dom0, XS.READ, '/tool\0');
    if (tell) b.tellShutdown();
    if (update) {
      b.liveUpdate();
      b.tellShutdown();
    }
    return b.finish();
  }

  it('is told at some moment', () => {
    expect(details(shutdown(true))).toEqual([]);
    expect(details(shutdown(false))).toEqual([expect.stringContaining('domain 5 shut down at seq')]);
  });

  it('need not be told where somebody has subscribed to it, and may be', () => {
    expect(details(shutdown(false, false, true))).toEqual([]);
    expect(details(shutdown(true, false, true))).toEqual([]);
  });

  it('is told once more after a live update, at most', () => {
    expect(details(shutdown(true, true))).toEqual([]);
    const twice = rewrite(shutdown(true, true), 0, (l) => [...l, l.findLast(isEvent)!]);
    expect(details(twice)).toEqual([expect.stringContaining('"@releaseDomain\\0r\\0" without a cause')]);
  });
});

describe('a domain that goes before it was introduced', () => {
  function stillborn(noticed: boolean): History {
    const b = new HistoryBuilder();
    b.request(b.dom0, XS.WATCH, '/n\0w\0');
    const { notice } = b.stillborn(9, '/n/9');
    b.request(b.dom0, XS.READ, '/n/9\0');
    if (noticed) notice();
    b.request(b.dom0, XS.READ, '/n/9\0');
    b.request(b.dom0, XS.DIRECTORY, '/n\0');
    return b.finish();
  }

  it('takes its nodes with it at a moment that only the answers show', () => {
    expect(details(stillborn(true))).toEqual([]);
  });

  it('does so before the end', () => {
    expect(details(stillborn(false))).toEqual([expect.stringContaining('/n/9 is there with value ""')]);
  });
});

describe('a domain whose id went to another before either was introduced', () => {
  /** @param noticed the first one's end: before anything is written for the other one, after it, or for the other one, too. */
  function reborn(noticed: 'before' | 'after' | 'too'): History {
    const b = new HistoryBuilder();
    b.request(b.dom0, XS.WATCH, '/n\0w\0');
    const { notice } = b.stillborn(9, '/n/9');
    b.unborn(9);
    if (noticed === 'before') notice();
    b.request(b.dom0, XS.WRITE, '/n/again\0');
    b.request(b.dom0, XS.SET_PERMS, '/n/again\0n9\0');
    b.request(b.dom0, XS.WRITE, '/n/named\0');
    b.request(b.dom0, XS.SET_PERMS, '/n/named\0n0\0r9\0');
    if (noticed !== 'before') notice();
    if (noticed === 'too') b.drop('/n/again');
    b.request(b.dom0, XS.DIRECTORY, '/n\0');
    return b.finish();
  }

  it.each(['before', 'after'] as const)('leaves to that one what is its own, noticed %s it was written', (noticed) => {
    expect(details(reborn(noticed))).toEqual([]);
  });

  it('takes what is its with it if the store looks so late', () => {
    const kept = 'permissions of /n/named: expected n0, came n0 r9'; // the builder leaves entries alone
    expect(details(reborn('too'))).toEqual([expect.stringContaining(kept)]);
  });
});

describe('an update that may not break transactions', () => {
  function update(payload: string): History {
    const b = new HistoryBuilder({ policy: 'daemon' });
    const tx = b.start(b.dom0);
    b.send(b.dom0, 0, payload);
    b.serve(b.dom0);
    b.liveUpdate();
    b.request(b.dom0, XS.READ, '/tool\0', tx);
    return rewrite(b.finish(), 0, (l) =>
      l.map((m) => (m.type === XS.ERROR && m.payload === 'ENOSYS\0' ? { ...m, type: 0, payload: 'OK\0' } : m)),
    );
  }

  it('is a violation if it does, unless it was forced', () => {
    expect(details(update('live-update\0-s\0-F\0'))).toEqual([]);
    expect(details(update('live-update\0-s\0'))).toEqual([expect.stringContaining('did not wait for transaction 1')]);
  });
});

describe('an epoch that ended', () => {
  it('may leave requests unanswered, but not out of the middle', () => {
    const b = new HistoryBuilder();
    const g = b.introduce(5);
    b.request(g, XS.READ, '/tool\0');
    b.request(g, XS.MKDIR, 'x\0');
    b.destroy(g);
    const h = b.finish();
    expect(details(h)).toEqual([]);
    expect(details(rewrite(h, g, (l) => l.with(1, undefined as never)))).toEqual([]);
    expect(details(rewrite(h, g, (l) => l.with(0, undefined as never)))).toContainEqual(
      expect.stringContaining('no reply to READ'),
    );
    expect(h.epochs.map((e) => e.name)).toEqual(['dom0', 'domU5']);
  });
});

describe('a transaction id that a forced update broke', () => {
  function reused(mistake: boolean): History {
    const b = new HistoryBuilder({ policy: 'daemon', ...(mistake ? { mistake: 'restarts-ids' } : {}) });
    b.request(b.dom0, XS.START, '\0', 0, 'xl');
    b.liveUpdate();
    b.request(b.dom0, XS.START, '\0', 0, 'xenopsd');
    b.request(b.dom0, XS.WRITE, '/tool\0x', 1, 'xl');
    return b.finish();
  }

  it('is unknown afterwards', () => {
    expect(details(reused(false))).toEqual([]);
  });

  it('must not lead its owner into the transaction of another', () => {
    expect(details(reused(true))).toEqual([
      expect.stringMatching(
        /WRITE .* reached the transaction that dom0\/xenopsd started.*transaction 1 of dom0\/xl was broken/,
      ),
    ]);
  });

  it('may do so after an update that was forced, which is a known defect of the daemon and told as that', () => {
    const b = new HistoryBuilder({ policy: 'daemon', mistake: 'restarts-ids' });
    b.request(b.dom0, XS.START, '\0', 0, 'xl');
    b.send(b.dom0, 0, 'live-update\0-s\0-F\0');
    b.serve(b.dom0);
    b.liveUpdate();
    b.request(b.dom0, XS.START, '\0', 0, 'xenopsd');
    b.request(b.dom0, XS.WRITE, '/tool\0x', 1, 'xl');
    const history = rewrite(b.finish(), 0, (l) =>
      l.map((m) => (m.type === XS.ERROR && m.payload === 'ENOSYS\0' ? { ...m, type: 0, payload: 'OK\0' } : m)),
    );
    expect(details(history)).toEqual([]);
    const known = checkHistory(history).flatMap((verdict) => verdict.known ?? []);
    expect(known.map(({ label }) => label)).toEqual(['INV-T8']);
    expect(known[0]?.seen[0]?.detail).toContain('reached the transaction that dom0/xenopsd started');
  });

  it('must not do so either before the new owner has heard of it', () => {
    const b = new HistoryBuilder({ policy: 'daemon', mistake: 'restarts-ids' });
    b.request(b.dom0, XS.START, '\0', 0, 'xl');
    b.send(b.dom0, XS.START, '\0', 0, 'xenopsd');
    const start = b.take(b.dom0)!;
    b.liveUpdate();
    start();
    b.send(b.dom0, XS.WRITE, '/tool\0x', 1, 'xl');
    b.serve(b.dom0);
    b.request(b.dom0, XS.END, 'T\0', 1, 'xenopsd');
    b.request(b.dom0, XS.READ, '/tool\0');
    expect(details(b.finish())).toEqual([expect.stringContaining('reached the transaction that dom0/xenopsd started')]);
  });
});

describe('a transaction that is carried', () => {
  it('goes on seeing what it saw', () => {
    const b = new HistoryBuilder();
    const tx = b.start(b.dom0);
    b.request(b.dom0, XS.DIRECTORY, '/tool\0', tx);
    b.request(b.dom0, XS.WRITE, '/tool/new\0');
    b.liveUpdate();
    b.request(b.dom0, XS.DIRECTORY, '/tool\0', tx);
    const h = b.finish();
    expect(details(h)).toEqual([]);
    const leaked = rewrite(h, 0, (l) => l.with(-1, { ...l.at(-1)!, payload: 'xenstored\0new\0' }));
    expect(details(leaked)).toEqual([
      expect.stringContaining('carried over a live update, which must not change what it sees'),
    ]);
  });
});

describe('a snapshot', () => {
  it('that was begun before the traffic ended proves nothing, and says so', () => {
    const b = new HistoryBuilder();
    b.request(b.dom0, XS.DIRECTORY, '/\0');
    b.request(b.dom0, XS.WRITE, '/tool\0late');
    const h = b.finish();
    const early = {
      ...h,
      records: h.records.map((r) =>
        r.kind === 'snapshot' ? { ...r, nodes: r.nodes.map((n) => ({ ...n, value: new Uint8Array(0) })) } : r,
      ),
    };
    expect(details(early)).toEqual([expect.stringMatching(/value of \/tool: .* before the traffic had ended/)]);
  });
});

describe('the empty parent of a device that was removed', () => {
  const parent = '/local/domain/5/device/vbd';
  function left(path: string, dyingSeq: number): readonly string[] {
    const life = (seq: number, what: 'created' | 'dying'): HistoryRecord => {
      return { seq, timeNs: 0, kind: 'life', domid: 5, uniqueId: 5n, what };
    };
    const node = { path, value: new Uint8Array(0), perms: ['n0'] };
    const device = { kind: 'vbd', devid: 51_728, backendDomid: 0 } as const;
    return toolstackIntends({
      epochs: [],
      records: [life(0, 'created'), life(dyingSeq, 'dying'), { seq: 9, timeNs: 0, kind: 'snapshot', nodes: [node] }],
      toolstack: [{ seq: 3, timeNs: 0, what: 'detached', domid: 5, device }],
      transactionPolicy: 'carry',
      compat: '4.22',
    }).violations.map(({ detail }) => detail);
  }

  it('may be there where the store took away another device of a domain that died later', () => {
    expect(left(parent, 5)).toEqual([]);
  });

  it('is left where it was the last one, and in places that were not the domain’s', () => {
    expect(left(parent, 2)).toHaveLength(1);
    expect(left('/libxl/5/device/vbd', 5)).toHaveLength(1);
  });
});
