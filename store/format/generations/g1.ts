import { record } from '../codec/compile.ts';
import { chosen, type Format } from '../file/format.ts';
import type { Rule } from '../schema/rules.ts';
import {
  align,
  atLeast,
  constant,
  letter,
  list,
  note,
  nulString,
  octets,
  reserved,
  u16,
  u32,
} from '../schema/schema.ts';
import { nodeValueRule, watchRules } from './common-rules.ts';
import { PERM_LETTERS } from './records.ts';

// The first merged document: one libxl record of type 7 for each xenstore record, everything about the one domain
// whose stream it is. Lengths of strings leave out the NUL; each string is padded to 4. Permissions are drawn as
// perm0..permN while N is their count: taken as N entries.

/** One permission, 4 octets. */
export const permOfG1 = { letter: letter(PERM_LETTERS, 'n'), pad: reserved(1), domid: u16 } as const;

const NODE_HEAD = { type: constant('u32', 1) } as const;
const WATCH_HEAD = { type: constant('u32', 2) } as const;

/** From the permissions to the end of a node's record: the same in all records of G1 and G2. */
export const nodeTailOfG1 = {
  permCount: u32,
  perms: note(list({ count: 'permCount' }, permOfG1), 'The first entry names the owner.'),
  valueLen: u32,
  value: octets({ length: 'valueLen' }),
  valuePad: align(4),
} as const;

export const nodeOfG1 = record('NODE_DATA', 1, {
  ...NODE_HEAD,
  pathLen: note(u32, 'The NUL is not counted.'),
  path: note(octets({ length: 'pathLen' }), 'Absolute.'),
  pathPad: align(4),
  ...nodeTailOfG1,
});

/** The same with a NUL behind the path, which only the padding counts. */
export const nodeOfG1WithNul = record('NODE_DATA', 1, {
  ...NODE_HEAD,
  pathLen: note(u32, 'The NUL is not counted.'),
  path: note(nulString({ length: 'pathLen' }), 'Absolute.'),
  pathPad: align(4),
  ...nodeTailOfG1,
});

export const watchOfG1 = record('WATCH_DATA', 2, {
  ...WATCH_HEAD,
  wpathLen: note(u32, 'The NUL is not counted.'),
  wpath: note(octets({ length: 'wpathLen' }), 'As given to WATCH: relative stays relative.'),
  wpathPad: align(4),
  tokenLen: note(u32, 'The NUL is not counted.'),
  token: octets({ length: 'tokenLen' }),
  tokenPad: align(4),
});

export const watchOfG1WithNul = record('WATCH_DATA', 2, {
  ...WATCH_HEAD,
  wpathLen: note(u32, 'The NUL is not counted.'),
  wpath: note(nulString({ length: 'wpathLen' }), 'As given to WATCH: relative stays relative.'),
  wpathPad: align(4),
  tokenLen: note(u32, 'The NUL is not counted.'),
  token: nulString({ length: 'tokenLen' }),
  tokenPad: align(4),
});

export const transactionOfG1 = record(
  'TRANSACTION_DATA',
  3,
  { type: constant('u32', 3), txId: atLeast(1, u32) },
  'Nothing done inside is carried: it must end in EAGAIN.',
);

export const rulesOfG1: readonly Rule[] = [
  {
    rule: 'node-unique',
    of: ['NODE_DATA'],
    must: 'be-unique',
    key: ['path'],
    text: 'NODE_DATA once for each node',
    knob: 'duplicateNode',
  },
  {
    rule: 'watch-unique',
    of: ['WATCH_DATA'],
    must: 'be-unique',
    key: ['wpath', 'token'],
    text: 'WATCH_DATA once for each watch',
  },
  {
    rule: 'tx-unique',
    of: ['TRANSACTION_DATA'],
    must: 'be-unique',
    key: ['txId'],
    text: 'TRANSACTION_DATA once for each id',
  },
  {
    rule: 'node-path',
    of: ['NODE_DATA'],
    must: 'be-path',
    field: 'path',
    as: 'absolute',
    text: 'a node path is absolute',
  },
  { rule: 'node-owner', of: ['NODE_DATA'], must: 'be-something', field: 'perms', text: 'a node has an owner entry' },
  ...watchRules(['WATCH_DATA']),
  nodeValueRule,
];

export const g1: Format = {
  name: 'G1',
  title: 'First merged document: records inside the libxl stream',
  source: 'docs/designs/xenstore-migration.md at a87676c4a32f (27 March 2020)',
  status: 'document',
  note: 'No header, no version, no end. The byte order is that of the libxl stream. Any order.',
  versions: [],
  framing: { how: 'wrapped', type: 7 },
  records: [
    chosen('g1StoredNul', { false: nodeOfG1, true: nodeOfG1WithNul }),
    chosen('g1StoredNul', { false: watchOfG1, true: watchOfG1WithNul }),
    transactionOfG1,
  ],
  rules: rulesOfG1,
  order: [{ of: ['NODE_DATA'] }, { of: ['WATCH_DATA'] }, { of: ['TRANSACTION_DATA'] }],
  knobs: { lenIncludesPad: false, nonZeroPad: 'warn' },
};
