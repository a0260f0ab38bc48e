import { record } from '../codec/compile.ts';
import type { Format } from '../file/format.ts';
import {
  atLeast,
  cstring,
  i32,
  letter,
  list,
  note,
  octets,
  reserved,
  u16,
  u32,
  u64,
  variant,
} from '../schema/schema.ts';
import { imageAbout, imageFraming, imageHeader, imageOrder, imageRules } from './image.ts';
import { end, PERM_LETTERS, transactionData, watchData } from './records.ts';

// The first draft of the separate image. Header, record header, GLOBAL_DATA, WATCH_DATA, TRANSACTION_DATA and END are
// those that were merged.

/** GLOBAL_DATA until evtchn-fd took the second place. */
export const globalWithReadOnly = record(
  'GLOBAL_DATA',
  1,
  {
    socketFd: note(i32, 'Listening socket, -1 = unused.'),
    roSocketFd: note(i32, 'Listening read-only socket, -1 = unused.'),
  },
  'Live update only; before any connection.',
);

/** One permission while its second octet was padding. */
export const permWithPad = { letter: letter(PERM_LETTERS, 'n'), pad: reserved(1), domid: u16 } as const;

export const connectionOfD1 = record('CONNECTION_DATA', 2, {
  connId: note(atLeast(1, u32), 'Unique in the image.'),
  pad: reserved(4),
  connType: u16,
  conn: variant(
    { on: 'connType' },
    {
      ring: {
        tag: 0,
        fields: {
          domid: u16,
          targetDomid: note(u16, 'SET_TARGET peer, or DOMID_INVALID 0x7ff4.'),
          flags: note(u16, 'Bit 0 introduced, bit 1 released.'),
          remotePort: note(u32, "The guest's port."),
          port: note(u32, "The daemon's port; all ones in a migration."),
          mfn: note(u64, 'Frame of the ring page; all ones in a migration.'),
          dataLen: u32,
          data: note(octets({ length: 'dataLen' }), 'Output not yet delivered.'),
        },
      },
      socket: {
        tag: 1,
        fields: {
          flags: note(u16, 'Bit 0: read-only.'),
          fd: i32,
          dataLen: u32,
          data: note(octets({ length: 'dataLen' }), 'Output not yet delivered.'),
        },
      },
    },
  ),
});

/** The lengths come behind the permissions. */
export const nodeOfD1 = record('NODE_DATA', 5, {
  connId: note(u32, '0 = committed, else pending in a transaction of that connection.'),
  txId: note(u32, 'Ignored while connId is 0.'),
  access: note(u16, 'Bit 0 read, bit 1 written, 0 = deleted; ignored while connId is 0.'),
  permCount: u16,
  perms: note(list({ count: 'permCount' }, permWithPad), 'The first entry names the owner.'),
  pathLen: u16,
  valueLen: u16,
  path: cstring({ length: 'pathLen' }),
  value: octets({ length: 'valueLen' }),
});

export const d1: Format = {
  name: 'D1',
  title: 'First draft of the separate image',
  source: '<20200424133736.737-1-paul@xen.org> (24 April 2020)',
  status: 'draft',
  about: imageAbout,
  note: 'Padding must be zero. The ring is named by its frame, which was to prove that the domid was not recycled.',
  header: imageHeader,
  versions: [1],
  framing: imageFraming,
  records: [end, globalWithReadOnly, connectionOfD1, watchData, transactionData, nodeOfD1],
  end: 'END',
  rules: imageRules,
  order: imageOrder,
  knobs: { lenIncludesPad: false, nonZeroPad: 'fatal' },
};
