import { type Carriage, extentOf, type StateRow } from './carriage.ts';
import type { Loss, Thing } from './losses.ts';
import { keptEntries } from './reduce-nodes.ts';
import type { ReduceOptions, Report } from './reduction.ts';
import {
  type ConnectionState,
  connectionName,
  type RingLink,
  type TouchedNode,
  type TransactionState,
  type WatchState,
} from './state.ts';

const NOTHING = new Uint8Array(0);

export interface ConnectionContext extends ReduceOptions {
  /** Domains whose connections come before this one. */
  readonly earlier: ReadonlySet<number>;
}

/** A connection without what the format cannot carry of it. */
export function reduceConnection(
  conn: ConnectionState,
  carriage: Carriage,
  context: ConnectionContext,
  report: Report,
): ConnectionState {
  const connection = connectionName(conn.link);
  const thing: Thing = { kind: 'connection', connection };
  const lose = (row: StateRow, fate: Loss['fate'], how: string) => report(row, thing, fate, how);
  const lacks = (row: StateRow) => extentOf(carriage, row) === 'none';
  const link = conn.link.kind === 'ring' ? reduceRing(conn.link, carriage, context, lose) : conn.link;
  const isReadOnly = !lacks('readOnly') && (conn.link.kind === 'socket' || carriage.readOnlyRings);
  if (conn.readOnly && !isReadOnly) lose('readOnly', 'changed', 'it may write');
  const hasDepth = !lacks('watchDepth') && (context.version ?? 2) >= 2;
  const watches = conn.watches.map((watch) => (hasDepth ? watch : reduceWatch(watch, connection, report)));
  const transactions = conn.transactions.flatMap((tx) => reduceTransaction(tx, connection, carriage, context, report));
  let { delayed, input, output, restBytes } = conn;
  if (delayed.length > 0 && lacks('delayed')) {
    const size = delayed.reduce((sum, message) => sum + message.length, 0);
    lose('delayed', 'dropped', `${delayed.length} requests of ${size} octets, which are never answered`);
    delayed = [];
  }
  if (input.length > 0 && lacks('input')) {
    lose('input', 'dropped', `${input.length} octets; the rest of the request reads as a new one`);
    input = NOTHING;
  }
  if (output.length > 0 && lacks('output')) {
    lose('output', 'dropped', `${output.length} octets`);
    if (restBytes > 0) lose('outputBoundary', 'dropped', `the client waits for ${restBytes} octets more`);
    output = NOTHING;
    restBytes = 0;
  }
  if (restBytes > 0 && lacks('outputBoundary')) {
    if (carriage.outputOnBoundary) {
      lose('outputBoundary', 'dropped', `all ${output.length} octets of output: they do not start with a message`);
      output = NOTHING;
    } else lose('outputBoundary', 'changed', `${restBytes} octets of a half-sent message look like a whole one`);
    restBytes = 0;
  }
  const readOnly = conn.readOnly && isReadOnly;
  return { link, readOnly, watches, transactions, delayed, input, output, restBytes };
}

function reduceRing(
  ring: RingLink,
  carriage: Carriage,
  { earlier }: ConnectionContext,
  lose: (row: StateRow, fate: Loss['fate'], how: string) => void,
): RingLink {
  const kept: { -readonly [K in keyof RingLink]: RingLink[K] } = { ...ring };
  const lacks = (row: StateRow) => extentOf(carriage, row) === 'none';
  if (ring.target !== undefined) {
    const isLate = carriage.marks.target === 'p6' && !earlier.has(ring.target);
    if (isLate) lose('target', 'dropped', `domain ${ring.target}, whose connection does not come earlier`);
    else if (lacks('target')) lose('target', 'dropped', `domain ${ring.target}`);
    if (isLate || lacks('target')) delete kept.target;
  }
  const port = carriage.marks.port;
  if (ring.port !== undefined && port !== 'daemon' && port !== 'both') {
    lose('port', 'dropped', `${ring.port}, the daemon's`);
    delete kept.port;
  }
  if (ring.guestPort !== undefined && port !== 'guest' && port !== 'both') {
    lose('port', 'dropped', `${ring.guestPort}, the guest's`);
    delete kept.guestPort;
  }
  if (ring.mfn !== undefined && lacks('mfn')) {
    lose('mfn', 'dropped', `${ring.mfn}`);
    delete kept.mfn;
  }
  if (ring.uniqueId !== undefined && lacks('uniqueId')) {
    lose('uniqueId', 'dropped', `0x${ring.uniqueId.toString(16)}`);
    delete kept.uniqueId;
  }
  const hasReleased = carriage.marks.flags === 'p9';
  const hasAll = extentOf(carriage, 'flags') === 'full';
  const lost = Object.keys(ring.flags ?? {}).filter((flag) => !hasAll && (flag !== 'released' || !hasReleased));
  if (lost.length > 0) {
    lose('flags', 'dropped', lost.join(', '));
    if (hasReleased && ring.flags?.released) kept.flags = { released: true };
    else delete kept.flags;
  }
  return kept;
}

