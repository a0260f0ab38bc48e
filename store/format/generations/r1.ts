import { record } from '../codec/compile.ts';
import { chosen, type Format, headerRule } from '../file/format.ts';
import type { Rule } from '../schema/rules.ts';
import { bigEndian, magic, note, reserved, u16, u32 } from '../schema/schema.ts';
import { nodeOfG1, nodeOfG1WithNul, rulesOfG1, transactionOfG1, watchOfG1, watchOfG1WithNul } from './g1.ts';
import { guestRingData, transactionNode, transactionNodeWithNul } from './g2.ts';
import { imageFraming } from './image.ts';
import { end } from './records.ts';

/** 24 octets; the domain stands in the header. */
export const headerOfR1 = headerRule(
  record('HEADER', -1, {
    ident: magic('xenstore'),
    version: bigEndian(u32),
    flags: note(bigEndian(u32), 'Bit 0: all that follows is big endian; the others are zero.'),
    domid: note(u16, 'The domain that everything in the file belongs to.'),
    pad: reserved(6),
  }),
  { version: 'version', byteOrder: { field: 'flags', bit: 0 } },
);

const transactionRules: readonly Rule[] = [
  {
    rule: 'tx-node-unique',
    of: ['TRANSACTION_NODE_DATA'],
    must: 'be-unique',
    key: ['txId', 'path'],
    text: 'each path once in each transaction',
  },
  {
    rule: 'tx-node-path',
    of: ['TRANSACTION_NODE_DATA'],
    must: 'be-path',
    field: 'path',
    as: 'absolute',
    text: 'a node path is absolute',
  },
  {
    rule: 'node-deleted',
    of: ['TRANSACTION_NODE_DATA'],
    must: 'agree',
    needed: ['perms'],
    allowed: ['value'],
    text: 'a deleted node has no value',
  },
];

/** Without TRANSACTION_DATA the open transactions are those of the nodes: one that touched nothing cannot be told. */
export const r1: Format = {
  name: 'R1',
  title: "The review's counter-proposal, given octets",
  source: '<002701d612fd$26f1b950$74d52bf0$@xen.org> (15 April 2020); the octets are a choice of this program',
  status: 'prototype',
  note: "Bodies of G2 behind record headers of G3; the domid in the file's header takes the place of DOMAIN_START.",
  header: headerOfR1,
  versions: [1],
  framing: imageFraming,
  records: [
    end,
    chosen('g1StoredNul', { false: nodeOfG1, true: nodeOfG1WithNul }),
    chosen('g1StoredNul', { false: watchOfG1, true: watchOfG1WithNul }),
    chosen('r1KeepTxRecord', { true: transactionOfG1 }),
    chosen('g1StoredNul', { false: transactionNode, true: transactionNodeWithNul }),
    guestRingData,
  ],
  end: 'END',
  rules: [...rulesOfG1, ...transactionRules],
  order: [
    { of: ['NODE_DATA'] },
    { of: ['WATCH_DATA', 'TRANSACTION_DATA', 'TRANSACTION_NODE_DATA', 'GUEST_RING_DATA'] },
    { of: ['END'] },
  ],
  knobs: { lenIncludesPad: false },
};
