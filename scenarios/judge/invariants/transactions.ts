import type { History, Verdict } from '../history.ts';
import type { Answer } from '../oracles/prediction.ts';
import type { Transaction } from '../oracles/tree.ts';
import { type Moment, Op } from '../oracles/wire.ts';
import type { Peer, XenstoreModel } from '../oracles/xenstore-model.ts';
import type { Request } from './connection-epochs.ts';
import { describe, type Evidence } from './finding.ts';

export const CLAIM =
  'A transaction sees its own view; it commits whole, and only if nothing it accessed has changed since, or answers EAGAIN and leaves no trace; over a live update it goes on or is gone, as promised';
export const SOURCE = 'docs/misc/xenstore.txt, TRANSACTION_START; store.md 5; guests.md 6.6 INV-T1 to T10';

/** A transaction may have ended: count what became of it, and remember what those without effect wrote. */
export function noteEnd(
  model: XenstoreModel,
  peer: Peer,
  request: Request,
  tx: Transaction,
  succeeded: boolean,
  evidence: Evidence,
): void {
  if (request.type !== Op.TRANSACTION_END || peer.transactions.get(request.txId) === tx) return;
  const found = evidence.transactions;
  const committed = succeeded && request.payload === 'T\0';
  const how = committed ? 'committed' : request.payload === 'F\0' ? 'aborted' : 'refused';
  found.count(how);
  if (tx.isCarried) found.count(`${how} after a live update`);
  found.count('nodes accessed', tx.accessed.size);
  if (!committed) model.keepAborted(tx, `transaction ${request.txId} of ${peer.name}, ${how} at seq ${request.seq}`);
}

/** The transaction that a request has started. */
export function startedBy(peer: Peer, request: Request, actual: Answer | undefined): Transaction | undefined {
  if (request.type !== Op.TRANSACTION_START || !actual?.ok) return undefined;
  return peer.transactions.get(Number(actual.payload.slice(0, -1)));
}

/** A transaction whose start and a live update crossed: it may have been started before the update, with only its reply
 *  still queued when the update came. */
export function markCrossed(tx: Transaction | undefined, policy: History['transactionPolicy']): void {
  if (tx === undefined) return;
  tx.isCarried = policy === 'carry';
  tx.isDoubtful = policy === 'daemon';
}

/** What a live update means for the transactions that are open at it. `by`: the request that began it, if one is known. */
export function checkOpen(
  model: XenstoreModel,
  history: History,
  at: Moment,
  by: Request | undefined,
  evidence: Evidence,
): void {
  const found = evidence.transactions;
  const isCarried = history.transactionPolicy === 'carry';
  found.count('live updates');
  for (const peer of model.peers.values()) {
    found.count(isCarried ? 'carried' : 'broken', peer.transactions.size);
    if (isCarried || peer.transactions.size === 0 || by === undefined || by.payload.includes('\0-F\0')) continue;
    const ids = [...peer.transactions.keys()].join(', ');
    const detail = `${peer.name}: an update without -F (${describe(by)}) did not wait for transaction ${ids}`;
    found.add(at, peer.name, describe(by), detail);
  }
}

export function transactions(evidence: Evidence): Verdict {
  return evidence.transactions.verdict(CLAIM, SOURCE);
}
