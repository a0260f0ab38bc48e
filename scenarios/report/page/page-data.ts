import { XS } from '../../../guests/index.ts';
import { message } from '../../../store/protocol/wire.ts';
import type { RunResult } from '../../engine/scenario.ts';
import type { History, HistoryRecord } from '../../judge/history.ts';
import type { RecordLog } from '../../judge/record-log.ts';
import { logOf } from '../../judge/recorded-history.ts';
import { recordText, replayLine } from '../text.ts';
import { bandsOf } from './bands.ts';
import { base64, packed } from './columns.ts';
import { findingsOf } from './findings.ts';
import { lanesOf } from './lanes.ts';
import { type Columns, type Conn, KIND, type Lane, type PageData } from './layout.ts';
import { linksOf } from './links.ts';
import { timelineOf } from './timeline.ts';

/** What only who runs it knows of a run. */
export interface PageDress {
  /** How this program is called. */
  readonly command?: string;
  /** The run in one word, for `replay`. */
  readonly token?: string;
}

/** What the page of a run holds: a function of the run alone, the same octets for the same run. Errors: none. */
export function pageDataOf(result: RunResult, { command, token }: PageDress = {}): PageData {
  const histories = historiesOf(result);
  const timeline = timelineOf(histories);
  const lanes: Lane[] = [];
  const conns: Conn[] = [];
  const hosts = histories.map((history, host) => {
    const log = logOf(history);
    const firstConn = conns.length;
    const own = lanesOf(history, host, lanes.length, firstConn);
    lanes.push(...own.lanes);
    for (const [conn, { name, domid }] of history.epochs.entries()) {
      const { req, rsp } = log.streams(conn);
      conns.push({ host, name, domid, req: base64(req.window(0, req.end)), rsp: base64(rsp.window(0, rsp.end)) });
    }
    return { history, log, lanes: own, firstConn, links: linksOf(history) };
  });

  const { count } = timeline;
  const table = new Table(count);
  const notes: string[] = [];
  const actors = new Map<string, number>();
  const odd: (readonly [number, string])[] = [];
  for (let at = 0; at < count; at++) {
    const number = timeline.hosts[at] as number;
    const seq = timeline.seqs[at] as number;
    const { history, log, lanes: own, firstConn, links } = hosts[number] as (typeof hosts)[number];
    table.seq[at] = seq;
    table.ns[at] = (timeline.times[at] as number) - (at === 0 ? 0 : (timeline.times[at - 1] as number));
    const place = (other: Int32Array) => {
      const to = other[seq] as number;
      return to < 0 ? 0 : Math.abs(timeline.placeOf(number, to) - at);
    };
    table.served[at] = place(links.served);
    table.reply[at] = place(links.reply);
    table.asked[at] = place(links.asked);
    table.written[at] = place(links.written);
    table.cause[at] = place(links.cause);
    const record = log.at(seq) as HistoryRecord;
    if ('conn' in record) table.conn[at] = firstConn + record.conn + 1;
    const kind = kindOf(record);
    table.kind[at] = kind;
    table.lane[at] = laneOf(record, kind, own, log, links.asked[seq] as number);
    if (record.kind === 'publish' || record.kind === 'consume') {
      table.place[at] = record.from;
      table.size[at] = record.to - record.from;
    } else if (record.kind === 'sent' || record.kind === 'got') {
      table.place[at] = record.end;
      table.size[at] = record.payload.length;
      if (record.kind === 'sent') table.actor[at] = numberOf(actors, record.actor);
    } else {
      table.place[at] = notes.length;
      table.size[at] = record.kind === 'detach' || record.kind === 'close' ? 1 : 0;
      notes.push(recordText(history, record).replace(/^[\d,.]+ ms /, ''));
    }
    if (kind !== KIND.other && log.keptAt(seq) !== undefined) odd.push([at, base64(octetsOf(record))]);
  }

  const bands = bandsOf(result, histories, timeline);
  const findings = findingsOf(result, hosts, timeline, bands);
  const [found] = findings;
  const [band] = bands;
  return {
    version: 1,
    title: `${result.scenario}, seed ${result.seed}`,
    outcome: result.outcome,
    facts: [
      ['format', result.format],
      [
        'settings',
        Object.entries(result.settings)
          .map(([key, value]) => `${key}=${value}`)
          .join(' '),
      ],
      ['requests', String(result.requests)],
      ['digest', `${result.digest} over ${result.traceEvents} events`],
      ['replay', replayLine(result, command, token)],
      ...(token === undefined ? [] : [['token', token] as const]),
    ],
    operations: Object.entries(XS).map(([name, operation]) => [operation, name] as const),
    hosts: result.hosts?.map(({ name }) => name) ?? ['host'],
    lanes,
    conns,
    actors: [...actors.keys()],
    count,
    columns: table.columns(),
    notes,
    odd,
    bands,
    findings,
    start: found?.at ?? band?.last ?? 0,
  };
}

