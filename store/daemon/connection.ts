import type { Message } from '../protocol/wire.ts';
import type { Transaction } from '../tree/transaction.ts';
import type { DomainRecord } from './domain-record.ts';
import type { RingPage, Stream } from './platform.ts';
import type { Quotas } from './quota.ts';

/** A request of an unprivileged connection until it, and all events that it caused, have left. Source: core.c. */
export interface Outstanding {
  readonly conn: Connection;
  /** 1 for its reply while queued, plus one for each of its events still queued anywhere. */
  pending: number;
}

/** Something queued for a client: `bytes` is header and body, `sent` of which were written. */
export interface OutMessage {
  readonly kind: 'reply' | 'event' | 'restored';
  readonly bytes: Uint8Array;
  sent: number;
  /** Payload of a plain event as octet string, for the suppression of duplicates; '' where none applies. */
  readonly eventKey: string;
  /** Monotonic ms at which an event not begun to be written is dropped; 0 = never. */
  readonly deadlineMs: number;
  readonly cause: Outstanding | undefined;
}

/** A request that was put aside: a TRANSACTION_START during a pending live update, or `live-update -s` itself. */
export interface Delayed {
  readonly message: Message;
  readonly kind: 'transaction-start' | 'live-update' | 'restored';
}

/** What a connection wants to be told of. */
export interface Watch {
  readonly conn: Connection;
  /** Absolute name, or `@…`. */
  readonly path: string;
  readonly token: string;
  /** Levels below the path; -1 = all. */
  readonly depth: number;
  /** Octets cut off the names in events: what a relative registration left out. */
  readonly prefix: number;
  /** Registration order in the whole daemon. */
  readonly order: number;
}

/** One client of the daemon: buffers, watches, transactions. Data only: what is done with it, the daemon's parts do. */
export class Connection {
  /** Place in the global list, ascending in order of creation; kept over a live update. */
  readonly serial: number;
  /** Own domid; for a socket the store domain's. */
  readonly domid: number;
  readonly link: RingLink | SocketLink;
  target: Connection | undefined = undefined;
  /** Connections that SET_TARGET has tied to this one, newest first: the end of any of them is put off (store.md 8.6). */
  readonly ties: Connection[] = [];
  /** RELEASE came from its neighbour in the list: it goes when its own turn comes (store.md 8.2). */
  isReleased = false;

  readonly isUnprivileged: boolean;
  /** Unprivileged and on a ring: what quotas are for. */
  readonly isLimited: boolean;
  /** Quota values that apply to it; they may change. */
  readonly limits: Readonly<Quotas>;
  /** Domid whose home its relative paths begin at. */
  readonly homeDomid: number;
  /** Its domain's record; undefined for a socket. */
  readonly record: DomainRecord | undefined;

  /** Header of the message being read, `headerUsed` of 16 octets valid. */
  readonly header = new Uint8Array(16);
  headerUsed = 0;
  /** Body of the message being read, once its header is complete. */
  body: Uint8Array | undefined = undefined;
  bodyUsed = 0;

  readonly out: OutMessage[] = [];
  /** Keys of the plain events in `out`: an equal one is not queued again. */
  readonly eventKeys = new Set<string>();
  readonly watches: Watch[] = [];
  readonly transactions = new Map<number, Transaction>();
  lastTxId = 0;
  /** Second of the wall clock since when at least one transaction has been open without a gap. */
  txSinceSecond = 0;
  /** Newest first, as the daemon keeps them. */
  delayed: Delayed[] = [];
  /** A second TRANSACTION_START of an unprivileged connection while one is put aside: nothing more is read before it is
   *  processed, in its own turn after the live update was given up. */
  blocked: Message | undefined = undefined;
  isIgnored = false;
  isClosed = false;
  /**
   * Its domain is moved to another host, or comes from one: `quiet` is read to the end of a message and no further, while it is
   * still written to; `frozen` is neither read nor written, and what is queued stays, however long that takes (NC-15, NC-24).
   */
  moving: 'quiet' | 'frozen' | undefined = undefined;
  /** The main loop's own note: not to be looked at, to be served in this pass, or in the next. */
  service: 'none' | 'now' | 'later' = 'none';
  /** The main loop's own note: the pass in which the output queue last became non-empty. */
  queuedInPass = 0;

  constructor(serial: number, domid: number, link: RingLink | SocketLink, standing: Standing) {
    this.serial = serial;
    this.domid = domid;
    this.link = link;
    this.isUnprivileged = standing.isUnprivileged;
    this.isLimited = standing.isUnprivileged && link.kind === 'ring';
    this.limits = standing.limits;
    this.homeDomid = standing.homeDomid;
    this.record = standing.record;
  }
}

/** SET_TARGET: `conn` gets the rights of `target`, which stays for as long as `conn` does. */
export function tie(conn: Connection, target: Connection): void {
  conn.target = target;
  target.ties.unshift(conn);
}

/** What a connection is to the daemon, for as long as it lives. */
export interface Standing {
  readonly isUnprivileged: boolean;
  readonly limits: Readonly<Quotas>;
  readonly homeDomid: number;
  readonly record: DomainRecord | undefined;
}

export interface RingLink {
  readonly kind: 'ring';
  /** `undefined` only for a restored connection whose page is not mapped (yet). */
  page: RingPage | undefined;
  /** Local event channel port; 0 = none. */
  port: number;
}

export interface SocketLink {
  readonly kind: 'socket';
  readonly stream: Stream;
}
