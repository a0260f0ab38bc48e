import { XS } from '../../store/protocol/wire.ts';
import type { History } from './history.ts';
import type { CutReport } from './migrations.ts';

/**
 * What was under way between a domain and its store at a moment, by what went in and came out until then. `undefined`: it had no
 * connection.
 */
export function cutAt(history: History, uniqueId: bigint, atNs: number): CutReport | undefined {
  const epoch = history.epochs.findLast((each) => each.uniqueId === uniqueId && each.isSocket !== true);
  if (epoch === undefined) return undefined;
  const starts = new Set<number>();
  const open = new Set<number>();
  const asked = new Map<number, number>();
  let requests = 0;
  let octetsUnread = 0;
  let watches = 0;
  for (const r of history.records) {
    if (r.timeNs > atNs) break;
    if (!('conn' in r) || r.conn !== epoch.conn) continue;
    if (r.kind === 'publish' && r.dir === 'rsp') octetsUnread += r.to - r.from;
    else if (r.kind === 'consume' && r.dir === 'rsp') octetsUnread -= r.to - r.from;
    else if (r.kind === 'sent') {
      requests++;
      asked.set(r.reqId, r.type);
      if (r.type === XS.TRANSACTION_START) starts.add(r.reqId);
      if (r.type === XS.TRANSACTION_END) open.delete(r.txId);
    } else if (r.kind === 'got' && r.type !== XS.WATCH_EVENT) {
      requests--;
      const type = asked.get(r.reqId);
      if (r.type !== XS.ERROR && type === XS.WATCH) watches++;
      if (r.type !== XS.ERROR && type === XS.UNWATCH) watches--;
      if (starts.delete(r.reqId) && r.type !== XS.ERROR) open.add(txIdOf(r.payload));
    }
  }
  // It came in the middle of its session: what it had on its way is not in this history.
  if (requests < 0 || octetsUnread < 0 || watches < 0) return undefined;
  return { requests, octetsUnread, transactions: open.size, watches };
}

function txIdOf(payload: Uint8Array): number {
  let id = 0;
  for (const octet of payload) {
    if (octet < 0x30 || octet > 0x39) break;
    id = id * 10 + octet - 0x30;
  }
  return id;
}
