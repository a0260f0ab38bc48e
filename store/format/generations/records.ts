import { type RecordSchema, record } from '../codec/compile.ts';
import type { RecordTail } from '../file/format.ts';
import {
  atLeast,
  called,
  cstring,
  flags,
  i32,
  letter,
  list,
  note,
  octets,
  optional,
  reserved,
  since,
  table,
  u8,
  u16,
  u32,
  u64,
  variant,
} from '../schema/schema.ts';

// The records of the xenstored state image, versions 1 and 2. Source: docs/designs/xenstore-migration.md and, where
// the daemons differ from it, tools/xenstored/xenstore_state.h. Strings are octets, without the NUL that ends them on
// the wire.

interface Tailed {
  /** Only where it differs from zeroes up to a multiple of 8, all counted by `len`. */
  readonly tail?: RecordTail;
}

export interface End extends Tailed {
  readonly kind: 'END';
}

export interface GlobalData extends Tailed {
  readonly kind: 'GLOBAL_DATA';
  /** -1 = unused. */
  readonly socketFd: number;
  readonly evtchnFd: number;
}

export interface RingConnection {
  readonly kind: 'ring';
  readonly domid: number;
  /** Set by SET_TARGET; DOMID_INVALID (0x7ff4) = none. */
  readonly targetDomid: number;
  /** The daemon's own port. */
  readonly port: number;
}

export interface SocketConnection {
  readonly kind: 'socket';
  readonly fd: number;
  /** Only when not zero. */
  readonly pad?: number;
}

export interface ConnectionData extends Tailed {
  readonly kind: 'CONNECTION_DATA';
  readonly connId: number;
  readonly conn: RingConnection | SocketConnection;
  /** Bits at offset 6 that announce nothing: only when not zero. */
  readonly fields?: number;
  /** The hypervisor's never reused identity of the domain; ring connections only. */
  readonly uniqueId?: bigint;
  /** Padding before `uniqueId`: only when not zero. */
  readonly uniqueIdPad?: Uint8Array;
  /** Read from the client and not yet processed: whole messages, then at most one partial one. */
  readonly inData: Uint8Array;
  /** So many octets at the start of `outData` are the rest of one half-written message. */
  readonly outRespLen: number;
  readonly outData: Uint8Array;
}

export interface WatchData extends Tailed {
  readonly kind: 'WATCH_DATA';
  readonly connId: number;
  /** As the client gave it: relative stays relative. */
  readonly wpath: Uint8Array;
  readonly token: Uint8Array;
}

export interface WatchDataExtended extends Tailed {
  readonly kind: 'WATCH_DATA_EXTENDED';
  readonly connId: number;
  /** Levels below the watched path; 0xffff = unlimited. */
  readonly depth: number;
  /** Only when not zero. */
  readonly pad?: number;
  readonly wpath: Uint8Array;
  readonly token: Uint8Array;
}

export interface TransactionData extends Tailed {
  readonly kind: 'TRANSACTION_DATA';
  readonly connId: number;
  readonly txId: number;
}

export const PERM_LETTERS = ['r', 'w', 'b', 'n'] as const;
export type PermLetter = (typeof PERM_LETTERS)[number];
/** Bit of `Perm.flags`: the domain named by the entry is gone (XSA-322). */
export const PERM_STALE = 1;

export interface Perm {
  readonly letter: PermLetter;
  /** The octet read when it is none of the four letters; the daemons take those for `n`. */
  readonly letterOctet?: number;
  readonly flags: number;
  readonly domid: number;
}

export interface NodeData extends Tailed {
  readonly kind: 'NODE_DATA';
  /** 0 = committed; else pending in a transaction of that connection. */
  readonly connId: number;
  readonly txId: number;
  /** NODE_READ | NODE_WRITTEN while pending; 0 = deleted. */
  readonly access: number;
  /** The first entry names the owner. None: deleted in the pending transaction. */
  readonly perms: readonly Perm[];
  readonly path: Uint8Array;
  readonly value: Uint8Array;
}

export const NODE_READ = 1;
export const NODE_WRITTEN = 2;

