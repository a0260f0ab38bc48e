import type { HistoryRecord } from '../history.ts';
import type { Moment } from '../oracles/wire.ts';
import type { XenstoreModel } from '../oracles/xenstore-model.ts';
import type { Connection } from './connection-epochs.ts';
import type { Evidence } from './finding.ts';

type Death = Extract<HistoryRecord, { readonly kind: 'life' }>;

/** So long a death may wait for the store's notice at the end of a run, ns. */
const NOTICE_NS = 20_000_000;

/** Deaths of domains with a ring, which the store must notice. */
export class Deaths {
  readonly #connections: readonly Connection[];
  readonly #evidence: Evidence;
  /** By unique id. */
  readonly #deaths = new Map<bigint, Death>();

  constructor(connections: readonly Connection[], evidence: Evidence) {
    this.#connections = connections;
    this.#evidence = evidence;
  }

  note(death: Death): void {
    this.#deaths.set(death.uniqueId, death);
  }

  /** The successor looks at every domain that it knows before it serves: who was dead by then is gone (XSR-19). */
  checkTakenOver(up: Moment, model: XenstoreModel): void {
    for (const { epoch, openSeq, detachSeq, name } of this.#connections) {
      const death = this.#deaths.get(epoch.uniqueId);
      if (death === undefined || openSeq > up.seq || detachSeq < up.seq) continue;
      const isKept = [...model.peers.values()].some((peer) => peer.target === epoch.domid);
      if (isKept) continue;
      const detail = `${name}: dead since seq ${death.seq}, and the successor has taken it over: no @releaseDomain`;
      this.#evidence['watch-events'].add(up, name, '', detail);
    }
  }

  /** Every death is noticed, whatever became of a live update meanwhile (INV-P3, XSR-16). */
  check(end: Moment, endNs: number): void {
    for (const { epoch, detachSeq, name } of this.#connections) {
      const death = this.#deaths.get(epoch.uniqueId);
      if (death === undefined || detachSeq <= end.seq || endNs - death.timeNs < NOTICE_NS) continue;
      const detail = `${name}: dead since seq ${death.seq}, and the store has not let go of it: no @releaseDomain`;
      this.#evidence['watch-events'].add(death, name, '', detail);
    }
  }
}
