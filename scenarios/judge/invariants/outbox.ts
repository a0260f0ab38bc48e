import { show } from '../oracles/octets.ts';
import { type Framed, type Moment, Op } from '../oracles/wire.ts';
import type { Connection, Request } from './connection-epochs.ts';
import { describe, type Findings } from './finding.ts';

/** Something the store must send, in the place where it must come. */
interface Due {
  readonly kind: 'reply' | 'event';
  /** Of an event its payload. */
  readonly text: string;
  /** The request it answers, or that caused it; `undefined`: the end of a domain. */
  readonly request: Request | undefined;
  readonly at: Moment;
  /** Number of the store's instance that queued it. */
  readonly instance: number;
  /** An equal event that may still have been queued then: this one may have been merged into it, provided that one came. */
  readonly twin: Due | undefined;
  /** A reply whose place among the events around it is not fixed. */
  readonly isLoose: boolean;
  state: 'queued' | 'begun' | 'finished' | 'missing' | 'skipped';
}

/** ns after which a queued event may be dropped; 1 ms less than 20 s since the store counts whole milliseconds. */
const EXPIRY_NS = 19_999_000_000;

/** The output of one connection: what must come, compared with what comes. It is one queue, first in first out.
 *  Source: store.md 1.6, 4.5, 10.4. */
export class Outbox {
  readonly #connection: Connection;
  readonly #isPriv: boolean;
  readonly #recognises: boolean;
  readonly #found: Findings;
  #queue: Due[] = [];
  #head = 0;
  readonly #replies = new Map<Request, Due>();
  /** By payload, the event of that payload that was queued last. */
  readonly #newest = new Map<string, Due>();
  /** Events that something behind them has overtaken: lost, unless they still come. */
  readonly #missing: Due[] = [];
  /** Events whose moment nothing shows; they may come anywhere. */
  readonly #floating = new Map<string, number>();
  /** Events that were taken for merged because a special event came, whose own place nothing shows. */
  readonly #overtaken: { readonly by: Due; readonly skipped: readonly Due[] }[] = [];
  #writing: Due | undefined;
  #instance = 0;
  #instanceSinceNs = 0;
  #isClosed = false;
  /** Special events that came, by payload: when last. */
  readonly specials = new Map<string, number>();

  /** @param recognises events that are queued before an update may be known again behind it. */
  constructor(connection: Connection, found: Findings, recognises: boolean) {
    this.#recognises = recognises;
    this.#connection = connection;
    this.#isPriv = connection.epoch.domid === 0;
    this.#found = found;
  }

  /** A reply takes its place in the queue. */
  reply(request: Request, isLoose: boolean): void {
    const { seq, timeNs } = request;
    const due: Due = {
      kind: 'reply',
      text: '',
      request,
      at: { seq, timeNs },
      instance: this.#instance,
      twin: undefined,
      isLoose,
      state: 'queued',
    };
    this.#queue.push(due);
    this.#replies.set(request, due);
  }