/** Of all hosts, in order; none of a run that never began. */
function historiesOf({ history, hosts }: RunResult): History[] {
  if (hosts === undefined) return history === undefined ? [] : [history];
  return hosts.map(
    ({ history: each }) => each ?? { epochs: [], records: [], transactionPolicy: 'carry', compat: '4.22' },
  );
}

class Table {
  readonly kind: Uint8Array;
  readonly lane: Uint32Array;
  readonly conn: Uint32Array;
  readonly seq: Uint32Array;
  readonly ns: Float64Array;
  readonly place: Float64Array;
  readonly size: Uint32Array;
  readonly actor: Uint32Array;
  readonly served: Uint32Array;
  readonly reply: Uint32Array;
  readonly asked: Uint32Array;
  readonly written: Uint32Array;
  readonly cause: Uint32Array;

  constructor(count: number) {
    const column = () => new Uint32Array(count);
    this.kind = new Uint8Array(count);
    this.ns = new Float64Array(count);
    this.place = new Float64Array(count);
    this.lane = column();
    this.conn = column();
    this.seq = column();
    this.size = column();
    this.actor = column();
    this.served = column();
    this.reply = column();
    this.asked = column();
    this.written = column();
    this.cause = column();
  }

  columns(): Columns {
    const { kind, lane, conn, seq, ns, place, size, actor, served, reply, asked, written, cause } = this;
    const all = { kind, lane, conn, seq, ns, place, size, actor, served, reply, asked, written, cause };
    return Object.fromEntries(
      Object.entries(all).map(([name, column]) => [name, packed(column)]),
    ) as unknown as Columns;
  }
}

function numberOf(names: Map<string, number>, name: string): number {
  const known = names.get(name) ?? names.size;
  names.set(name, known);
  return known;
}

function kindOf(record: HistoryRecord): number {
  switch (record.kind) {
    case 'publish':
      return record.dir === 'req' ? KIND.putReq : KIND.putRsp;
    case 'consume':
      return record.dir === 'req' ? KIND.tookReq : KIND.tookRsp;
    case 'sent':
      return KIND.sent;
    case 'got':
      return record.type === XS.WATCH_EVENT ? KIND.event : KIND.got;
    default:
      return KIND.other;
  }
}

/** The store's moves are on its lane, all else on that of who did it; facts of the host on the store's. */
function laneOf(
  record: HistoryRecord,
  kind: number,
  { store, connections, laneOf: laneOfActor }: ReturnType<typeof lanesOf>,
  log: RecordLog,
  asked: number,
): number {
  if (!('conn' in record) || kind === KIND.tookReq || kind === KIND.putRsp) return store;
  if (record.kind === 'sent') return laneOfActor(record.conn, record.actor);
  if (kind === KIND.got && asked >= 0) return laneOfActor(record.conn, log.actorOf(asked));
  return connections[record.conn] ?? store;
}

/** Of a move what moved, of a message all of it with its header. */
function octetsOf(record: HistoryRecord): Uint8Array {
  if (record.kind === 'publish' || record.kind === 'consume') return record.bytes;
  if (record.kind !== 'sent' && record.kind !== 'got') return new Uint8Array(0);
  const { type, reqId, txId, payload } = record;
  return message(type, reqId, txId, payload);
}
