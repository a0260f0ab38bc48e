import { record } from '../codec/compile.ts';
import { extend, type Format } from '../file/format.ts';
import { atLeast, note, octets, u16, u32 } from '../schema/schema.ts';
import { connSpecWithGuestPort, g30 } from './g3-0.ts';
import { bufferRules } from './image.ts';

export const connectionOfG31 = record('CONNECTION_DATA', 2, {
  connId: note(atLeast(1, u32), 'Unique in the image.'),
  connType: u16,
  flags: note(u16, 'Bit 0: read-only.'),
  conn: connSpecWithGuestPort,
  inDataLen: u16,
  outRespLen: note(u16, 'Octets at the start of outData that are the rest of a half-written message.'),
  outDataLen: note(u32, 'outRespLen included.'),
  inData: note(octets({ length: 'inDataLen' }), 'Read from the client, not yet processed.'),
  outData: note(octets({ length: 'outDataLen' }), 'Not yet delivered.'),
});

export const g31: Format = extend(g30, {
  name: 'G3.1',
  title: 'Version 1 with unprocessed input and half-sent output',
  source: 'docs/designs/xenstore-migration.md at 51f9df5c19f2, RELEASE-4.14.0',
  status: 'document',
  note: 'flags is common to both kinds of connection.',
  records: [connectionOfG31],
  rules: bufferRules,
});