export interface Quota {
  readonly name: Uint8Array;
  /** 0 = unlimited. */
  readonly value: number;
}

export interface GlobalQuotaData extends Tailed {
  readonly kind: 'GLOBAL_QUOTA_DATA';
  /** Defaults for every domain. */
  readonly domainQuotas: readonly Quota[];
  readonly globalQuotas: readonly Quota[];
}

export interface DomainData extends Tailed {
  readonly kind: 'DOMAIN_DATA';
  readonly domid: number;
  /** The word at offset 2064 of the ring page; version 2 only. */
  readonly features: number;
  readonly quotas: readonly Quota[];
}

/** A record of a type that the dialect does not know; `body` has exactly `len` octets. */
export interface UnknownRecord extends Tailed {
  readonly kind: 'UNKNOWN';
  readonly type: number;
  readonly body: Uint8Array;
}

export type KnownRecord =
  | End
  | GlobalData
  | ConnectionData
  | WatchData
  | TransactionData
  | NodeData
  | GlobalQuotaData
  | DomainData
  | WatchDataExtended;
export type StateRecord = KnownRecord | UnknownRecord;

export const end: RecordSchema<End> = record(
  'END',
  0,
  {},
  'The last record, which marks the end of the image. An image has at least this one.',
);

export const globalData: RecordSchema<GlobalData> = record(
  'GLOBAL_DATA',
  1,
  {
    socketFd: called('rw-socket-fd', note(i32, 'Listening socket, -1 = unused.')),
    evtchnFd: note(i32, 'Event channel device, -1 = unused.'),
  },
  'What belongs to no connection. Live update only; before any connection. A descriptor is the number that the process has for it: the same process goes on as the successor.',
);

const connSpec = variant(
  { on: 'connType' },
  {
    ring: {
      tag: 0,
      fields: {
        domid: note(u16, 'Owner of the ring page.'),
        targetDomid: called('tdomid', note(u16, 'SET_TARGET peer, or DOMID_INVALID 0x7ff4.')),
        port: called('evtchn', note(u32, "The daemon's port.")),
      },
    },
    socket: {
      tag: 1,
      fields: {
        fd: called('socket-fd', note(i32, 'Live update only: the descriptor of the connected socket.')),
        pad: reserved(4),
      },
    },
  },
);

const connectionHead = { connId: note(atLeast(1, u32), 'Unique in the image.'), connType: u16 } as const;
const connectionBody = {
  conn: called('conn-spec', connSpec),
  inDataLen: u16,
  outRespLen: note(u16, 'Octets at the start of outData that are the rest of a half-written message.'),
  outDataLen: u32,
  inData: note(octets({ length: 'inDataLen' }), 'Read from the client, not yet processed.'),
  outData: note(octets({ length: 'outDataLen' }), 'Not yet delivered, outRespLen included.'),
} as const;

const CONNECTION_NOTE =
  "One for each connection in a live update; in a migration only that of the migrated domain. The document draws input and output as one field, data. The connection over which a live update was asked for has the answer in its output. Where the ring is, is not told: entry 1 of the domain's grant table leads to it, unless the domain has taken that grant back by then.";

/** CONNECTION_DATA of G3.2: the u16 at 6 is padding. */
export const connectionDataV1: RecordSchema<ConnectionData> = record(
  'CONNECTION_DATA',
  2,
  {
    ...connectionHead,
    fields: note(reserved(2), 'Padding; means something from 4.21 on.'),
    ...connectionBody,
  },
  CONNECTION_NOTE,
);

/**
 * CONNECTION_DATA of G4.1. Bit 0 of `fields` is honoured for rings only, as the daemons do: on a socket it meant
 * "read-only" in 4.14, and nothing follows.
 */
export const connectionData: RecordSchema<ConnectionData> = record(
  'CONNECTION_DATA',
  2,
  {
    ...connectionHead,
    fields: note(flags('u16'), 'Bit 0: uniqueId follows.'),
    ...connectionBody,
    uniqueId: note(
      optional({ flags: 'fields', bit: 0, when: { variant: 'conn', kind: 'ring' }, align: 8 }, u64),
      "The hypervisor's never reused identity of the domain.",
    ),
  },
  `${CONNECTION_NOTE} Parts that fields announces follow the data, each behind padding; uniqueId is wanted of rings in a live update only.`,
);

