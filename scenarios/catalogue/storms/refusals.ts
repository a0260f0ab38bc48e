import { type EventQueue, octets, type Pending, type Reply, type Thread, type XsLink } from '../../../guests/index.ts';
import type { Actor, Domid } from '../../../sim/index.ts';
import { type Refused, refusedDevice } from '../../judge/invariants/devices-evidence.ts';

/** The connection of a guest's drivers: what the store had no memory for is told. */
export class RefusalsLink implements XsLink {
  readonly #link: XsLink;
  readonly #domid: () => Domid;
  readonly #told: (refused: Refused) => void;

  constructor(link: XsLink, domid: () => Domid, told: (refused: Refused) => void) {
    this.#link = link;
    this.#domid = domid;
    this.#told = told;
  }

  get inFlight(): number {
    return this.#link.inFlight;
  }

  get retries(): readonly string[] {
    return this.#link.retries;
  }

  submit(me: Thread, type: number, payload: Uint8Array, txId?: number): Pending {
    return this.#link.submit(me, type, payload, txId);
  }

  answer(pending: Pending): Actor<Reply> {
    return this.#link.answer(pending);
  }

  *request(me: Thread, type: number, payload: Uint8Array, txId?: number): Actor<Reply> {
    const reply = yield* this.#link.request(me, type, payload, txId);
    if (reply.error === 'ENOMEM') this.#told(refusedDevice(this.#domid(), payload));
    return reply;
  }

  *watch(queue: EventQueue, path: string, token: string, depth?: number): Actor<Reply> {
    const reply = yield* this.#link.watch(queue, path, token, depth);
    if (reply.error === 'ENOMEM') this.#told(refusedDevice(this.#domid(), octets(path)));
    return reply;
  }

  unwatch(me: Thread, path: string, token: string): Actor<Reply> {
    return this.#link.unwatch(me, path, token);
  }

  startedTxId(reply: Reply): number {
    return this.#link.startedTxId(reply);
  }
}
