import { DOMID_SELF, FEATURE_DOMID_ANY, FEATURE_WATCHDEPTH } from '../../sim/index.ts';
import { octetsOf } from '../protocol/octets.ts';
import { homeOf, parentOf, uncheckedSpecial } from '../protocol/path.ts';
import { formatPerm, OWNER, type Perm, parsePerm, READ, WRITE } from '../protocol/perms.ts';
import {
  atoi,
  ERROR_NAMES,
  type ErrorName,
  HEADER_BYTES,
  type Message,
  OK,
  oneString,
  PAYLOAD_MAX,
  refuse,
  StoreError,
  strictDomid,
  strings,
  message as wireMessage,
  XS,
} from '../protocol/wire.ts';
import { commit } from '../tree/commit.ts';
import { type Node, ownerOf } from '../tree/node.ts';
import { newTransaction, type Transaction } from '../tree/transaction.ts';
import { View } from '../tree/view.ts';
import type { Connection, Delayed, Outstanding } from './connection.ts';
import { control } from './control.ts';
import { SERVER_FEATURES_OFFERED } from './domains.ts';
import { isQuota, QUOTA_LIST } from './quota.ts';
import type { DaemonState } from './state.ts';
import { queueEvent, type Watch } from './watch.ts';

/** One request in the hands of its handler. */
interface Request {
  readonly state: DaemonState;
  readonly conn: Connection;
  readonly message: Message;
  readonly tx: Transaction | undefined;
  readonly view: View;
}

/** Returns the payload of the answer, or an error's name; `undefined`: it was queued already, or comes later. Throws StoreError. */
type Answer = Uint8Array | ErrorName | undefined;
type Handler = (request: Request) => Answer;

interface Operation {
  readonly run: Handler;
  /** Only for privileged connections. */
  readonly priv?: true;
  /** The header's tx_id is not looked at. */
  readonly ignoresTx?: true;
}

/** One handler per operation, by message type (store.md 1.2). */
const OPERATIONS: readonly (Operation | undefined)[] = table({
  CONTROL: { run: ({ state, conn, message }) => control(state, conn, message), priv: true },
  DIRECTORY: { run: directory },
  READ: { run: read },
  GET_PERMS: { run: getPerms },
  WATCH: { run: watch, ignoresTx: true },
  UNWATCH: { run: unwatch, ignoresTx: true },
  TRANSACTION_START: { run: transactionStart },
  TRANSACTION_END: { run: transactionEnd },
  INTRODUCE: { run: introduce, priv: true },
  RELEASE: { run: release, priv: true },
  GET_DOMAIN_PATH: { run: (r) => octetsOf(`${homeOf(domidArg(r))}\0`) },
  WRITE: { run: write },
  MKDIR: { run: mkdir },
  RM: { run: rm },
  SET_PERMS: { run: setPerms },
  IS_DOMAIN_INTRODUCED: { run: isIntroduced, priv: true },
  RESUME: { run: resume, priv: true },
  SET_TARGET: { run: setTarget, priv: true },
  RESET_WATCHES: { run: resetWatches },
  DIRECTORY_PART: { run: directoryPart },
  GET_FEATURE: { run: getFeature },
  SET_FEATURE: { run: setFeature, priv: true },
  GET_QUOTA: { run: getQuota, priv: true },
  SET_QUOTA: { run: setQuota, priv: true },
});

function table(byName: Readonly<Partial<Record<keyof typeof XS, Operation>>>): readonly (Operation | undefined)[] {
  const operations: (Operation | undefined)[] = [];
  for (const [name, operation] of Object.entries(byName)) operations[XS[name as keyof typeof XS]] = operation;
  return operations;
}

/**
 * Process one complete request: the errno door of the store. Whatever a client sends, it gets an answer and the daemon goes
 * on; anything but a StoreError arriving here is our own mistake and passes through.
 * Order of checks: store.md 1.5. Source: core.c, process_message.
 */
export function processMessage(state: DaemonState, conn: Connection, message: Message): void {
  state.currentRequest = conn.isUnprivileged ? { conn, pending: 1 } : undefined;
  state.currentWrites = 0;
  let answer: Answer;
  try {
    answer = dispatch(state, conn, message);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    answer = error.errno;
  }
  const cause = state.currentRequest;
  state.currentRequest = undefined;
  if (typeof answer === 'string') reply(state, conn, message, XS.ERROR, errorPayload(answer), cause);
  else if (answer !== undefined) reply(state, conn, message, message.type, answer, cause);
  if (state.currentWrites > 0) state.payForWrites(conn, state.currentWrites);
}

