import type { RunResult } from '../../../../scenarios/engine/scenario.ts';
import type { HistoryRecord } from '../../../../scenarios/judge/history.ts';
import { message } from '../../../../store/protocol/wire.ts';
import { octets, XS } from '../../../support/history-builder.ts';

/** A path and a token that would end the page's data, and a terminal's patience, if they could. */
export const HOSTILE = '/x</script><script>document.title="taken"</script>\x1b[31m';

type Body<T> = T extends unknown ? Omit<T, 'seq' | 'timeNs'> : never;

/** Records a microsecond apart, with the octets that they say. */
class Records {
  readonly all: HistoryRecord[] = [];
  readonly #ends = new Map<string, number>();

  add(body: Body<HistoryRecord>): number {
    const seq = this.all.length;
    this.all.push({ seq, timeNs: seq * 1000, ...body } as HistoryRecord);
    return seq;
  }

  /** A message goes in whole, and is said to be sent; or it comes. */
  passes(conn: number, dir: 'req' | 'rsp', type: number, reqId: number, payload: string): readonly number[] {
    const bytes = message(type, reqId, 0, octets(payload));
    const from = this.#ends.get(`${conn} ${dir}`) ?? 0;
    const end = from + bytes.length;
    this.#ends.set(`${conn} ${dir}`, end);
    const said = { conn, end, type, reqId, txId: 0, payload: octets(payload) };
    const move = { conn, dir, from, to: end, bytes };
    if (dir === 'rsp')
      return [
        this.add({ kind: 'publish', ...move }),
        this.add({ kind: 'consume', ...move }),
        this.add({ kind: 'got', ...said }),
      ];
    return [
      this.add({ kind: 'publish', ...move }),
      this.add({ kind: 'sent', actor: conn === 0 ? 'dom0/tool' : 'domU1/agent', ...said }),
    ];
  }

  taken(conn: number, of: number): number {
    const put = this.all[of];
    if (put?.kind !== 'publish') throw new Error(`assertion: nothing was put in at ${of}`);
    const { dir, from, to, bytes } = put;
    return this.add({ kind: 'consume', conn, dir, from, to, bytes });
  }
}

/** domU1 watches a path; dom0 writes to it, across a live update; the event comes, and the answer is the wrong one. */
export function smallRun(): { readonly result: RunResult; readonly at: Readonly<Record<string, number>> } {
  const records = new Records();
  records.add({ kind: 'open', conn: 0 });
  records.add({ kind: 'open', conn: 1 });
  const [watchPut = 0, watch = 0] = records.passes(1, 'req', XS.WATCH, 1, `${HOSTILE}\0t\0`);
  records.taken(1, watchPut);
  records.passes(1, 'rsp', XS.WATCH, 1, 'OK\0');
  const [writePut = 0, write = 0] = records.passes(0, 'req', XS.WRITE, 7, `${HOSTILE}\0v`);
  const dump = records.add({ kind: 'liveUpdate', n: 1, what: 'dump', imageBytes: 100 });
  const up = records.add({ kind: 'liveUpdate', n: 1, what: 'up', imageBytes: 0 });
  const served = records.taken(0, writePut);
  const [eventPut = 0, , event = 0] = records.passes(1, 'rsp', XS.EVENT, 0, `${HOSTILE}\0t\0`);
  const [answerPut = 0, , answer = 0] = records.passes(0, 'rsp', XS.ERROR, 7, 'EIO\0');
  const violation = {
    invariant: 'transactions',
    seq: answer,
    timeNs: answer * 1000,
    actor: 'dom0/tool',
    request: 'WRITE req_id 7 tx 0',
    detail: `served at seq ${served}: expected OK, came EIO </script>`,
  };
  const result = {
    outcome: 'violation',
    reason: '',
    scenario: 'by-hand',
    seed: '1',
    format: 'v2',
    settings: {},
    digest: '0123456789abcdef',
    traceEvents: 1,
    requests: 2,
    updates: [{ n: 1, format: 'v2', openTransactions: 3 }],
    verdicts: [{ invariant: 'transactions', claim: '', source: '', checked: [], violations: [violation] }],
    history: {
      epochs: [
        { conn: 0, domid: 0, uniqueId: 1n, name: 'dom0' },
        { conn: 1, domid: 1, uniqueId: 2n, name: 'domU1' },
      ],
      records: records.all,
      transactionPolicy: 'carry',
      compat: '4.22',
    },
  } as unknown as RunResult;
  return { result, at: { watch, write, dump, up, served, event, eventPut, answer, answerPut } };
}
