import {
  type ConnectionState,
  connectionName,
  type DaemonState,
  type NodeState,
  type TransactionState,
} from '../format/model/index.ts';
import { octetsOf, textOf } from '../protocol/octets.ts';
import { parentOf, resolvePath } from '../protocol/path.ts';
import { HEADER_BYTES, messageEnd, PAYLOAD_MAX, payloadLength } from '../protocol/wire.ts';
import { isWithin } from './places.ts';
import { backendsOf, isAbove, type Scope } from './share.ts';

/** What must not be in an image, where to look for it, and why. */
export interface Fault {
  /** As formats call it: `path`, `wpath`, `perms[1].domid`. */
  readonly field: string;
  /** Octets of that field, or of the one that names the record. */
  readonly octets: Uint8Array;
  readonly reason: string;
}

const ABS_PATH_MAX = 3072;
const DOMID_ANY = 0x7ff5;
const SPECIALS = ['@releaseDomain', '@introduceDomain'];

/** What an image may hold. */
export interface Admission {
  readonly domid: number;
  readonly scope: Scope;
  /** Whether the format tells where a half-sent message of the output ends. */
  readonly knowsBoundary: boolean;
}

/**
 * Look through an image that another host has sent before any of it is used (NC-25): whatever is in it, it can only be about the
 * domain and its stub domains, and can only be what a daemon could have written. @returns the first thing that is not.
 */
export function refuseImage(state: DaemonState, admission: Admission): Fault | undefined {
  const { domid } = admission;
  const domids: number[] = [];
  for (const conn of state.connections) {
    const fault = connectionFault(conn, admission, domids);
    if (fault !== undefined) return fault;
    if (conn.link.kind === 'ring') domids.push(conn.link.domid);
  }
  if (!domids.includes(domid)) return fault('domid', u16(domid), `no connection of domain ${domid}`);
  for (const special of state.specials)
    return fault('path', octetsOf(special.path), "special nodes are the host's own");
  const known = new Set([...domids, 0, ...backendsOf(state.nodes)]);
  const seen = new Set<string>();
  for (const node of state.nodes) {
    const found = nodeFault(node, state.nodes, { domids, known, seen, scope: admission.scope });
    if (found !== undefined) return found;
    seen.add(node.path);
  }
  for (const { domid: one } of state.domains)
    if (!domids.includes(one)) return fault('domid', u16(one), `quotas of domain ${one}`);
  return undefined;
}

function fault(field: string, octets: Uint8Array, reason: string): Fault {
  return { field, octets, reason };
}

function u16(n: number): Uint8Array {
  return new Uint8Array([n & 0xff, (n >> 8) & 0xff]);
}

interface NodeContext {
  readonly domids: readonly number[];
  /** Domains that an entry may name. */
  readonly known: ReadonlySet<number>;
  /** Paths that came before. */
  readonly seen: ReadonlySet<string>;
  readonly scope: Scope;
}

function nodeFault(
  { path, acl }: NodeState,
  all: readonly NodeState[],
  { domids, known, seen, scope }: NodeContext,
): Fault | undefined {
  const at = octetsOf(path);
  const bad = (reason: string) => fault('path', at, reason);
  if (!path.startsWith('/') || resolvePath(path, 0) !== path || path.length > ABS_PATH_MAX) return bad('no valid path');
  if (seen.has(path)) return bad('a second record of this node');
  const [owner] = acl;
  if (owner === undefined) return fault('permCount', at, 'a node without an owner');
  const isOwn = isWithin(path, domids);
  if (!isOwn && isAbove(path, all)) return undefined; // made only where it is missing, and then the host's own
  if (!isOwn && (scope !== 'carry' || !domids.includes(owner.domid)))
    return bad('outside of what belongs to the domain');
  const parent = parentOf(path);
  if (isOwn && isWithin(parent, domids) && !seen.has(parent)) return bad('its parent does not come before it');
  for (const [i, { domid, stale }] of acl.entries()) {
    if (i === 0 ? known.has(domid) : stale || known.has(domid) || domid === DOMID_ANY) continue;
    return fault(`perms[${i}].domid`, at, `${i === 0 ? 'owned by' : 'an entry for'} domain ${domid}`);
  }
  return undefined;
}

