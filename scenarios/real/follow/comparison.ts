import { text, XS } from '../../../guests/index.ts';
import type { CompatName } from '../../../store/index.ts';
import { type Message, type OpName, opName } from '../../../store/protocol/wire.ts';
import { formatLine } from '../../drive/script.ts';
import type { History, HistoryRecord } from '../../judge/history.ts';
import { type KnownDifference, knownDifference } from '../conform/known.ts';
import { Follower } from './follower.ts';
import { isUpdate, Talk } from './talk.ts';

/** The first message that a client was sent, and would not have been sent by ours. */
export interface FirstDifference {
  /** Place in the history, and virtual time. */
  readonly seq: number;
  readonly timeNs: number;
  /** Who has seen it: `domU3`, `dom0/xenopsd`. */
  readonly client: string;
  /** What it is an answer to; `undefined`: an event. */
  readonly request: Message | undefined;
  readonly theirs: Message;
  /** `undefined`: ours says nothing there. */
  readonly ours: Message | undefined;
}

/** What a run's clients saw, beside what ours says to the same requests in the same order. */
export interface Comparison {
  /** Messages that are the same. */
  readonly messages: number;
  readonly connections: number;
  readonly first: FirstDifference | undefined;
  /** How often each class of known differences was met. */
  readonly known: ReadonlyMap<string, number>;
  /** The class behind which nothing can be compared; `undefined`: all of the run was. */
  readonly parted: string | undefined;
}

/** What is compared with which differences known. */
export interface Beside {
  readonly compat: CompatName;
  readonly known: readonly KnownDifference[];
  /** Whether events come in the order of ours; if not, replies alone are compared. */
  readonly comparesEvents: boolean;
}

/**
 * Give ours what the store of a run has taken in, in that order, and compare what clients were sent. Two stores of unlike speed part
 * in the first microseconds of a seed, since their guests meet each other at other moments; what one says to the same requests in the
 * same order does not depend on that. What does, and is left out:
 * - `@releaseDomain` is sent when a store next looks after its domains;
 * - a TRANSACTION_START is put aside while an update is asked for: it is looked for among others of its kind;
 * - ids of transactions, and the number that DIRECTORY_PART counts changes by, are the store's own: each is translated, or left out;
 * - an update's answer: ours updates itself at the moment at which the run's store has;
 * - what CONTROL tells of queues, which are as long as their readers are slow; that it is refused or not is compared.
 */
export function compareRun(history: History, beside: Beside): Comparison {
  const comparing = new Comparing(history, beside);
  for (const [at, record] of history.records.entries()) {
    comparing.note(record, at);
    if (comparing.first !== undefined || comparing.parted !== undefined) break;
  }
  return comparing;
}

class Comparing implements Comparison {
  messages = 0;
  first: FirstDifference | undefined = undefined;
  readonly known = new Map<string, number>();
  parted: string | undefined = undefined;
  readonly #history: History;
  readonly #beside: Beside;
  readonly #follower: Follower;
  readonly #talks = new Map<number, Talk>();
  /** Domains that have ended, and that the run's store still has. */
  readonly #dead = new Set<number>();
  /** Domains whose ring is served, with its epoch. */
  readonly #served = new Map<number, number>();
  /** Ends of domains of which the store was told in one moment. */
  #told: number[] = [];
  /** An update is asked for, from its first request on: starts of transactions may be put aside, and are asked for when they are answered. */
  #isUpdateAsked = false;

  constructor(history: History, beside: Beside) {
    this.#history = history;
    this.#beside = beside;
    this.#follower = new Follower(beside.compat, history.transactionPolicy);
  }

  get connections(): number {
    return this.#talks.size;
  }

  /** `at`: which of the history's records it is. */
  note(record: HistoryRecord, at: number): void {
    const isEnd = record.kind === 'detach' && this.#dead.has(this.#domidOf(record.conn));
    if (!isEnd) this.#tellEnds();
    switch (record.kind) {
      case 'open':
        return this.#open(record.conn);
      case 'detach':
        return this.#detach(record.conn);
      case 'consume':
        if (record.dir === 'req') this.#consumed(record.conn, record.bytes, at);
        return;
      case 'publish':
        if (record.dir === 'rsp') this.#sent(record);
        return;
      case 'life':
        return this.#lives(record.domid, record.what);
      case 'liveUpdate':
        if (record.what === 'up') this.#follower.update();
        if (record.what !== 'dump') this.#isUpdateAsked = false;
        return;
    }
  }

