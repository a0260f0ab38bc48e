import { DOMID_INVALID } from '../../sim/index.ts';
import type { Connection, OutMessage } from '../daemon/connection.ts';
import { Daemon } from '../daemon/daemon.ts';
import type { StoreOptions } from '../daemon/options.ts';
import type { Platform, Stream } from '../daemon/platform.ts';
import { isQuota, type Quotas } from '../daemon/quota.ts';
import { DaemonState } from '../daemon/state.ts';
import { NOBODY } from '../daemon/wakes.ts';
import {
  type ConnectionData,
  FileReader,
  type FormatFailure,
  formatFailure,
  type NodeData,
  RuleCheck,
  rulesOf,
  type StateRecord,
  v2,
} from '../format/index.ts';
import { MessageReader } from '../protocol/message-reader.ts';
import { textOf } from '../protocol/octets.ts';
import { baseOf, childOf, parentOf } from '../protocol/path.ts';
import { HEADER_BYTES, messageEnd, messageType, payloadLength, XS } from '../protocol/wire.ts';
import { listOf } from '../tree/names.ts';
import type { Node } from '../tree/node.ts';
import { newTransaction, type Transaction } from '../tree/transaction.ts';
import { RestoredTree, restorePerms } from './restored-tree.ts';

const NODE_WRITTEN = 2;

/** Quotas of a domain that nothing else tells of do no harm. */
const RULES = rulesOf(v2.format, { ...v2.knobs, unknownDomain: 'skip' }, 'error');

export type Restored =
  | { readonly ok: true; readonly state: DaemonState }
  | { readonly ok: false; readonly reason: string };

/**
 * A daemon's state from the octets of an image alone (store.md 9.6). Touches nothing of the machine: rings are not mapped yet,
 * so that a failure leaves the predecessor as it is.
 * @param sockets streams by file descriptor; a connection whose descriptor is unknown is left out.
 */
export function restoreState(
  image: Uint8Array,
  platform: Platform,
  options: StoreOptions,
  sockets: ReadonlyMap<number, Stream>,
): Restored {
  // One copy of the whole: values are windows on it, which nobody else can change.
  const reader = new FileReader(v2, new Uint8Array(image));
  const restoring = new Restoring(platform, options, sockets);
  const check = new RuleCheck(RULES, [], { 'node-unique': restoring.nodes });
  let finding: FormatFailure | undefined;
  let failed: string | undefined;
  // To the end in any case: that it cannot be read is said before what is wrong with it, and that before what could not
  // be made of it. After the first fault nothing is made of the rest.
  for (let record = reader.next(); record !== undefined; record = reader.next()) {
    const breach = check.take(record)[0];
    if (breach !== undefined) finding ??= { ...breach, offset: reader.offset, record: reader.index, name: record.kind };
    if (finding !== undefined || failed !== undefined) continue;
    failed = restoring.take(record, record.kind === 'NODE_DATA' ? check.text(record, 'path') : '');
  }
  if (reader.failure !== undefined) return { ok: false, reason: formatFailure(reader.failure) };
  const trailing = image.length - reader.pos;
  if (trailing > 0)
    finding ??= {
      offset: reader.pos,
      record: reader.index + 1,
      name: 'trailing',
      path: '',
      reason: `${trailing} octets after END`,
    };
  if (finding !== undefined) return { ok: false, reason: formatFailure(finding) };
  if (failed !== undefined) return { ok: false, reason: failed };
  const end = { offset: reader.pos, record: reader.index, name: 'END', path: '' };
  return restoring.finish((reason) => formatFailure({ ...end, reason }));
}

/** A state that grows record by record, in the order of an image that was found sound so far. */
export class Restoring {
  /** The parts that fill the state in; nobody is served by them. */
  readonly daemon: Daemon;
  readonly #sockets: ReadonlyMap<number, Stream>;
  readonly #conns = new Map<number, Connection>();
  readonly #pending = new Map<string, { readonly tx: Transaction; readonly nodes: NodeData[] }>();
  /** What is there of the tree, by path. */
  readonly nodes: RestoredTree;

