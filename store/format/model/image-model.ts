import type { StateImage } from '../image.ts';
import {
  type ConnectionData,
  NODE_READ,
  NODE_WRITTEN,
  type NodeData,
  PERM_STALE,
  type Perm,
  type Quota,
  type StateRecord,
} from '../records.ts';
import { octetsOf, textOf } from '../text.ts';
import type { Assumption } from './losses.ts';
import { joined, splitMessages } from './messages.ts';
import {
  type AclEntry,
  type ConnectionState,
  connectionName,
  type DaemonState,
  type DomainState,
  EMPTY_STATE,
  type NodeState,
  type QuotaState,
  type TouchedNode,
  type TransactionState,
  type WatchState,
} from './state.ts';

const DOMID_INVALID = 0x7ff4;
const DEPTH_UNLIMITED = 0xffff;

type Growing = {
  -readonly [K in keyof ConnectionState]: ConnectionState[K] extends readonly (infer X)[] ? X[] : ConnectionState[K];
};
interface GrowingTransaction extends TransactionState {
  readonly nodes: TouchedNode[];
}

/**
 * What a sound image of versions 1 and 2 says (`checkImage`). Records of connections or transactions that are not
 * there are left out, as are records of unknown types.
 */
export function stateOfImage({ records, bigEndian }: Pick<StateImage, 'records' | 'bigEndian'>): DaemonState {
  const connections = new Map<number, Growing>();
  const transactions = new Map<string, GrowingTransaction>();
  const nodes: NodeState[] = [];
  const specials: NodeState[] = [];
  const domains: DomainState[] = [];
  let { scope, listeners, evtchn, quotas } = { ...EMPTY_STATE, scope: 'migration' as DaemonState['scope'] };
  for (const record of records) {
    switch (record.kind) {
      case 'GLOBAL_DATA':
        scope = 'update';
        listeners = record.socketFd === -1 ? {} : { rw: record.socketFd };
        evtchn = record.evtchnFd === -1 ? {} : { fd: record.evtchnFd };
        break;
      case 'GLOBAL_QUOTA_DATA':
        quotas = { domain: record.domainQuotas.map(quotaState), global: record.globalQuotas.map(quotaState) };
        break;
      case 'CONNECTION_DATA':
        connections.set(record.connId, connectionState(record, bigEndian));
        break;
      case 'WATCH_DATA':
      case 'WATCH_DATA_EXTENDED': {
        const isDeep = record.kind === 'WATCH_DATA' || record.depth === DEPTH_UNLIMITED;
        const watch: WatchState = { path: textOf(record.wpath), token: record.token };
        connections.get(record.connId)?.watches.push(isDeep ? watch : { ...watch, depth: record.depth });
        break;
      }
      case 'TRANSACTION_DATA': {
        const tx: GrowingTransaction = { id: record.txId, nodes: [] };
        transactions.set(`${record.connId}/${record.txId}`, tx);
        connections.get(record.connId)?.transactions.push(tx);
        break;
      }
      case 'NODE_DATA': {
        const path = textOf(record.path);
        const acl = record.perms.map(aclEntry);
        if (record.connId === 0) (path.startsWith('@') ? specials : nodes).push({ path, value: record.value, acl });
        else transactions.get(`${record.connId}/${record.txId}`)?.nodes.push(touchedNode(record, path, acl));
        break;
      }
      case 'DOMAIN_DATA':
        domains.push({ domid: record.domid, features: record.features, quotas: record.quotas.map(quotaState) });
        break;
      case 'UNKNOWN':
      case 'END':
        break;
    }
  }
  const state = { scope, nodes, specials, connections: [...connections.values()], domains, listeners, evtchn };
  return quotas === undefined ? state : { ...state, quotas };
}

function connectionState(record: ConnectionData, bigEndian: boolean): Growing {
  const { conn, inData, outData, outRespLen, uniqueId } = record;
  const { whole, partial } = splitMessages(inData, bigEndian);
  const link: ConnectionState['link'] =
    conn.kind === 'socket'
      ? { kind: 'socket', fd: conn.fd }
      : {
          kind: 'ring',
          domid: conn.domid,
          ...(conn.targetDomid === DOMID_INVALID ? {} : { target: conn.targetDomid }),
          ...(conn.port === 0 ? {} : { port: conn.port }),
          ...(uniqueId === undefined ? {} : { uniqueId }),
        };
  const buffers = { delayed: [...whole], input: partial, output: outData, restBytes: outRespLen };
  return { link, readOnly: false, watches: [], transactions: [], ...buffers };
}

