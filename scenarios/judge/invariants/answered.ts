import type { HistoryRecord } from '../history.ts';
import { Op } from '../oracles/wire.ts';
import type { RecordLog } from '../record-log.ts';

/** Who goes over a history with the clients' eyes: each is called with the place of a record, in their order. */
export interface ClientsEyes {
  /** A record that is neither a move of octets nor of a message. */
  readonly fact?: (record: HistoryRecord) => void;
  readonly sent?: (seq: number) => void;
  /** A watch event came. */
  readonly event?: (seq: number) => void;
  /** A reply came to the oldest request of its req_id that has none; `undefined`: there is no such. */
  readonly answered: (reply: number, request: number | undefined) => void;
}

/** What clients sent and got, each reply beside its request, as the clients' libraries pair them. */
export function withClientsEyes(log: RecordLog, { fact, sent, event, answered }: ClientsEyes): void {
  /** Requests without an answer, by connection and req_id: nearly always there is one at most. */
  const open: Map<number, number | number[]>[] = [];
  for (let seq = 0; seq < log.length; seq++) {
    const kind = log.messageAt(seq);
    if (kind === undefined) {
      if (fact === undefined) continue;
      const record = log.keptAt(seq);
      if (record !== undefined && record.kind !== 'publish' && record.kind !== 'consume') fact(record);
      continue;
    }
    const conn = log.conns[seq] as number;
    if (kind === 'sent') {
      sent?.(seq);
      open[conn] ??= new Map();
      put(open[conn], log.reqIdOf(seq), seq);
    } else if (log.typeOf(seq) === Op.WATCH_EVENT) event?.(seq);
    else answered(seq, open[conn] && take(open[conn], log.reqIdOf(seq)));
  }
}

function put(open: Map<number, number | number[]>, reqId: number, seq: number): void {
  const waiting = open.get(reqId);
  if (waiting === undefined) open.set(reqId, seq);
  else if (typeof waiting === 'number') open.set(reqId, [waiting, seq]);
  else waiting.push(seq);
}

function take(open: Map<number, number | number[]>, reqId: number): number | undefined {
  const waiting = open.get(reqId);
  if (typeof waiting === 'object' && waiting.length > 1) return waiting.shift();
  open.delete(reqId);
  return typeof waiting === 'object' ? waiting[0] : waiting;
}
