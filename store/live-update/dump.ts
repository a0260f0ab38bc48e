import { DOMID_INVALID } from '../../sim/index.ts';
import type { Connection } from '../daemon/connection.ts';
import { QUOTA_LIST, type Quotas } from '../daemon/quota.ts';
import { isCurrent } from '../daemon/rights.ts';
import { SPECIAL_NODES } from '../daemon/special-nodes.ts';
import type { DaemonState } from '../daemon/state.ts';
import {
  type Dialect,
  FileWriter,
  type FormatFailure,
  formatFailure,
  type Perm as ImagePerm,
  type StateRecord,
  type WatchData,
  type WatchDataExtended,
} from '../format/index.ts';
import { octetsOf } from '../protocol/octets.ts';
import { childOf } from '../protocol/path.ts';
import type { Perm } from '../protocol/perms.ts';
import { type Message, OK, message as wireMessage } from '../protocol/wire.ts';
import { hasName, listOf } from '../tree/names.ts';
import type { Node } from '../tree/node.ts';

const NODE_READ = 1;
const NODE_WRITTEN = 2;
const LETTERS = ['n', 'r', 'w', 'b'] as const;

/** Numbers that mean something to the process only. */
export interface ProcessNumbers {
  readonly listenerFd: number;
  readonly evtchnFd: number;
  /** The port that VIRQ_DOM_EXC is bound to. */
  readonly excPort?: number | undefined;
  /** The guest's end of the daemon's port. */
  readonly remotePortOf?: (port: number) => number | undefined;
}

/** The connection that asked for the update, and its request: its answer travels in the image. */
export interface Requester {
  readonly conn: Connection;
  readonly message: Message;
}

/**
 * The daemon's whole state as an image (store.md 9.4).
 * @returns the octets, or why they could not be written: the text that the requester gets.
 */
export function dumpState(
  state: DaemonState,
  dialect: Dialect,
  numbers: ProcessNumbers,
  requester: Requester | undefined,
): { readonly ok: true; readonly image: Uint8Array } | { readonly ok: false; readonly reason: string } {
  const writer = new FileWriter(dialect, { capacity: 4096 + state.tree.size * NODE_OCTETS });
  let failure: FormatFailure | undefined;
  putRecords(state, dialect, numbers, requester, (record) => {
    failure ??= writer.append(record);
  });
  if (failure !== undefined) return { ok: false, reason: formatFailure(failure) };
  const image = writer.finish();
  return image.ok ? { ok: true, image: image.value.slice() } : { ok: false, reason: formatFailure(image.failure) };
}

/** Room for a node at first: a guess. */
const NODE_OCTETS = 96;

/** All records, in the order of the dialect's daemon. */
export function putRecords(
  state: DaemonState,
  dialect: Dialect,
  numbers: ProcessNumbers,
  requester: Requester | undefined,
  put: (record: StateRecord) => void,
  hasTransactions = state.options.policy === 'carry',
): void {
  const hasV2 = dialect.version >= 2;
  put({ kind: 'GLOBAL_DATA', socketFd: numbers.listenerFd, evtchnFd: numbers.evtchnFd });
  if (hasV2) put({ kind: 'GLOBAL_QUOTA_DATA', domainQuotas: quotaList(state.quotas), globalQuotas: [] });
  const ids = new Map<Connection, number>();
  for (const conn of state.connections) {
    const connId = ids.size + 1;
    ids.set(conn, connId);
    put(connectionRecord(state, conn, connId, hasV2, requester?.conn === conn ? requester.message : undefined));
    for (const watch of conn.watches) {
      const strings = { connId, wpath: octetsOf(watch.path.slice(watch.prefix)), token: octetsOf(watch.token) };
      const plain: WatchData = { kind: 'WATCH_DATA', ...strings };
      const extended: WatchDataExtended = {
        kind: 'WATCH_DATA_EXTENDED',
        ...strings,
        depth: Math.min(watch.depth, 0xfffe),
      };
      put(hasV2 && watch.depth >= 0 ? extended : plain);
    }
  }
  const pending: StateRecord[] = [];
  if (hasTransactions) {
    for (const [conn, connId] of ids)
      for (const tx of conn.transactions.values()) {
        put({ kind: 'TRANSACTION_DATA', connId, txId: tx.id });
        for (const { path, node, modified } of tx.accesses.values()) {
          // A node that is not there, removed or only looked for in vain: both are access 0 without permissions.
          const access = node === undefined ? 0 : NODE_READ | (modified ? NODE_WRITTEN : 0);
          const perms = node === undefined ? [] : imagePerms(state, node);
          const value = node?.value ?? new Uint8Array(0);
          pending.push({ kind: 'NODE_DATA', connId, txId: tx.id, access, perms, path: octetsOf(path), value });
          // No record has a list of children. What others have made below it since is not there in this view: say so.
          for (const base of node === undefined ? [] : listOf(state.tree.get(path)?.children ?? [])) {
            const child = childOf(path, base);
            if ((node !== undefined && hasName(node.children, base)) || tx.accesses.has(child)) continue;
            const absent = { access: 0, perms: [], path: octetsOf(child), value: new Uint8Array(0) };
            pending.push({ kind: 'NODE_DATA', connId, txId: tx.id, ...absent });
          }
        }
      }
  }
  const specials = specialRecords(state);
  if (!hasV2) for (const special of specials) put(special);
  const root = state.tree.get('/');
  const todo = root === undefined ? [] : [root];
  let before: Node | undefined;
  let perms: readonly ImagePerm[] = [];
  for (let node = todo.pop(); node !== undefined; node = todo.pop()) {
    // Neighbours often share their entries; of a lone one, the owner's, it does not matter how old the node is.
    if (node.perms !== before?.perms || node.perms.length > 1) perms = imagePerms(state, node);
    before = node;
    put(nodeRecord(node, perms));
    const names = listOf(node.children);
    for (let i = names.length - 1; i >= 0; i--) {
      const child = state.tree.get(childOf(node.path, names[i] as string));
      if (child !== undefined) todo.push(child);
    }
  }
  if (hasV2) for (const special of specials) put(special);
  for (const record of pending) put(record);
  if (hasV2)
    for (const { domid, features, quotas } of state.records.values())
      put({ kind: 'DOMAIN_DATA', domid, features, quotas: quotaList(quotas) });
  put({ kind: 'END' });
}

