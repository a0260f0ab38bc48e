import { escapeOctets, textOf } from '../schema/text.ts';
import type { StateRow } from './carriage.ts';
import { quoted } from './losses.ts';
import { contentText, QUOTA_NAMES } from './reduce.ts';
import {
  type AclEntry,
  type ConnectionState,
  childLists,
  connectionName,
  type DaemonState,
  type NodeState,
  type OwedEvent,
  type QuotaState,
  type RingLink,
  type TouchedNode,
} from './state.ts';

/** One thing that two states do not have in common, or have differently. A side that lacks it is absent. */
export interface Difference {
  readonly row: StateRow;
  /** `node "/a"`, `domain 5`, `watch "x" "t" of domain 5`. */
  readonly thing: string;
  /** `value`, `acl`, ...; empty when the thing itself is there on one side only. */
  readonly field: string;
  readonly a?: string;
  readonly b?: string;
}

/**
 * Compare two states by what they mean: connections by their domain or descriptor, watches by path and token, nodes by
 * path. A domain of which nothing is known equals one that is not mentioned. The order of siblings counts, that of
 * connections and watches does not.
 */
export function diffStates(a: DaemonState, b: DaemonState): Difference[] {
  const all = new Differ();
  all.texts('binding', 'state', new Map([['scope', a.scope]]), new Map([['scope', b.scope]]));
  all.texts('listeners', 'daemon', daemonTexts({ ...a.listeners }), daemonTexts({ ...b.listeners }));
  all.texts('evtchnFd', 'daemon', daemonTexts({ evtchn: a.evtchn.fd }), daemonTexts({ evtchn: b.evtchn.fd }));
  all.texts('excPort', 'daemon', daemonTexts({ exc: a.evtchn.excPort }), daemonTexts({ exc: b.evtchn.excPort }));
  for (const side of ['domain', 'global'] as const)
    diffQuotas(all, 'defaultQuotas', `default quota (${side})`, a.quotas?.[side], b.quotas?.[side]);
  all.both(byKey(a.domains, domainKey), byKey(b.domains, domainKey), (thing, x, y) => {
    all.texts(
      'features',
      thing,
      daemonTexts({ features: x?.features || undefined }),
      daemonTexts({ features: y?.features || undefined }),
    );
    diffQuotas(all, 'domainQuotas', `quota of ${thing}`, x?.quotas, y?.quotas);
  });
  all.both(byKey(a.connections, connKey), byKey(b.connections, connKey), (thing, x, y) =>
    diffConnection(all, thing, x, y),
  );
  diffNodes(all, 'node', a.nodes, b.nodes);
  diffNodes(all, 'specialAcl', a.specials, b.specials);
  const [before, after] = [childLists(a.nodes), childLists(b.nodes)];
  for (const [path, names] of before) {
    const [x, y] = [names, after.get(path) ?? []].map((list) => list.join(' ')) as [string, string];
    const isSameSet =
      names.length === (after.get(path)?.length ?? 0) && sorted(names) === sorted(after.get(path) ?? []);
    if (isSameSet && x !== y)
      all.found.push({ row: 'siblingOrder', thing: `node ${quoted(path)}`, field: 'children', a: x, b: y });
  }
  return all.found;
}

/** One line for each difference: `-` only in the first, `+` only in the second, `~` different. */
export function differencesText(differences: readonly Difference[]): string {
  return differences
    .map(({ thing, field, a, b }) => {
      const name = field === '' ? thing : `${thing} ${field}`;
      if (b === undefined) return `- ${name}${a === '' ? '' : `: ${a}`}\n`;
      if (a === undefined) return `+ ${name}${b === '' ? '' : `: ${b}`}\n`;
      return `~ ${name}: ${a} -> ${b}\n`;
    })
    .join('');
}

type Texts = ReadonlyMap<string, string>;

class Differ {
  readonly found: Difference[] = [];

