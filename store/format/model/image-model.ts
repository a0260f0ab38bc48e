import { splitMessages } from '../file/messages.ts';
import { NODE_READ, NODE_WRITTEN } from '../generations/records.ts';
import { octetsOf, textOf } from '../schema/text.ts';
import { joined } from './joined.ts';
import { aclOf, type LooseRecord, list, maybeNumber, num, octets, permsOf, type RecordsOfState } from './loose.ts';
import type { Assumption } from './losses.ts';
import { MeaningFault, type Reading, type Spoken, type Writing } from './meaning.ts';
import {
  type ConnectionState,
  connectionName,
  type DaemonState,
  type DomainState,
  EMPTY_STATE,
  type NodeState,
  type QuotaState,
  type RingLink,
  type TouchedNode,
  type TransactionState,
  type WatchState,
} from './state.ts';

// The formats whose connections have numbers: D1 and all that came from it.

const DOMID_INVALID = 0x7ff4;
const DEPTH_UNLIMITED = 0xffff;
/** Bit of a connection's flags, in those formats that have them. */
const READ_ONLY = 1;
/** Bits of D1's ring flags. */
const INTRODUCED = 1;
const RELEASED = 2;
/** D1, D4: no frame is known. */
const INVALID_MFN = 0xffffffffffffffffn;

type Growing = {
  -readonly [K in keyof ConnectionState]: ConnectionState[K] extends readonly (infer X)[] ? X[] : ConnectionState[K];
};
interface GrowingTransaction extends TransactionState {
  readonly nodes: TouchedNode[];
}

/**
 * What a sound image says. Records of connections or transactions that are not there are left out, as are records of
 * unknown types.
 */
export function stateOfRecords(
  records: readonly LooseRecord[],
  bigEndian: boolean,
  readOnlyRings = false,
  meanings: readonly Spoken[] = [],
): DaemonState {
  const connections = new Map<number, Growing>();
  const transactions = new Map<string, GrowingTransaction>();
  const nodes: NodeState[] = [];
  const specials: NodeState[] = [];
  const domains: DomainState[] = [];
  const hasEvents = meanings.some(({ carries }) => carries.includes('txEvents'));
  let { scope, listeners, evtchn, quotas } = { ...EMPTY_STATE, scope: 'migration' as DaemonState['scope'] };
  for (const record of records) {
    switch (record.kind) {
      case 'GLOBAL_DATA':
        scope = 'update';
        listeners = { ...open('rw', record.socketFd), ...open('ro', record.roSocketFd) };
        evtchn = open('fd', record.evtchnFd);
        break;
      case 'GLOBAL_QUOTA_DATA':
        quotas = { domain: quotasOf(record, 'domainQuotas'), global: quotasOf(record, 'globalQuotas') };
        break;
      case 'CONNECTION_DATA':
        connections.set(num(record, 'connId'), connectionState(record, bigEndian, readOnlyRings));
        break;
      case 'WATCH_DATA':
      case 'WATCH_DATA_EXTENDED': {
        const depth = maybeNumber(record, 'depth') ?? DEPTH_UNLIMITED;
        const watch: WatchState = { path: textOf(octets(record, 'wpath')), token: octets(record, 'token') };
        const conn = connections.get(num(record, 'connId'));
        conn?.watches.push(depth === DEPTH_UNLIMITED ? watch : { ...watch, depth });
        break;
      }
      case 'TRANSACTION_DATA': {
        const tx: GrowingTransaction = {
          id: num(record, 'txId'),
          nodes: [],
          ...count('base', record.base),
          ...(hasEvents ? { events: [] } : {}),
        };
        transactions.set(transactionKey(record), tx);
        connections.get(num(record, 'connId'))?.transactions.push(tx);
        break;
      }
      case 'NODE_DATA': {
        const path = textOf(octets(record, 'path'));
        const [value, acl] = [octets(record, 'value'), aclOf(record)];
        const access = num(record, 'access');
        const read = (access & NODE_READ) !== 0;
        // With entries it is there, whatever the bits are.
        const written = (access & NODE_WRITTEN) !== 0 || (acl.length > 0 && !read);
        if (num(record, 'connId') === 0) {
          const node = { path, value, acl, ...count('generation', record.generation) };
          (path.startsWith('@') ? specials : nodes).push(node);
        } else {
          const node = { path, read, written, value, acl, ...count('base', record.base) };
          transactions.get(transactionKey(record))?.nodes.push(node);
        }
        break;
      }
      case 'DOMAIN_DATA':
        domains.push({
          domid: num(record, 'domid'),
          features: num(record, 'features'),
          quotas: quotasOf(record, 'quotas'),
        });
        break;
    }
  }
  if (meanings.length > 0) {
    const at = readingOf(connections, transactions, [...nodes, ...specials], domains);
    for (const record of records) said(record, meanings, at);
  }
  const state = { scope, nodes, specials, connections: [...connections.values()], domains, listeners, evtchn };
  return quotas === undefined ? state : { ...state, quotas };
}

