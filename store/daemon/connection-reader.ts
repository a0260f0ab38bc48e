import { type Actor, XENSTORE_ERROR_PROTO, XENSTORE_ERROR_RINGIDX } from '../../sim/index.ts';
import { HEADER_BYTES, messageOf, PAYLOAD_MAX, payloadLength } from '../protocol/wire.ts';
import type { Connection } from './connection.ts';
import { MESSAGE_NS, PIECE_NS } from './costs.ts';
import type { Daemon } from './daemon.ts';
import { processMessage } from './operations/process-message.ts';
import type { Platform } from './platform.ts';
import { BAD_INDEX, moveInSteps, readRing, ringHasRequest } from './ring-io.ts';

const NOTHING = new Uint8Array(0);

/** One connection's turn to be read: at most one message of it, which is processed when it is complete. */
export class ConnectionReader {
  readonly #daemon: Daemon;
  readonly #platform: Pick<Platform, 'notify'>;

  constructor(daemon: Daemon, platform: Pick<Platform, 'notify'>) {
    this.#daemon = daemon;
    this.#platform = platform;
  }

  /** Read at most one message, or a piece of one; process it when complete. @returns ns spent. */
  input(conn: Connection): number {
    const ended = this.#refuseInput(conn) ?? this.#unblock(conn);
    if (ended !== undefined) return ended;
    if (conn.body === undefined) {
      const spent = this.#gotHeader(conn, this.#read(conn, conn.header, conn.headerUsed, HEADER_BYTES));
      if (spent !== undefined) return spent;
    }
    return this.#gotBody(conn, this.#read(conn, conn.body ?? NOTHING, conn.bodyUsed, conn.body?.length ?? 0));
  }

  /** The same, with others running between any two accesses to the ring. */
  *inputInSteps(conn: Connection): Actor<number> {
    const ended = this.#refuseInput(conn) ?? this.#unblock(conn);
    if (ended !== undefined) return ended;
    if (conn.body === undefined) {
      const got = yield* this.#readInSteps(conn, conn.header, conn.headerUsed, HEADER_BYTES);
      const spent = this.#gotHeader(conn, got);
      if (spent !== undefined) return spent;
    }
    const { body = NOTHING } = conn;
    return this.#gotBody(conn, yield* this.#readInSteps(conn, body, conn.bodyUsed, body.length));
  }

  /** Why nothing is read now, as ns spent on it; `undefined`: the connection is to be read. */
  #refuseInput(conn: Connection): number | undefined {
    const { link } = conn;
    if (link.kind === 'ring')
      return link.page !== undefined && ringHasRequest(link.page) && this.#daemon.throttle.canRead(conn)
        ? undefined
        : 0;
    // Seen by poll as a hang-up: what is unread is never read, what is queued may still go.
    if (link.stream.hungUp() || (link.stream.readable() === 0 && link.stream.atEof())) {
      this.#daemon.connections.close(conn);
      return PIECE_NS;
    }
    return link.stream.readable() > 0 && this.#daemon.throttle.canRead(conn) ? undefined : 0;
  }

  /**
   * A message that was blocked is there in full: nothing of it is read, and it is processed. As in the daemon that happens when
   * the connection is to be read, so not before its guest has sent something else. @returns ns spent, if there was one.
   */
  #unblock(conn: Connection): number | undefined {
    const { blocked } = conn;
    if (blocked === undefined) return undefined;
    if (this.#read(conn, NOTHING, 0, 0) === BAD_INDEX) return this.#giveUp(conn, XENSTORE_ERROR_RINGIDX);
    conn.blocked = undefined;
    processMessage(this.#daemon, conn, blocked);
    return MESSAGE_NS;
  }

  /** Octets of the header have come. @returns ns spent, if that was all; `undefined`: go on with the body. */
  #gotHeader(conn: Connection, got: number): number | undefined {
    if (got === BAD_INDEX) return this.#giveUp(conn, XENSTORE_ERROR_RINGIDX);
    conn.headerUsed += got;
    if (conn.headerUsed < HEADER_BYTES) return PIECE_NS;
    const len = payloadLength(conn.header);
    if (len > PAYLOAD_MAX) return this.#giveUp(conn, XENSTORE_ERROR_PROTO);
    conn.body = new Uint8Array(len);
    conn.bodyUsed = 0;
    return undefined; // an empty body is read too: the guest is notified once more, as by the real daemon
  }

  /** Octets of the body have come. @returns ns spent. */
  #gotBody(conn: Connection, got: number): number {
    const { header, body } = conn;
    if (body === undefined) throw new Error('assertion: a body without a header');
    if (got === BAD_INDEX) return this.#giveUp(conn, XENSTORE_ERROR_RINGIDX);
    conn.bodyUsed += got;
    if (conn.bodyUsed < body.length) return PIECE_NS;
    const message = messageOf(header, 0, body);
    conn.body = undefined;
    conn.bodyUsed = 0;
    conn.headerUsed = 0;
    processMessage(this.#daemon, conn, message);
    return MESSAGE_NS;
  }

  /** Fill `into` from `at` to `end`, as far as one piece goes. */
  #read(conn: Connection, into: Uint8Array, at: number, end: number): number {
    const { link } = conn;
    if (link.kind === 'socket') return link.stream.read(into, at, end - at);
    if (link.page === undefined) return 0;
    const got = readRing(link.page, into, at, end - at);
    if (got !== BAD_INDEX) this.#platform.notify(link.port);
    return got;
  }

  *#readInSteps(conn: Connection, into: Uint8Array, at: number, end: number): Actor<number> {
    const { link } = conn;
    if (link.kind === 'socket' || link.page === undefined) return this.#read(conn, into, at, end);
    const got = yield* moveInSteps('read', link.page, into, at, end - at);
    if (got !== BAD_INDEX) this.#platform.notify(link.port);
    return got;
  }

  /** The ring protocol is broken. */
  #giveUp(conn: Connection, word: number): number {
    this.#daemon.connections.giveUp(conn, word);
    return PIECE_NS;
  }
}
