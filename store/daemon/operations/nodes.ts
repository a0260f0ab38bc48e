import { FEATURE_DOMID_ANY } from '../../../sim/index.ts';
import { octetsOf } from '../../protocol/octets.ts';
import { parentOf } from '../../protocol/path.ts';
import { formatPerm, OWNER, type Perm, parsePerm, READ, WRITE } from '../../protocol/perms.ts';
import { atoi, OK, PAYLOAD_MAX, StoreError, strings } from '../../protocol/wire.ts';
import { listOf } from '../../tree/names.ts';
import { type Node, ownerOf } from '../../tree/node.ts';
import { type Answer, featuresOf, nameArg, type Request } from './request.ts';

export function read(r: Request): Answer {
  const name = nameArg(r, false);
  if (name === undefined) return 'EINVAL';
  const node = r.view.visible(name, READ);
  return typeof node === 'string' ? node : node.value;
}

export function directory(r: Request): Answer {
  const name = nameArg(r, false);
  if (name === undefined) return 'EINVAL';
  const node = r.view.visible(name, READ);
  if (typeof node === 'string') return node;
  return node.childOctets > PAYLOAD_MAX ? 'E2BIG' : childList(node);
}

function childList(node: Node): Uint8Array {
  const bytes = new Uint8Array(node.childOctets);
  let at = 0;
  for (const name of listOf(node.children)) {
    for (let i = 0; i < name.length; i++) bytes[at + i] = name.charCodeAt(i);
    at += name.length + 1;
  }
  return bytes;
}

/** store.md 3.6. The offset counts octets of the child list, and may lie inside a name. */
export function directoryPart(r: Request): Answer {
  const { payload } = r.message;
  const { texts, count } = strings(payload, 2);
  if (count !== 2) return 'EINVAL';
  const name = r.daemon.names.inPayload(r.conn, payload, 0, payload.indexOf(0), false);
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

export function getPerms(r: Request): Answer {
  const name = nameArg(r, r.daemon.state.compat.specialNodes);
  if (name === undefined) return 'EINVAL';
  const node = r.view.visible(name, READ);
  return typeof node === 'string' ? node : octetsOf(...node.perms.map((p) => `${formatPerm(p)}\0`));
}

export function write(r: Request): Answer {
  const { payload } = r.message;
  const end = payload.indexOf(0);
  const name = end < 0 ? undefined : r.daemon.names.inPayload(r.conn, payload, 0, end, false);
  if (name === undefined) return 'EINVAL';
  const value = payload.slice(end + 1);
  const old = r.view.visible(name, WRITE);
  if (old === 'EACCES') return old;
  const node = old === 'ENOENT' ? r.view.create(name, value) : r.view.putValue(old, value);
  r.view.applyCounts();
  r.view.fire(node, 'subtree');
  return OK;
}

export function mkdir(r: Request): Answer {
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

export function rm(r: Request): Answer {
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

export function setPerms(r: Request): Answer {
  const { conn, view } = r;
  const { accounting, names, records, state } = r.daemon;
  const { payload } = r.message;
  const { texts, count } = strings(payload, Number.POSITIVE_INFINITY);
  if (count < 2) return 'EINVAL';
  if (accounting.exceeds(conn, 'node-permissions', count - 1)) return 'ENOSPC';
  const parsed = texts.slice(1).map(parsePerm);
  const perms = records.markStale(parsed, state.compat.domidAny && (featuresOf(conn) & FEATURE_DOMID_ANY) !== 0);
  if (!state.compat.specialNodes && payload[0] === 0x40) return setSpecialPerms417(r, texts[0] as string, perms);
  const name = names.inPayload(conn, payload, 0, payload.indexOf(0), true);
  if (name === undefined) return 'EINVAL';
  const node = view.visible(name, WRITE | OWNER);
  if (typeof node === 'string') return node;
  const owner = (perms[0] as Perm).domid;
  if (conn.isUnprivileged && owner !== ownerOf(node)) return 'EPERM';
  if (records.record(owner) === undefined) return 'ENOMEM'; // DOMID_ANY, for which nothing can be counted
  view.reown(ownerOf(node), owner);
  const written = view.putPerms(node, perms);
  view.applyCounts();
  view.fire(written, 'subtree', node);
  return OK;
}

/** 4.17 keeps the special names' entries beside the tree: no node, no transaction, no event. */
function setSpecialPerms417({ conn, daemon }: Request, name: string, perms: readonly Perm[]): Answer {
  const { specialPerms } = daemon.state;
  const old = specialPerms.get(name);
  if (old === undefined) return 'ENOENT';
  const needed = WRITE | OWNER;
  if ((daemon.rights.of(conn, old, Number.MAX_SAFE_INTEGER) & needed) !== needed) return 'EACCES';
  specialPerms.set(name, perms);
  return OK;
}
