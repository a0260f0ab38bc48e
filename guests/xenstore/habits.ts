import type { Overlong } from '../../store/protocol/message-reader.ts';

/** How a guest's xenstore client treats its ring: the knobs of guests.md 1.9. */
export interface ClientHabits {
  /**
   * `edge`: signals only when the store could be asleep; `always`: after each chunk written or read; `message`: after each
   * whole one.
   */
  readonly notify: 'edge' | 'always' | 'message';
  /** One chunk in this many is cut at a random octet, published in parts, or copied in two steps; 0 = never. */
  readonly tornOneIn: number;
  /** Longest absence between two parts of a torn chunk, ns. */
  readonly tornNsMax: number;
  /** Longest pause before the next piece of a reply is consumed, in ns; 0 = reads at once. */
  readonly slowReadNsMax: number;
  /** Requests that may wait for their replies at the same time. */
  readonly maxInFlight: number;
  /**
   * req_id of a request: a u32 that counts up, 0 for all (the next reply is that of the oldest request), the number of one of
   * 32 slots, or a u16 that counts up.
   */
  readonly ids: 'counter32' | 'zero' | 'slot' | 'counter16';
  /** What one index store publishes: a segment of the message or what of it fits, or the whole message once there is room. */
  readonly writes: 'segments' | 'messages';
  /** Whether one index store may cover octets on both sides of the buffer's physical end. */
  readonly wraps: boolean;
  /** `octets`: consumes what is there; `messages`: waits until header and payload are all in the ring. */
  readonly reads: 'octets' | 'messages';
  /** Indexes that cannot be: both of that direction become 0 and the operation fails; or nobody looks. */
  readonly badIndex: 'zero both' | 'unseen';
  /** A header that announces more than 4096 octets: dropped, and its payload taken for the next header; or believed. */
  readonly overlong: Exclude<Overlong, 'refused'>;
  /** Replies of these types are thrown away. */
  readonly ignoredTypes: readonly number[];
  /** Which event of a watch queue its owner gets first. */
  readonly events: 'oldest first' | 'newest first';
  /** Tokens on the wire: the caller's own; the address of the watch in hex; `TOK|<address>|<id>`. */
  readonly tokens: 'own' | 'address' | 'TOK';
  /** Whether events of a watch that wait to be handled go with it. */
  readonly unwatchDropsEvents: boolean;
  /** Every so often, ns, looks for a peer that does not move, and signals it; 0 = never. */
  readonly watchdogNs: number;
  /** Errors at the end of a transaction upon which the whole of it is tried again. */
  readonly retries: readonly string[];
  /** What a suspend waits for before it stops the ring. */
  readonly suspendWaits: 'requests' | 'requests and transactions';
  /** Whether a half-received message holds a suspend up. */
  readonly suspendWaitsForMessage: boolean;
  /** A transaction that the store did not know at its end is counted as open for ever. */
  readonly leaksLostTransactions: boolean;
  /** In a new domain: watches are sent anew, in this order; or each is signalled first, and then added by its owner. */
  readonly rewatch: 'newest first' | 'oldest first' | 'by owners';
  /** Whether a request in a transaction of another domain's life fails without being sent. */
  readonly knowsLostTransactions: boolean;
  /** A kernel that starts, or finds itself in a new domain, skips response octets that it did not ask for. */
  readonly skipsStaleResponses: boolean;
  /** A kernel that starts in a translated guest sends RESET_WATCHES, if the toolstack offers it. */
  readonly resetsWatches: boolean;
}
