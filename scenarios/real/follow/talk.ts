import { text, XS } from '../../../guests/index.ts';
import { MessageReader } from '../../../store/protocol/message-reader.ts';
import type { Message } from '../../../store/protocol/wire.ts';

/** A message that the run's store has sent, and what it answers; `undefined`: it is an event. */
export interface Sent {
  readonly request: Message | undefined;
  readonly theirs: Message;
}

/** Requests that are not answered yet, the oldest first, by req_id. */
class Asked {
  readonly #waiting = new Map<number, Message[]>();

  add(request: Message): void {
    const same = this.#waiting.get(request.reqId);
    if (same === undefined) this.#waiting.set(request.reqId, [request]);
    else same.push(request);
  }

  /** What a reply answers; a put-aside TRANSACTION_START may be overtaken, but no other by one of its own number. */
  answeredBy({ reqId, type }: Message): Message | undefined {
    const same = this.#waiting.get(reqId);
    if (same === undefined) return undefined;
    const at = Math.max(0, type === XS.ERROR ? 0 : same.findIndex((request) => request.type === type));
    const [request] = same.splice(at, 1);
    if (same.length === 0) this.#waiting.delete(reqId);
    return request;
  }
}

/** What goes to and fro on one connection of a run, and on the same one of ours. */
export class Talk {
  readonly #requests = new MessageReader('believed');
  readonly #theirs = new MessageReader('believed');
  readonly #askedThem = new Asked();
  readonly #askedUs = new Asked();
  /** What ours has said and they have not said yet: starts of transactions, and all the rest. */
  readonly #starts: Message[] = [];
  readonly #rest: Message[] = [];
  /** Their transactions' ids, and ours. */
  readonly #ids = new Map<number, number>();
  readonly #aside = new Set<Message>();
  readonly #comparesEvents: boolean;

  constructor(comparesEvents: boolean) {
    this.#comparesEvents = comparesEvents;
  }

  /** Whether a message has its place among the others. */
  compares(message: Message): boolean {
    return message.type !== XS.WATCH_EVENT || (this.#comparesEvents && !isTold(message));
  }

  /** Octets that the run's store has taken in. @returns requests that are whole with them. */
  asked(octets: Uint8Array): readonly Message[] {
    this.#requests.push(octets);
    const whole = this.#requests.all();
    for (const request of whole) this.#askedThem.add(request);
    return whole;
  }

  /** Ours is not asked yet. */
  putAside(request: Message): void {
    this.#aside.add(request);
  }

  /** Whether ours is to be asked now. */
  wasPutAside(request: Message): boolean {
    return this.#aside.delete(request);
  }

  /** A request as ours is asked it: with its own transaction's id. */
  forOurs(request: Message): Message {
    const { txId } = request;
    const own = { ...request, txId: this.#ids.get(txId) ?? txId };
    this.#askedUs.add(own);
    return own;
  }

  /** An event whose like waits to be sent is dropped, as it is by theirs: what ours has said and they have not is what waits there. */
  oursSays(message: Message): void {
    if (!this.compares(message)) return;
    const isEvent = message.type === XS.WATCH_EVENT;
    if (isEvent && this.#rest.some((waiting) => isSameEvent(waiting, message))) return;
    const request = isEvent ? undefined : this.#askedUs.answeredBy(message);
    (request?.type === XS.TRANSACTION_START ? this.#starts : this.#rest).push(message);
  }

  /** Octets that the run's store has sent. @returns messages that are whole with them; a reply to nothing is left out. */
  theySay(octets: Uint8Array): readonly Sent[] {
    this.#theirs.push(octets);
    return this.#theirs.all().flatMap((theirs) => {
      const isEvent = theirs.type === XS.WATCH_EVENT;
      const request = isEvent ? undefined : this.#askedThem.answeredBy(theirs);
      return isEvent || request !== undefined ? [{ request, theirs }] : [];
    });
  }

  /** What ours has said in the place of a message of theirs; `undefined`: nothing more. */
  ourTurn(request: Message | undefined, theirs: Message): Message | undefined {
    if (request?.type !== XS.TRANSACTION_START) return this.#rest.shift();
    const at = this.#starts.findIndex(({ reqId }) => reqId === request.reqId);
    const ours = at < 0 ? undefined : this.#starts.splice(at, 1)[0];
    if (theirs.type === XS.TRANSACTION_START && ours?.type === XS.TRANSACTION_START)
      this.#ids.set(idIn(theirs), idIn(ours));
    return ours;
  }
}

/** One of the requests of a live update. */
export function isUpdate({ type, payload }: Message): boolean {
  return type === XS.CONTROL && text(payload).startsWith('live-update\0');
}

/** The end of a domain is told. */
function isTold({ type, payload }: Message): boolean {
  return type === XS.WATCH_EVENT && text(payload).startsWith('@releaseDomain\0');
}

function idIn({ payload }: Message): number {
  return Number(text(payload).replace(/\0$/, ''));
}

function isSameEvent(a: Message, b: Message): boolean {
  if (a.type !== XS.WATCH_EVENT || a.payload.length !== b.payload.length) return false;
  return a.payload.every((octet, i) => octet === b.payload[i]);
}