export const watchData: RecordSchema<WatchData> = record(
  'WATCH_DATA',
  3,
  {
    connId: note(u32, 'Which connection registered it.'),
    wpathLen: u16,
    tokenLen: u16,
    wpath: note(cstring({ length: 'wpathLen' }), 'As given to WATCH: relative stays relative.'),
    token: note(cstring({ length: 'tokenLen' }), 'As given to WATCH.'),
  },
  'One for each watch of a connection that came before.',
);

export const transactionData: RecordSchema<TransactionData> = record(
  'TRANSACTION_DATA',
  4,
  {
    connId: note(u32, 'Which connection began it.'),
    txId: note(atLeast(1, u32), 'As returned to the client.'),
  },
  'One for each transaction that is open, of a connection that came before.',
);

export const nodeData: RecordSchema<NodeData> = record(
  'NODE_DATA',
  5,
  {
    connId: note(u32, '0 = committed, else pending in a transaction of that connection.'),
    txId: note(u32, 'Ignored while connId is 0.'),
    pathLen: u16,
    valueLen: u16,
    access: note(u16, 'Bit 0 read, bit 1 written, 0 = deleted; ignored while connId is 0.'),
    permCount: u16,
    perms: note(
      list(
        { count: 'permCount' },
        {
          letter: called('perm', note(letter(PERM_LETTERS, 'n'), 'As in SET_PERMS.')),
          flags: note(u8, 'Bit 0: stale (XSA-322).'),
          domid: note(u16, 'Whom the entry is about.'),
        },
      ),
      'The first entry names the owner.',
    ),
    path: note(cstring({ length: 'pathLen' }), 'Absolute, or @name.'),
    value: note(octets({ length: 'valueLen' }), 'Any octets, NUL among them; may be empty.'),
  },
  'In a live update one for each node; in a migration those that belong to the domain. A node is committed, as everybody sees it, or pending: touched by a transaction whose TRANSACTION_DATA came before. The parent of a committed node is known: it is in the tree already, or its record came before. A node that a transaction has deleted has no access, no permissions and no value.',
);

export const globalQuotaData: RecordSchema<GlobalQuotaData> = record(
  'GLOBAL_QUOTA_DATA',
  6,
  {
    domainQuotaCount: called('n-dom-quota', u16),
    globalQuotaCount: called('n-glob-quota', u16),
    quotas: called(
      'quota-val, quota-names',
      note(table({ domainQuotas: 'domainQuotaCount', globalQuotas: 'globalQuotaCount' }), '0 = unlimited.'),
    ),
  },
  "Live update only; at most one. First the defaults of each domain, then what holds for all together. Names are those of GET_QUOTA and SET_QUOTA, and a daemon's own; one that the reader does not know has no effect there, and may be kept for a later image.",
);

export const domainData: RecordSchema<DomainData> = record(
  'DOMAIN_DATA',
  7,
  {
    domid: called('domain-id', u16),
    quotaCount: called('n-quota', u16),
    features: since(2, note(u32, 'The word at offset 2064 of the ring page; version 2 only.')),
    quotaTable: called('quota-val, quota-names', note(table({ quotas: 'quotaCount' }), '0 = unlimited.')),
  },
  'Optional; at most one for each domain. Names of quotas as in GLOBAL_QUOTA_DATA.',
);

export const watchDataExtended: RecordSchema<WatchDataExtended> = record(
  'WATCH_DATA_EXTENDED',
  8,
  {
    connId: note(u32, 'Which connection registered it.'),
    wpathLen: u16,
    tokenLen: u16,
    depth: note(u16, 'Levels below the watched path; 0xffff = unlimited.'),
    pad: reserved(2),
    wpath: cstring({ length: 'wpathLen' }),
    token: cstring({ length: 'tokenLen' }),
  },
  'In place of WATCH_DATA, from version 2 on: each watch has one of the two. As documented; the daemon of 4.22 writes it without depth.',
);
