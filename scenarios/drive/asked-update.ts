import { strings, text, XS } from '../../guests/index.ts';
import type { StoreProcess } from '../../store/index.ts';
import type { Connection, Connections } from './connections.ts';
import type { OutputLine } from './script.ts';

/** A live update that an operator has asked for, over a connection of its own, while everything goes on. */
export class AskedUpdate {
  readonly #store: StoreProcess;
  readonly #connections: Connections;
  readonly #operator: Connection;
  /** Updates before this one. */
  readonly #before: number;
  /** req_id of the request that arms the update, and of the one that starts it. */
  readonly #asked: readonly number[];

  /** `control`: the words of the two requests, behind `live-update`. */
  constructor(store: StoreProcess, connections: Connections, control: readonly (readonly string[])[]) {
    this.#store = store;
    this.#connections = connections;
    this.#operator = connections.openOperator();
    this.#before = store.updates.length;
    this.#asked = control.map(
      (words) => connections.post(this.#operator, XS.CONTROL, strings('live-update', ...words), 0).reqId,
    );
  }

  /** What came of it; `undefined` while it is not answered. To be asked until it says. */
  answered(): OutputLine | undefined {
    const { inbox, link } = this.#operator;
    const record = this.#store.updates[this.#before];
    for (const { reqId, payload } of inbox) {
      const at = this.#asked.indexOf(reqId);
      const answer = text(payload).replace(/\0$/, '');
      if (at < 0 || (at < this.#asked.length - 1 && answer === 'OK')) continue;
      return this.#end(answer === 'OK' ? undefined : answer);
    }
    // The format may have lost the answer, or the connection.
    if (record?.outcome === 'ok') return this.#end(undefined);
    if (link.isClosed()) return this.#end(this.#store.ended ?? 'no answer');
    return undefined;
  }

  #end(reason: string | undefined): OutputLine {
    this.#connections.closeOperator(this.#operator);
    return reason === undefined ? { kind: 'liveUpdate' } : { kind: 'liveUpdate', reason };
  }
}
