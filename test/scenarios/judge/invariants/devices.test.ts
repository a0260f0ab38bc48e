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
    ['INV-H7: an answer that never came', at('completed', drop), /never answered/],
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
