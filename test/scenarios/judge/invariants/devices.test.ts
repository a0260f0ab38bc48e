import { beforeAll, describe, expect, it } from 'vitest';
import { deviceIo } from '../../../../scenarios/catalogue/device-io.ts';
import type { DeviceRecord, History, HistoryRecord } from '../../../../scenarios/judge/history.ts';
import { devices } from '../../../../scenarios/judge/invariants/devices.ts';

type Of<W extends DeviceRecord['what']> = Extract<DeviceRecord, { what: W }>;

let history: History;

beforeAll(() => {
  const result = deviceIo.run({
    seed: '1',
    format: 'v2',
    settings: { domains: 3, block: 600, net: 600, updates: 1 },
    checks: true,
  });
  expect(result.outcome).toBe('pass');
  history = result.history as History;
});

/** What is said of the record when it is changed, dropped, or followed by others. */
function said(change: (records: DeviceRecord[]) => DeviceRecord[]): string[] {
  const verdict = devices({ ...history, devices: change([...(history.devices ?? [])]) });
  return verdict.violations.map((v) => `${v.request}: ${v.detail}`);
}

/** Replace the n-th record of a kind by others. */
function at<W extends DeviceRecord['what']>(
  what: W,
  make: (record: Of<W>) => readonly DeviceRecord[],
  choose: (record: Of<W>) => boolean = () => true,
): (records: DeviceRecord[]) => DeviceRecord[] {
  return (records) => {
    const matching = records.flatMap((r, i) => (r.what === what && choose(r as Of<W>) ? [i] : []));
    const where = matching[matching.length >> 1];
    if (where === undefined) throw new Error(`there is no ${what}`);
    records.splice(where, 1, ...make(records[where] as Of<W>));
    return records;
  };
}

const drop = () => [];
const twice = <T>(record: T) => [record, record];
const flip = <T extends { readonly sums: readonly number[] }>(r: T): T => ({
  ...r,
  sums: r.sums.map((s, i) => (i === 0 ? s ^ 1 : s)),
});
const isWrite = (r: { readonly op: string }) => r.op === 'write';
const isRead = (r: { readonly op: string }) => r.op === 'read';