function connectionRecord(
  state: DaemonState,
  conn: Connection,
  connId: number,
  withUniqueId: boolean,
  answered: Message | undefined,
): StateRecord {
  const input: Uint8Array[] = [];
  const whole = (m: Message) => wireMessage(m.type, m.reqId, m.txId, m.payload);
  for (const delayed of conn.delayed) if (delayed.kind !== 'live-update') input.push(whole(delayed.message));
  if (conn.blocked !== undefined) input.push(whole(conn.blocked));
  else if (conn.headerUsed > 0) {
    input.push(conn.header.slice(0, conn.headerUsed));
    if (conn.body !== undefined) input.push(conn.body.slice(0, conn.bodyUsed));
  }
  const output: Uint8Array[] = [];
  let outRespLen = 0;
  for (const [i, out] of conn.out.entries()) {
    const rest = out.bytes.subarray(out.sent);
    if (i === 0 && (out.sent > 0 || out.kind === 'restored')) outRespLen = rest.length;
    output.push(rest);
  }
  if (answered !== undefined) output.push(wireMessage(answered.type, answered.reqId, answered.txId, OK));
  const { link } = conn;
  const record = {
    kind: 'CONNECTION_DATA' as const,
    connId,
    conn:
      link.kind === 'ring'
        ? {
            kind: 'ring' as const,
            domid: conn.domid,
            targetDomid: conn.target?.domid ?? DOMID_INVALID,
            port: link.port,
          }
        : { kind: 'socket' as const, fd: link.stream.fd },
    inData: octetsOf(...input),
    outRespLen,
    outData: octetsOf(...output),
  };
  const uniqueId = withUniqueId && link.kind === 'ring' ? state.records.get(conn.domid)?.uniqueId : undefined;
  return uniqueId === undefined ? record : { ...record, uniqueId };
}

function imagePerm(perm: Perm, stale: boolean): ImagePerm {
  return {
    letter: LETTERS[perm.rights & 3] as (typeof LETTERS)[number],
    flags: stale ? 1 : 0,
    domid: perm.domid & 0xffff,
  };
}

function imagePerms(state: DaemonState, { perms, generation }: Node): ImagePerm[] {
  return perms.map((p, i) => imagePerm(p, p.stale || (i > 0 && !isCurrent(state, p, generation))));
}

function nodeRecord(node: Node, perms: readonly ImagePerm[]): StateRecord {
  return {
    kind: 'NODE_DATA',
    connId: 0,
    txId: 0,
    access: 0,
    perms,
    path: octetsOf(node.path),
    value: node.value,
  };
}

function specialRecords(state: DaemonState): StateRecord[] {
  return SPECIAL_NODES.flatMap((path) => {
    const node = state.tree.get(path);
    if (node !== undefined) return [nodeRecord(node, imagePerms(state, node))];
    const perms = state.specialPerms.get(path);
    if (perms === undefined) return [];
    const kept: Node = { path, value: new Uint8Array(0), perms, children: [], childOctets: 0, generation: 0 };
    // As they are: whether the daemon has a record of a domain says nothing of entries beside the tree, which go with its end.
    return [
      nodeRecord(
        kept,
        perms.map((p) => imagePerm(p, p.stale)),
      ),
    ];
  });
}

function quotaList(quotas: Readonly<Quotas>): { readonly name: Uint8Array; readonly value: number }[] {
  return QUOTA_LIST.split(' ').map((name) => ({ name: octetsOf(name), value: quotas[name as keyof Quotas] >>> 0 }));
}
