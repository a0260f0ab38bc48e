import {
  type AclEntry,
  type ConnectionState,
  connectionName,
  type DaemonState,
  type QuotaState,
  STATE_ROW_NAMES,
  type StateRow,
  type TransactionState,
} from '../../store/format/model/index.ts';
import { QUOTA_NAMES } from '../../store/format/model/reduce.ts';
import { childLists } from '../../store/format/model/state.ts';
import { escapeOctets } from '../../store/format/text.ts';

/** What there is in each row: a text for each thing, by a name that is the same before and after. */
export type Things = Readonly<Record<StateRow, Map<string, string>>>;

/**
 * The things of one state, which may be in several files. What a socket has is told with the socket, what is queued
 * behind a half-sent message with its boundary: each thing belongs to the one row whose loss takes it away.
 * @param halfSent names of the connections whose output begins within a message
 */
export function thingsOf(files: readonly DaemonState[], halfSent: ReadonlySet<string>): Things {
  const things = Object.fromEntries(STATE_ROW_NAMES.map((row) => [row, new Map()])) as unknown as Things;
  const put: Put = (row, name, value) => {
    if (value !== undefined) things[row].set(name, String(value));
  };
  for (const state of files) {
    putDaemon(put, state);
    for (const conn of state.connections) {
      if (state.connections.length > 1) put('connections', connectionName(conn.link), '');
      if (conn.readOnly) put('readOnly', connectionName(conn.link), 'yes');
      if (conn.link.kind === 'socket') put('sockets', connectionName(conn.link), watchNames(conn).join(' '));
      else putRing(put, conn, halfSent);
    }
  }
  const lists = childLists(files.flatMap(({ nodes }) => nodes));
  for (const [path, names] of lists) if (names.length > 1) put('siblingOrder', path, names.join(' '));
  return things;
}

/** Connections whose output begins within a message. */
export function halfSentOf(state: DaemonState): ReadonlySet<string> {
  return new Set(state.connections.filter((conn) => conn.restBytes > 0).map(({ link }) => connectionName(link)));
}

/** One thing; what is not known is none. */
type Put = (row: StateRow, name: string, value: string | number | bigint | undefined) => void;

function putDaemon(put: Put, { nodes, specials, domains, quotas, listeners, evtchn }: DaemonState): void {
  for (const { path, value, acl, generation } of nodes) {
    put('node', path, escapeOctets(value));
    put('acl', path, aclText(acl.filter(({ stale }) => !stale)));
    for (const entry of acl) if (entry.stale) put('staleAcl', `${path} ${entry.letter}${entry.domid}`, '');
    put('generation', path, generation);
  }
  for (const { path, acl } of specials) put('specialAcl', path, aclText(acl));
  for (const side of ['domain', 'global'] as const) putQuotas(put, 'defaultQuotas', side, quotas?.[side] ?? []);
  for (const { domid, features, quotas: own } of domains) {
    put('features', `domain ${domid}`, features);
    putQuotas(put, 'domainQuotas', `domain ${domid}`, own);
  }
  put('listeners', 'rw', listeners.rw);
  put('listeners', 'ro', listeners.ro);
  put('evtchnFd', 'fd', evtchn.fd);
  put('excPort', 'port', evtchn.excPort);
}

function putQuotas(put: Put, row: StateRow, whose: string, quotas: readonly QuotaState[]): void {
  for (const { name, value } of quotas)
    put(QUOTA_NAMES.includes(name) ? row : 'unknownQuotas', `${row} ${whose} ${name}`, value);
}

function putRing(put: Put, conn: ConnectionState, halfSent: ReadonlySet<string>): void {
  const { link, output, restBytes, input, delayed, watches, transactions } = conn;
  if (link.kind !== 'ring') return;
  const name = connectionName(link);
  for (const [i, key] of watchNames(conn).entries()) {
    put('watch', `${name} ${key}`, '');
    put('watchDepth', `${name} ${key}`, watches[i]?.depth);
    put('binding', key, name);
  }
  for (const tx of transactions) putTransaction(put, `${name} ${tx.id}`, tx);
  if (halfSent.has(name)) put('outputBoundary', name, `${restBytes} of ${escapeOctets(output)}`);
  else if (output.length > 0) put('output', name, escapeOctets(output));
  if (input.length > 0) put('input', name, escapeOctets(input));
  for (const [i, request] of delayed.entries()) put('delayed', `${name} ${i}`, escapeOctets(request));
  put('target', name, link.target);
  put('port', `${name}, daemon's`, link.port);
  put('port', `${name}, guest's`, link.guestPort);
  put('mfn', name, link.mfn);
  put('uniqueId', name, link.uniqueId);
  for (const flag of Object.keys(link.flags ?? {})) put('flags', `${name} ${flag}`, '');
}

/** That a node was touched, and as what, are two things: a format may carry the first alone. */
function putTransaction(put: Put, name: string, { base, events, nodes }: TransactionState): void {
  put('txId', name, '');
  put('txBase', name, base);
  for (const event of events ?? []) put('txEvents', `${name} ${event}`, '');
  for (const { path, read, written, value, acl, base: first } of nodes) {
    const key = `${name} ${path}`;
    const copy = `${escapeOctets(value)} [${aclText(acl)}]`;
    put('txBase', key, first);
    if (written) put('txWrites', key, copy);
    if (read) put('txReads', `${key}, as read`, 'yes');
    if (read || written) put('txReads', key, copy);
    else put('txDeletes', key, '');
  }
}

function watchNames({ watches }: ConnectionState): string[] {
  return watches.map(({ path, token }) => `${path} ${escapeOctets(token)}`);
}

function aclText(acl: readonly AclEntry[]): string {
  return acl.map(({ letter, domid, stale }) => `${letter}${domid}${stale ? '(stale)' : ''}`).join(' ');
}