describe('the device verdict', () => {
  it('holds for what a run recorded, and says how much that was', () => {
    expect(said((r) => r)).toEqual([]);
    const checked = new Map(devices(history).checked);
    for (const what of [
      'block requests acknowledged',
      'sectors read back',
      'sectors durable',
      'packets received',
      'state changes',
      'state writes',
      'connections',
    ])
      expect(checked.get(what), what).toBeGreaterThan(5);
  });

  it.each<[string, (records: DeviceRecord[]) => DeviceRecord[], RegExp]>([
    [
      'INV-H7: a request that was acknowledged and not done',
      at('executed', drop, isWrite),
      /acknowledged and not done/,
    ],
    ['INV-H7: a write that was done twice', at('executed', twice, isWrite), /done twice/],
    [
      'INV-H7: an answer that never came',
      at('completed', drop, (r) => r.dev === 'vbd/1/51712'), // one that stays to the end
      /never answered/,
    ],
    ['INV-H7: an answer that came twice', at('completed', twice), /answered twice/],
    ['a request that the backend never took', at('taken', drop), /was taken off the ring where/],
    ['a request that the backend took twice', at('taken', twice), /was taken off the ring where/],
    [
      'an octet that changed on its way to the disk',
      at('executed', (r) => [flip(r)], isWrite),
      /other octets were written/,
    ],
    [
      'an octet that changed on the disk',
      at('executed', (r) => [flip(r)], isRead),
      /read as nobody wrote it|other octets arrived/,
    ],
    ['a write at another place', at('executed', (r) => [{ ...r, sector: r.sector + 1 }], isWrite), /nobody asked for/],
    [
      'an octet that changed on its way to the guest',
      at(
        'completed',
        (r) => [flip(r)],
        (r) => r.sums.length > 0,
      ),
      /other octets arrived/,
    ],
    ['an error for what was done', at('completed', (r) => [{ ...r, ok: false }]), /answered with an error/],
    [
      'a disk that has lost a sector',
      at('disk', (r) => [{ ...r, sums: r.sums.map((s, i) => (i === 3 || i === 900 ? s ^ 1 : s)) }]),
      /not as it was written/,
    ],
    ['a packet that netback lost', at('carried', drop), /netback took this packet where due was/],
    ['a packet that netback took twice', at('carried', twice), /netback took this packet/],
    ['a packet that changed on its way', at('carried', (r) => [{ ...r, sum: r.sum ^ 1 }]), /netback took this packet/],
    ['a packet that the bridge lost', at('queued', drop, (r) => r.to !== 'ffffffffffff'), /the bridge did not hand it/],
    ['a packet that the bridge doubled', at('queued', twice), /came to the vif twice/],
    ['a packet that the guest never got', at('received', drop), /the guest received this packet where/],
    ['a packet that the guest got twice', at('received', twice), /the guest received this packet where/],
    [
      'a packet that changed in the guest',
      at('received', (r) => [{ ...r, sum: r.sum ^ 1 }]),
      /the guest received this packet where/,
    ],
    ['a tx slot without an answer', at('acked', drop), /never answered/],
    ['a tx slot with two answers', at('acked', twice), /answered twice/],
    ['a tx slot with an error', at('acked', (r) => [{ ...r, ok: false }]), /answered with an error/],
    [
      'INV-H1: a state that cannot follow',
      at(
        'state',
        (r) => [{ ...r, state: 2 }],
        (r) => r.side === 'front',
      ),
      /INV-H1: the frontend went/,
    ],
    [
      'INV-H2: keys that were not there',
      at('attached', (r) => [{ seq: r.seq, timeNs: r.timeNs, dev: r.dev, what: 'refused', why: 'reading ring keys' }]),
      /INV-H2/,
    ],
    [
      'INV-H3: a ring of another incarnation',
      at('attached', (r) => [{ ...r, refs: r.refs.map((ref) => ref + 1) }]),
      /INV-H3/,
    ],
    [
      'INV-H3: a ring that was taken back',
      at('attached', (r) => [{ seq: r.seq, timeNs: r.timeNs, dev: r.dev, what: 'withdrawn' }, r]),
      /INV-H3/,
    ],
    [
      'an end that stopped',
      at('attached', (r) => [r, { seq: r.seq, timeNs: r.timeNs, dev: r.dev, what: 'stopped', side: 'back', why: 'x' }]),
      /the backend stopped/,
    ],
  ])('barks at %s', (_, change, expected) => {
    expect(said(change).join('\n')).toMatch(expected);
  });

  it('barks at packets in another order', () => {
    const swapped = said((records) => {
      const places = records.flatMap((r, i) => (r.what === 'received' && r.dev === 'vif/1/0' ? [i] : []));
      const [a, b] = [places[10] as number, places[11] as number];
      [records[a], records[b]] = [records[b] as DeviceRecord, records[a] as DeviceRecord];
      return records;
    });
    expect(swapped.join('\n')).toMatch(/the guest received this packet where due was/);
  });

  it('INV-H1: barks at a guest that writes the state of another domain', () => {
    const epochs = history.epochs;
    const guest = epochs.findIndex((e) => e.domid === 1);
    const text = (s: string) => Uint8Array.from(s, (c) => c.charCodeAt(0));
    const last = history.records.length;
    const moment = { timeNs: 1, conn: guest, end: 0, reqId: 9_999, txId: 0 } as const;
    const records: History['records'] = [
      ...history.records,
      {
        ...moment,
        seq: last,
        kind: 'sent',
        actor: 'domU1/x',
        type: 11,
        payload: text('/local/domain/0/backend/vif/1/0/state\x006'),
      },
      { ...moment, seq: last + 1, kind: 'got', type: 11, payload: text('OK\0') },
    ];
    expect(devices({ ...history, records }).violations.map((v) => v.detail)).toEqual([
      'INV-H1: the state of another domain was written',
    ]);
  });

  it('owes nothing to a domain that died', () => {
    const dead: History = {
      ...history,
      records: history.records.flatMap<HistoryRecord>((r) =>
        r.kind === 'snapshot'
          ? [{ seq: r.seq, timeNs: r.timeNs, kind: 'life', domid: 1, uniqueId: 1n, what: 'dying' } as const, r]
          : [r],
      ),
      devices: (history.devices ?? [])
        .filter((r) => !(r.dev === 'vbd/1/51712' && r.what === 'completed'))
        .filter((r) => r.what !== 'disk'),
    };
    expect(devices(dead).violations).toEqual([]);
  });
});