function aclEntry({ letter, domid, flags }: Perm): AclEntry {
  return { letter, domid, stale: (flags & PERM_STALE) !== 0 };
}

function touchedNode({ access, value }: NodeData, path: string, acl: readonly AclEntry[]): TouchedNode {
  return { path, read: (access & NODE_READ) !== 0, written: (access & NODE_WRITTEN) !== 0, value, acl };
}

function quotaState({ name, value }: Quota): QuotaState {
  return { name: textOf(name), value };
}

/** How a daemon lays out an image. */
export interface ImageLayout {
  /** Special nodes come before the tree, as up to 4.17. */
  readonly specialsFirst: boolean;
}

/** The records of a state that holds nothing but what the format can carry (`reduceState`), and what had to be made up. */
export function recordsOfState(
  state: DaemonState,
  { specialsFirst }: ImageLayout,
): { readonly records: readonly StateRecord[]; readonly assumptions: readonly Assumption[] } {
  const records: StateRecord[] = [];
  const assumptions: Assumption[] = [];
  const pending: StateRecord[] = [];
  const { listeners, evtchn, quotas } = state;
  if (state.scope === 'update')
    records.push({ kind: 'GLOBAL_DATA', socketFd: listeners.rw ?? -1, evtchnFd: evtchn.fd ?? -1 });
  if (quotas !== undefined)
    records.push({
      kind: 'GLOBAL_QUOTA_DATA',
      domainQuotas: quotas.domain.map(quotaOf),
      globalQuotas: quotas.global.map(quotaOf),
    });
  for (const [i, conn] of state.connections.entries()) {
    const connId = i + 1;
    records.push(connectionRecord(conn, connId, assumptions));
    for (const { path, token, depth } of conn.watches) {
      const strings = { connId, wpath: octetsOf(path), token };
      if (depth === undefined) records.push({ kind: 'WATCH_DATA', ...strings });
      else records.push({ kind: 'WATCH_DATA_EXTENDED', ...strings, depth });
    }
    for (const { id, nodes } of conn.transactions) {
      records.push({ kind: 'TRANSACTION_DATA', connId, txId: id });
      for (const { path, read, written, value, acl } of nodes) {
        const access = (read ? NODE_READ : 0) | (written ? NODE_WRITTEN : 0);
        pending.push({ ...nodeRecord({ path, value, acl }), connId, txId: id, access });
      }
    }
  }
  if (specialsFirst) records.push(...state.specials.map(nodeRecord));
  records.push(...state.nodes.map(nodeRecord));
  if (!specialsFirst) records.push(...state.specials.map(nodeRecord));
  records.push(...pending);
  for (const { domid, features = 0, quotas: own } of state.domains)
    records.push({ kind: 'DOMAIN_DATA', domid, features, quotas: own.map(quotaOf) });
  records.push({ kind: 'END' });
  return { records, assumptions };
}

function connectionRecord(conn: ConnectionState, connId: number, assumptions: Assumption[]): ConnectionData {
  const { link, delayed, input, output, restBytes } = conn;
  const buffers = { inData: joined(...delayed, input), outRespLen: restBytes, outData: output };
  const record = { kind: 'CONNECTION_DATA', connId } as const;
  if (link.kind === 'socket') return { ...record, conn: { kind: 'socket', fd: link.fd }, ...buffers };
  const { domid, target = DOMID_INVALID, port, uniqueId } = link;
  const thing = { kind: 'connection', connection: connectionName(link) } as const;
  if (port === undefined) assumptions.push({ row: 'port', thing, how: "the daemon's is written as 0" });
  const ring = { kind: 'ring', domid, targetDomid: target, port: port ?? 0 } as const;
  return { ...record, conn: ring, ...buffers, ...(uniqueId === undefined ? {} : { uniqueId }) };
}

function nodeRecord({ path, value, acl }: Pick<NodeState, 'path' | 'value' | 'acl'>): NodeData {
  const perms = acl.map(({ letter, domid, stale }): Perm => ({ letter, domid, flags: stale ? PERM_STALE : 0 }));
  return { kind: 'NODE_DATA', connId: 0, txId: 0, access: 0, perms, path: octetsOf(path), value };
}

function quotaOf({ name, value }: QuotaState): Quota {
  return { name: octetsOf(name), value };
}
