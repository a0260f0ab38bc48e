import { record } from '../codec/compile.ts';
import { extend, type Format } from '../file/format.ts';
import { atLeast, i32, note, octets, reserved, u16, u32, u64, variant } from '../schema/schema.ts';
import { d1 } from './d1.ts';
import { nodeOfG30 } from './g3-0.ts';

export const connectionOfD4 = record('CONNECTION_DATA', 2, {
  connId: note(atLeast(1, u32), 'Unique in the image.'),
  connType: u16,
  flags: note(u16, 'Zero for a ring; bit 0 of a socket: read-only.'),
  conn: variant(
    { on: 'connType' },
    {
      ring: {
        tag: 0,
        fields: {
          domid: u16,
          targetDomid: note(u16, 'SET_TARGET peer, or DOMID_INVALID 0x7ff4.'),
          remotePort: note(u32, "The guest's port."),
          mfn: note(u64, 'Frame of the ring page; all ones in a migration.'),
        },
      },
      socket: { tag: 1, fields: { fd: i32, pad: reserved(4), pad2: reserved(8) } },
    },
  ),
  dataLen: u32,
  data: note(octets({ length: 'dataLen' }), 'Output not yet delivered.'),
});

export const d4: Format = extend(d1, {
  name: 'D4',
  title: 'Fourth draft of the separate image',
  source: '<20200427155035.668-1-paul@xen.org> (27 April 2020)',
  status: 'draft',
  note: 'Padding is written zero and ignored when read; what others depend on comes earlier.',
  records: [connectionOfD4, nodeOfG30],
  knobs: { nonZeroPad: 'ignore' },
});