/** Let a record of somebody's own say what it means. Errors: throws `MeaningFault`. */
function said(record: LooseRecord, meanings: readonly Spoken[], at: Reading): void {
  for (const { kind, decode } of meanings) {
    if (kind !== record.kind) continue;
    try {
      decode(record, at);
    } catch (error) {
      throw new MeaningFault(kind, 'decode', error);
    }
  }
}

function readingOf(
  connections: ReadonlyMap<number, Growing>,
  transactions: ReadonlyMap<string, GrowingTransaction>,
  nodes: readonly NodeState[],
  domains: readonly DomainState[],
): Reading {
  const byPath = new Map(nodes.map((node) => [node.path, node]));
  const transaction = (connId: number, txId: number) => transactions.get(transactionKey({ connId, txId }));
  return {
    connection: (connId) => connections.get(connId),
    transaction: transaction as Reading['transaction'],
    node: ((path) => byPath.get(path)) as Reading['node'],
    touched: ((connId, txId, path) =>
      transaction(connId, txId)?.nodes.find((node) => node.path === path)) as Reading['touched'],
    domain: ((domid) => domains.find((domain) => domain.domid === domid)) as Reading['domain'],
  };
}

/** A generation, in formats that have one; 0 is none. */
function count<K extends string>(key: K, value: unknown): { readonly [P in K]?: bigint } {
  return (typeof value === 'bigint' && value !== 0n ? { [key]: value } : {}) as { readonly [P in K]?: bigint };
}

function transactionKey(record: { readonly [field: string]: unknown }): string {
  return `${num(record, 'connId')}/${num(record, 'txId')}`;
}

/** A file descriptor; -1 is none. */
function open<K extends string>(key: K, fd: unknown): { readonly [P in K]?: number } {
  return (typeof fd === 'number' && fd >= 0 ? { [key]: fd } : {}) as { readonly [P in K]?: number };
}

function connectionState(record: LooseRecord, bigEndian: boolean, readOnlyRings: boolean): Growing {
  const { whole, partial } = splitMessages(octets(record, 'inData'), bigEndian);
  const conn = record.conn as { readonly kind: string; readonly [field: string]: unknown };
  const flags = num(record, 'flags') | (conn.kind === 'socket' ? num(conn, 'flags') : 0);
  return {
    link: conn.kind === 'socket' ? { kind: 'socket', fd: num(conn, 'fd') } : ringLink(conn, record.uniqueId),
    readOnly: (flags & READ_ONLY) !== 0 && (conn.kind === 'socket' || readOnlyRings),
    watches: [],
    transactions: [],
    delayed: [...whole],
    input: partial,
    // Some formats have no input, and call what is left `data`; D1 has it in the part of each kind.
    output: joined(octets(record, 'outData'), octets(record, 'data'), octets(conn, 'data')),
    restBytes: num(record, 'outRespLen'),
  };
}

function ringLink(conn: { readonly [field: string]: unknown }, uniqueId: unknown): RingLink {
  const link: { -readonly [K in keyof RingLink]: RingLink[K] } = { kind: 'ring', domid: num(conn, 'domid') };
  const [target, port, guestPort] = ['targetDomid', 'port', 'remotePort'].map((name) => maybeNumber(conn, name));
  if (target !== undefined && target !== DOMID_INVALID) link.target = target;
  // Zero, and -1 in D1's migrations, stand for a port that is not known.
  if (port !== undefined && port !== 0 && port !== 0xffffffff) link.port = port;
  if (guestPort !== undefined && guestPort !== 0) link.guestPort = guestPort;
  if (typeof conn.mfn === 'bigint' && conn.mfn !== INVALID_MFN) link.mfn = conn.mfn;
  if (typeof uniqueId === 'bigint') link.uniqueId = uniqueId;
  if ((num(conn, 'flags') & RELEASED) !== 0) link.flags = { released: true };
  return link;
}

function quotasOf(record: LooseRecord, field: string): QuotaState[] {
  return list(record, field).map((quota) => ({ name: textOf(octets(quota, 'name')), value: num(quota, 'value') }));
}

/** How a daemon lays out an image, and which ports it wants. */
export interface ImageLayout {
  /** Special nodes come before the tree, as up to 4.17. */
  readonly specialsFirst: boolean;
  readonly ports: readonly ('port' | 'guestPort')[];
  readonly hasMfn: boolean;
}

