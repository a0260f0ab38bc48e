import { octetsOf } from '../protocol/octets.ts';
import type { Message } from '../protocol/wire.ts';
import {
  ERROR_NAMES,
  type ErrorName,
  HEADER_BYTES,
  PAYLOAD_MAX,
  message as wireMessage,
  XS,
} from '../protocol/wire.ts';
import type { Accounting } from './accounting.ts';
import type { Connection, OutMessage, Outstanding, Watch } from './connection.ts';
import type { Platform } from './platform.ts';
import type { DaemonState } from './state.ts';
import type { Wakes } from './wakes.ts';

type Known = Pick<DaemonState, 'options' | 'withDeadlines' | 'firstDeadlineMs'>;

/** Payloads up to here are never refused for memory, or errors could not be told. Source: core.h, DEFAULT_BUFFER_SIZE. */
const FREE_PAYLOAD = 16;

const ERROR_PAYLOADS = new Map<ErrorName, Uint8Array>(ERROR_NAMES.map((name) => [name, octetsOf(`${name}\0`)]));

function errorPayload(errno: ErrorName): Uint8Array {
  return ERROR_PAYLOADS.get(errno) as Uint8Array;
}

/** What is queued for clients, who pays for it, and how long it stays. */
export class Output {
  readonly #state: Known;
  readonly #clock: Pick<Platform, 'nowMs'>;
  readonly #accounting: Accounting;
  readonly #wakes: Wakes;

  constructor(state: Known, clock: Pick<Platform, 'nowMs'>, accounting: Accounting, wakes: Wakes) {
    this.#state = state;
    this.#clock = clock;
    this.#accounting = accounting;
    this.#wakes = wakes;
  }

  // Coming ----------------------------------------------------------------------------------------------------------

  /** Queue an answer; too long a one becomes E2BIG, one that the domain's memory does not allow ENOMEM. */
  reply(conn: Connection, to: Message, type: number, payload: Uint8Array, cause: Outstanding | undefined): void {
    if (conn.isClosed || conn.isIgnored) return;
    const { length } = payload;
    let bytes: Uint8Array;
    if (length > PAYLOAD_MAX) bytes = wireMessage(XS.ERROR, to.reqId, to.txId, errorPayload('E2BIG'));
    else if (length > FREE_PAYLOAD && this.#accounting.memoryExceeded(conn, HEADER_BYTES + length))
      bytes = wireMessage(XS.ERROR, to.reqId, to.txId, errorPayload('ENOMEM'));
    else bytes = wireMessage(type, to.reqId, to.txId, payload);
    this.#accounting.chargeTo(conn, bytes.length);
    this.#accounting.count(conn, 'outstanding', 1);
    conn.out.push({ kind: 'reply', bytes, sent: 0, eventKey: '', deadlineMs: 0, cause });
    this.#wakes.outputQueued(conn);
  }

  /** Queue an error as the answer. */
  error(conn: Connection, to: Message, errno: ErrorName, cause: Outstanding | undefined): void {
    this.reply(conn, to, XS.ERROR, errorPayload(errno), cause);
  }

  /**
   * Queue one event unless a rule of store.md 4.5 drops it. Source: core.c, send_event.
   * @param cause whose burden it is; undefined: nobody's.
   */
  event(watch: Watch, name: string, cause: Outstanding | undefined): void {
    const { conn } = watch;
    const path = watch.prefix === 0 ? name : name.slice(watch.prefix);
    const length = path.length + watch.token.length + 2;
    if (length > PAYLOAD_MAX || conn.isIgnored || conn.isClosed) return;
    const text = `${path}\0${watch.token}\0`;
    const isPlain = path.charCodeAt(0) !== 0x40;
    if (isPlain && conn.eventKeys.has(text)) return;
    const size = HEADER_BYTES + length;
    if (this.#accounting.memoryExceeded(conn, size)) return;
    if (cause !== undefined) cause.pending++;
    this.#accounting.chargeTo(conn, size);
    if (isPlain) conn.eventKeys.add(text);
    const deadlineMs = this.eventDeadlineMs(conn);
    conn.out.push({
      kind: 'event',
      bytes: wireMessage(XS.WATCH_EVENT, 0, 0, octetsOf(text)),
      sent: 0,
      eventKey: isPlain ? text : '',
      deadlineMs,
      cause,
    });
    if (deadlineMs !== 0) this.noteDeadline(conn, deadlineMs);
    this.#wakes.outputQueued(conn);
  }

  // Going -----------------------------------------------------------------------------------------------------------

  /** A message has left completely. */
  written(conn: Connection, out: OutMessage): void {
    this.#left(conn, out);
    // Memory was given back, or a request is done: what waited for it may go on.
    if (conn.isLimited) this.#wakes.inputAllowed(conn);
  }

  #left(conn: Connection, out: OutMessage): void {
    if (out.eventKey !== '') conn.eventKeys.delete(out.eventKey);
    this.#accounting.chargeTo(conn, -out.bytes.length);
    if (out.cause !== undefined) this.#release(out.cause);
    else if (out.kind === 'reply' && !conn.isLimited) this.#accounting.count(conn, 'outstanding', -1);
  }

  /** One of the messages that keep a request outstanding is gone. */
  #release(cause: Outstanding): void {
    if (--cause.pending > 0 || cause.conn.isClosed) return;
    this.#accounting.count(cause.conn, 'outstanding', -1);
    this.#wakes.inputAllowed(cause.conn);
  }

