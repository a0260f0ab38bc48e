import { pathFault } from '../file/paths.ts';
import type { FormatFailure } from '../schema/cursor.ts';
import { textOf } from '../schema/text.ts';
import type { Assumption } from './losses.ts';
import { byOctets } from './reduce-nodes.ts';
import {
  type ConnectionState,
  connectionName,
  type DaemonState,
  EMPTY_STATE,
  type NodeState,
  parentPath,
  type RingLink,
  type WatchState,
} from './state.ts';
import { type DumpFields, type DumpLine, lineText, TEXT_DUMP_HEADER, type TextDump } from './text-dump.ts';
import type { TextLayout } from './text-layout.ts';

/** Limits of the daemon that reads: none by default. */
export interface TextReadOptions {
  /** Longest value, quota-maxsize. */
  readonly valueBytesMax?: number;
  /** Most watches of one guest, quota-maxwatch. */
  readonly watchesMax?: number;
}

interface GrowingConnection {
  readonly link: ConnectionState['link'];
  readonly watches: WatchState[];
}

/**
 * What a daemon makes of the lines, one after another. A line that cannot be followed is skipped with a warning: a
 * node without its parent, a watch of nobody, a watch for the second time.
 */
export function stateOfTextDump(
  dump: TextDump,
  options: TextReadOptions = {},
): { readonly state: DaemonState; readonly warnings: readonly FormatFailure[] } {
  const { valueBytesMax = Number.POSITIVE_INFINITY, watchesMax = Number.POSITIVE_INFINITY } = options;
  const domains = new Map<number, GrowingConnection>();
  const sockets = new Map<number, GrowingConnection>();
  const nodes = new Map<string, NodeState>();
  const warnings: FormatFailure[] = [];
  let listeners: DaemonState['listeners'] = {};
  let evtchn: DaemonState['evtchn'] = {};
  const take = (line: DumpLine): string | undefined => {
    switch (line.kind) {
      case 'global':
        listeners = line.rw < 0 ? {} : { rw: line.rw };
        return undefined;
      case 'evtchn-dev':
        evtchn = { fd: line.fd, ...known('excPort', line.port) };
        return undefined;
      case 'dom': {
        const { domid, mfn, remotePort, localPort } = line;
        if (domains.has(domid)) return `domain ${domid} again`;
        const ports = { ...known('port', localPort), ...known('guestPort', remotePort) };
        domains.set(domid, { link: { kind: 'ring', domid, ...ports, ...known('mfn', mfn) }, watches: [] });
        return undefined;
      }
      case 'socket':
        sockets.set(line.fd, { link: { kind: 'socket', fd: line.fd }, watches: [] });
        return undefined;
      case 'watch': {
        const conn = line.id < 0 ? sockets.get(-line.id) : domains.get(line.id);
        if (conn === undefined) return `there is no connection ${line.id} yet`;
        const fault = pathFault(line.path, true);
        if (fault !== undefined) return `path ${fault}`;
        const isAgain = (w: WatchState) => w.path === line.path && textOf(w.token) === textOf(line.token);
        if (conn.watches.some(isAgain)) return 'the same watch again';
        if (line.id > 0 && conn.watches.length > watchesMax) return `more than ${watchesMax} watches`;
        conn.watches.push({ path: line.path, token: line.token });
        return undefined;
      }
      case 'store': {
        // Special nodes are children of the root there; a bare @name means the same.
        const path = line.path.startsWith('@') ? `/${line.path}` : line.path;
        const fault = pathFault(path, false);
        if (fault !== undefined) return `path ${fault}`;
        if (line.value.length > valueBytesMax) return `value is longer than ${valueBytesMax}`;
        const parent = parentPath(path);
        if (parent !== undefined && parent !== '/' && !nodes.has(parent)) return `there is no ${parent} yet`;
        nodes.set(path, { path, value: line.value, acl: line.perms });
        return undefined;
      }
      case 'skipped':
        return undefined;
    }
  };
  let offset = TEXT_DUMP_HEADER.length + 1;
  for (const [record, line] of dump.lines.entries()) {
    const reason = take(line);
    if (reason !== undefined) warnings.push({ offset, record, name: line.kind, path: '', reason });
    offset += (line.text ?? lineText(line)).length + 1;
  }
  const isSpecial = ({ path }: NodeState) => path.startsWith('/@');
  const all = [...nodes.values()];
  return {
    state: {
      ...EMPTY_STATE,
      nodes: all.filter((node) => !isSpecial(node)),
      specials: all.filter(isSpecial).map((node) => ({ ...node, path: node.path.slice(1) })),
      connections: [...domains.values(), ...sockets.values()].map(({ link, watches }) => ({
        ...EMPTY_CONNECTION,
        link,
        watches,
      })),
      listeners,
      evtchn,
    },
    warnings,
  };
}

