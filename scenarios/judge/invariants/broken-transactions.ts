import type { History, HistoryRecord } from '../history.ts';
import { textOf } from '../oracles/octets.ts';
import { Op } from '../oracles/wire.ts';

type Sent = Extract<HistoryRecord, { readonly kind: 'sent' }>;

/**
 * Absolute paths that programs have asked for in transactions which a live update broke. 1. libxl begins a transaction, and
 * removes a device in it. 2. A forced update breaks it. 3. The commit says ENOENT, or commits what somebody else has begun under
 * that id since (INV-T8). 4. libxl gives up, as with any error but EAGAIN: what was to go stays, and what was to be written is not.
 * Source: guests.md 6.1; libxl_xshelp.c, libxl__xs_transaction_commit.
 */
export function pathsOfBroken({ records, transactionPolicy }: History): ReadonlySet<string> {
  const broken = new Set<string>();
  if (transactionPolicy !== 'daemon') return broken;
  /** By connection, id and actor: who goes on with an id that is another's by now has its own list. */
  const open = new Map<string, { readonly paths: Set<string>; isBroken: boolean }>();
  const waiting = new Map<string, Sent[]>();
  const keyOf = ({ conn, txId, actor }: Sent) => `${conn} ${txId} ${actor}`;
  for (const r of records) {
    if (r.kind === 'liveUpdate' && r.what === 'up') for (const tx of open.values()) tx.isBroken = true;
    else if (r.kind === 'sent') {
      const asked = waiting.get(`${r.conn} ${r.reqId}`);
      if (asked === undefined) waiting.set(`${r.conn} ${r.reqId}`, [r]);
      else asked.push(r);
      if (r.txId === 0) continue;
      const tx = open.get(keyOf(r)) ?? { paths: new Set(), isBroken: false };
      open.set(keyOf(r), tx);
      if (r.type !== Op.TRANSACTION_END) tx.paths.add(textOf(r.payload).split('\0')[0] ?? '');
    } else if (r.kind === 'got' && r.type !== Op.WATCH_EVENT) {
      const request = waiting.get(`${r.conn} ${r.reqId}`)?.shift();
      if (request?.type !== Op.TRANSACTION_END) continue;
      const tx = open.get(keyOf(request));
      open.delete(keyOf(request));
      const isUnknown = r.type === Op.ERROR && textOf(r.payload) === 'ENOENT\0';
      if (tx !== undefined && (tx.isBroken || isUnknown)) for (const path of tx.paths) broken.add(path);
    }
  }
  return broken;
}
