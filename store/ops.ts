import { commit } from './commit.ts';
import type { Connection, Delayed, Message, Outstanding } from './connection.ts';
import { control } from './control.ts';
import { SERVER_FEATURES_OFFERED } from './domains.ts';
import { View } from './nodes.ts';
import { octetsOf, textOf } from './octets.ts';
import { canonical, homeOf, parentOf, uncheckedSpecial } from './path.ts';
import { formatPerm, OWNER, type Perm, parsePerm, READ, WRITE } from './perms.ts';
import { isQuota, QUOTA_LIST } from './quota.ts';
import { SPECIAL_NODES } from './special.ts';
import type { DaemonState } from './state.ts';
import { newTransaction, type Transaction } from './transaction.ts';
import { type Node, ownerOf } from './tree.ts';
import { queueEvent, type Watch } from './watch.ts';
import {
  atoi,
  HEADER_BYTES,
  OK,
  oneString,
  PAYLOAD_MAX,
  refuse,
  StoreError,
  strictDomid,
  strings,
  message as wireMessage,
  XS,
} from './wire.ts';

/** One request in the hands of its handler. */
interface Request {
  readonly state: DaemonState;
  readonly conn: Connection;
  readonly message: Message;
  readonly tx: Transaction | undefined;
  readonly view: View;
}

/** Returns the payload of the answer; `undefined`: the answer was queued already, or comes later. Throws StoreError. */
type Handler = (request: Request) => Uint8Array | undefined;

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
  const { type, txId } = message;
  const operation = type <= state.compat.typeMax ? OPERATIONS[type] : undefined;
  const outstanding: Outstanding | undefined = state.isLimited(conn) ? { conn, pending: 1 } : undefined;
  state.currentRequest = outstanding;
  state.currentWrites = 0;
  try {
    if (operation === undefined) refuse('ENOSYS');
    if (operation.priv === true && state.isUnprivileged(conn)) refuse('EACCES');
    let tx: Transaction | undefined;
    if (txId !== 0 && operation.ignoresTx !== true) tx = conn.transactions.get(txId) ?? refuse('ENOENT');
    const view = new View(state, conn, tx);
    const answer = operation.run({ state, conn, message, tx, view });
    if (answer !== undefined) reply(state, conn, message, type, answer, outstanding);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    reply(state, conn, message, XS.ERROR, octetsOf(`${error.errno}\0`), outstanding);
  }
  state.currentRequest = undefined;
  if (state.currentWrites > 0) state.payForWrites(conn, state.currentWrites);
}

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
  const errno =
    payload.length > PAYLOAD_MAX
      ? 'E2BIG'
      : payload.length > 16 && state.memoryExceeded(conn, HEADER_BYTES + payload.length)
        ? 'ENOMEM'
        : undefined;
  const bytes =
    errno === undefined
      ? wireMessage(type, to.reqId, to.txId, payload)
      : wireMessage(XS.ERROR, to.reqId, to.txId, octetsOf(`${errno}\0`));
  state.charge(conn.domid, bytes.length);
  if (cause !== undefined) {
    const account = state.account(conn.domid);
    account.outstanding++;
    account.max.outstanding = Math.max(account.max.outstanding, account.outstanding);
  }
  conn.out.push({ kind: 'reply', bytes, sent: 0, eventKey: '', deadlineMs: 0, cause });
  state.onOutput(conn);
}

// Arguments -----------------------------------------------------------------------------------------------------------

function pathArg(r: Request, special: boolean): string {
  const path = oneString(r.message.payload) ?? refuse('EINVAL');
  return canonical(path, special, r.state.pathContext(r.conn));
}

function toDomid(state: DaemonState, s: string): number {
  return state.compat.strictDomids ? strictDomid(s) : atoi(s) >>> 0;
}

function domidArg(r: Request): number {
  return toDomid(r.state, oneString(r.message.payload) ?? refuse('EINVAL'));
}

// Nodes -----------------------------------------------------------------------------------------------------------------

function read(r: Request): Uint8Array {
  return r.view.visible(pathArg(r, false), READ).value;
}

