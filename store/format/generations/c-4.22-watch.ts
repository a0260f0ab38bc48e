import { record } from '../codec/compile.ts';
import { cstring, note, octets, u16, u32 } from '../schema/schema.ts';

// WATCH_DATA_EXTENDED in the daemon of 4.22. Source: RELEASE-4.22.0:tools/xenstored/{watch.c,xenstore_state.h}.

const HEAD = { connId: u32, wpathLen: u16, tokenLen: u16 } as const;

/** Writes the structure of the plain watch, 8 octets, and declares that of the extended one, 12: no depth in the file. */
export const watchExtendedOfC422Writer = {
  ...record(
    'WATCH_DATA_EXTENDED',
    8,
    { ...HEAD, wpath: cstring({ length: 'wpathLen' }), token: cstring({ length: 'tokenLen' }) },
    'The depth is lost; len counts 4 octets that are not there.',
  ),
  unwritten: 4,
};

/** Takes the depth from 8 and the strings from 10, where they are not; they count up to their first NUL. */
export const watchExtendedOfC422Reader = record(
  'WATCH_DATA_EXTENDED',
  8,
  {
    ...HEAD,
    depth: note(u16, '0xffff is taken as 65535 levels, not as unlimited.'),
    wpath: note(octets({ length: 'wpathLen' }), 'Up to the first NUL.'),
    token: note(octets({ length: 'tokenLen' }), 'Up to the first NUL.'),
  },
  'The structure has no padding behind depth.',
);
