import { text, XS } from '../../../guests/index.ts';
import type { History, HistoryRecord } from '../../judge/history.ts';

/** Whom and what a question is about; left out: everybody, everything. */
export interface About {
  /** Name of a connection, or of a program that uses it: `domU3`, `dom0/xenopsd`, `domU3/worker0`. */
  readonly conn?: string | undefined;
  readonly path?: string | undefined;
}

/** Whether a record has to do with this connection, and names this path, or one below it. */
export function touches({ epochs }: Pick<History, 'epochs'>, record: HistoryRecord, { conn, path }: About): boolean {
  if (conn !== undefined) {
    if (!('conn' in record)) return record.kind === 'liveUpdate';
    const isIt = epochs[record.conn]?.name === conn || (record.kind === 'sent' && record.actor === conn);
    if (!isIt) return false;
  }
  if (path === undefined) return true;
  if (record.kind !== 'sent' && record.kind !== 'got') return record.kind === 'liveUpdate';
  return text(record.payload).includes(path);
}

/** Whom one may ask for: connections, and programs that have sent anything. */
export function names({ epochs, records }: Pick<History, 'epochs' | 'records'>): ReadonlySet<string> {
  const actors = records.flatMap((record) => (record.kind === 'sent' ? [record.actor] : []));
  return new Set([...epochs.map(({ name }) => name), ...actors]);
}

/** Requests that no reply has come to. */
export function unanswered(records: readonly HistoryRecord[]): HistoryRecord[] {
  const open = new Map<string, Extract<HistoryRecord, { readonly kind: 'sent' }>[]>();
  for (const record of records) {
    if (record.kind === 'sent') {
      const key = `${record.conn}/${record.reqId}`;
      open.set(key, [...(open.get(key) ?? []), record]);
    } else if (record.kind === 'got' && record.type !== XS.WATCH_EVENT)
      open.get(`${record.conn}/${record.reqId}`)?.shift();
  }
  return [...open.values()].flat().sort((a, b) => a.seq - b.seq);
}
