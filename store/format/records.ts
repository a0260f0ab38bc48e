import { type RecordSchema, record } from './compile.ts';
import {
  atLeast,
  cstring,
  flags,
  i32,
  letter,
  list,
  note,
  octets,
  optional,
  reserved,
  rest,
  since,
  table,
  u8,
  u16,
  u32,
  u64,
  variant,
} from './schema.ts';

// The records of the xenstored state image, versions 1 and 2. Source: docs/designs/xenstore-migration.md and, where
// the daemons differ from it, tools/xenstored/xenstore_state.h. Strings are octets, without the NUL that ends them on
// the wire.

/** What follows the content of a record when it is not what a daemon writes, i.e. zeroes counted by `len`. */
export interface RecordTail {
  /** Octets between the end of the content and the end that `len` tells. */
  readonly slack: Uint8Array;
  /** Octets between that end and the next multiple of 8. */
  readonly pad: Uint8Array;
}

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

export const end: RecordSchema<End> = record('END', 0, {}, 'The last record.');

export const globalData: RecordSchema<GlobalData> = record(
  'GLOBAL_DATA',
  1,
  {
    socketFd: note(i32, 'Listening socket, -1 = unused.'),
    evtchnFd: note(i32, 'Event channel device, -1 = unused.'),
  },
  'Live update only; before any connection.',
);

const connSpec = variant(
  { on: 'connType' },
  {
    ring: {
      tag: 0,
      fields: {
        domid: u16,
        targetDomid: note(u16, 'SET_TARGET peer, or DOMID_INVALID 0x7ff4.'),
        port: note(u32, "The daemon's port."),
      },
    },
    socket: { tag: 1, fields: { fd: i32, pad: reserved(4) } },
  },
);

const connectionHead = { connId: note(atLeast(1, u32), 'Unique in the image.'), connType: u16 } as const;
const connectionBody = {
  conn: connSpec,
  inDataLen: u16,
  outRespLen: note(u16, 'Octets at the start of outData that are the rest of a half-written message.'),
  outDataLen: u32,
  inData: note(octets({ length: 'inDataLen' }), 'Read from the client, not yet processed.'),
  outData: note(octets({ length: 'outDataLen' }), 'Not yet delivered, outRespLen included.'),
} as const;

/** CONNECTION_DATA of G3.2: the u16 at 6 is padding. */
export const connectionDataV1: RecordSchema<ConnectionData> = record('CONNECTION_DATA', 2, {
  ...connectionHead,
  fields: note(reserved(2), 'Padding; means something from 4.21 on.'),
  ...connectionBody,
});

/**
 * CONNECTION_DATA of G4.1. Bit 0 of `fields` is honoured for rings only, as the daemons do: on a socket it meant
 * "read-only" in 4.14, and nothing follows.
 */
export const connectionData: RecordSchema<ConnectionData> = record('CONNECTION_DATA', 2, {
  ...connectionHead,
  fields: note(flags('u16'), 'Bit 0: uniqueId follows.'),
  ...connectionBody,
  uniqueId: note(
    optional({ flags: 'fields', bit: 0, when: { variant: 'conn', kind: 'ring' }, align: 8 }, u64),
    "The hypervisor's never reused identity of the domain.",
  ),
});

export const watchData: RecordSchema<WatchData> = record('WATCH_DATA', 3, {
  connId: u32,
  wpathLen: u16,
  tokenLen: u16,
  wpath: note(cstring({ length: 'wpathLen' }), 'As given to WATCH: relative stays relative.'),
  token: cstring({ length: 'tokenLen' }),
});

export const transactionData: RecordSchema<TransactionData> = record('TRANSACTION_DATA', 4, {
  connId: u32,
  txId: note(u32, 'As returned to the client.'),
});

export const nodeData: RecordSchema<NodeData> = record('NODE_DATA', 5, {
  connId: note(u32, '0 = committed, else pending in a transaction of that connection.'),
  txId: note(u32, 'Ignored while connId is 0.'),
  pathLen: u16,
  valueLen: u16,
  access: note(u16, 'Bit 0 read, bit 1 written, 0 = deleted; ignored while connId is 0.'),
  permCount: u16,
  perms: note(
    list(
      { count: 'permCount' },
      { letter: letter(PERM_LETTERS, 'n'), flags: note(u8, 'Bit 0: stale (XSA-322).'), domid: u16 },
    ),
    'The first entry names the owner.',
  ),
  path: note(cstring({ length: 'pathLen' }), 'Absolute, or @name.'),
  value: octets({ length: 'valueLen' }),
});

export const globalQuotaData: RecordSchema<GlobalQuotaData> = record(
  'GLOBAL_QUOTA_DATA',
  6,
  {
    domainQuotaCount: u16,
    globalQuotaCount: u16,
    quotas: note(table({ domainQuotas: 'domainQuotaCount', globalQuotas: 'globalQuotaCount' }), '0 = unlimited.'),
  },
  'Live update only; at most one.',
);

export const domainData: RecordSchema<DomainData> = record(
  'DOMAIN_DATA',
  7,
  {
    domid: u16,
    quotaCount: u16,
    features: since(2, note(u32, 'The word at offset 2064 of the ring page; version 2 only.')),
    quotaTable: note(table({ quotas: 'quotaCount' }), '0 = unlimited.'),
  },
  'At most one for each domain.',
);

export const watchDataExtended: RecordSchema<WatchDataExtended> = record(
  'WATCH_DATA_EXTENDED',
  8,
  {
    connId: u32,
    wpathLen: u16,
    tokenLen: u16,
    depth: note(u16, 'Levels below the watched path; 0xffff = unlimited.'),
    pad: reserved(2),
    wpath: cstring({ length: 'wpathLen' }),
    token: cstring({ length: 'tokenLen' }),
  },
  'Version 2 only, in place of WATCH_DATA. As documented; the daemon of 4.22 writes it without depth.',
);

/** A record whose type is not known; -1 is no type. */
export const unknownRecord = record('UNKNOWN', -1, { body: rest });
