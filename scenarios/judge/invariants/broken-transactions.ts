import type { History } from '../history.ts';
import { textOf } from '../oracles/octets.ts';
import { Op } from '../oracles/wire.ts';
import type { RecordLog } from '../record-log.ts';
import { withClientsEyes } from './answered.ts';

/**
 * Absolute paths that programs have asked for in transactions which a live update broke. 1. libxl begins a transaction, and
 * removes a device in it. 2. A forced update breaks it. 3. The commit says ENOENT, or commits what somebody else has begun under
 * that id since (INV-T8). 4. libxl gives up, as with any error but EAGAIN: what was to go stays, and what was to be written is not.
 * Source: guests.md 6.1; libxl_xshelp.c, libxl__xs_transaction_commit.
 */
export function pathsOfBroken({ transactionPolicy }: History, log: RecordLog): ReadonlySet<string> {
  const broken = new Set<string>();
  if (transactionPolicy !== 'daemon') return broken;
  /** By connection, id and actor: who goes on with an id that is another's by now has its own list. */
  const open = new Map<string, { readonly paths: Set<string>; isBroken: boolean }>();
  const keyOf = (seq: number) => `${log.conns[seq]} ${log.txIdOf(seq)} ${log.actorOf(seq)}`;
  withClientsEyes(log, {
    fact: (r) => {
      if (r.kind === 'liveUpdate' && r.what === 'up') for (const tx of open.values()) tx.isBroken = true;
    },
    sent: (seq) => {
      if (log.txIdOf(seq) === 0) return;
      const key = keyOf(seq);
      const tx = open.get(key) ?? { paths: new Set(), isBroken: false };
      open.set(key, tx);
      if (log.typeOf(seq) !== Op.TRANSACTION_END) tx.paths.add(textOf(log.payloadOf(seq)).split('\0')[0] ?? '');
    },
    answered: (reply, request) => {
      if (request === undefined || log.typeOf(request) !== Op.TRANSACTION_END) return;
      const key = keyOf(request);
      const tx = open.get(key);
      open.delete(key);
      const isUnknown = log.typeOf(reply) === Op.ERROR && textOf(log.payloadOf(reply)) === 'ENOENT\0';
      if (tx !== undefined && (tx.isBroken || isUnknown)) for (const path of tx.paths) broken.add(path);
    },
  });
  return broken;
}