  /** Nobody will read what is queued. */
  drop(conn: Connection): void {
    for (const out of conn.out.splice(0)) this.#left(conn, out);
    conn.eventKeys.clear();
    this.#state.withDeadlines.delete(conn);
  }

  // Growing old (store.md 10.4) ---------------------------------------------------------------------------------------

  /** When an event that is queued now will be dropped; 0: never. Source: option -w watch-event. */
  eventDeadlineMs(conn: Connection): number {
    const { watchEventSeconds } = this.#state.options;
    return conn.isLimited && watchEventSeconds > 0 ? this.#clock.nowMs() + watchEventSeconds * 1000 : 0;
  }

  /** The connection could not be written to for a while: what is queued has all of its time before it. */
  restart(conn: Connection): void {
    const deadlineMs = this.eventDeadlineMs(conn);
    if (deadlineMs === 0) return;
    for (const [i, out] of conn.out.entries()) if (out.deadlineMs !== 0) conn.out[i] = { ...out, deadlineMs };
    if (conn.out.some((out) => out.deadlineMs !== 0)) this.noteDeadline(conn, deadlineMs);
  }

  noteDeadline(conn: Connection, deadlineMs: number): void {
    this.#state.withDeadlines.add(conn);
    if (deadlineMs < this.#state.firstDeadlineMs) this.#state.firstDeadlineMs = deadlineMs;
  }

  /** Drop events whose time is up and of which no octet was written. */
  expire(nowMs: number): void {
    if (nowMs < this.#state.firstDeadlineMs) return;
    this.#state.firstDeadlineMs = Number.POSITIVE_INFINITY;
    for (const conn of this.#state.withDeadlines) {
      if (conn.moving === 'frozen') continue; // it cannot drain: restart() gives its events their time anew
      let earliest = 0;
      for (let i = 0; i < conn.out.length; i++) {
        const out = conn.out[i] as OutMessage;
        if (out.deadlineMs === 0 || out.sent > 0) continue;
        if (out.deadlineMs > nowMs) {
          earliest = earliest === 0 ? out.deadlineMs : Math.min(earliest, out.deadlineMs);
          break; // queued in order: the rest is later still
        }
        conn.out.splice(i--, 1);
        this.#left(conn, out);
        if (conn.isLimited) this.#wakes.inputAllowed(conn); // its memory may have been what stopped it
      }
      if (earliest === 0) this.#state.withDeadlines.delete(conn);
      else if (earliest < this.#state.firstDeadlineMs) this.#state.firstDeadlineMs = earliest;
    }
  }
}
