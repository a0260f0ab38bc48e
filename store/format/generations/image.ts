import { record } from '../codec/compile.ts';
import { type Framing, headerRule, type Stage } from '../file/format.ts';
import type { Rule } from '../schema/rules.ts';
import { bigEndian, magic, note, u32 } from '../schema/schema.ts';
import { nodeValueRule, watchRules } from './common-rules.ts';

// What all generations of the separate image share: header, framing, order, and what must hold among the records.

/** 16 octets, always big endian. */
export const imageHeaderFields = {
  ident: magic('xenstore'),
  version: bigEndian(u32),
  flags: note(bigEndian(u32), 'Bit 0: all that follows is big endian; the others are zero.'),
} as const;

export const IMAGE_BYTE_ORDER = { field: 'flags', bit: 0 } as const;

export const imageHeader = headerRule(record('HEADER', -1, imageHeaderFields), {
  version: 'version',
  byteOrder: IMAGE_BYTE_ORDER,
});

/** What an image is for. */
export const imageAbout: readonly string[] = [
  "An image says what one xenstored knows, so that another can go on with it. It has two uses. A live update hands all of it to the successor, which goes on in the process that there is. A migration without the guest's help moves what belongs to one domain to another host: nodes, watches, open transactions, and what is under way on its ring. Records and fields that are for one of them only say so. No daemon has read or written images for a migration so far.",
  "Operations such as WATCH and SET_TARGET are those of docs/misc/xenstore.txt, DOMID_INVALID is in xen/include/public/xen.h, and migration without the guest's help is in docs/designs/non-cooperative-migration.md.",
];

export const imageFraming: Framing = { how: 'typed' };

export const imageOrder: readonly Stage[] = [
  { of: ['GLOBAL_DATA'] },
  { of: ['GLOBAL_QUOTA_DATA'] },
  { of: ['CONNECTION_DATA', 'WATCH_DATA', 'WATCH_DATA_EXTENDED', 'TRANSACTION_DATA'] },
  { of: ['NODE_DATA'], nodes: 'tree' },
  { of: ['NODE_DATA'], nodes: 'special' },
  { of: ['NODE_DATA'], nodes: 'pending' },
  { of: ['DOMAIN_DATA'] },
  { of: ['END'] },
];

/** Committed, or pending in a transaction. */
const COMMITTED = { connId: 0 } as const;
const PENDING = { connId: { not: 0 } } as const;
const WATCHES = ['WATCH_DATA', 'WATCH_DATA_EXTENDED'] as const;
const CONNECTIONS = [{ kind: 'CONNECTION_DATA', key: ['connId'] }] as const;
const NO_TARGET = 0x7ff4; // DOMID_INVALID