  /** An event is caused: it takes its place, unless an equal one is still there. */
  event(text: string, at: Moment, request: Request | undefined): void {
    if (this.#isClosed) return;
    let twin: Due | undefined;
    const other = text.startsWith('@') ? undefined : this.#newest.get(text);
    if (other !== undefined && (other.state === 'queued' || other.state === 'begun')) {
      // Certainly still queued, its last octet is not written: the store drops the new one (store.md 4.5). Not certain:
      // a) 1. Event e is queued. 2. Live update; restored output is only octets, not events. 3. e is caused again, and queued
      //    again, since nothing recognises the first (guests.md 6.1 c). A store that does recognise it is right as well.
      // b) 1. e is queued for a guest that does not read. 2. 20 s pass. 3. e is caused again: the first one may be dropped by now.
      const mayBeGone = this.#mayHaveExpired(other, at.timeNs);
      if (other.instance === this.#instance && !mayBeGone) {
        this.#found.count('events merged');
        return;
      }
      if (this.#recognises || mayBeGone) twin = other;
    }
    const due: Due = {
      kind: 'event',
      text,
      request,
      at,
      instance: this.#instance,
      twin,
      isLoose: false,
      state: 'queued',
    };
    this.#queue.push(due);
    this.#newest.set(text, due);
    this.#found.count('events caused');
  }

  /** An event that may come at any moment from now on. */
  floating(text: string): void {
    if (!this.#isClosed) this.#floating.set(text, (this.#floating.get(text) ?? 0) + 1);
  }

  /** The first octet of a message was written. `excuse`: asked for an event that nothing in the queue explains;
   *  `explain`: says in words what is known about one that nothing explains. */
  begin(
    m: Framed,
    request: Request | undefined,
    excuse: (text: string) => boolean,
    explain: (text: string) => string,
  ): void {
    if (this.#isClosed) return;
    this.#writing = undefined;
    if (m.type !== Op.WATCH_EVENT) {
      const due = request && this.#replies.get(request);
      if (due === undefined || due.state !== 'queued') return;
      this.#pass(due, m);
      due.state = 'finished';
      this.#replies.delete(due.request!);
      this.#advance();
      return;
    }
    this.#found.count('events delivered');
    if (m.reqId !== 0 || m.txId !== 0)
      this.#bad(m.first, undefined, `event ${show(m.payload)} has req_id ${m.reqId} tx_id ${m.txId}, not 0`);
    const at = this.#find(m.payload) ?? this.#takenBack(m.payload, excuse);
    const isClear = at !== undefined && this.#isClear(at, m.first.timeNs);
    if (!isClear && this.#excused(m, excuse)) return;
    if (at !== undefined) {
      this.#pass(at, m);
      this.#take(at, m);
      return;
    }
    const late = this.#missing.findIndex((d) => d.text === m.payload);
    if (late >= 0) {
      const due = this.#missing.splice(late, 1)[0]!;
      this.#bad(
        m.first,
        due.request,
        `event ${show(m.payload)}, caused by ${cause(due)}, came out of order: after something queued later`,
      );
      return;
    }
    this.#bad(m.first, undefined, `event ${show(m.payload)} without a cause: ${explain(m.payload)}`);
  }

  /** The last octet of the message was written: from now on it is no longer queued. */
  finish(): void {
    if (this.#writing !== undefined) this.#writing.state = 'finished';
    this.#writing = undefined;
  }

  /** A successor took over: what is queued is no longer recognised, deadlines start anew. */
  liveUpdate(timeNs: number): void {
    this.#instance++;
    this.#instanceSinceNs = timeNs;
  }

  /** The connection ended or is ignored; nothing is expected of it any more. */
  close(): void {
    this.#isClosed = true;
    this.#queue = [];
    this.#head = 0;
    this.#replies.clear();
    this.#newest.clear();
    for (const due of this.#missing) this.#lost(due, due.at);
    this.#missing.length = 0;
  }

  /** The history is over. `mustBeEmpty`: the guest reads, so nothing may be left. */
  end(at: Moment, mustBeEmpty: boolean): void {
    if (this.#isClosed) return;
    for (const due of this.#missing) this.#lost(due, due.at);
    if (!mustBeEmpty) return;
    for (const due of this.#queue.slice(this.#head)) {
      if (due.kind === 'event' && due.state === 'queued' && !this.#mayBeSkipped(due, at.timeNs)) this.#lost(due, at);
    }
  }

  #take(due: Due, m: Framed): void {
    due.state = 'begun';
    this.#writing = due;
    if (due.twin !== undefined) this.#found.count('repeated after a live update');
    if (due.text.startsWith('@')) this.specials.set(due.text, m.first.seq);
    this.#advance();
  }

  #excused(m: Framed, excuse: (text: string) => boolean): boolean {
    const count = this.#floating.get(m.payload) ?? 0;
    if (count > 0) this.#floating.set(m.payload, count - 1);
    else if (!excuse(m.payload)) {
      // Asking may have made new events float: the store dropped a domain without a ring.
      const now = this.#floating.get(m.payload) ?? 0;
      if (now === 0) return false;
      this.#floating.set(m.payload, now - 1);
    }
    if (m.payload.startsWith('@')) this.specials.set(m.payload, m.first.seq);
    return true;
  }

  #find(text: string): Due | undefined {
    for (let i = this.#head; i < this.#queue.length; i++) {
      const due = this.#queue[i]!;
      if (due.kind === 'event' && due.state === 'queued' && due.text === text) return due;
    }
    return undefined;
  }

  /**
   * 1. A domain shuts down, of which nothing shows when the store hears. 2. A live update; events that are caused again now may be
   * merged with what is in its output, or not. 3. Another domain dies: its nodes go, and `@releaseDomain` comes behind them.
   * 4. The `@releaseDomain` of the first comes: it was taken for the second's, and the events ahead of that for merged. 5. They
   * come: then the special one was the first's, and they and the second's are still due.
   */
  #takenBack(text: string, excuse: (text: string) => boolean): Due | undefined {
    const n = this.#overtaken.findIndex(({ skipped }) => skipped.some((d) => d.text === text && d.state === 'skipped'));
    const found = this.#overtaken[n];
    if (found === undefined || !excuse(found.by.text)) return undefined;
    this.#overtaken.splice(n, 1);
    const again = [...found.skipped.filter(({ state }) => state === 'skipped'), found.by];
    for (const due of again) due.state = 'queued';
    const rest = this.#queue.slice(this.#head).filter((due) => !again.includes(due));
    this.#queue = [...again, ...rest];
    this.#head = 0;
    return this.#find(text);
  }

  /** Nothing that must come first stands ahead of `due`. */
  #isClear(due: Due, nowNs: number): boolean {
    for (let i = this.#head; this.#queue[i] !== due; i++) {
      const ahead = this.#queue[i]!;
      if (ahead.state !== 'queued') continue;
      if (ahead.kind === 'reply' ? !this.#replyMayWait(ahead) : !this.#mayBeSkipped(ahead, nowNs)) return false;
    }
    return true;
  }

  /** `due` comes now: judge what stands ahead of it. */
  #pass(due: Due, m: Framed): void {
    const merged: Due[] = [];
    for (let i = this.#head; this.#queue[i] !== due; i++) {
      const ahead = this.#queue[i]!;
      if (ahead.state !== 'queued') continue;
      if (ahead.kind === 'event') {
        const skipped = this.#mayBeSkipped(ahead, m.first.timeNs);
        ahead.state = skipped ? 'skipped' : 'missing';
        if (skipped) merged.push(ahead);
        else this.#missing.push(ahead);
      } else if (due.kind === 'event' && !this.#replyMayWait(ahead)) {
        const what = `event ${show(m.payload)}, caused by ${cause(due)}, came before the reply to ${describe(ahead.request!)}, which was queued ahead of it`;
        this.#bad(m.first, ahead.request, what);
      }
    }
    if (merged.length > 0 && due.text.startsWith('@')) this.#overtaken.push({ by: due, skipped: merged });
  }

  /** 1. A release is served whose ring comes right behind the requester's in the store's list. 2. The reply is queued. 3. The
   *  store reaches that ring, and only now drops it, with events (store.md 8.2). A lost reply is another family's finding. */
  #replyMayWait(due: Due): boolean {
    return due.isLoose || due.request?.reply === undefined;
  }

  #mayBeSkipped(due: Due, nowNs: number): boolean {
    return hasCome(due.twin) || this.#mayHaveExpired(due, nowNs);
  }

  /** Events for unprivileged rings that were not begun within 20 s are dropped (store.md 10.4). */
  #mayHaveExpired(due: Due, nowNs: number): boolean {
    if (this.#isPriv || due.state !== 'queued') return false;
    return nowNs - Math.max(due.at.timeNs, due.instance < this.#instance ? this.#instanceSinceNs : 0) >= EXPIRY_NS;
  }

  #advance(): void {
    while (this.#head < this.#queue.length && this.#queue[this.#head]!.state !== 'queued') this.#head++;
    if (this.#head > 512 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
  }

  #lost(due: Due, at: Moment): void {
    this.#bad(at, due.request, `event ${show(due.text)} never came; caused by ${cause(due)} at seq ${due.at.seq}`);
  }

  #bad(at: Moment, request: Request | undefined, detail: string): void {
    const by = request === undefined ? '' : `${request.connection.name} ${describe(request)}`;
    this.#found.add(at, this.#connection.name, by, `${this.#connection.name}: ${detail}`);
  }
}

/** The event came, or the one that it was merged into did. */
function hasCome(due: Due | undefined): boolean {
  return (
    due !== undefined &&
    (due.state === 'begun' || due.state === 'finished' || (due.state === 'skipped' && hasCome(due.twin)))
  );
}

function cause(due: Due): string {
  const { request } = due;
  return request === undefined ? 'the end of a domain' : `${request.connection.name} ${describe(request)}`;
}
