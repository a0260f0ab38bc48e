import { octetsOf, textOf } from '../schema/text.ts';
import { joined } from './joined.ts';
import { aclOf, type LooseRecord, num, octets, permsOf, type RecordsOfState } from './loose.ts';
import type { Assumption } from './losses.ts';
import {
  type ConnectionState,
  connectionName,
  type DaemonState,
  EMPTY_STATE,
  type NodeState,
  parentPath,
} from './state.ts';

// G1, G2 and R1: records without connection numbers, which belong to the domain of their file (G1, R1) or to the one
// that DOMAIN_START named last (G2). Only domains have connections.

const NOTHING = new Uint8Array(0);

type Growing = {
  -readonly [K in keyof ConnectionState]: ConnectionState[K] extends readonly (infer X)[] ? X[] : ConnectionState[K];
};

/**
 * What the records say. `domid` is whose file it is; undefined where records say it (G2), which need one before the
 * first that belongs to a domain. A node that a transaction has touched comes as written: nobody says how it was touched.
 */
export function stateOfStream(records: readonly LooseRecord[], domid: number | undefined): DaemonState {
  const connections = new Map<number, Growing>();
  const nodes: NodeState[] = [];
  let current: Growing | undefined;
  const start = (of: number) => {
    current = connections.get(of);
    if (current !== undefined) return;
    current = {
      link: { kind: 'ring', domid: of },
      readOnly: false,
      watches: [],
      transactions: [],
      delayed: [],
      input: NOTHING,
      output: NOTHING,
      restBytes: 0,
    };
    connections.set(of, current);
  };
  if (domid !== undefined) start(domid);
  for (const record of records) {
    switch (record.kind) {
      case 'DOMAIN_START':
        start(num(record, 'domid'));
        break;
      case 'NODE_DATA':
        nodes.push({ path: textOf(octets(record, 'path')), value: octets(record, 'value'), acl: aclOf(record) });
        break;
      case 'WATCH_DATA':
        current?.watches.push({ path: textOf(octets(record, 'wpath')), token: octets(record, 'token') });
        break;
      case 'TRANSACTION_DATA':
        if (current?.transactions.every(({ id }) => id !== num(record, 'txId')))
          current.transactions.push({ id: num(record, 'txId'), nodes: [] });
        break;
      case 'TRANSACTION_NODE_DATA':
        if (current !== undefined) touch(current, record);
        break;
      case 'GUEST_RING_DATA':
        if (current !== undefined) current.output = joined(current.output, octets(record, 'value'));
        break;
    }
  }
  const scope = domid === undefined ? 'update' : 'migration';
  return { ...EMPTY_STATE, scope, nodes: parentsFirst(nodes), connections: [...connections.values()] };
}

/** Records come in any order; each node goes behind its parent, as far as that is there. */
function parentsFirst(nodes: readonly NodeState[]): NodeState[] {
  const all = new Set(nodes.map(({ path }) => path));
  const placed = new Set<string>(['/']); // known to every reader
  const sorted: NodeState[] = [];
  for (let left = [...nodes]; left.length > 0; ) {
    const late: NodeState[] = [];
    for (const node of left) {
      const parent = parentPath(node.path);
      if (parent !== undefined && all.has(parent) && !placed.has(parent)) late.push(node);
      else {
        placed.add(node.path);
        sorted.push(node);
      }
    }
    left = late;
  }
  return sorted;
}

/** A transaction that nothing else tells of began with its first node. */
function touch(conn: Growing, record: LooseRecord): void {
  const id = num(record, 'txId');
  const acl = aclOf(record);
  const node = {
    path: textOf(octets(record, 'path')),
    read: false,
    written: acl.length > 0,
    value: octets(record, 'value'),
    acl,
  };
  const at = conn.transactions.findIndex((tx) => tx.id === id);
  const tx = conn.transactions[at];
  if (tx === undefined) conn.transactions.push({ id, nodes: [node] });
  else conn.transactions[at] = { ...tx, nodes: [...tx.nodes, node] };
}

export interface StreamLayout {
  /** DOMAIN_START tells whose records follow. */
  readonly hasDomainStart: boolean;
  /** TRANSACTION_DATA is written; else a transaction is told by its nodes. */
  readonly hasTxRecord: boolean;
  /** An END record is the last. */
  readonly hasEnd: boolean;
}

/** The records of a state that holds nothing but what the format can carry (`reduceState`). */
export function streamOfState(state: DaemonState, layout: StreamLayout): RecordsOfState {
  const records: LooseRecord[] = [];
  const assumptions: Assumption[] = [];
  for (const { path, value, acl } of state.nodes)
    records.push({ kind: 'NODE_DATA', path: octetsOf(path), perms: permsOf(acl), value });
  for (const { link, watches, transactions, output } of state.connections) {
    if (link.kind !== 'ring') throw new Error(`${connectionName(link)} cannot be here`); // the reduction took it
    if (layout.hasDomainStart) records.push({ kind: 'DOMAIN_START', domid: link.domid });
    for (const { path, token } of watches) records.push({ kind: 'WATCH_DATA', wpath: octetsOf(path), token });
    for (const { id, nodes } of transactions) {
      if (layout.hasTxRecord) records.push({ kind: 'TRANSACTION_DATA', txId: id });
      for (const { path, value, acl } of nodes)
        records.push({ kind: 'TRANSACTION_NODE_DATA', txId: id, path: octetsOf(path), perms: permsOf(acl), value });
    }
    if (output.length > 0) records.push({ kind: 'GUEST_RING_DATA', value: output });
  }
  if (layout.hasEnd) records.push({ kind: 'END' });
  return { records, assumptions };
}