function dispatch(state: DaemonState, conn: Connection, message: Message): Answer {
  const { type, txId } = message;
  if (type === XS.TRANSACTION_START && isPutAside(state, conn, message)) return undefined;
  const operation = type <= state.compat.typeMax ? OPERATIONS[type] : undefined;
  if (operation === undefined) return 'ENOSYS';
  if (operation.priv === true && conn.isUnprivileged) return 'EACCES';
  let tx: Transaction | undefined;
  if (txId !== 0 && operation.ignoresTx !== true) {
    tx = conn.transactions.get(txId);
    if (tx === undefined) return 'ENOENT';
  }
  // The first allocation of most handlers. In a transaction a failed one dooms the commit; a START may be put aside and come again.
  const mayFail = tx === undefined && conn.isLimited && type !== XS.TRANSACTION_START;
  if (mayFail && state.platform.lacksMemory(conn.domid)) return 'ENOMEM';
  return operation.run({ state, conn, message, tx, view: new View(state, conn, tx) });
}

/** A START while a live update is pending and the connection has nothing open waits, before anything of it is looked at. */
function isPutAside(state: DaemonState, conn: Connection, message: Message): boolean {
  if (state.liveUpdate === undefined || state.options.policy !== 'daemon' || conn.transactions.size > 0) return false;
  if (conn.isUnprivileged && conn.delayed.length > 0) conn.blocked = message;
  else state.delay(conn, { message, kind: 'transaction-start' });
  return true;
}

function errorPayload(errno: ErrorName): Uint8Array {
  return ERROR_PAYLOADS.get(errno) as Uint8Array;
}

const ERROR_PAYLOADS = new Map<ErrorName, Uint8Array>(ERROR_NAMES.map((name) => [name, octetsOf(`${name}\0`)]));

/** Queue an answer; too long a one becomes E2BIG, one that the domain's memory does not allow ENOMEM. */
export function reply(
  state: DaemonState,
  conn: Connection,
  to: Message,
  type: number,
  payload: Uint8Array,
  cause: Outstanding | undefined,
): void {
  if (conn.isClosed || conn.isIgnored) return;
  const { length } = payload;
  let bytes: Uint8Array;
  if (length > PAYLOAD_MAX) bytes = wireMessage(XS.ERROR, to.reqId, to.txId, errorPayload('E2BIG'));
  else if (length > FREE_PAYLOAD && state.memoryExceeded(conn, HEADER_BYTES + length))
    bytes = wireMessage(XS.ERROR, to.reqId, to.txId, errorPayload('ENOMEM'));
  else bytes = wireMessage(type, to.reqId, to.txId, payload);
  state.chargeTo(conn, bytes.length);
  state.count(conn, 'outstanding', 1);
  conn.out.push({ kind: 'reply', bytes, sent: 0, eventKey: '', deadlineMs: 0, cause });
  state.onOutput(conn);
}

/** Payloads up to here are never refused for memory, or errors could not be told. Source: core.h, DEFAULT_BUFFER_SIZE. */
const FREE_PAYLOAD = 16;

// Arguments -----------------------------------------------------------------------------------------------------------

/** The name in a payload that is one string. */
function nameArg({ state, conn, message: { payload } }: Request, special: boolean): string | undefined {
  const end = payload.length - 1;
  if (end < 0 || payload.indexOf(0) !== end) return undefined;
  return state.nameIn(conn, payload, 0, end, special);
}

function toDomid(state: DaemonState, s: string): number {
  return state.compat.strictDomids ? strictDomid(s) : atoi(s) >>> 0;
}

function domidArg(r: Request): number {
  return toDomid(r.state, oneString(r.message.payload) ?? refuse('EINVAL'));
}

// Nodes -----------------------------------------------------------------------------------------------------------------

function read(r: Request): Answer {
  const name = nameArg(r, false);
  if (name === undefined) return 'EINVAL';
  const node = r.view.visible(name, READ);
  return typeof node === 'string' ? node : node.value;
}

function directory(r: Request): Answer {
  const name = nameArg(r, false);
  if (name === undefined) return 'EINVAL';
  const node = r.view.visible(name, READ);
  if (typeof node === 'string') return node;
  return node.childOctets > PAYLOAD_MAX ? 'E2BIG' : childList(node);
}

function childList(node: Node): Uint8Array {
  const bytes = new Uint8Array(node.childOctets);
  let at = 0;
  for (const name of node.children) {
    for (let i = 0; i < name.length; i++) bytes[at + i] = name.charCodeAt(i);
    at += name.length + 1;
  }
  return bytes;
}

