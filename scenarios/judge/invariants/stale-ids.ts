import type { Transaction } from '../oracles/tree.ts';
import type { Peer } from '../oracles/xenstore-model.ts';
import type { Request } from './connection-epochs.ts';
import { type Defect, describe, describeWhole, type Evidence } from './finding.ts';

const REUSED: Defect = {
  label: 'INV-T8',
  what: 'ids of transactions that a forced update broke are given out again, and whoever holds one acts in the new transaction',
};

interface Broken {
  /** Who had started it. */
  readonly owner: string;
  readonly seq: number;
  readonly isForced: boolean;
}

/**
 * Transaction ids that a forced live update broke. The client is not told; ids start at 1 again; so a stale client may act
 * inside a transaction of somebody else on the same connection: guests.md 6.1 a. A defect of the real daemon, known where the
 * update was forced: the policy has it on purpose.
 * 1. `xl` holds transaction 1. 2. The update breaks it. 3. `xenopsd`, on the same ring, starts one and is given id 1.
 * 4. `xl` writes in transaction 1. Who is who shows from the names of the actors in the clients' records.
 */
export class StaleIds {
  readonly #owners = new WeakMap<Transaction, string>();
  readonly #broken = new Map<string, Broken>();

  started(tx: Transaction, by: Request): void {
    this.#owners.set(tx, by.actor);
  }

  /** A live update under policy `daemon`: what is open is broken. `isForced`: as the daemon may do it. */
  update(peers: Iterable<Peer>, seq: number, isForced: boolean): void {
    for (const peer of peers) {
      for (const [id, tx] of peer.transactions) {
        const owner = this.#owners.get(tx);
        if (owner !== undefined) this.#broken.set(`${peer.conn}/${id}`, { owner, seq, isForced });
      }
    }
  }

  /** Complain if this request was meant for a broken transaction and reached another one. */
  check(request: Request, tx: Transaction | undefined, evidence: Evidence): void {
    if (tx === undefined) return;
    const broken = this.#broken.get(`${request.conn}/${request.txId}`);
    const owner = this.#owners.get(tx);
    if (broken === undefined || owner === undefined || broken.owner !== request.actor || owner === request.actor)
      return;
    const whose = `transaction ${request.txId} of ${request.actor} was broken by the live update at seq ${broken.seq}`;
    const detail = `${request.connection.name}: ${describeWhole(request)} reached the transaction that ${owner} started under the same id; ${whose}, ENOENT was due`;
    const found = evidence.transactions;
    if (broken.isForced) found.addKnown(REUSED, request, request.actor, describe(request), detail);
    else found.add(request, request.actor, describe(request), detail);
  }
}

/** A put-aside TRANSACTION_START that must have run before `request`, which was served in the transaction it started. */
export function startBehind(request: Request): Request | undefined {
  const { connection, seq, txId } = request;
  return connection.requests.find(
    (r) =>
      r.isPutAside &&
      r.seq < seq &&
      r.reply !== undefined &&
      r.reply.first.seq > seq &&
      r.reply.payload === `${txId}\0`,
  );
}
