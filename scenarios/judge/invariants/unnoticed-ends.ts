import { doubtOwned, foreseePurge, purge } from '../oracles/domain-death.ts';
import type { Moment } from '../oracles/wire.ts';
import type { XenstoreModel } from '../oracles/xenstore-model.ts';
import type { Outbox } from './outbox.ts';

/** Domains that went without ever having had a ring: the store drops what they own at a moment that no record shows. */
export class UnnoticedEnds {
  readonly #model: XenstoreModel;
  readonly #boxes: readonly Outbox[];
  readonly #domids = new Set<number>();
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
  }

  /** It has a ring after all. */
  delete(domid: number): void {
    this.#domids.delete(domid);
    this.#foreseen.delete(domid);
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

  /** The store has noticed, at some moment up to now, that they are gone. */
  notice(at: Moment): void {
    if (this.isEmpty) return;
    for (const domid of this.#domids) {
      doubtOwned(this.#model, domid);
      purge(this.#model, domid, at.seq);
    }
    this.#domids.clear();
    this.#foreseen.clear();
    this.#float();
  }

  #float(): void {
    for (const { conn, text } of this.#model.takeEvents()) this.#boxes[conn]!.floating(text);
  }
}
