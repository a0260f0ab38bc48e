import { textOf } from '../oracles/octets.ts';
import { opName } from '../oracles/wire.ts';
import type { Session, SessionRecord } from '../sessions.ts';
import { Findings } from './finding.ts';

const CLAIM =
  'a guest that is moved without its help gets one answer to each request, that of one store that never went away, and each event of its watches';
const SOURCE = 'INV-M19, INV-M21, INV-M22; guests.md 6.4 to 6.6; NC-16, NC-17';

const READ = 2;
const WATCH = 4;
const UNWATCH = 5;
const START = 6;
const END = 7;
const WRITE = 11;
const MKDIR = 12;
const RM = 13;
const WATCH_EVENT = 15;
const ERROR = 16;

const BACKENDS = /^\/local\/domain\/[0-9]+\/backend\//;

interface Message {
  readonly type: number;
  readonly reqId: number;
  readonly txId: number;
  readonly payload: string;
  /** The record with its last octet. */
  readonly at: SessionRecord;
}

interface Asked extends Message {
  /** Moves and updates that had been when it began. */
  readonly moves: number;
}

interface Open {
  /** Moves and updates that had been when it began. */
  readonly moves: number;
  /** What it has written, and removed. */
  readonly changes: Map<string, string | undefined>;
}

/** What a format of the images is known to lose; left out: nothing. */
export interface Allowed {
  /** Each watch may fire once at a move (NC-23). */
  readonly firesWatches?: boolean;
}

/**
 * What each guest is answered, by a model of the part of its home that nobody else writes: names that begin with `data/own/`. Requests
 * take effect in the order in which they are in the ring. Linear.
 */
export function unnoticedMessages(sessions: readonly Session[], allowed: Allowed = {}) {
  const findings = new Findings('unnoticed-messages');
  for (const session of sessions) new SessionCheck(session, findings, allowed).run();
  return findings.verdict(CLAIM, SOURCE);
}

class SessionCheck {
  readonly #session: Session;
  readonly #findings: Findings;
  readonly #allowed: Allowed;
  readonly #tree = new Map<string, string>();
  readonly #asked: Asked[] = [];
  readonly #open = new Map<number, Open>();
  /** Watched paths by token. */
  readonly #watches = new Map<string, string>();
  /** Changes of a watched name that no event has told of yet, by `token path`. */
  readonly #due = new Map<string, SessionRecord>();
  #moves = 0;
  #hasMoved = false;
  /** Events of backends that came after the first move. */
  readonly #late = new Set<string>();

  constructor(session: Session, findings: Findings, allowed: Allowed) {
    this.#session = session;
    this.#findings = findings;
    this.#allowed = allowed;
  }

