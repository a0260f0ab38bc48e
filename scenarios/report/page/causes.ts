import { XS } from '../../../store/protocol/wire.ts';
import type { PageMessages } from './page-data.ts';

const CHANGES: ReadonlySet<number> = new Set([XS.WRITE, XS.MKDIR, XS.RM, XS.SET_PERMS]);
const SPECIAL: Readonly<Record<number, string>> = {
  [XS.INTRODUCE]: '@introduceDomain',
  [XS.RELEASE]: '@releaseDomain',
};

/**
 * Link each watch event of a host to the last request served before it was written that may have caused it: the WATCH whose first
 * event it is, a change of its path, or the removal of one above. Changes in a transaction count from its end on. Messages from
 * number `first` on are the host's.
 */
export function linkEvents(messages: PageMessages, first: number): void {
  const { sort, storeNs, peer, path, conn, payload } = messages;
  const changed = new Map<string, number>();
  const removed = new Map<string, number>();
  const watched = new Map<string, number>();
  const inTransaction = new Map<string, number[]>();
  const later = (a: number, b: number | undefined) =>
    b !== undefined && (a < 0 || (storeNs[b] as number) >= (storeNs[a] as number)) ? b : a;

  const note = (n: number, by: number) => {
    const about = path[n] as string;
    changed.set(about, by);
    if (messages.type[n] === XS.RM) removed.set(about, by);
  };

  for (const n of inStoreOrder(messages, first)) {
    if (sort[n] === 2) {
      const about = path[n] as string;
      let cause = later(-1, changed.get(about));
      for (let at = about.lastIndexOf('/'); at > 0; at = about.lastIndexOf('/', at - 1))
        cause = later(cause, removed.get(about.slice(0, at)));
      const watch = `${conn[n]}/${payload[n]}`;
      cause = later(cause, watched.get(watch));
      watched.delete(watch);
      peer[n] = cause;
      continue;
    }
    if (messages.type[peer[n] as number] === XS.ERROR) continue;
    const type = messages.type[n] as number;
    const transaction = `${conn[n]}/${messages.txId[n]}`;
    const special = SPECIAL[type];
    if (special !== undefined) changed.set(special, n);
    else if (type === XS.WATCH) watched.set(`${conn[n]}/${payload[n]}`, n);
    else if (type === XS.TRANSACTION_END) {
      if ((payload[n] as string).startsWith('T'))
        for (const each of inTransaction.get(transaction) ?? []) note(each, n);
      inTransaction.delete(transaction);
    } else if (CHANGES.has(type)) {
      if (messages.txId[n] === 0) note(n, n);
      else inTransaction.set(transaction, [...(inTransaction.get(transaction) ?? []), n]);
    }
  }
}

/** Requests that were served and events, by when; what falls on one moment, a request before what it caused. */
function inStoreOrder({ sort, storeNs, seq }: PageMessages, first: number): number[] {
  const all: number[] = [];
  for (let n = first; n < seq.length; n++) if (sort[n] !== 1 && (storeNs[n] as number) >= 0) all.push(n);
  return all.sort(
    (a, b) => (storeNs[a] as number) - (storeNs[b] as number) || (sort[a] as number) - (sort[b] as number) || a - b,
  );
}