/** The records of a state that holds nothing but what the format can carry (`reduceState`), and what had to be made up. */
export function recordsOfState(
  state: DaemonState,
  layout: ImageLayout,
  meanings: readonly Spoken[] = [],
): RecordsOfState {
  const records: LooseRecord[] = [];
  const assumptions: Assumption[] = [];
  const pending: LooseRecord[] = [];
  const { listeners, evtchn, quotas } = state;
  if (state.scope === 'update') {
    const [socketFd, roSocketFd, evtchnFd] = [listeners.rw, listeners.ro, evtchn.fd].map((fd) => fd ?? -1);
    records.push({ kind: 'GLOBAL_DATA', socketFd, roSocketFd, evtchnFd });
  }
  if (quotas !== undefined) {
    const [domainQuotas, globalQuotas] = [quotas.domain, quotas.global].map((some) => some.map(quotaOf));
    records.push({ kind: 'GLOBAL_QUOTA_DATA', domainQuotas, globalQuotas });
  }
  for (const [i, conn] of state.connections.entries()) {
    const connId = i + 1;
    records.push(connectionRecord(conn, connId, state.scope, layout, assumptions));
    for (const { path, token, depth } of conn.watches) {
      const strings = { connId, wpath: octetsOf(path), token };
      if (depth === undefined) records.push({ kind: 'WATCH_DATA', ...strings });
      else records.push({ kind: 'WATCH_DATA_EXTENDED', ...strings, depth });
    }
    for (const { id, nodes, base = 0n } of conn.transactions) {
      records.push({ kind: 'TRANSACTION_DATA', connId, txId: id, base });
      for (const { path, read, written, value, acl, base: seen = 0n } of nodes) {
        const access = (read ? NODE_READ : 0) | (written ? NODE_WRITTEN : 0);
        pending.push({ ...nodeRecord({ path, value, acl }), connId, txId: id, access, base: seen });
      }
    }
  }
  if (layout.specialsFirst) records.push(...state.specials.map(nodeRecord));
  records.push(...state.nodes.map(nodeRecord));
  if (!layout.specialsFirst) records.push(...state.specials.map(nodeRecord));
  records.push(...pending);
  for (const { domid, features = 0, quotas: own } of state.domains)
    records.push({ kind: 'DOMAIN_DATA', domid, features, quotas: own.map(quotaOf) });
  const ids = new Map(state.connections.map((conn, i) => [conn, i + 1]));
  const at: Writing = { state, connId: (conn) => ids.get(conn) ?? 0 };
  for (const { kind, encode } of meanings) {
    try {
      for (const fields of encode(at)) records.push({ ...fields, kind });
    } catch (error) {
      throw new MeaningFault(kind, 'encode', error);
    }
  }
  records.push({ kind: 'END' });
  return { records, assumptions };
}

function connectionRecord(
  conn: ConnectionState,
  connId: number,
  scope: DaemonState['scope'],
  { ports, hasMfn }: ImageLayout,
  assumptions: Assumption[],
): LooseRecord {
  const { link, readOnly, delayed, input, output, restBytes } = conn;
  const flags = readOnly ? READ_ONLY : 0;
  const buffers = { inData: joined(...delayed, input), outRespLen: restBytes, outData: output };
  const record = { kind: 'CONNECTION_DATA', connId, flags, data: output, ...buffers };
  if (link.kind === 'socket') return { ...record, conn: { kind: 'socket', fd: link.fd, flags, data: output } };
  const { domid, target = DOMID_INVALID, port = 0, guestPort = 0, mfn = INVALID_MFN, uniqueId } = link;
  const thing = { kind: 'connection', connection: connectionName(link) } as const;
  // In a migration none of these means anything to the other side.
  for (const name of scope === 'update' ? ports : [])
    if (link[name] === undefined)
      assumptions.push({
        row: 'port',
        thing,
        how: `${name === 'port' ? "the daemon's" : "the guest's"} is written as 0`,
      });
  if (scope === 'update' && hasMfn && link.mfn === undefined)
    assumptions.push({ row: 'mfn', thing, how: 'written as INVALID_MFN' });
  const ringFlags = INTRODUCED | (link.flags?.released ? RELEASED : 0);
  const ring = { kind: 'ring', domid, targetDomid: target, port, remotePort: guestPort, mfn, flags: ringFlags };
  return { ...record, conn: { ...ring, data: output }, ...(uniqueId === undefined ? {} : { uniqueId }) };
}

function nodeRecord({ path, value, acl, generation = 0n }: NodeState): LooseRecord {
  const committed = { connId: 0, txId: 0, access: 0, base: 0n };
  return { kind: 'NODE_DATA', ...committed, perms: permsOf(acl), path: octetsOf(path), value, generation };
}

function quotaOf({ name, value }: QuotaState): { readonly name: Uint8Array; readonly value: number } {
  return { name: octetsOf(name), value };
}