  #domidOf(conn: number): number {
    return this.#history.epochs[conn]?.domid ?? -1;
  }

  #open(conn: number): void {
    const epoch = this.#history.epochs[conn];
    if (epoch === undefined) return;
    const { domid } = epoch;
    if (epoch.isSocket !== true) {
      // Its ring is served, nobody has let go of it, and it begins anew: it has broken it.
      if (this.#served.has(domid)) this.#follower.breakRing(domid);
      this.#served.set(domid, conn);
    }
    this.#follower.open(epoch);
    this.#talks.set(conn, new Talk(this.#beside.comparesEvents));
  }

  #detach(conn: number): void {
    const epoch = this.#history.epochs[conn];
    if (epoch === undefined) return;
    if (epoch.isSocket === true) return this.#follower.close(conn);
    const { domid } = epoch;
    if (this.#served.get(domid) === conn) this.#served.delete(domid);
    if (this.#dead.delete(domid)) this.#told.push(domid);
  }

  /** All ends that a store sees when it looks are one look of ours. */
  #tellEnds(): void {
    if (this.#told.length > 0) this.#follower.destroy(...this.#told.splice(0));
  }

  #lives(domid: number, what: (HistoryRecord & { readonly kind: 'life' })['what']): void {
    if (domid === 0) return;
    switch (what) {
      case 'created':
        this.#dead.delete(domid);
        return this.#follower.create(domid);
      case 'shutdown':
        return this.#follower.shutDown(domid);
      case 'resumed':
        return this.#follower.resume(domid);
      case 'dying':
      case 'dead':
        if (this.#served.has(domid)) this.#dead.add(domid);
        else this.#follower.destroy(domid);
        return;
    }
  }

  #consumed(conn: number, octets: Uint8Array, at: number): void {
    const talk = this.#talks.get(conn);
    if (talk === undefined) return;
    this.#follower.mayBind = this.#opensBehind(at);
    for (const request of talk.asked(octets)) {
      if (isUpdate(request)) this.#isUpdateAsked = true;
      else if (request.type === XS.TRANSACTION_START && this.#isUpdateAsked) talk.putAside(request);
      else this.#serve(conn, talk, request);
    }
  }

  /** Whether a ring is opened before the next request is taken in: what the hypervisor says to an INTRODUCE is given, as requests are. */
  #opensBehind(at: number): boolean {
    const { records } = this.#history;
    for (let i = at + 1; i < records.length; i++) {
      const record = records[i] as HistoryRecord;
      if (record.kind === 'open') return true;
      if (record.kind === 'consume' && record.dir === 'req') return false;
    }
    return false;
  }

  #serve(conn: number, talk: Talk, request: Message): void {
    this.#follower.serve(conn, talk.forOurs(request));
    this.#hear();
  }

  /** Take in what ours has said to whomever. */
  #hear(): void {
    for (const [conn, talk] of this.#talks) for (const message of this.#follower.take(conn)) talk.oursSays(message);
  }

  #sent({ seq, timeNs, conn, bytes }: HistoryRecord & { readonly kind: 'publish' }): void {
    const talk = this.#talks.get(conn);
    if (talk === undefined) return;
    this.#hear(); // events of what was no request
    for (const { request, theirs } of talk.theySay(bytes)) {
      if (request !== undefined && isUpdate(request)) {
        if (!isArmed(request, theirs)) this.#isUpdateAsked = false;
        continue;
      }
      if (!talk.compares(theirs)) continue;
      if (request !== undefined && talk.wasPutAside(request)) this.#serve(conn, talk, request);
      const ours = talk.ourTurn(request, theirs);
      const client = this.#history.epochs[conn]?.name ?? '';
      if (ours !== undefined && isSame(theirs, ours, request)) this.messages++;
      else this.#differs({ seq, timeNs, client, request, theirs, ours });
    }
  }

  #differs(difference: FirstDifference): void {
    const { request, theirs, ours, client: on } = difference;
    const known =
      request &&
      ours &&
      knownDifference(
        {
          action: { kind: 'message', on, op: opName(request.type) as OpName, ...request, tx: request.txId },
          daemon: [replyLine(on, request, theirs)],
          ours: [replyLine(on, request, ours)],
        },
        this.#beside.known,
      );
    if (known === undefined) this.first ??= difference;
    else {
      this.known.set(known.name, (this.known.get(known.name) ?? 0) + 1);
      if (known.parts) this.parted ??= known.name;
    }
  }
}

function replyLine(on: string, request: Message, { type, payload }: Message): string {
  return formatLine({ kind: 'reply', on, op: opName(request.type) as OpName, type, payload });
}

/** As far as clients can tell. */
function isSame(theirs: Message, ours: Message, request: Message | undefined): boolean {
  if (theirs.type !== ours.type || theirs.reqId !== ours.reqId) return false;
  if (theirs.type === XS.TRANSACTION_START || theirs.type === XS.CONTROL) return true;
  const [a, b] = [text(theirs.payload), text(ours.payload)];
  if (request?.type === XS.DIRECTORY_PART && theirs.type !== XS.ERROR) return behindFirst(a) === behindFirst(b);
  return a === b;
}

/** What stands behind the first string. */
function behindFirst(payload: string): string {
  return payload.slice(payload.indexOf('\0') + 1);
}

/** Whether an update is still asked for behind this answer: it was not given up, and nothing is wrong with it. */
function isArmed({ payload }: Message, answer: Message): boolean {
  return text(payload).split('\0')[1] !== '-a' && text(answer.payload) === 'OK\0';
}
