import { extend, type Format } from '../file/format.ts';
import { g32 } from '../generations/g3-2.ts';
import { g41 } from '../generations/g4-1.ts';
import { imageOrder } from '../generations/image.ts';

// The C daemons: live update only, transactions never written, `len` counts the padding and is what readers advance
// by, native byte order (these are little endian machines). "Fatal": the successor exits, and the old daemon is gone.
// Source: tools/xenstore/ and, from 4.18 on, tools/xenstored/ of each release.

const [GLOBAL, QUOTA, CONNECTIONS, TREE, SPECIAL, , DOMAINS, END] = imageOrder;

/** Special nodes before the root. */
const specialFirst = [GLOBAL, CONNECTIONS, SPECIAL, TREE, END].flatMap((one) => one ?? []);
const specialLast = [GLOBAL, CONNECTIONS, TREE, SPECIAL, END].flatMap((one) => one ?? []);
const withDomains = [GLOBAL, CONNECTIONS, TREE, SPECIAL, DOMAINS, END].flatMap((one) => one ?? []);
const withQuotas = [GLOBAL, QUOTA, CONNECTIONS, TREE, SPECIAL, DOMAINS, END].flatMap((one) => one ?? []);

const NO_TRANSACTIONS = {
  rule: 'no-transactions',
  of: ['TRANSACTION_DATA'],
  must: 'follow',
  kind: 'TRANSACTION_DATA',
  text: 'transactions are never written, and skipped when read',
  isNote: true,
} as const;

export const c415: Format = extend(g32, {
  name: 'C-4.15',
  generation: 'G3.2',
  title: 'The C daemon of 4.15',
  source: 'RELEASE-4.15.0:tools/xenstore/xenstored_{control,core,domain,watch}.c',
  status: 'daemon',
  note: 'Maps the file and stops at END or at its end. All input of a connection is one message.',
  rules: [NO_TRANSACTIONS],
  order: specialFirst,
  knobs: { byteOrders: 'little' },
  reads: {
    advance: 'exact',
    missingEnd: 'accept',
    unknownRecord: 'warn',
    zeroLengthRecord: 'skip',
    duplicateNode: 'skip', // the child is listed twice
    missingParent: 'fatal',
    unknownConnection: 'fatal',
    unknownDomain: 'skip', // an unknown type
    privilegedFirst: 'fatal',
  },
});

export const c416: Format = extend(c415, {
  name: 'C-4.16',
  aliases: ['C-4.17'],
  generation: 'G3.2',
  title: 'The C daemons of 4.16 and 4.17',
  source: 'RELEASE-4.17.0:tools/xenstore/xenstored_{control,core,domain,watch}.c',
  status: 'daemon',
  note: 'Several messages may stand in the input of a connection.',
});

export const c418: Format = extend(c416, {
  name: 'C-4.18',
  aliases: ['C-4.19', 'C-4.20'],
  generation: 'G3.2',
  title: 'The C daemons of 4.18 to 4.20',
  source: 'RELEASE-4.18.0:tools/xenstored/{lu,core,domain,watch}.c',
  status: 'daemon',
  note: 'Special nodes are nodes of the tree and are written behind it; a path that comes twice is fatal.',
  order: specialLast,
  reads: { ...c415.reads, duplicateNode: 'fatal' },
});

export const c421: Format = extend(g41, {
  name: 'C-4.21',
  generation: 'G4.1',
  title: 'The C daemon of 4.21',
  source: 'RELEASE-4.21.0:tools/xenstored/{lu,core,domain,watch}.c',
  status: 'daemon',
  note: 'A unique id for every ring, also in version 1; DOMAIN_DATA with features only; no watches with a depth.',
  without: ['GLOBAL_QUOTA_DATA', 'WATCH_DATA_EXTENDED'],
  rules: [NO_TRANSACTIONS],
  order: withDomains,
  knobs: { byteOrders: 'little' },
  reads: {
    advance: 'exact',
    missingEnd: 'fatal',
    unknownRecord: 'warn',
    zeroLengthRecord: 'fatal', // reading nothing counts as an error
    duplicateNode: 'fatal',
    missingParent: 'fatal',
    unknownConnection: 'fatal',
    unknownDomain: 'fatal',
    privilegedFirst: 'fatal',
  },
});

export const c422: Format = extend(g41, {
  name: 'C-4.22',
  generation: 'G4.1',
  title: 'The C daemon of 4.22',
  source: 'RELEASE-4.22.0:tools/xenstored/{lu,core,domain,watch}.c, xenstore_state.h',
  status: 'daemon',
  note: 'Quotas for all and for each domain, also in version 1; watches with a depth are written wrongly, and read wrongly in another way.',
  rules: [NO_TRANSACTIONS],
  order: withQuotas,
  knobs: { byteOrders: 'little', watchExtLayout: 'c422-writer' },
  reads: { ...c421.reads, watchExtLayout: 'c422-reader' },
});

/** Oldest first. */
export const daemons: readonly Format[] = [c415, c416, c418, c421, c422];