  constructor(platform: Platform, options: StoreOptions, sockets: ReadonlyMap<number, Stream>) {
    this.daemon = new Daemon(new DaemonState(options), platform, NOBODY);
    this.daemon.state.generation = 1;
    this.#sockets = sockets;
    this.nodes = new RestoredTree(this.daemon);
  }

  /**
   * @param nodePath the path as text, if the record is a node.
   * @returns why the record cannot be restored.
   */
  take(record: StateRecord, nodePath: string): string | undefined {
    const { daemon } = this;
    const { state } = daemon;
    switch (record.kind) {
      case 'GLOBAL_DATA':
      case 'UNKNOWN':
      case 'END':
        return undefined;
      case 'GLOBAL_QUOTA_DATA':
        for (const q of record.domainQuotas) setQuota(state.quotas, textOf(q.name), q.value);
        return undefined;
      case 'CONNECTION_DATA': {
        const conn = restoreConnection(daemon, record, this.#sockets);
        if (conn !== undefined) this.#conns.set(record.connId, conn);
        return undefined;
      }
      case 'WATCH_DATA':
      case 'WATCH_DATA_EXTENDED': {
        const conn = this.#conns.get(record.connId);
        if (conn === undefined) return undefined;
        const depth = record.kind === 'WATCH_DATA' || record.depth === 0xffff ? -1 : record.depth;
        restoreWatch(daemon, conn, textOf(record.wpath), textOf(record.token), depth);
        return undefined;
      }
      case 'TRANSACTION_DATA': {
        const conn = this.#conns.get(record.connId);
        if (conn === undefined || state.options.policy !== 'carry') return undefined;
        const tx = newTransaction(record.txId, true);
        conn.lastTxId = Math.max(conn.lastTxId, tx.id);
        daemon.transactions.open(conn, tx);
        this.#pending.set(`${record.connId}/${record.txId}`, { tx, nodes: [] });
        return undefined;
      }
      case 'NODE_DATA':
        if (record.connId === 0) return this.nodes.add(nodePath, record);
        this.#pending.get(`${record.connId}/${record.txId}`)?.nodes.push(record);
        return undefined;
      case 'DOMAIN_DATA': {
        const known = daemon.records.findOrMake(record.domid);
        if (known === undefined) return undefined;
        known.features = record.features;
        for (const q of record.quotas) setQuota(known.quotas, textOf(q.name), q.value);
        return undefined;
      }
    }
  }

  /** The connection of this number, if it could be restored. */
  connection(connId: number): Connection | undefined {
    return this.#conns.get(connId);
  }

  /** Errors: why nobody could begin with what was restored. @param atEnd says of a reason where the records ended. */
  finish(atEnd: (reason: string) => string = (reason) => reason): Restored {
    this.nodes.finish();
    if (this.daemon.state.tree.get('/') === undefined)
      return { ok: false, reason: atEnd('no record tells of the node /') };
    for (const { tx, nodes } of this.#pending.values()) restoreView(this.daemon, tx, nodes);
    return { ok: true, state: this.daemon.state };
  }
}

function setQuota(quotas: Quotas, name: string, value: number): void {
  if (isQuota(name)) quotas[name] = value;
}

function restoreConnection(
  daemon: Daemon,
  record: ConnectionData,
  sockets: ReadonlyMap<number, Stream>,
): Connection | undefined {
  const { connections, platform, records, state } = daemon;
  let conn: Connection;
  if (record.conn.kind === 'socket') {
    const stream = sockets.get(record.conn.fd);
    if (stream === undefined) return undefined;
    conn = connections.addSocket(stream);
  } else {
    const { domid, targetDomid, port } = record.conn;
    const known = records.make(domid);
    known.introduced = true;
    known.uniqueId = record.uniqueId ?? 0n;
    known.credit = state.rate.introduce(platform.nowMs());
    conn = connections.addRing(domid, undefined, port);
    // As in the daemon: a target whose connection comes later in the image is lost.
    if (targetDomid !== DOMID_INVALID) conn.target = state.connections.ringOf(targetDomid);
  }
  restoreInput(daemon, conn, record.inData);
  restoreOutput(daemon, conn, record.outData, record.outRespLen);
  return conn;
}

/** Whole messages were put aside; at most one partial one is being read. */
export function restoreInput({ delayed }: Daemon, conn: Connection, data: Uint8Array): void {
  const reader = new MessageReader('refused'); // none is so long: the rules of the format see to it
  reader.push(data);
  for (let message = reader.shift(); message !== undefined; message = reader.shift())
    delayed.add(conn, { message, kind: 'restored' });
  const rest = reader.rest();
  conn.headerUsed = Math.min(rest.length, HEADER_BYTES);
  conn.header.set(rest.subarray(0, conn.headerUsed));
  if (conn.headerUsed < HEADER_BYTES) return;
  conn.body = new Uint8Array(payloadLength(rest));
  conn.bodyUsed = rest.length - HEADER_BYTES;
  conn.body.set(rest.subarray(HEADER_BYTES));
}

/**
 * The rest of a half-sent message, then whole ones. Events may be dropped by time again, and are not compared to later
 * ones; everything else is outstanding until it is sent.
 */
export function restoreOutput(
  { accounting, output }: Daemon,
  conn: Connection,
  data: Uint8Array,
  restLength: number,
): void {
  const push = (kind: OutMessage['kind'], bytes: Uint8Array, deadlineMs: number) => {
    const cause = kind === 'event' ? undefined : { conn, pending: 1 };
    if (cause !== undefined) accounting.count(conn, 'outstanding', 1);
    conn.out.push({ kind, bytes, sent: 0, eventKey: '', deadlineMs, cause });
    accounting.charge(conn.domid, bytes.length);
  };
  if (restLength > 0) push('restored', data.slice(0, restLength), 0);
  let at = restLength;
  for (let end = messageEnd(data, at); end !== undefined; end = messageEnd(data, at)) {
    const isEvent = messageType(data, at) === XS.WATCH_EVENT;
    const deadlineMs = isEvent ? output.eventDeadlineMs(conn) : 0;
    push(isEvent ? 'event' : 'reply', data.slice(at, end), deadlineMs);
    if (deadlineMs !== 0) output.noteDeadline(conn, deadlineMs);
    at = end;
  }
  if (at < data.length) push('restored', data.slice(at), 0);
}

/** Without its initial event. The path check's result does not matter, limits are not applied. */
export function restoreWatch(
  { names, watches }: Daemon,
  conn: Connection,
  path: string,
  token: string,
  depth: number,
): void {
  names.ofText(conn, path); // its length has been seen
  const isRelative = !path.startsWith('/') && !path.startsWith('@');
  const home = `${names.homeOf(conn)}/`;
  const prefix = isRelative ? home.length : 0;
  watches.add({ conn, path: isRelative ? home + path : path, token, depth, prefix });
}

/** What a carried transaction sees: its own copies, with the child lists that follow from what it made and removed. */
export function restoreView(daemon: Daemon, tx: Transaction, nodes: readonly NodeData[]): void {
  const { state } = daemon;
  const seen = new Map<string, NodeData>(nodes.map((n) => [textOf(n.path), n]));
  const below = new Map<string, string[]>();
  for (const [path, { perms }] of seen) {
    if (perms.length === 0 || path === '/') continue;
    const bases = below.get(parentOf(path));
    if (bases === undefined) below.set(parentOf(path), [baseOf(path)]);
    else bases.push(baseOf(path));
  }
  for (const [path, record] of seen) {
    const live = state.tree.get(path);
    const isAbsent = record.perms.length === 0;
    const modified = isAbsent || (record.access & NODE_WRITTEN) !== 0;
    let node: Node | undefined;
    if (!isAbsent) {
      const known = listOf(live?.children ?? []).filter((base) => seen.get(childOf(path, base))?.perms.length !== 0);
      const names = [...new Set([...known, ...(below.get(path) ?? [])])];
      node = {
        path,
        value: record.value,
        perms: restorePerms(daemon, record.perms),
        children: names,
        childOctets: names.reduce((n, name) => n + name.length + 1, 0),
        generation: live?.generation ?? state.generation,
      };
    }
    tx.accesses.set(path, {
      path,
      base: live?.generation ?? -1,
      basePerms: live?.perms,
      node,
      modified,
      fire: undefined,
    });
  }
}
