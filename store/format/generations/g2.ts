import { record } from '../codec/compile.ts';
import { chosen, extend, type Format } from '../file/format.ts';
import { align, atLeast, constant, note, nulString, octets, reserved, u16, u32 } from '../schema/schema.ts';
import { g1, nodeTailOfG1 } from './g1.ts';

// The mail's patch: G1 with three more records, for live update. A record belongs to the domain that the last
// DOMAIN_START named. Socket connections cannot be named at all.

const TX_NODE_HEAD = {
  type: constant('u32', 4),
  txId: atLeast(1, u32),
  pathLen: note(u32, 'The NUL is not counted.'),
} as const;
const TX_NODE_TAIL = {
  pathPad: align(4),
  ...nodeTailOfG1,
  permCount: note(u32, '0 = the node was deleted in the transaction.'),
} as const;

export const transactionNode = record('TRANSACTION_NODE_DATA', 4, {
  ...TX_NODE_HEAD,
  path: octets({ length: 'pathLen' }),
  ...TX_NODE_TAIL,
});

export const transactionNodeWithNul = record('TRANSACTION_NODE_DATA', 4, {
  ...TX_NODE_HEAD,
  path: nulString({ length: 'pathLen' }),
  ...TX_NODE_TAIL,
});

export const guestRingData = record('GUEST_RING_DATA', 5, {
  type: constant('u32', 5),
  valueLen: u32,
  value: note(octets({ length: 'valueLen' }), "Still to be put into the guest's response ring, in order."),
  valuePad: align(4),
});

export const domainStart = record(
  'DOMAIN_START',
  6,
  { type: constant('u32', 6), domid: u16, pad: reserved(2) },
  'Live update only: what follows belongs to this domain. Again for the same domain: goes on with it.',
);

export const g2: Format = extend(g1, {
  name: 'G2',
  title: 'The patch of 14 April 2020: G1 with the contents of transactions, ring data and a current domain',
  source: '<20200414155942.3347-1-jgross@suse.com>',
  status: 'draft',
  note: 'How records are framed in a live update is not said: one after the other, or in libxl records as in G1.',
  framing: chosen('g2Framing', { bare: { how: 'bare' }, libxl: { how: 'wrapped', type: 7 } }),
  records: [
    chosen('g1StoredNul', { false: transactionNode, true: transactionNodeWithNul }),
    guestRingData,
    domainStart,
  ],
  rules: [
    {
      rule: 'domain-first',
      of: ['WATCH_DATA', 'TRANSACTION_DATA', 'TRANSACTION_NODE_DATA', 'GUEST_RING_DATA'],
      must: 'follow',
      kind: 'DOMAIN_START',
      text: 'in a live update a domain is named before what belongs to it',
      knob: 'unknownDomain',
    },
    {
      rule: 'watch-unique',
      of: ['WATCH_DATA'],
      must: 'be-unique',
      key: ['DOMAIN_START:domid', 'wpath', 'token'],
      text: 'each watch of a domain once',
    },
    {
      rule: 'tx-unique',
      of: ['TRANSACTION_DATA'],
      must: 'be-unique',
      key: ['DOMAIN_START:domid', 'txId'],
      text: 'each transaction of a domain has an id of its own',
    },
    {
      rule: 'tx-known',
      of: ['TRANSACTION_NODE_DATA'],
      must: 'be-known',
      key: ['DOMAIN_START:domid', 'txId'],
      from: [{ kind: 'TRANSACTION_DATA', key: ['DOMAIN_START:domid', 'txId'] }],
      text: 'a transaction comes before its nodes',
    },
    {
      rule: 'tx-node-unique',
      of: ['TRANSACTION_NODE_DATA'],
      must: 'be-unique',
      key: ['DOMAIN_START:domid', 'txId', 'path'],
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
  ],
  order: [
    { of: ['NODE_DATA'] },
    { of: ['DOMAIN_START', 'WATCH_DATA', 'TRANSACTION_DATA', 'TRANSACTION_NODE_DATA', 'GUEST_RING_DATA'] },
  ],
});