/** store.md 3.6. The offset counts octets of the child list, and may lie inside a name. */
function directoryPart(r: Request): Answer {
  const { payload } = r.message;
  const { texts, count } = strings(payload, 2);
  if (count !== 2) return 'EINVAL';
  const name = r.state.nameIn(r.conn, payload, 0, payload.indexOf(0), false);
  if (name === undefined) return 'EINVAL';
  const node = r.view.visible(name, READ);
  if (typeof node === 'string') return node;
  const offset = atoi(texts[1] as string) >>> 0;
  const generation = octetsOf(`${node.generation}\0`);
  if (offset >= node.childOctets) return octetsOf(generation, '\0');
  const list = childList(node);
  const room = PAYLOAD_MAX - generation.length - 1;
  let end = offset;
  for (;;) {
    const next = list.indexOf(0, end);
    if (next < 0 || next + 1 - offset >= room) break;
    end = next + 1;
  }
  const part = list.subarray(offset, end);
  return end === list.length ? octetsOf(generation, part, '\0') : octetsOf(generation, part);
}

function getPerms(r: Request): Answer {
  const name = nameArg(r, r.state.compat.specialNodes);
  if (name === undefined) return 'EINVAL';
  const node = r.view.visible(name, READ);
  return typeof node === 'string' ? node : octetsOf(...node.perms.map((p) => `${formatPerm(p)}\0`));
}

function write(r: Request): Answer {
  const { payload } = r.message;
  const end = payload.indexOf(0);
  const name = end < 0 ? undefined : r.state.nameIn(r.conn, payload, 0, end, false);
  if (name === undefined) return 'EINVAL';
  const value = payload.slice(end + 1);
  const old = r.view.visible(name, WRITE);
  if (old === 'EACCES') return old;
  const node = old === 'ENOENT' ? r.view.create(name, value) : r.view.putValue(old, value);
  r.view.applyCounts();
  r.view.fire(node, 'subtree');
  return OK;
}

function mkdir(r: Request): Answer {
  const name = nameArg(r, false);
  if (name === undefined) return 'EINVAL';
  const old = r.view.visible(name, WRITE);
  if (old === 'EACCES') return old;
  if (old !== 'ENOENT') return OK;
  const node = r.view.create(name, new Uint8Array(0));
  r.view.applyCounts();
  r.view.fire(node, 'subtree');
  return OK;
}

function rm(r: Request): Answer {
  const name = nameArg(r, false);
  if (name === undefined) return 'EINVAL';
  const node = r.view.visible(name, WRITE);
  if (node === 'EACCES') return node;
  if (name === '/') return 'EINVAL';
  const parent = r.view.get(parentOf(name));
  if (node === 'ENOENT') return parent === undefined ? node : OK;
  if (parent === undefined) return 'EINVAL';
  try {
    r.view.removeTree(node, parent);
  } catch (error) {
    // The subtree outgrew the transaction, or does not fit its view: the daemon has nothing better than EIO.
    if (error instanceof StoreError) return 'EIO';
    throw error;
  }
  r.view.applyCounts();
  return OK;
}

function setPerms(r: Request): Answer {
  const { state, conn, view } = r;
  const { payload } = r.message;
  const { texts, count } = strings(payload, Number.POSITIVE_INFINITY);
  if (count < 2) return 'EINVAL';
  if (state.exceeds(conn, 'node-permissions', count - 1)) return 'ENOSPC';
  const parsed = texts.slice(1).map(parsePerm);
  // Without a record (a socket), the real daemon has no features to look at, and crashes.
  const features = conn.record?.features ?? SERVER_FEATURES_OFFERED;
  const perms = state.domains.markStale(parsed, state.compat.domidAny && (features & FEATURE_DOMID_ANY) !== 0);
  if (!state.compat.specialNodes && payload[0] === 0x40) return setSpecialPerms417(r, texts[0] as string, perms);
  const name = state.nameIn(conn, payload, 0, payload.indexOf(0), true);
  if (name === undefined) return 'EINVAL';
  const node = view.visible(name, WRITE | OWNER);
  if (typeof node === 'string') return node;
  const owner = (perms[0] as Perm).domid;
  if (conn.isUnprivileged && owner !== ownerOf(node)) return 'EPERM';
  if (state.domains.record(owner) === undefined) return 'ENOMEM'; // DOMID_ANY, for which nothing can be counted
  view.reown(ownerOf(node), owner);
  const written = view.putPerms(node, perms);
  view.applyCounts();
  view.fire(written, 'subtree', node);
  return OK;
}