/*
 * INJ-T10: xenbus_read_unsigned gives the same default for a key that is not there and for one that cannot be read. A blkfront
 * whose reading of `feature-persistent` was refused takes its backend's grants for ones that have to be unmapped by the time of
 * the answer; the backend keeps them, and the disk is disabled for further use. That is a refusal's consequence, and no defect.
 */
describe('a frontend that was refused what it asked for', () => {
  const octets = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));
  const stopped = { what: 'stopped', side: 'front', why: 'backend has not unmapped a grant' } as const;
  const told = (
    path: string,
    answer: string,
    actor = 'domU1/xenwatch-front',
    news: typeof stopped | { what: 'unreachable'; status: -1 | -3 } = stopped,
  ): History => ({
    epochs: [{ conn: 0, domid: 1, uniqueId: 1n, name: 'domU1' }],
    records: [
      { seq: 0, timeNs: 0, kind: 'sent', conn: 0, actor, end: 9, type: 2, reqId: 7, txId: 0, payload: octets(path) },
      { seq: 1, timeNs: 0, kind: 'got', conn: 0, end: 9, type: 16, reqId: 7, txId: 0, payload: octets(answer) },
      { seq: 2, timeNs: 0, kind: 'snapshot', nodes: [] },
    ],
    devices: [{ seq: 2, timeNs: 0, dev: 'vbd/1/51712', ...news }],
    transactionPolicy: 'carry',
    compat: '4.22',
  });
  const backend = '/local/domain/0/backend/vbd/1/51712/feature-persistent\0';

  it.each([
    ['a key of its backend', backend, 'ENOMEM\0', undefined, 0],
    ['its own state', 'device/vbd/51712/state\0', 'ENOMEM\0', undefined, 0],
    ['a transaction, which may be any device’s', '\0', 'ENOMEM\0', undefined, 0],
    ['a key that is not there', backend, 'ENOENT\0', undefined, 1],
    ['a key of another device', 'device/vif/0/mac\0', 'ENOMEM\0', undefined, 1],
    ['what another program asked', backend, 'ENOMEM\0', 'domU1/worker0', 1],
  ])('%s', (_, path, answer, actor, violations) => {
    expect(devices(told(path, answer, actor)).violations).toHaveLength(violations);
  });

  it.each([
    ['a page of a frontend that takes it for one that unmaps, and grants for reading alone', 'ENOMEM\0', -1, 0],
    ['a page that is not there', 'ENOMEM\0', -3, 1],
    ['a page of a frontend that was answered', 'ENOENT\0', -1, 1],
  ] as const)('%s may be refused to its backend', (_, answer, status, violations) => {
    const history = told(backend, answer, undefined, { what: 'unreachable', status });
    expect(devices(history).violations).toHaveLength(violations);
  });
});

/*
 * INJ-T10: a netfront that is refused feature-split-event-channels when it connects anew writes one port, and leaves the two of its
 * last connection in their keys, which netback looks for first. One of them is nobody's any more.
 */
describe('ports of a former connection', () => {
  const octets = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));
  const path = '/local/domain/0/backend/vif/1/0/feature-split-event-channels\0';
  const published = (...ports: number[]) => ({ what: 'published', refs: [8, 9], ports }) as const;
  const refused = (port: number) => ({ what: 'refused', why: `binding event-channel ${port}: EINVAL`, port }) as const;
  const attached = (...ports: number[]) => ({ what: 'attached', refs: [8, 9], ports }) as const;
  type News = ReturnType<typeof published | typeof refused | typeof attached>;
  const told = (answer: string, ...news: News[]): string[] =>
    devices({
      epochs: [{ conn: 0, domid: 1, uniqueId: 1n, name: 'domU1' }],
      records: [
        {
          ...{ seq: 0, timeNs: 0, kind: 'sent', conn: 0, actor: 'domU1/xenwatch-front', end: 9 },
          ...{ type: 2, reqId: 7, txId: 0, payload: octets(path) },
        } as HistoryRecord,
        { seq: 1, timeNs: 0, kind: 'got', conn: 0, end: 9, type: 16, reqId: 7, txId: 0, payload: octets(answer) },
        { seq: 2, timeNs: 0, kind: 'snapshot', nodes: [] },
      ],
      devices: news.map((one) => ({ seq: 2, timeNs: 0, dev: 'vif/1/0', ...one }) as DeviceRecord),
      transactionPolicy: 'carry',
      compat: '4.22',
    })
      .violations.map(({ detail }) => detail)
      .filter((detail) => /INV-H[23]/.test(detail));

  it.each([
    ['are bound to in vain', 'ENOMEM\0', [published(3, 4), published(3), refused(4)], 0],
    ['are bound to', 'ENOMEM\0', [published(3, 4), published(5), attached(3, 4)], 0],
    ['are nothing to who was answered', 'ENOENT\0', [published(3, 4), published(3), refused(4)], 1],
    ['are not those of nobody', 'ENOMEM\0', [published(3, 4), published(3), refused(6)], 1],
    ['are written over by two new ones', 'ENOMEM\0', [published(3, 4), published(5, 6), refused(4)], 1],
  ] as const)('%s', (_, answer, news, violations) => {
    expect(told(answer, ...news)).toHaveLength(violations);
  });
});

