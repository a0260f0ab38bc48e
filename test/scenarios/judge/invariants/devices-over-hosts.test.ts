import { describe, expect, it } from 'vitest';
import type { DeviceRecord, HistoryRecord } from '../../../../scenarios/judge/history.ts';
import { devicesOverHosts } from '../../../../scenarios/judge/invariants/devices-over-hosts.ts';

const PACKET = { to: 'b', from: 'a', len: 60, sum: 1 };
const [A, B] = ['vif/1/0', 'vif/2/0'];
type News = DeviceRecord extends infer R ? (R extends DeviceRecord ? Omit<R, 'seq' | 'timeNs'> : never) : never;
/** Where, and what: `stop` and `go` are those of domain 2. */
type Said = readonly [host: number, what: News] | 'stop' | 'go';

/** Domain 1 has sent domain 2 a packet on host 0, and 2 moves to host 1. */
const BEFORE: readonly Said[] = [
  [0, { dev: A, what: 'plugged' }],
  [0, { dev: B, what: 'plugged' }],
  [0, { dev: A, what: 'sent', ...PACKET }],
  [0, { dev: A, what: 'carried', ...PACKET }],
  [0, { dev: B, what: 'queued', ...PACKET }],
  [0, { dev: A, what: 'acked', n: 0, ok: true }],
];
const MOVED: readonly Said[] = [
  [0, { dev: B, what: 'unplugged' }],
  [0, { dev: B, what: 'detached' }],
  [1, { dev: B, what: 'plugged' }],
  'go',
];

function found(...all: readonly Said[]): string[] {
  const records: HistoryRecord[] = [];
  const devices: DeviceRecord[] = [];
  const hosts: number[] = [];
  for (const said of all) {
    const at = { seq: records.length, timeNs: 0 };
    if (typeof said === 'string') {
      records.push({
        ...at,
        kind: 'life',
        domid: 2,
        uniqueId: 2n,
        what: said === 'stop' ? 'shutdown' : 'resumed',
      } as HistoryRecord);
      continue;
    }
    const [host, what] = said;
    devices.push({ ...at, ...what } as DeviceRecord);
    hosts.push(host);
  }
  records.push({ seq: records.length, timeNs: 0, kind: 'snapshot', nodes: [] } as unknown as HistoryRecord);
  const history = { epochs: [], records, devices, transactionPolicy: 'carry' as const, compat: '4.22' as const };
  return devicesOverHosts({ history, hosts }).violations.map(({ detail }) => detail);
}

describe('INV-M29, NC-34: the judge of packets over hosts', () => {
  it('lets a packet that was in a buffer of the guest come at the other host, and one that was in none be lost', () => {
    expect(found(...BEFORE, 'stop', ...MOVED, [1, { dev: B, what: 'received', ...PACKET }])).toEqual([]);
    expect(found(...BEFORE, 'stop', [0, { dev: B, what: 'lost', ...PACKET }], ...MOVED)).toEqual([]);
  });

  it('finds one that is lost without a word, lost while its guest runs, or comes twice', () => {
    expect(found(...BEFORE, 'stop', ...MOVED)).toEqual(['was queued and never received']);
    expect(found(...BEFORE, [0, { dev: B, what: 'lost', ...PACKET }])).toEqual(['was lost while its guest runs']);
    const twice: Said = [1, { dev: B, what: 'received', ...PACKET }];
    expect(found(...BEFORE, 'stop', ...MOVED, twice, twice)).toEqual([
      'the guest received this packet where none was due',
    ]);
  });
});

describe('INV-H3: rings in use that are taken over', () => {
  const published: Said = [0, { dev: B, what: 'published', refs: [8, 9], ports: [5] }];
  const attached = (refs: readonly number[]): Said => [1, { dev: B, what: 'attached', refs, ports: [5] }];

  it('are those that the frontend has published, on whichever host', () => {
    expect(found(published, 'stop', attached([8, 9]), 'go')).toEqual([]);
    expect(found(published, 'stop', attached([8, 10]), 'go')).toEqual([
      'INV-H3: the backend mapped 8,10 and ports 5, published were 8,9 and ports 5',
    ]);
  });
});
