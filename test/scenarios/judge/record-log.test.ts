import { describe, expect, it } from 'vitest';
import type { HistoryRecord } from '../../../scenarios/judge/history.ts';
import { Code, RecordLog } from '../../../scenarios/judge/record-log.ts';
import { logOf, recordedHistory } from '../../../scenarios/judge/recorded-history.ts';

/** READ of `a`, as the wire has it. */
const READ = Uint8Array.of(2, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0x61, 0);
const message = { conn: 0, end: 18, type: 2, reqId: 7, txId: 0, payload: READ.slice(16) };
const put = { kind: 'publish', conn: 0, dir: 'req', from: 0, to: 18, bytes: READ } as const;
const took = { ...put, kind: 'consume' } as const;

/** As a run has them: the request put in in one piece, taken out in two, and told of. */
const usual = numbered([
  { kind: 'open', conn: 0 },
  put,
  { kind: 'sent', actor: 'domU1/worker', ...message },
  { ...took, to: 7, bytes: READ.slice(0, 7) },
  { ...took, from: 7, bytes: READ.slice(7) },
]);

function numbered(records: readonly object[]): HistoryRecord[] {
  return records.map((record, seq) => ({ seq, timeNs: seq * 10, ...record }) as HistoryRecord);
}

const codes = (log: RecordLog) => [...log.codes.subarray(0, log.length)];

describe('a log of records', () => {
  it('gives back what was added, though it keeps octets once and hardly any object', () => {
    const log = RecordLog.of(usual);
    expect(log.all()).toEqual(usual);
    expect(codes(log)).toEqual([Code.kept, Code.putReq, Code.sent, Code.tookReq, Code.tookReq]);
    expect(log.at(-1)).toEqual(usual.at(-1));
    expect([log.typeOf(2), log.reqIdOf(2), log.txIdOf(2), log.actorOf(2)]).toEqual([2, 7, 0, 'domU1/worker']);
  });

  const flipped = READ.map((octet, i) => (i === 16 ? octet ^ 1 : octet));
  it.each<[string, object]>([
    ['octets that changed on their way', { ...took, bytes: flipped }],
    ['octets that nobody put in', { ...took, from: 18, to: 36 }],
    ['octets put in behind a gap', { ...put, from: 20, to: 38 }],
    ['octets put in twice', put],
    ['no octets', { ...put, from: 18, to: 18, bytes: READ.slice(0, 0) }],
    ['a range that is not as long as its octets', { ...put, from: 18, to: 40 }],
    ['a message that is not in the stream', { kind: 'sent', actor: 'a', ...message, reqId: 8 }],
    ['a message with other octets', { kind: 'sent', actor: 'a', ...message, payload: flipped.slice(16) }],
    ['a reply to a request nobody answered', { kind: 'got', ...message }],
    ['a record with the number of another', { ...took, seq: 1 }],
  ])('keeps %s as it is', (_, odd) => {
    const records = [...usual, { seq: 5, timeNs: 50, ...odd } as HistoryRecord];
    const log = RecordLog.of(records);
    expect(log.all()).toEqual(records);
    expect(log.codes[5]).toBe(Code.kept);
  });

  it('is that of its history, and not of a changed copy', () => {
    const log = RecordLog.of(usual);
    const history = recordedHistory(log, { epochs: [], transactionPolicy: 'carry', compat: '4.22' });
    expect(logOf(history)).toBe(log);
    expect(history.records).toEqual(usual);
    const changed = { ...history, records: history.records.slice(1) };
    expect(logOf(changed).length).toBe(4);
  });
});