  #add(at: SessionRecord, request: string, detail: string): void {
    this.#findings.add(at, this.#session.name, request, detail);
  }

  run(): void {
    const framers = { req: new Framer(), rsp: new Framer() };
    let last: SessionRecord | undefined;
    for (const record of this.#session.records) {
      last = record;
      if (record.kind === 'moved' || record.kind === 'updated') this.#moves++;
      this.#hasMoved ||= record.kind === 'moved';
      if (record.kind === 'put' && record.dir === 'req')
        for (const message of framers.req.push(record)) this.#asked.push({ ...message, moves: this.#moves });
      if (record.kind === 'took' && record.dir === 'rsp')
        for (const message of framers.rsp.push(record)) this.#got(message);
    }
    if (last === undefined) return;
    for (const one of this.#asked) this.#add(last, named(one), 'INV-M19: never answered');
    for (const [what, at] of this.#due) this.#add(at, '', `INV-M21: no event tells of a change: ${what}`);
  }

  #got(message: Message): void {
    if (message.type === WATCH_EVENT) return this.#event(message);
    this.#findings.count('replies');
    // Only a START may be overtaken: it is put aside while an update is due.
    const at = this.#asked.findIndex(({ reqId }) => reqId === message.reqId);
    const request = this.#asked[at];
    if (request === undefined)
      return this.#add(message.at, named(message), 'INV-M20: an answer to nothing that was asked');
    if (this.#asked.slice(0, at).some(({ type }) => type !== START))
      this.#add(message.at, named(message), 'INV-M19: answered before what was asked before it');
    this.#asked.splice(at, 1);
    if (message.type !== request.type && message.type !== ERROR)
      return this.#add(message.at, named(request), `INV-M19: answered by ${opName(message.type)}`);
    this.#answer(request, message);
  }

  #answer(request: Asked, reply: Message): void {
    const error = reply.type === ERROR ? reply.payload.replace(/\0$/, '') : undefined;
    const tx = request.txId === 0 ? undefined : this.#open.get(request.txId);
    if (request.txId !== 0 && tx === undefined && error !== 'ENOENT')
      return this.#add(reply.at, named(request), 'INV-M22: an answer in a transaction that is not open');
    if (request.txId !== 0 && tx !== undefined && error === 'ENOENT' && request.type === END)
      return this.#add(reply.at, named(request), 'INV-M22: the store does not know an open transaction');
    const [path = '', ...rest] = request.payload.split('\0');
    switch (request.type) {
      case START:
        return this.#started(request, reply, error);
      case END:
        return this.#ended(request, reply, error, tx);
      case WATCH:
        if (error === undefined) {
          this.#watches.set(rest[0] ?? '', path);
          this.#due.set(`${rest[0]} ${path}`, reply.at);
        }
        return;
      case UNWATCH:
        if (error !== undefined) this.#add(reply.at, named(request), `INV-M21: ${error}`);
        this.#watches.delete(rest[0] ?? '');
        for (const key of this.#due.keys()) if (key.startsWith(`${rest[0]} `)) this.#due.delete(key);
        return;
      default:
        if (path.startsWith('data/own/')) this.#own(request, reply, error, tx);
    }
  }

  #started(request: Asked, reply: Message, error: string | undefined): void {
    if (error !== undefined) return this.#add(reply.at, named(request), `INV-M19: ${error}`);
    const id = Number.parseInt(reply.payload, 10);
    if (this.#open.has(id)) this.#add(reply.at, named(request), `INV-M22: ${id} is given out again before its end`);
    this.#open.set(id, { moves: request.moves, changes: new Map() });
    this.#findings.count('transactions');
  }

  #ended(request: Asked, reply: Message, error: string | undefined, tx: Open | undefined): void {
    if (tx === undefined) return;
    this.#open.delete(request.txId);
    const commits = request.payload.startsWith('T');
    if (error === 'EAGAIN') {
      // Nobody else writes there: only a move can be the reason (NC-17), or a live update, whose images have no bases either.
      if (tx.moves === this.#moves) this.#add(reply.at, named(request), 'INV-M22: EAGAIN, and nobody came in between');
      else this.#findings.count('transactions that lost their base');
      return;
    }
    if (error !== undefined) return this.#add(reply.at, named(request), `INV-M22: ${error}`);
    if (!commits) return;
    // What was made and removed in it nobody ever saw.
    for (const [path, value] of tx.changes)
      if (value !== undefined || this.#tree.has(path)) this.#change(path, value, reply.at);
  }

  /** A name that is the guest's alone. */
  #own(request: Asked, reply: Message, error: string | undefined, tx: Open | undefined): void {
    const cut = request.payload.indexOf('\0');
    const path = request.payload.slice(0, cut);
    const known = tx?.changes.has(path) === true ? tx.changes.get(path) : this.#tree.get(path);
    if (request.type === READ) {
      this.#findings.count('values');
      const said = error ?? reply.payload;
      if (said !== (known ?? 'ENOENT'))
        this.#add(
          reply.at,
          named(request),
          `INV-M19: ${path} is ${shown(said)} instead of ${shown(known ?? 'ENOENT')}`,
        );
      return;
    }
    if (request.type === MKDIR && error === undefined && known !== undefined) return;
    if (![WRITE, RM, MKDIR].includes(request.type)) return;
    if (error !== undefined) {
      if (request.type !== RM || known !== undefined) this.#add(reply.at, named(request), `INV-M19: ${error}`);
      return;
    }
    if (request.type === RM && known === undefined) return; // OK of what is not there anyway
    const value = request.type === RM ? undefined : request.payload.slice(cut + 1);
    if (tx === undefined) this.#change(path, value, reply.at);
    else tx.changes.set(path, value);
  }

  /** In the C daemon events come before the answer to what has caused them; so they may be here already. */
  #change(path: string, value: string | undefined, at: SessionRecord): void {
    if (value === undefined) this.#tree.delete(path);
    else this.#tree.set(path, value);
    this.#findings.count('changes');
    for (const [token, watched] of this.#watches) {
      if (path !== watched && !path.startsWith(`${watched}/`)) continue;
      const key = `${token} ${path}`;
      const early = this.#early.get(key) ?? 0;
      if (early > 0) this.#early.set(key, early - 1);
      else this.#due.set(key, at);
    }
  }

  /** Events that came before the answer that tells of their change. */
  readonly #early = new Map<string, number>();

  #event(message: Message): void {
    const [path = '', token = ''] = message.payload.split('\0');
    const watched = this.#watches.get(token);
    this.#findings.count('events');
    const key = `${token} ${path}`;
    if (this.#due.delete(key)) return;
    if (watched === undefined) {
      // Its WATCH is answered, and not yet read: the answer comes first; or it was removed meanwhile.
      const isPending = this.#asked.some(({ type, payload }) => type === WATCH && payload.split('\0')[1] === token);
      if (isPending) this.#add(message.at, '', `INV-M21: an event before the answer to its WATCH: ${key}`);
      return;
    }
    if (this.#isOfOthers(watched)) return this.#told(message, key);
    if (this.#isOnItsWay(path)) {
      this.#early.set(key, (this.#early.get(key) ?? 0) + 1);
      return;
    }
    if (path === watched && this.#allowed.firesWatches === true && this.#moves > 0) return;
    this.#add(message.at, '', `INV-M21: an event of no change: ${key}`);
  }

  /** Names that backends write. */
  #isOfOthers(watched: string): boolean {
    return BACKENDS.test(watched);
  }

  /**
   * What a backend has written. 1. It goes to state 2, and to 4: two events are queued. 2. The guest takes the first, and reads 4:
   * its device is connected. 3. It is moved. 4. The second event comes. Nothing is written there any more, not by whoever brings the
   * nodes to the other host either (NC-16, NC-31): a third one would be of the move.
   */
  #told(message: Message, key: string): void {
    if (!this.#hasMoved || this.#allowed.firesWatches === true) return;
    if (this.#late.has(key)) this.#add(message.at, '', `INV-M21: an event of a backend that nobody changed: ${key}`);
    this.#late.add(key);
  }

  /** Whether a change of this name was asked for, or will be by the end of a transaction. */
  #isOnItsWay(path: string): boolean {
    const isAsked = ({ type, payload }: Asked) =>
      type === END || ([WRITE, RM, MKDIR].includes(type) && payload.startsWith(`${path}\0`));
    return this.#asked.some(isAsked);
  }
}

/** Makes messages of a stream that comes in pieces. */
class Framer {
  #held = '';

  *push(record: SessionRecord): Generator<Message> {
    if (record.kind !== 'put' && record.kind !== 'took') return;
    this.#held += textOf(record.bytes);
    for (;;) {
      if (this.#held.length < 16) return;
      const word = (at: number) =>
        (this.#held.charCodeAt(at) |
          (this.#held.charCodeAt(at + 1) << 8) |
          (this.#held.charCodeAt(at + 2) << 16) |
          (this.#held.charCodeAt(at + 3) << 24)) >>>
        0;
      const end = 16 + word(12);
      if (this.#held.length < end) return;
      yield { type: word(0), reqId: word(4), txId: word(8), payload: this.#held.slice(16, end), at: record };
      this.#held = this.#held.slice(end);
    }
  }
}

function named({ type, reqId, txId }: Pick<Message, 'type' | 'reqId' | 'txId'>): string {
  return `${opName(type)} req_id ${reqId} tx ${txId}`;
}

function shown(value: string): string {
  return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
}
