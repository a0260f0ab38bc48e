import { predecessors } from './copies.ts';
import type { Epoch, History, HistoryRecord } from './history.ts';
import type { MigrationHistory } from './migrations.ts';

/** In which order a client that goes on elsewhere registers its watches: of each guest by its uuid. */
export type Rewatch = NonNullable<Epoch['heirOf']>['rewatch'];

/**
 * The connections of guests over all hosts, as one history: that of a copy in which a guest went on is the heir of that which it
 * left. Sockets, and what the stores did, are left out. The order between hosts is that of time: a guest is at one of them at a time.
 */
export function joinSessions(histories: readonly History[], migrations: MigrationHistory, rewatch: Rewatch): History {
  const before = predecessors(migrations);
  const epochs: Epoch[] = [];
  const items: { readonly host: number; readonly record: HistoryRecord }[] = [];
  const connOf = histories.map((history) =>
    history.epochs.map((epoch) => {
      if (epoch.isSocket === true) return -1;
      epochs.push({ ...epoch, conn: epochs.length });
      return epochs.length - 1;
    }),
  );
  for (const epoch of epochs) {
    const old = before.get(epoch.uniqueId);
    const conn = old === undefined ? -1 : epochs.findLastIndex(({ uniqueId }) => uniqueId === old);
    if (conn >= 0) epochs[epoch.conn] = { ...epoch, heirOf: { conn, rewatch } };
  }
  for (const [host, { records }] of histories.entries())
    for (const record of records) {
      if (record.kind === 'life') items.push({ host, record });
      if (!('conn' in record)) continue;
      const conn = connOf[host]?.[record.conn] ?? -1;
      if (conn >= 0) items.push({ host, record: { ...record, conn } });
    }
  items.sort((a, b) => a.record.timeNs - b.record.timeNs || a.host - b.host);
  const [first] = histories;
  return {
    epochs,
    records: items.map(({ record }, seq) => ({ ...record, seq })),
    transactionPolicy: first?.transactionPolicy ?? 'carry',
    compat: first?.compat ?? '4.22',
  };
}
