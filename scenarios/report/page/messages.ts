import { textOf as text } from '../../../store/protocol/octets.ts';
import { XS } from '../../../store/protocol/wire.ts';
import type { Epoch, History, HistoryRecord } from '../../judge/history.ts';
import type { Lanes } from './lanes.ts';
import type { PageMessages } from './page-data.ts';

const REQUEST = 0;
const REPLY = 1;
const EVENT = 2;

type Message = Extract<HistoryRecord, { readonly kind: 'sent' | 'got' }>;

/** When a stream was at which position: ends of moves, ascending. */
interface Reached {
  readonly to: number[];
  readonly atNs: number[];
}

export function noMessages(): PageMessages {
  return {
    lane: [], store: [], conn: [], seq: [], atNs: [], storeNs: [], sort: [],
    type: [], reqId: [], txId: [], peer: [], payload: [], path: [],
  }; // biome-ignore format: a table
}

/** Add what clients of one host sent and got, with when the store took or wrote it, and which reply is whose. */
export function addMessages(into: PageMessages, { epochs, records }: History, host: number, lanes: Lanes): void {
  const taken = reached(records, 'consume', 'req', epochs.length);
  const written = reached(records, 'publish', 'rsp', epochs.length);
  const open = new Map<string, number[]>();
  for (const record of records) {
    if (record.kind !== 'sent' && record.kind !== 'got') continue;
    const epoch = epochs[record.conn] as Epoch;
    const n = into.seq.length;
    const sort = record.kind === 'sent' ? REQUEST : record.type === XS.WATCH_EVENT ? EVENT : REPLY;
    const key = `${record.conn}/${record.reqId}`;
    let peer = -1;
    let lane = lanes.ofConnection(host, epoch);
    if (record.kind === 'sent') {
      lane = lanes.ofActor(host, epoch, record.actor);
      const waiting = open.get(key);
      if (waiting === undefined) open.set(key, [n]);
      else waiting.push(n);
    } else if (sort === REPLY) {
      peer = open.get(key)?.shift() ?? -1;
      if (peer >= 0) {
        into.peer[peer] = n;
        lane = into.lane[peer] as number;
      }
    }
    into.lane.push(lane);
    into.store.push(lanes.ofStore(host));
    into.conn.push(record.conn);
    into.seq.push(record.seq);
    into.atNs.push(record.timeNs);
    into.storeNs.push(whenAt((record.kind === 'sent' ? taken : written)[record.conn] as Reached, record.end));
    into.sort.push(sort);
    into.type.push(record.type);
    into.reqId.push(record.reqId);
    into.txId.push(record.txId);
    into.peer.push(peer);
    into.payload.push(text(record.payload));
    into.path.push(pathOf(record, sort, epoch.domid));
  }
}

function reached(
  records: History['records'],
  kind: 'publish' | 'consume',
  dir: 'req' | 'rsp',
  conns: number,
): readonly Reached[] {
  const all = Array.from({ length: conns }, (): Reached => ({ to: [], atNs: [] }));
  for (const record of records) {
    if (record.kind !== kind || record.dir !== dir) continue;
    const of = all[record.conn] as Reached;
    of.to.push(record.to);
    of.atNs.push(record.timeNs);
  }
  return all;
}

/** When a stream came to a position; -1: never. */
function whenAt({ to, atNs }: Reached, position: number): number {
  let low = 0;
  let high = to.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((to[middle] as number) < position) low = middle + 1;
    else high = middle;
  }
  return atNs[low] ?? -1;
}

const WITHOUT_PATH: ReadonlySet<number> = new Set([
  XS.CONTROL, XS.TRANSACTION_START, XS.TRANSACTION_END, XS.INTRODUCE, XS.RELEASE, XS.GET_DOMAIN_PATH, XS.IS_DOMAIN_INTRODUCED,
  XS.RESUME, XS.SET_TARGET, XS.RESET_WATCHES, XS.GET_FEATURE, XS.SET_FEATURE, XS.GET_QUOTA, XS.SET_QUOTA,
]); // biome-ignore format: a set

function pathOf({ type, payload }: Message, sort: number, domid: number): string {
  if (sort === REPLY || WITHOUT_PATH.has(type)) return '';
  const end = payload.indexOf(0);
  const path = text(end < 0 ? payload : payload.subarray(0, end));
  return path.startsWith('/') || path.startsWith('@') ? path : `/local/domain/${domid}/${path}`;
}
