import { record } from '../codec/compile.ts';
import { extend, type Format } from '../file/format.ts';
import { atLeast, cstring, i32, list, note, octets, reserved, u16, u32, variant } from '../schema/schema.ts';
import { d1, permWithPad } from './d1.ts';

/** What tells a connection by its kind, 8 octets. The port is the guest's until G3.2. */
export const connSpecWithGuestPort = variant(
  { on: 'connType' },
  {
    ring: {
      tag: 0,
      fields: {
        domid: u16,
        targetDomid: note(u16, 'SET_TARGET peer, or DOMID_INVALID 0x7ff4.'),
        remotePort: note(u32, "The guest's port."),
      },
    },
    socket: { tag: 1, fields: { fd: i32, pad: reserved(4) } },
  },
);

export const connectionOfG30 = record('CONNECTION_DATA', 2, {
  connId: note(atLeast(1, u32), 'Unique in the image.'),
  connType: u16,
  flags: note(u16, 'Zero for a ring; bit 0 of a socket: read-only.'),
  conn: connSpecWithGuestPort,
  dataLen: u32,
  data: note(octets({ length: 'dataLen' }), 'Output not yet delivered.'),
});

/** NODE_DATA while the second octet of a permission was padding. */
export const nodeOfG30 = record('NODE_DATA', 5, {
  connId: note(u32, '0 = committed, else pending in a transaction of that connection.'),
  txId: note(u32, 'Ignored while connId is 0.'),
  pathLen: u16,
  valueLen: u16,
  access: note(u16, 'Bit 0 read, bit 1 written, 0 = deleted; ignored while connId is 0.'),
  permCount: u16,
  perms: note(list({ count: 'permCount' }, permWithPad), 'The first entry names the owner.'),
  path: note(cstring({ length: 'pathLen' }), 'Absolute, or @name.'),
  value: octets({ length: 'valueLen' }),
});

export const g30: Format = extend(d1, {
  name: 'G3.0',
  title: 'Version 1 as first merged',
  source: 'docs/designs/xenstore-migration.md at 13dd372834a4 (13 May 2020)',
  status: 'document',
  note: 'Only output is carried. The ring is found through entry 1 of the grant table.',
  records: [connectionOfG30, nodeOfG30],
  knobs: { nonZeroPad: 'ignore' },
});