function reduceWatch(watch: WatchState, connection: string, report: Report): WatchState {
  const { path, token, depth } = watch;
  if (depth === undefined) return watch;
  report('watchDepth', { kind: 'watch', connection, path, token }, 'changed', `depth ${depth} becomes unlimited`);
  return { path, token };
}

function reduceTransaction(
  tx: TransactionState,
  connection: string,
  carriage: Carriage,
  { txRecord = true, txReads = 'omit' }: ReduceOptions,
  report: Report,
): TransactionState[] {
  const { id } = tx;
  const thing: Thing = { kind: 'transaction', connection, id };
  const lacks = (row: StateRow) => extentOf(carriage, row) === 'none';
  const touched = (path: string): Thing => ({ ...thing, path });
  if (tx.base !== undefined && lacks('txBase')) report('txBase', thing, 'dropped', `generation ${tx.base}`);
  if (tx.events !== undefined && tx.events.length > 0 && lacks('txEvents'))
    report('txEvents', thing, 'dropped', `${tx.events.length} events`);
  const nodes = tx.nodes.flatMap((node): TouchedNode[] => {
    const lose = (row: StateRow, fate: Loss['fate'], how: string) => report(row, touched(node.path), fate, how);
    if (node.base !== undefined && lacks('txBase')) lose('txBase', 'dropped', `generation ${node.base}`);
    if (node.path.startsWith('@') && lacks('specialAcl')) {
      lose('specialAcl', 'dropped', 'special nodes have no name there');
      return [];
    }
    const row = node.written ? 'txWrites' : node.read ? 'txReads' : 'txDeletes';
    if (lacks(row)) {
      lose(row, 'dropped', node.written ? 'written' : node.read ? 'read' : 'deleted');
      return [];
    }
    if (carriage.marks.txReads === 'p4' && node.read) {
      if (!node.written && txReads === 'omit') {
        lose('txReads', 'dropped', 'read');
        return [];
      }
      lose('txReads', 'changed', node.written ? 'read and written becomes written' : 'read becomes written');
    }
    const acl = keptEntries(node.acl, carriage, lose);
    const isFlat = carriage.marks.txReads === 'p4' && node.read;
    const { path, value } = node;
    const access = isFlat ? { read: false, written: true } : { read: node.read, written: node.written };
    const base = node.base === undefined || lacks('txBase') ? {} : { base: node.base };
    return [{ path, ...access, value, acl, ...base }];
  });
  if (lacks('txId')) {
    report('txId', thing, 'dropped', 'the client finds that it does not exist');
    return [];
  }
  if (id === 0 && carriage.names === 'domids') {
    report('txId', thing, 'dropped', '0 is no id there');
    return [];
  }
  if (!txRecord && nodes.length === 0) {
    report('txId', thing, 'dropped', 'no node of it is carried that would tell of it');
    return [];
  }
  const base = tx.base === undefined || lacks('txBase') ? {} : { base: tx.base };
  const events = tx.events === undefined || lacks('txEvents') ? {} : { events: tx.events };
  return [{ id, nodes, ...base, ...events }];
}