/** 4.17 keeps the special names' entries beside the tree: no node, no transaction, no event. */
function setSpecialPerms417(r: Request, name: string, perms: readonly Perm[]): Answer {
  const old = r.state.specialPerms.get(name);
  if (old === undefined) return 'ENOENT';
  const needed = WRITE | OWNER;
  if ((r.state.rights(r.conn, old, Number.MAX_SAFE_INTEGER) & needed) !== needed) return 'EACCES';
  r.state.specialPerms.set(name, perms);
  return OK;
}

// Watches -----------------------------------------------------------------------------------------------------------------

/** Absolute name of a watched path, and how many octets its events leave out. Errors: EINVAL. */
function watchedName(r: Request, path: string, checked: boolean): { readonly name: string; readonly prefix: number } {
  const { state, conn } = r;
  const first = path.charAt(0);
  const isRelative = first !== '/' && first !== '@';
  const home = `${state.homeOf(conn)}/`;
  const prefix = isRelative ? home.length : 0;
  if (!checked) return { name: isRelative ? home + path : path, prefix };
  if (first === '@' && state.compat.specialWatchUnchecked) return { name: uncheckedSpecial(path), prefix };
  return { name: state.nameOf(conn, path) ?? refuse('EINVAL'), prefix };
}

function watch(r: Request): Answer {
  const { state, conn, message } = r;
  const { texts, count } = strings(message.payload, 3);
  let depth = -1;
  const features = conn.record?.features ?? SERVER_FEATURES_OFFERED;
  if (count === 3 && state.compat.watchDepth && (features & FEATURE_WATCHDEPTH) !== 0) {
    depth = atoi(texts[2] as string);
    if (depth < 0) return 'EINVAL';
  } else if (count !== 2) return 'EINVAL';
  const token = texts[1] as string;
  const { name, prefix } = watchedName(r, texts[0] as string, true);
  if (state.watchIndex.find(conn, name, token) !== undefined) return 'EEXIST';
  if (conn.isLimited) {
    const limit = conn.limits.watches;
    const have = state.accountOf(conn).watches;
    // 4.17 tests before it counts, with `>`: one more than the quota fits.
    if (limit > 0 && (state.compat.uniformQuota ? have + 1 >= limit : have > limit))
      return state.compat.watchQuotaError;
  }
  if (state.memoryExceeded(conn, name.length + token.length)) return 'ENOMEM';
  const added: Watch = { conn, path: name, token, depth, prefix, order: state.nextWatchOrder() };
  addWatch(state, added);
  reply(state, conn, message, message.type, OK, state.currentRequest);
  state.currentRequest = undefined; // the initial event is nobody's burden (store.md 10.2)
  queueEvent(state, added, name);
  return undefined;
}

/** Register without a word to the client; also how a live update restores one. */
export function addWatch(state: DaemonState, added: Watch): void {
  const { conn } = added;
  conn.watches.push(added);
  state.watchIndex.add(added);
  state.count(conn, 'watches', 1);
  state.chargeTo(conn, added.path.length + added.token.length);
}

function unwatch(r: Request): Answer {
  const { state, conn } = r;
  const { texts, count } = strings(r.message.payload, 2);
  if (count !== 2) return 'EINVAL';
  const { name } = watchedName(r, texts[0] as string, state.compat.unwatchChecksPath);
  const gone = state.watchIndex.find(conn, name, texts[1] as string);
  if (gone === undefined) return 'ENOENT';
  conn.watches.splice(conn.watches.indexOf(gone), 1);
  state.watchIndex.remove(gone);
  state.count(conn, 'watches', -1);
  state.chargeTo(conn, -(gone.path.length + gone.token.length));
  return OK;
}

function resetWatches(r: Request): Uint8Array {
  r.state.dropWatches(r.conn);
  r.state.dropTransactions(r.conn);
  return OK;
}

// Transactions --------------------------------------------------------------------------------------------------------------

function transactionStart(r: Request): Answer {
  const { state, conn, tx } = r;
  if (tx !== undefined) return 'EBUSY';
  if (conn.isLimited) {
    const limit = conn.limits.transactions;
    const open = conn.transactions.size;
    if (limit > 0 && (state.compat.uniformQuota ? open + 1 >= limit : open > limit)) return 'ENOSPC';
  }
  do conn.lastTxId = conn.lastTxId === 0xffff_ffff ? 1 : conn.lastTxId + 1;
  while (conn.transactions.has(conn.lastTxId));
  conn.transactions.set(conn.lastTxId, newTransaction(conn.lastTxId, false, ++state.generation));
  state.transactionStarted(conn);
  return octetsOf(`${conn.lastTxId}\0`);
}