  /** Calls for each key of either side, those of the first before the others. */
  both<T>(a: ReadonlyMap<string, T>, b: ReadonlyMap<string, T>, look: (key: string, x?: T, y?: T) => void): void {
    for (const [key, x] of a) look(key, x, b.get(key));
    for (const [key, y] of b) if (!a.has(key)) look(key, undefined, y);
  }

  texts(row: StateRow, thing: string, a: Texts, b: Texts): void {
    this.both(a, b, (field, x, y) => this.text(row, thing, field, x, y));
  }

  text(row: StateRow, thing: string, field: string, a: string | undefined, b: string | undefined): void {
    if (a === b) return;
    this.found.push({ row, thing, field, ...(a === undefined ? {} : { a }), ...(b === undefined ? {} : { b }) });
  }
}

/** Things by name; the second of a name is `name (2)`. */
function byKey<T>(list: readonly T[], keyOf: (one: T) => string): Map<string, T> {
  const found = new Map<string, T>();
  for (const one of list) {
    const key = keyOf(one);
    let again = 1;
    while (found.has(again === 1 ? key : `${key} (${again})`)) again++;
    found.set(again === 1 ? key : `${key} (${again})`, one);
  }
  return found;
}

const domainKey = ({ domid }: { readonly domid: number }) => `domain ${domid}`;
const connKey = ({ link }: ConnectionState) => connectionName(link);
const sorted = (names: readonly string[]) => names.toSorted().join(' ');

function daemonTexts(values: Readonly<Record<string, number | bigint | undefined>>): Texts {
  const known = Object.entries(values).filter(([, value]) => value !== undefined);
  return new Map(known.map(([name, value]) => [name, String(value)]));
}

function quotas(list: readonly QuotaState[] = []): Texts {
  return new Map(list.map(({ name, value }) => [name, String(value)]));
}

function diffQuotas(
  all: Differ,
  row: StateRow,
  thing: string,
  a: readonly QuotaState[] | undefined,
  b: readonly QuotaState[] | undefined,
): void {
  all.both(quotas(a), quotas(b), (name, x, y) =>
    all.text(QUOTA_NAMES.includes(name) ? row : 'unknownQuotas', thing, name, x, y),
  );
}

function aclText(acl: readonly AclEntry[]): string {
  return acl.map(({ letter, domid, stale }) => `${letter}${domid}${stale ? '(stale)' : ''}`).join(' ');
}

const isLive = ({ stale }: AclEntry) => !stale;

function nodeText({ value, acl }: NodeState | TouchedNode): string {
  return `${escapeOctets(value)} [${aclText(acl)}]`;
}

function diffNodes(all: Differ, row: StateRow, a: readonly NodeState[], b: readonly NodeState[]): void {
  const key = ({ path }: NodeState) => `node ${quoted(path)}`;
  all.both(byKey(a, key), byKey(b, key), (thing, x, y) => {
    if (x === undefined || y === undefined) return all.text(row, thing, '', x && nodeText(x), y && nodeText(y));
    all.text(row, thing, 'value', escapeOctets(x.value), escapeOctets(y.value));
    const isSameLive = aclText(x.acl.filter(isLive)) === aclText(y.acl.filter(isLive));
    const aclRow = isSameLive ? 'staleAcl' : row === 'node' ? 'acl' : row;
    all.text(aclRow, thing, 'acl', aclText(x.acl), aclText(y.acl));
    all.text('generation', thing, 'generation', x.generation?.toString(), y.generation?.toString());
  });
}