/** Zero stands for a port or a frame that nobody knows. */
function known<K extends string, V>(key: K, value: V): { readonly [P in K]?: NonNullable<V> } {
  const isKnown = value !== undefined && value !== null && value !== 0 && value !== 0n;
  return (isKnown ? { [key]: value } : {}) as { readonly [P in K]?: NonNullable<V> };
}

const NOTHING = new Uint8Array(0);
const EMPTY_CONNECTION: Omit<ConnectionState, 'link'> = {
  readOnly: false,
  watches: [],
  transactions: [],
  delayed: [],
  input: NOTHING,
  output: NOTHING,
  restBytes: 0,
};

/** The lines of a state that holds nothing but what the dialect can carry (`reduceState`), and what had to be made up. */
export function textDumpOfState(
  state: DaemonState,
  layout: TextLayout,
): { readonly dump: TextDump; readonly assumptions: readonly Assumption[] } {
  const lines: DumpFields[] = [];
  const assumptions: Assumption[] = [];
  const { listeners, evtchn } = state;
  if (layout.lines.global !== undefined) lines.push({ kind: 'global', rw: listeners.rw ?? -1 });
  if (layout.lines['evtchn-dev'] !== undefined && evtchn.fd !== undefined) {
    const { fd, excPort } = evtchn;
    if (excPort === undefined) assumptions.push({ row: 'excPort', thing: { kind: 'daemon' }, how: 'written as 0' });
    lines.push({ kind: 'evtchn-dev', fd, port: excPort ?? 0 });
  }
  const isRing = ({ link }: ConnectionState) => link.kind === 'ring';
  const ordered = [...state.connections.filter(isRing), ...state.connections.filter((conn) => !isRing(conn))];
  for (const { link, watches } of ordered) {
    lines.push(link.kind === 'ring' ? domLine(link, layout, assumptions) : { kind: 'socket', fd: link.fd });
    const id = link.kind === 'ring' ? link.domid : -link.fd;
    for (const { path, token } of watches) lines.push({ kind: 'watch', id, path, token });
  }
  lines.push(...storeLines(state));
  return { dump: { lines }, assumptions };
}

function domLine(link: RingLink, layout: TextLayout, assumptions: Assumption[]): DumpFields {
  const { domid, mfn, guestPort, port } = link;
  const thing = { kind: 'connection', connection: connectionName(link) } as const;
  if (mfn === undefined && domid !== 0) assumptions.push({ row: 'mfn', thing, how: 'written as 0' });
  if (guestPort === undefined) assumptions.push({ row: 'port', thing, how: "the guest's is written as 0" });
  const line = { kind: 'dom', domid, mfn: mfn ?? 0n, remotePort: guestPort ?? 0 } as const;
  return layout.lines.dom?.fields.includes('localPort?') && port !== undefined ? { ...line, localPort: port } : line;
}

/** Special nodes are children of the root, at the place that their names give them. */
function storeLines({ nodes, specials }: DaemonState): DumpFields[] {
  const lineOf = ({ path, value, acl }: NodeState, prefix = ''): DumpFields => ({
    kind: 'store',
    path: prefix + path,
    perms: acl,
    value,
  });
  const lines: DumpFields[] = [];
  const left = specials.toSorted((a, b) => byOctets(b.path, a.path));
  for (const node of nodes) {
    const name = node.path.slice(1);
    const isTop = node.path !== '/' && !name.includes('/');
    while (isTop && left[0] !== undefined && byOctets(left[0].path, name) > 0) lines.push(lineOf(left.shift()!, '/'));
    lines.push(lineOf(node));
  }
  return [...lines, ...left.map((node) => lineOf(node, '/'))];
}
