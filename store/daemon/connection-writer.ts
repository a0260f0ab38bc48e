import { type Actor, XENSTORE_ERROR_RINGIDX } from '../../sim/index.ts';
import { HEADER_BYTES } from '../protocol/wire.ts';
import type { Connection, OutMessage } from './connection.ts';
import type { Daemon } from './daemon.ts';
import type { Platform } from './platform.ts';
import { BAD_INDEX, moveInSteps, ringHasRoom, writeRing } from './ring-io.ts';

/**
 * One connection's turn to be written to: at most one message of what is queued for it.
 * `pass` counts the main loop's passes: a socket gets POLLOUT only if it had output before this pass polled.
 */
export class ConnectionWriter {
  readonly #daemon: Daemon;
  readonly #platform: Pick<Platform, 'notify'>;

  constructor(daemon: Daemon, platform: Pick<Platform, 'notify'>) {
    this.#daemon = daemon;
    this.#platform = platform;
  }

  /** Write at most one message, or a piece of one. @returns whether anything was tried. */
  output(conn: Connection, pass: number): boolean {
    const message = this.#nextOutput(conn, pass);
    if (message === undefined) return false;
    const { sent } = message;
    const rest = this.#headerEnd(message);
    if (rest === undefined || this.#wrote(conn, message, this.#write(conn, message, rest), rest)) {
      const put = this.#write(conn, message, message.bytes.length);
      if (this.#wrote(conn, message, put, message.bytes.length)) this.#left(conn, message, sent);
    }
    this.#tellStart(conn, message, sent);
    return true;
  }

  /** The same, with others running between any two accesses to the ring. */
  *outputInSteps(conn: Connection, pass: number): Actor<boolean> {
    const message = this.#nextOutput(conn, pass);
    if (message === undefined) return false;
    const { sent } = message;
    const rest = this.#headerEnd(message);
    if (rest === undefined || this.#wrote(conn, message, yield* this.#writeInSteps(conn, message, rest), rest)) {
      const put = yield* this.#writeInSteps(conn, message, message.bytes.length);
      if (this.#wrote(conn, message, put, message.bytes.length)) this.#left(conn, message, sent);
    }
    this.#tellStart(conn, message, sent);
    return true;
  }

  /** The trace file has a line for a message of which a first part was written in this turn; before it `sent` octets were. */
  #tellStart(conn: Connection, message: OutMessage, sent: number): void {
    if (sent === 0 && message.sent < message.bytes.length) this.#daemon.trace.output(conn, message, 'start');
  }

  #nextOutput(conn: Connection, pass: number): OutMessage | undefined {
    const { link } = conn;
    if (conn.moving === 'frozen') return undefined;
    if (link.kind === 'ring') return link.page !== undefined && ringHasRoom(link.page) ? conn.out[0] : undefined;
    return conn.queuedInPass < pass && link.stream.writable() > 0 ? conn.out[0] : undefined;
  }

  /** Where the header ends, if it is still to be written. */
  #headerEnd(message: OutMessage): number | undefined {
    return message.kind !== 'restored' && message.sent < HEADER_BYTES ? HEADER_BYTES : undefined;
  }

  /** Note what was written. @returns whether the message is written up to `end`, and its next part may go now. */
  #wrote(conn: Connection, message: OutMessage, put: number, end: number): boolean {
    if (put === BAD_INDEX) {
      this.#daemon.connections.giveUp(conn, XENSTORE_ERROR_RINGIDX);
      return false;
    }
    message.sent += put;
    if (message.sent < end) return false;
    return conn.link.kind === 'ring' || end === message.bytes.length; // a socket's body goes in the next pass
  }

  /** All of it is written; before this turn `sent` octets were. */
  #left(conn: Connection, message: OutMessage, sent: number): void {
    conn.out.shift();
    this.#daemon.trace.output(conn, message, sent === 0 ? 'all' : 'end');
    this.#daemon.output.written(conn, message);
  }

  /** Write from where the message stands up to `end`, as far as one piece goes. */
  #write(conn: Connection, { bytes, sent }: OutMessage, end: number): number {
    const { link } = conn;
    if (link.kind === 'socket') return link.stream.write(bytes, sent, end - sent);
    if (link.page === undefined) return 0;
    const put = writeRing(link.page, bytes, sent, end - sent);
    if (put !== BAD_INDEX) this.#platform.notify(link.port);
    return put;
  }

  *#writeInSteps(conn: Connection, message: OutMessage, end: number): Actor<number> {
    const { link } = conn;
    if (link.kind === 'socket' || link.page === undefined) return this.#write(conn, message, end);
    const put = yield* moveInSteps('write', link.page, message.bytes, message.sent, end - message.sent);
    if (put !== BAD_INDEX) this.#platform.notify(link.port);
    return put;
  }
}