/*
 * An answer that is lost with its ring. 1. A write is done. 2. The frontend takes its ring back before it has seen the answer. 3. The
 * disk is taken away while the backend waits for the new ring. 4. The write's user gets an error, and cannot know that it was done.
 */
describe('a request that was done, and whose answer was lost with its ring', () => {
  const octets = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));
  const path = '/local/domain/0/backend/vbd/1/51712/state\0';
  type Event = Parameters<typeof event>[0];
  const event = (news: Omit<DeviceRecord, 'seq' | 'timeNs' | 'dev'>): DeviceRecord =>
    ({ seq: 2, timeNs: 0, dev: 'vbd/1/51712', ...news }) as DeviceRecord;
  /** @param seen what the frontend reads of its backend's state. */
  const told = (seen: string, events: readonly Event[]): string[] =>
    devices({
      epochs: [{ conn: 0, domid: 1, uniqueId: 1n, name: 'domU1' }],
      records: [
        {
          ...{ seq: 0, timeNs: 0, kind: 'sent', conn: 0, actor: 'domU1/xenwatch-front', end: 9 },
          ...{ type: 2, reqId: 7, txId: 0, payload: octets(path) },
        } as HistoryRecord,
        { seq: 1, timeNs: 0, kind: 'got', conn: 0, end: 9, type: 2, reqId: 7, txId: 0, payload: octets(seen) },
        { seq: 2, timeNs: 0, kind: 'snapshot', nodes: [] },
      ],
      devices: events.map(event),
      transactionPolicy: 'carry',
      compat: '4.22',
    }).violations.map((v) => v.detail);
  const sectors = { op: 'write', sector: 3, sectors: 1 } as const;
  const written = (id: number, sum: number): Event[] => [
    { what: 'submitted', id, ...sectors, sums: [sum] } as Event,
    { what: 'taken', id } as Event,
    { what: 'executed', id, ok: true, ...sectors, sums: [sum] } as Event,
  ];
  const answered = (id: number, ok: boolean) => ({ what: 'completed', id, ok, sums: [] }) as Event;
  const withdrawn = { what: 'withdrawn' } as Event;
  const disk = (sum: number) => ({ what: 'disk', sums: [0, 0, 0, sum] }) as Event;
  const lost = [...written(1, 11), answered(1, true), ...written(2, 22), withdrawn, answered(2, false)];

  it('may fail where the backend closes, and be on the disk', () => {
    expect(told('5', [...lost, disk(22)])).toEqual([]);
    expect(told('6', [...lost, disk(22)])).toEqual([]);
  });

  it('leaves on the disk what the backend did, and nothing else', () => {
    expect(told('5', [...lost, disk(11)])).toEqual(['sector 3 of the disk is not as it was written']);
  });

  it('does not fail where a backend is there to be asked again', () => {
    expect(told('4', [...lost, disk(22)])).toEqual(['was given up while a backend was there to be asked again']);
  });

  it('is not acknowledged without being done once more', () => {
    expect(told('4', [...written(2, 22), withdrawn, answered(2, true)])).toEqual(['was acknowledged and not done']);
  });

  it('does not fail while its ring stands', () => {
    expect(told('5', [...written(2, 22), answered(2, false)])).toEqual(['was done, and answered with an error']);
  });
});