export const imageRules: readonly Rule[] = [
  {
    rule: 'one-global',
    of: ['GLOBAL_DATA'],
    must: 'be-single',
    before: ['CONNECTION_DATA'],
    text: 'at most one GLOBAL_DATA, and before any connection',
  },
  {
    rule: 'conn-id-zero',
    of: ['CONNECTION_DATA'],
    must: 'be-something',
    field: 'connId',
    text: 'a connection id is not zero',
  },
  {
    rule: 'conn-id-unique',
    of: ['CONNECTION_DATA'],
    must: 'be-unique',
    key: ['connId'],
    text: 'each connection has an id of its own',
  },
  {
    rule: 'conn-domain-unique',
    of: ['CONNECTION_DATA'],
    where: { 'conn.kind': 'ring' },
    must: 'be-unique',
    key: ['conn.domid'],
    text: 'a domain has one connection',
  },
  {
    rule: 'conn-fd-unique',
    of: ['CONNECTION_DATA'],
    where: { 'conn.kind': 'socket' },
    must: 'be-unique',
    key: ['conn.fd'],
    text: 'each socket has a descriptor of its own',
  },
  {
    rule: 'conn-fd-other',
    of: ['CONNECTION_DATA'],
    where: { 'conn.kind': 'socket' },
    must: 'differ',
    field: 'conn.fd',
    from: ['GLOBAL_DATA:socketFd', 'GLOBAL_DATA:roSocketFd', 'GLOBAL_DATA:evtchnFd'],
    text: "the descriptor of a connection is nobody else's",
  },
  {
    rule: 'conn-id-known',
    of: [...WATCHES, 'TRANSACTION_DATA'],
    must: 'be-known',
    key: ['connId'],
    from: CONNECTIONS,
    text: 'the connection of a record comes earlier',
    knob: 'unknownConnection',
  },
  {
    rule: 'conn-id-known',
    of: ['NODE_DATA'],
    where: PENDING,
    must: 'be-known',
    key: ['connId'],
    from: CONNECTIONS,
    text: 'the connection of a record comes earlier',
    knob: 'unknownConnection',
  },
  {
    rule: 'target-known',
    of: ['CONNECTION_DATA'],
    where: { 'conn.kind': 'ring', 'conn.targetDomid': { not: NO_TARGET } },
    must: 'be-known',
    key: ['conn.targetDomid'],
    from: [{ kind: 'CONNECTION_DATA', key: ['conn.domid'] }],
    text: 'a target comes before the connection that names it, or C daemons drop it',
    isNote: true,
  },
  {
    rule: 'tx-unique',
    of: ['TRANSACTION_DATA'],
    must: 'be-unique',
    key: ['connId', 'txId'],
    text: 'each transaction of a connection has an id of its own',
  },
  {
    rule: 'tx-known',
    of: ['NODE_DATA'],
    where: PENDING,
    must: 'be-known',
    key: ['connId', 'txId'],
    from: [{ kind: 'TRANSACTION_DATA', key: ['connId', 'txId'] }],
    text: 'a pending node belongs to a transaction that comes earlier',
  },
  {
    rule: 'node-unique',
    of: ['NODE_DATA'],
    where: COMMITTED,
    must: 'be-unique',
    key: ['path'],
    text: 'each path once',
    knob: 'duplicateNode',
  },
  {
    rule: 'pending-unique',
    of: ['NODE_DATA'],
    where: PENDING,
    must: 'be-unique',
    key: ['connId', 'txId', 'path'],
    text: 'each path once in each transaction',
  },
  {
    rule: 'parent-first',
    of: ['NODE_DATA'],
    where: COMMITTED,
    must: 'have-parent',
    field: 'path',
    known: ['/'],
    text: 'the parent of a committed node comes earlier',
    knob: 'missingParent',
  },
  {
    rule: 'node-owner',
    of: ['NODE_DATA'],
    where: COMMITTED,
    must: 'be-something',
    field: 'perms',
    text: 'a committed node has an owner entry',
  },
  {
    rule: 'node-deleted',
    of: ['NODE_DATA'],
    where: PENDING,
    must: 'agree',
    needed: ['access', 'perms'],
    allowed: ['value'],
    text: 'a deleted node has neither access, nor permissions, nor value',
  },
  {
    rule: 'node-path',
    of: ['NODE_DATA'],
    must: 'be-path',
    field: 'path',
    as: 'node',
    text: 'a node path is absolute, or the name of a special node',
  },
  nodeValueRule,
  ...watchRules(WATCHES),
  {
    rule: 'privileged-first',
    of: ['NODE_DATA'],
    must: 'follow',
    kind: 'CONNECTION_DATA',
    like: { 'conn.kind': 'ring', 'conn.domid': 0 },
    text: 'a node comes after the connection of the privileged domain',
    knob: 'privilegedFirst',
  },
];

/** From version 1's input and half-sent output on. */
export const bufferRules: readonly Rule[] = [
  {
    rule: 'in-messages',
    of: ['CONNECTION_DATA'],
    must: 'be-messages',
    field: 'inData',
    mayEndEarly: true,
    text: 'the input is whole messages, then at most one partial one',
  },
  {
    rule: 'out-resp-len',
    of: ['CONNECTION_DATA'],
    must: 'fit',
    field: 'outRespLen',
    within: 'outData',
    text: 'the rest of a half-written message is part of the output',
  },
  {
    rule: 'out-messages',
    of: ['CONNECTION_DATA'],
    must: 'be-messages',
    field: 'outData',
    after: 'outRespLen',
    mayEndEarly: false,
    text: 'the output behind that rest is whole messages',
  },
];

/** Where the port is the daemon's. */
export const portRule: Rule = {
  rule: 'conn-port-unique',
  of: ['CONNECTION_DATA'],
  where: { 'conn.kind': 'ring', 'conn.port': { not: 0 } },
  must: 'be-unique',
  key: ['conn.port'],
  text: 'each ring has a port of its own',
};

/** Version 2's records. */
export const quotaRules: readonly Rule[] = [
  {
    rule: 'one-quota',
    of: ['GLOBAL_QUOTA_DATA'],
    must: 'be-single',
    before: ['CONNECTION_DATA'],
    text: 'at most one GLOBAL_QUOTA_DATA, and before any connection',
  },
  {
    rule: 'domain-unique',
    of: ['DOMAIN_DATA'],
    must: 'be-unique',
    key: ['domid'],
    text: 'at most one DOMAIN_DATA for each domain',
  },
  {
    rule: 'domain-known',
    of: ['DOMAIN_DATA'],
    must: 'be-known',
    key: ['domid'],
    from: [
      { kind: 'CONNECTION_DATA', key: ['conn.domid'] },
      { kind: 'CONNECTION_DATA', key: ['conn.targetDomid'] },
      { kind: 'NODE_DATA', where: COMMITTED, key: ['perms.0.domid'] },
    ],
    text: 'a DOMAIN_DATA domain is a connection, a target, or the owner of a node',
    knob: 'unknownDomain',
  },
];