function directory(r: Request): Uint8Array {
  const node = r.view.visible(pathArg(r, false), READ);
  if (node.childOctets > PAYLOAD_MAX) refuse('E2BIG');
  return childList(node);
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
function directoryPart(r: Request): Uint8Array {
  const { texts, count } = strings(r.message.payload, 2);
  if (count !== 2) refuse('EINVAL');
  const node = r.view.visible(canonical(texts[0] as string, false, r.state.pathContext(r.conn)), READ);
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

/** A special name's permissions where the daemon keeps them beside the tree (4.17). */
function specialPerms417(r: Request, name: string): readonly Perm[] | undefined {
  return r.state.compat.specialNodes || !name.startsWith('@') ? undefined : r.state.specialPerms.get(name);
}

function getPerms(r: Request): Uint8Array {
  const name = pathArg(r, r.state.compat.specialNodes);
  const node = r.view.visible(name, READ);
  return octetsOf(...node.perms.map((p) => `${formatPerm(p)}\0`));
}

function write(r: Request): Uint8Array {
  const { payload } = r.message;
  const end = payload.indexOf(0);
  if (end < 0) refuse('EINVAL');
  const name = canonical(textOf(payload, 0, end), false, r.state.pathContext(r.conn));
  const value = payload.slice(end + 1);
  const old = r.view.find(name, WRITE);
  const node = old === undefined ? r.view.create(name, value) : r.view.put({ ...old, value }, false);
  r.view.applyCounts();
  r.view.fire(node, 'subtree');
  return OK;
}

function mkdir(r: Request): Uint8Array {
  const name = pathArg(r, false);
  if (r.view.find(name, WRITE) !== undefined) return OK;
  const node = r.view.create(name, new Uint8Array(0));
  r.view.applyCounts();
  r.view.fire(node, 'subtree');
  return OK;
}

function rm(r: Request): Uint8Array {
  const name = pathArg(r, false);
  const node = r.view.find(name, WRITE);
  if (node === undefined) {
    if (r.view.get(parentOf(name)) === undefined) refuse('ENOENT');
    return OK;
  }
  if (name === '/') refuse('EINVAL');
  try {
    r.view.removeTree(node);
  } catch (error) {
    // The subtree outgrew the transaction, or does not fit its view: the daemon has nothing better than EIO.
    if (error instanceof StoreError) refuse('EIO');
    throw error;
  }
  r.view.applyCounts();
  return OK;
}

function setPerms(r: Request): Uint8Array {
  const { state, conn, view } = r;
  const { texts, count } = strings(r.message.payload, Number.POSITIVE_INFINITY);
  if (count < 2) refuse('EINVAL');
  const entries = count - 1;
  if (state.exceeds(conn, 'node-permissions', entries)) refuse('ENOSPC');
  const parsed = texts.slice(1).map(parsePerm);
  const features = state.isUnprivileged(conn)
    ? (state.domains.record(conn.domid)?.features ?? 0)
    : SERVER_FEATURES_OFFERED;
  const perms = state.domains.markStale(parsed, state.compat.domidAny && (features & 8) !== 0);
  const spelled = texts[0] as string;
  if (!state.compat.specialNodes && spelled.startsWith('@')) return setSpecialPerms417(r, spelled, perms);
  const name = canonical(spelled, true, state.pathContext(conn));
  const node = view.visible(name, WRITE | OWNER);
  const owner = (perms[0] as Perm).domid;
  if (state.isUnprivileged(conn) && owner !== ownerOf(node)) refuse('EPERM');
  view.reown(ownerOf(node), owner);
  const written = view.put({ ...node, perms }, false);
  view.applyCounts();
  view.fire(written, 'subtree', node);
  return OK;
}

function setSpecialPerms417(r: Request, name: string, perms: readonly Perm[]): Uint8Array {
  const old = (SPECIAL_NODES as readonly string[]).includes(name) ? specialPerms417(r, name) : undefined;
  if (old === undefined) refuse('ENOENT');
  const needed = WRITE | OWNER;
  if ((r.state.rights(r.conn, old, Number.MAX_SAFE_INTEGER) & needed) !== needed) refuse('EACCES');
  r.state.specialPerms.set(name, perms);
  return OK;
}

// Watches -----------------------------------------------------------------------------------------------------------------

/** Absolute name of a watched path, and how many octets its events leave out. */
function watchedName(r: Request, path: string, checked: boolean): { readonly name: string; readonly prefix: number } {
  const { state, conn } = r;
  if (path.startsWith('@')) {
    if (!checked) return { name: path, prefix: 0 };
    return {
      name: state.compat.specialWatchUnchecked
        ? uncheckedSpecial(path)
        : canonical(path, true, state.pathContext(conn)),
      prefix: 0,
    };
  }
  const home = `${state.homeOf(conn)}/`;
  if (!checked) return path.startsWith('/') ? { name: path, prefix: 0 } : { name: home + path, prefix: home.length };
  return { name: canonical(path, true, state.pathContext(conn)), prefix: path.startsWith('/') ? 0 : home.length };
}

function watch(r: Request): Uint8Array | undefined {
  const { state, conn, message } = r;
  const { texts, count } = strings(message.payload, 3);
  let depth = -1;
  const features =
    conn.link.kind === 'ring'
      ? (state.domains.record(conn.domid)?.features ?? SERVER_FEATURES_OFFERED)
      : SERVER_FEATURES_OFFERED;
  if (count === 3 && state.compat.watchDepth && (features & 4) !== 0) {
    depth = atoi(texts[2] as string);
    if (depth < 0) refuse('EINVAL');
  } else if (count !== 2) refuse('EINVAL');
  const token = texts[1] as string;
  const { name, prefix } = watchedName(r, texts[0] as string, true);
  if (conn.watches.some((w) => w.path === name && w.token === token)) refuse('EEXIST');
  const account = state.account(conn.domid);
  if (state.isLimited(conn)) {
    const limit = state.limits(conn.domid).watches;
    // 4.17 tests before it counts, with `>`: one more than the quota fits.
    if (limit > 0 && (state.compat.uniformQuota ? account.watches + 1 >= limit : account.watches > limit))
      refuse(state.compat.watchQuotaError);
  }
  const octets = name.length + token.length;
  if (state.memoryExceeded(conn, octets)) refuse('ENOMEM');
  addWatch(state, { conn, path: name, token, depth, prefix, order: state.nextWatchOrder() });
  const added = conn.watches[conn.watches.length - 1] as Watch;
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
  const account = state.account(conn.domid);
  account.watches++;
  account.max.watches = Math.max(account.max.watches, account.watches);
  state.charge(conn.domid, added.path.length + added.token.length);
}

function unwatch(r: Request): Uint8Array {
  const { state, conn } = r;
  const { texts, count } = strings(r.message.payload, 2);
  if (count !== 2) refuse('EINVAL');
  const { name } = watchedName(r, texts[0] as string, state.compat.unwatchChecksPath);
  const at = conn.watches.findIndex((w) => w.path === name && w.token === texts[1]);
  if (at < 0) refuse('ENOENT');
  const [gone] = conn.watches.splice(at, 1);
  if (gone !== undefined) {
    state.watchIndex.remove(gone);
    state.account(conn.domid).watches--;
    state.charge(conn.domid, -(gone.path.length + gone.token.length));
  }
  return OK;
}

function resetWatches(r: Request): Uint8Array {
  r.state.dropWatches(r.conn);
  r.state.dropTransactions(r.conn);
  return OK;
}

// Transactions --------------------------------------------------------------------------------------------------------------

function transactionStart(r: Request): Uint8Array | undefined {
  const { state, conn, tx, message } = r;
  if (tx !== undefined) refuse('EBUSY');
  const waits = state.liveUpdate !== undefined && state.options.policy === 'daemon' && conn.transactions.size === 0;
  if (waits) {
    if (state.isUnprivileged(conn) && conn.delayed.length > 0) conn.blocked = message;
    else state.delay(conn, { message, kind: 'transaction-start' });
    return undefined;
  }
  if (state.isLimited(conn)) {
    const limit = state.limits(conn.domid).transactions;
    const open = conn.transactions.size;
    if (limit > 0 && (state.compat.uniformQuota ? open + 1 >= limit : open > limit)) refuse('ENOSPC');
  }
  do conn.lastTxId = conn.lastTxId === 0xffff_ffff ? 1 : conn.lastTxId + 1;
  while (conn.transactions.has(conn.lastTxId));
  conn.transactions.set(conn.lastTxId, newTransaction(conn.lastTxId));
  state.generation++;
  state.transactionStarted(conn);
  return octetsOf(`${conn.lastTxId}\0`);
}

function transactionEnd(r: Request): Uint8Array {
  const { state, conn, tx } = r;
  const arg = oneString(r.message.payload);
  if (arg !== 'T' && arg !== 'F') refuse('EINVAL');
  if (tx === undefined) refuse('ENOENT');
  conn.transactions.delete(tx.id);
  state.transactionEnded(conn);
  state.charge(conn.domid, -tx.memory);
  if (arg === 'T') commit(state, conn, tx);
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
  r.state.domains.release(domidArg(r));
  return OK;
}

function resume(r: Request): Uint8Array {
  const { state } = r;
  const domid = domidArg(r);
  if (state.compat.strictDomids ? domid === state.options.privDomid || domid === state.options.storeDomid : domid === 0)
    refuse('EINVAL');
  state.domains.introduced(domid).isShutdown = false;
  return OK;
}

function isIntroduced(r: Request): Uint8Array {
  const domid = domidArg(r);
  return octetsOf(domid === 0x7ff0 || r.state.domains.isIntroduced(domid) ? 'T\0' : 'F\0');
}

function setTarget(r: Request): Uint8Array {
  const { state } = r;
  const { texts, count } = strings(r.message.payload, 2);
  if (count < 2) refuse('EINVAL');
  const domid = toDomid(state, texts[0] as string);
  const target = toDomid(state, texts[1] as string);
  state.domains.introduced(domid);
  state.domains.introduced(target);
  const conn = state.ringOf(domid);
  const to = state.ringOf(target);
  if (conn !== undefined && to !== undefined) conn.target = to;
  return OK;
}

// Features and quotas (4.22) ----------------------------------------------------------------------------------------------------

function getFeature(r: Request): Uint8Array {
  const { state, conn } = r;
  const { texts, count } = strings(r.message.payload, 1);
  if (count === 0) {
    const own = conn.link.kind === 'ring' ? state.domains.record(conn.domid)?.features : undefined;
    return octetsOf(`${own ?? SERVER_FEATURES_OFFERED}\0`);
  }
  if (state.isUnprivileged(conn)) refuse('EACCES');
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