function diffConnection(
  all: Differ,
  thing: string,
  x: ConnectionState | undefined,
  y: ConnectionState | undefined,
): void {
  if (x === undefined || y === undefined) {
    const row = (x ?? y)?.link.kind === 'socket' ? 'sockets' : 'connections';
    return all.text(row, thing, '', x && contentText(x), y && contentText(y));
  }
  const row = (of: StateRow, name: string, p: unknown, q: unknown) =>
    all.text(of, thing, name, p === undefined ? undefined : String(p), q === undefined ? undefined : String(q));
  if (x.link.kind === 'ring' && y.link.kind === 'ring') {
    const [a, b] = [x.link, y.link];
    row('target', 'target', a.target, b.target);
    row('port', "daemon's port", a.port, b.port);
    row('port', "guest's port", a.guestPort, b.guestPort);
    row('mfn', 'mfn', a.mfn, b.mfn);
    row('uniqueId', 'unique id', a.uniqueId, b.uniqueId);
    row('flags', 'flags', flagsText(a), flagsText(b));
  }
  row('readOnly', 'read-only', x.readOnly, y.readOnly);
  row('outputBoundary', 'half-sent octets', x.restBytes, y.restBytes);
  row('input', 'input', octetsText(x.input), octetsText(y.input));
  row('output', 'output', octetsText(x.output), octetsText(y.output));
  for (let i = 0; i < Math.max(x.delayed.length, y.delayed.length); i++)
    row('delayed', `delayed request ${i}`, octetsText(x.delayed[i]), octetsText(y.delayed[i]));
  all.both(watches(x), watches(y), (key, p, q) => {
    const name = `watch ${key} of ${thing}`;
    if (p === undefined || q === undefined) all.text('watch', name, '', p, q);
    else all.text('watchDepth', name, 'depth', p, q);
  });
  all.both(transactions(x), transactions(y), (key, p, q) => {
    const name = `transaction ${key} of ${thing}`;
    if (p === undefined || q === undefined) all.text('txId', name, '', p && '', q && '');
    all.text('txBase', name, 'base', p?.base?.toString(), q?.base?.toString());
    all.text('txEvents', name, 'events', owedText(p?.events), owedText(q?.events));
    all.both(touched(p?.nodes), touched(q?.nodes), (path, m, n) => {
      const kind = m ?? n;
      const of = kind?.written ? 'txWrites' : kind?.read ? 'txReads' : 'txDeletes';
      all.text(of, `${name}, ${path}`, '', m && touchedText(m), n && touchedText(n));
      all.text('txBase', `${name}, ${path}`, 'base', m?.base?.toString(), n?.base?.toString());
    });
  });
}

function flagsText({ flags = {} }: RingLink): string | undefined {
  return Object.keys(flags).join(' ') || undefined;
}

/** Nothing for no octets. */
function octetsText(octets: Uint8Array | undefined): string | undefined {
  return octets === undefined || octets.length === 0 ? undefined : escapeOctets(octets);
}

/** Depth as text, by path and token. */
function watches(conn: ConnectionState | undefined): Map<string, string> {
  const found = new Map<string, string>();
  for (const { path, token, depth } of conn?.watches ?? [])
    found.set(`${quoted(path)} ${escapeOctets(token)}`, depth === undefined ? 'unlimited' : String(depth));
  return found;
}

function transactions(conn: ConnectionState | undefined) {
  return byKey(conn?.transactions ?? [], ({ id }) => String(id));
}

function touched(nodes: readonly TouchedNode[] = []): Map<string, TouchedNode> {
  return byKey(nodes, ({ path }) => quoted(path));
}

function owedText(events: readonly OwedEvent[] | undefined): string | undefined {
  return events?.map(({ path, exact }) => (exact ? `${quoted(path)} alone` : quoted(path))).join(' ');
}

function touchedText(node: TouchedNode): string {
  const kinds = [node.read ? 'read' : '', node.written ? 'written' : ''].filter((kind) => kind !== '');
  return kinds.length === 0 ? 'deleted' : `${kinds.join(' and ')}: ${nodeText(node)}`;
}

/** A state as a JSON value: octets as strings of one code point each, 64-bit numbers as decimal digits. */
export function stateJson(value: unknown): unknown {
  if (value instanceof Uint8Array) return textOf(value);
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return value.map(stateJson);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, stateJson(inner)]));
  return value;
}