function connectionFault(conn: ConnectionState, admission: Admission, before: readonly number[]): Fault | undefined {
  const { link } = conn;
  if (link.kind === 'socket') return fault('fd', u16(link.fd), 'a socket is of this host alone');
  const at = u16(link.domid);
  if (link.domid !== admission.domid && link.target !== admission.domid)
    return fault('domid', at, `the connection of domain ${link.domid}`);
  if (before.includes(link.domid)) return fault('domid', at, `a second connection of domain ${link.domid}`);
  return watchFault(conn, link.domid) ?? transactionsFault(conn) ?? bufferFault(conn, at, admission.knowsBoundary);
}

function watchFault({ watches }: ConnectionState, domid: number): Fault | undefined {
  const seen = new Set<string>();
  for (const { path, token } of watches) {
    const at = octetsOf(path);
    const isSpecial = path.startsWith('@');
    const isFit = isSpecial
      ? SPECIALS.some((name) => path === name || path === '@' || path.startsWith(`${name}/`))
      : resolvePath(path, domid) !== undefined;
    if (!isFit || path.length > ABS_PATH_MAX) return fault('wpath', at, 'no path that can be watched');
    if (token.includes(0)) return fault('token', token, 'a NUL in a token');
    if (path.length + token.length + 2 > PAYLOAD_MAX) return fault('token', token, 'an event of it fits no message');
    const name = `${path}\0${textOf(token)}`;
    if (seen.has(name)) return fault('wpath', at, 'a second watch of the same path and token');
    seen.add(name);
  }
  return undefined;
}

function transactionsFault({ transactions }: ConnectionState): Fault | undefined {
  const seen = new Set<number>();
  for (const tx of transactions) {
    const found = transactionFault(tx, seen);
    if (found !== undefined) return found;
    seen.add(tx.id);
  }
  return undefined;
}

function transactionFault({ id, nodes }: TransactionState, seen: ReadonlySet<number>): Fault | undefined {
  const at = new Uint8Array([id & 0xff, (id >> 8) & 0xff, (id >> 16) & 0xff, id >>> 24]);
  if (id === 0) return fault('txId', at, '0 is no transaction');
  if (seen.has(id)) return fault('txId', at, 'a second transaction of this id');
  for (const { path } of nodes)
    if (resolvePath(path, 0) !== path || path.length > ABS_PATH_MAX)
      return fault('path', octetsOf(path), 'no valid path in a transaction');
  return undefined;
}

function bufferFault(conn: ConnectionState, at: Uint8Array, knowsBoundary: boolean): Fault | undefined {
  const { delayed, input, output, restBytes, link } = conn;
  const whose = connectionName(link);
  if (input.length >= HEADER_BYTES && payloadLength(input) > PAYLOAD_MAX)
    return fault('inData', at, `a request of ${whose} with ${payloadLength(input)} octets of payload`);
  for (const message of delayed)
    if (message.length < HEADER_BYTES || payloadLength(message) > PAYLOAD_MAX)
      return fault('inData', at, `a request of ${whose} that is none`);
  if (restBytes > output.length) return fault('outRespLen', at, `${restBytes} octets of ${output.length}`);
  if (restBytes > HEADER_BYTES + PAYLOAD_MAX) return fault('outRespLen', at, 'more than any message has');
  if (!knowsBoundary) return undefined;
  let end = restBytes;
  for (let next = messageEnd(output, end); next !== undefined; next = messageEnd(output, end)) {
    if (payloadLength(output, end) > PAYLOAD_MAX) break;
    end = next;
  }
  return end === output.length
    ? undefined
    : fault('outData', at, `${output.length - end} octets behind the last whole message`);
}
