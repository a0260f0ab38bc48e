import type { HistoryRecord } from '../history.ts';
import type { Moment } from '../oracles/wire.ts';
import type { XenstoreModel } from '../oracles/xenstore-model.ts';
import type { Connection } from './connection-epochs.ts';
import type { Evidence } from './finding.ts';

type Death = Extract<HistoryRecord, { readonly kind: 'life' }>;
type Fault = Extract<HistoryRecord, { readonly kind: 'fault' }>;

/** Faults by which a guest itself takes away the page of its ring: the next image of the store cannot map it. */
const WITHDRAWN = /^INJ-G(?:2|10)$/;

/** So long a death may wait for the store's notice at the end of a run, ns. */
const NOTICE_NS = 20_000_000;

/** Ends of domains with a ring: the store must notice each death, and let go of nobody who lives. */
export class Deaths {
  readonly #connections: readonly Connection[];
  readonly #evidence: Evidence;
  /** By unique id. */
  readonly #deaths = new Map<bigint, Death>();
  /** Unique ids of those who are on their way. */
  readonly #ending = new Set<bigint>();
  /** Domains that the toolstack has released, or that have taken away their rings, by id. */
  readonly #given = new Set<number>();

  constructor(connections: readonly Connection[], evidence: Evidence) {
    this.#connections = connections;
    this.#evidence = evidence;
  }

  note(life: Death): void {
    const { what, uniqueId, domid } = life;
    if (what === 'created') this.#given.delete(domid);
    if (what === 'dying' || what === 'dead' || what === 'gone') this.#ending.add(uniqueId);
    if (what === 'dead') this.#deaths.set(uniqueId, life);
  }

  /** RELEASE succeeded. */
  released(domid: number): void {
    this.#given.add(domid);
  }

  /** The domain has a ring again, or still. */
  introduced(domid: number): void {
    this.#given.delete(domid);
  }

  struck({ id, detail }: Fault): void {
    const domid = /^domain (\d+)/.exec(detail)?.[1];
    if (domid !== undefined && WITHDRAWN.test(id)) this.#given.add(Number(domid));
  }

  /**
   * The store lets go of a ring for good. 1. The image is written. 2. The successor cannot map a ring. 3. It releases the domain,
   * and tells everybody so: toolstacks then take it for dead. What a guest does to its own ring it has to itself.
   */
  checkLetGo(at: Moment, { epoch, name }: Connection): void {
    const { uniqueId, domid, isHostile } = epoch;
    if (isHostile === true || this.#ending.has(uniqueId) || this.#given.has(domid)) return;
    const detail = `${name} (domain ${domid}) lives, and nobody has released it: the store has let go of its ring`;
    this.#evidence['watch-events'].add(at, name, '', detail);
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