function transactionEnd(r: Request): Answer {
  const { state, conn, tx } = r;
  const arg = oneString(r.message.payload);
  if (arg !== 'T' && arg !== 'F') return 'EINVAL';
  if (tx === undefined) return 'ENOENT';
  conn.transactions.delete(tx.id);
  state.transactionEnded(conn);
  try {
    if (arg === 'T') commit(state, conn, tx);
  } finally {
    state.chargeTo(conn, -tx.memory); // for the private copies that are left
  }
  return OK;
}

// Domains ---------------------------------------------------------------------------------------------------------------------

function introduce(r: Request): Uint8Array {
  const { texts, count } = strings(r.message.payload, 3);
  if (count < 3) refuse('EINVAL');
  const domid = toDomid(r.state, texts[0] as string);
  const port = atoi(texts[2] as string) >>> 0;
  if (port === 0) refuse('EINVAL');
  r.state.domains.introduce(domid, port);
  return OK;
}

function release(r: Request): Uint8Array {
  r.state.domains.release(domidArg(r), r.conn);
  return OK;
}

function resume(r: Request): Answer {
  const domid = domidArg(r);
  r.state.domains.refuseVital(domid);
  const { record } = r.state.domains.connected(domid);
  if (record !== undefined) record.isShutdown = false;
  return OK;
}

function isIntroduced(r: Request): Uint8Array {
  const domid = domidArg(r);
  return octetsOf(domid === DOMID_SELF || r.state.domains.isIntroduced(domid) ? 'T\0' : 'F\0');
}

function setTarget(r: Request): Uint8Array {
  const { state } = r;
  const { texts, count } = strings(r.message.payload, 2);
  if (count < 2) refuse('EINVAL');
  const domid = toDomid(state, texts[0] as string);
  const target = toDomid(state, texts[1] as string);
  const conn = state.domains.connected(domid);
  state.domains.tie(conn, state.domains.connected(target));
  return OK;
}

// Features and quotas (4.22) ----------------------------------------------------------------------------------------------------

function getFeature(r: Request): Uint8Array {
  const { state, conn } = r;
  const { texts, count } = strings(r.message.payload, 1);
  if (count === 0) {
    return octetsOf(`${conn.record?.features ?? SERVER_FEATURES_OFFERED}\0`);
  }
  if (conn.isUnprivileged) refuse('EACCES');
  if (count > 1) refuse('EINVAL');
  const record = state.domains.findOrMake(strictDomid(texts[0] as string)) ?? refuse('ENOENT');
  return octetsOf(`${record.features}\0`);
}

function setFeature(r: Request): Uint8Array {
  const { texts, count } = strings(r.message.payload, 2);
  if (count !== 2) refuse('EINVAL');
  const record = r.state.domains.findOrMake(strictDomid(texts[0] as string)) ?? refuse('ENOENT');
  if (record.introduced) refuse('EBUSY');
  const value = atoi(texts[1] as string) >>> 0;
  if ((value & ~SERVER_FEATURES_OFFERED) !== 0) refuse('EINVAL');
  record.features = value;
  return OK;
}

function getQuota(r: Request): Uint8Array {
  const { state } = r;
  const { texts, count } = strings(r.message.payload, 2);
  if (count > 2) refuse('EINVAL');
  if (count === 0) return octetsOf(`${QUOTA_LIST}\0`);
  const quotas =
    count === 2 ? (state.domains.findOrMake(strictDomid(texts[0] as string)) ?? refuse('ENOENT')).quotas : state.quotas;
  const name = texts[count - 1] as string;
  if (!isQuota(name)) refuse('EINVAL');
  return octetsOf(`${quotas[name] >>> 0}\0`);
}

function setQuota(r: Request): Uint8Array {
  const { state } = r;
  const { texts, count } = strings(r.message.payload, 3);
  if (count !== 2 && count !== 3) refuse('EINVAL');
  const quotas =
    count === 3 ? (state.domains.findOrMake(strictDomid(texts[0] as string)) ?? refuse('ENOENT')).quotas : state.quotas;
  const name = texts[count - 2] as string;
  const value = atoi(texts[count - 1] as string) >>> 0;
  if (!isQuota(name) || value === 0xffff_ffff) refuse('EINVAL');
  quotas[name] = value;
  return OK;
}

/** Carry out a request that was put aside and need not wait any longer (store.md 9.3, 9.6). */
export function runDelayed(state: DaemonState, conn: Connection, { message, kind }: Delayed): void {
  if (kind !== 'live-update') return processMessage(state, conn, message);
  const text = state.liveUpdate?.reply ?? 'Cancellation was requested';
  state.liveUpdate = undefined;
  reply(state, conn, message, message.type, octetsOf(`${text}\0`), undefined);
  state.liveUpdateEnded();
}
