import { doubtOwned, foreseePurge, purge } from '../oracles/domain-death.ts';
import type { Moment } from '../oracles/wire.ts';
import type { XenstoreModel } from '../oracles/xenstore-model.ts';
import type { Outbox } from './outbox.ts';

/** Domains that went without ever having had a ring: the store drops what they own at a moment that no record shows. */
export class UnnoticedEnds {
  readonly #model: XenstoreModel;
  readonly #boxes: readonly Outbox[];
  readonly #domids = new Set<number>();
  /** Since when another domain has the id of one of them. */
  readonly #bornSeqs = new Map<number, number>();
  /** Ids of such whose former owner's end was taken for noticed before the other one was there. */
  readonly #reborn = new Set<number>();
  /** Those of them whose nodes' last events may be on their way. */
  readonly #foreseen = new Set<number>();

  /** @param boxes by connection. */
  constructor(model: XenstoreModel, boxes: readonly Outbox[]) {
    this.#model = model;
    this.#boxes = boxes;
  }

  get isEmpty(): boolean {
    return this.#domids.size === 0;
  }

  add(domid: number): void {
    this.#domids.add(domid);
    this.#bornSeqs.delete(domid);
    this.#reborn.delete(domid);
  }

  /** Another domain has this id now. */
  bornAgain(domid: number, seq: number): void {
    if (this.#domids.has(domid) && !this.#bornSeqs.has(domid)) this.#bornSeqs.set(domid, seq);
  }

  /** It has a ring after all. */
  delete(domid: number): void {
    this.#domids.delete(domid);
    this.#foreseen.delete(domid);
    this.#bornSeqs.delete(domid);
    this.#reborn.delete(domid);
  }

  /**
   * 1. A domain without a ring goes. 2. The store notices it, and drops its nodes. 3. A request removes them, too, or what they
   * stand below: its answer does not show that they were gone, and the events of their end are on their way.
   */
  foresee(): void {
    if (this.isEmpty) return;
    for (const domid of this.#domids) {
      if (this.#foreseen.has(domid)) continue;
      this.#foreseen.add(domid);
      foreseePurge(this.#model, domid);
    }
    this.#float();
  }

  /** The store has noticed, at some moment up to now, that they are gone: before anything was written for who has such an id since. */
  notice(at: Moment): void {
    if (this.isEmpty) return;
    for (const domid of this.#domids) {
      doubtOwned(this.#model, domid);
      const bornSeq = this.#bornSeqs.get(domid);
      purge(this.#model, domid, at.seq, bornSeq);
      if (bornSeq !== undefined) this.#reborn.add(domid);
    }
    this.#domids.clear();
    this.#bornSeqs.clear();
    this.#foreseen.clear();
    this.#float();
  }

  /**
   * 1. A domain without a ring goes, and another one gets its id. 2. The toolstack writes for that one. 3. Only now the store
   * looks, finds another unique id, and drops all that bears the number. Returns whether there is such an id.
   */
  noticeLate(at: Moment): boolean {
    if (this.#reborn.size === 0) return false;
    for (const domid of this.#reborn) {
      doubtOwned(this.#model, domid);
      purge(this.#model, domid, at.seq);
    }
    this.#reborn.clear();
    this.#float();
    return true;
  }

  #float(): void {
    for (const { conn, text } of this.#model.takeEvents()) this.#boxes[conn]!.floating(text);
  }
}
