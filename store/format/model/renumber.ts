import { splitMessages } from '../file/messages.ts';
import { octetsOf, textOf } from '../schema/text.ts';
import type { StateRow } from './carriage.ts';
import { joined } from './joined.ts';
import type { Loss, Thing } from './losses.ts';
import {
  type AclEntry,
  type ConnectionState,
  connectionName,
  type DaemonState,
  type NodeState,
  type RingLink,
  type SocketLink,
  type TouchedNode,
} from './state.ts';

// A domain that gets another number on its new host. Non-cooperative migration forbids it, since the guest may have kept
// its number, and guest memory cannot be rewritten: docs/designs/non-cooperative-migration.md. This is for whoever tries
// all the same, and it tells what it could not reach.

export interface Renumbering {
  readonly from: number;
  readonly to: number;
}

export type Renumbered =
  | { readonly ok: true; readonly state: DaemonState; readonly losses: readonly Loss[] }
  | { readonly ok: false; readonly reason: string };

/** Where a path has a domid: component by component, `*` any, `N` the domid; what stands behind it follows. */
const DOMID_PLACES: readonly (readonly string[])[] = [
  ['local', 'domain', 'N'],
  ['local', 'domain', '*', 'backend', '*', 'N'],
  ['local', 'domain', '*', 'device-model', 'N'],
  ['libxl', 'N'],
];
/** Last components of the nodes whose value is a domid, or a path that has one. */
const DOMID_KEYS: readonly string[] = ['backend-id', 'domid', 'frontend-id'];
const PATH_KEYS: readonly string[] = ['backend', 'frontend'];
/** Messages whose payload begins with a path: the requests that name a node, and events. Source: io/xs_wire.h. */
const PATH_MESSAGES: readonly number[] = [1, 2, 3, 4, 5, 11, 12, 13, 14, 15, 20];
const HEADER_BYTES = 16;

/**
 * The same state with another number for one domain, wherever it can be told: connections, targets, permissions, paths
 * component by component, watches, whole messages, and values whose key says what they are. Tokens stay as they are.
 * @returns losses for what is no longer true (ports, frames, identities) and for what still has the old number.
 * Errors: no such domain, or the new number is taken.
 */
export function renumberDomain(state: DaemonState, { from, to }: Renumbering): Renumbered {
  const domids = state.connections.flatMap(({ link }) => (link.kind === 'ring' ? [link.domid] : []));
  if (!domids.includes(from)) return { ok: false, reason: `there is no domain ${from} to renumber` };
  const home = new RegExp(`^/local/domain/${to}(/|$)`);
  if (domids.includes(to) || state.nodes.some(({ path }) => home.test(path)))
    return { ok: false, reason: `domain ${from} cannot become ${to}, which is there` };
  const losses: Loss[] = [];
  const one = new Renumberer(from, to, losses);
  return {
    ok: true,
    state: {
      ...state,
      nodes: state.nodes.map((node) => one.node(node)),
      specials: state.specials.map((node) => ({ ...node, acl: one.acl(node.acl) })),
      connections: state.connections.map((conn) => one.connection(conn)),
      domains: state.domains.map((domain) => ({ ...domain, domid: one.domid(domain.domid) })),
    },
    losses,
  };
}

class Renumberer {
  readonly #from: number;
  readonly #to: number;
  readonly #losses: Loss[];

  constructor(from: number, to: number, losses: Loss[]) {
    this.#from = from;
    this.#to = to;
    this.#losses = losses;
  }

  domid(domid: number): number {
    return domid === this.#from ? this.#to : domid;
  }

  acl(acl: readonly AclEntry[]): readonly AclEntry[] {
    return acl.map((entry) => ({ ...entry, domid: this.domid(entry.domid) }));
  }

  /** An absolute path, or the name of a special node; others are relative to a home and stay. */
  path(path: string): string {
    if (path.startsWith('@')) return path === `@releaseDomain/${this.#from}` ? `@releaseDomain/${this.#to}` : path;
    if (!path.startsWith('/')) return path;
    const parts = path.split('/').slice(1);
    const old = String(this.#from);
    for (const place of DOMID_PLACES) {
      const isThere = place.every((want, i) => want === '*' || parts[i] === (want === 'N' ? old : want));
      if (isThere) parts[place.length - 1] = String(this.#to);
    }
    return `/${parts.join('/')}`;
  }

  node(node: NodeState): NodeState {
    const path = this.path(node.path);
    return { ...node, path, value: this.#value(path, node.value), acl: this.acl(node.acl) };
  }

  connection(conn: ConnectionState): ConnectionState {
    const thing: Thing = { kind: 'connection', connection: connectionName(conn.link) };
    const rest = conn.output.subarray(0, conn.restBytes);
    this.#mention(rest, 'output', thing, 'a half-sent message');
    this.#mention(conn.input, 'input', thing, 'a request in part');
    const { whole, partial } = splitMessages(conn.output.subarray(conn.restBytes));
    const touched = (node: TouchedNode): TouchedNode => {
      const path = this.path(node.path);
      return { ...node, path, value: this.#value(path, node.value), acl: this.acl(node.acl) };
    };
    return {
      ...conn,
      link: this.#link(conn.link, thing),
      watches: conn.watches.map((watch) => ({ ...watch, path: this.path(watch.path) })),
      transactions: conn.transactions.map((tx) => ({
        ...tx,
        nodes: tx.nodes.map(touched),
        ...(tx.events === undefined
          ? {}
          : { events: tx.events.map((event) => ({ ...event, path: this.path(event.path) })) }),
      })),
      delayed: conn.delayed.map((message) => this.#message(message)),
      output: joined(rest, ...whole.map((message) => this.#message(message)), partial),
    };
  }

  #link(link: RingLink | SocketLink, thing: Thing): RingLink | SocketLink {
    if (link.kind === 'socket') return link;
    const target = link.target === undefined ? {} : { target: this.domid(link.target) };
    if (link.domid !== this.#from) return { ...link, ...target };
    const { port, guestPort, mfn, uniqueId, ...kept } = link;
    const old = { port, guestPort, mfn, uniqueId };
    for (const [name, value] of Object.entries(old))
      if (value !== undefined)
        this.#lose(
          name === 'guestPort' ? 'port' : (name as StateRow),
          thing,
          'dropped',
          `${name} ${value} of the old host`,
        );
    return { ...kept, ...target, domid: this.#to };
  }

  /** Of the nodes whose key says what their value is; others may well have the number in them, and nobody can tell. */
  #value(path: string, value: Uint8Array): Uint8Array {
    const key = path.slice(path.lastIndexOf('/') + 1);
    const text = textOf(value);
    if (DOMID_KEYS.includes(key) && text === String(this.#from)) return octetsOf(String(this.#to));
    if (PATH_KEYS.includes(key) && text.startsWith('/')) return octetsOf(this.path(text));
    this.#mention(value, 'node', { kind: 'node', path }, 'its value');
    return value;
  }

  /** A whole message, with the path in it rewritten and its length set. */
  #message(message: Uint8Array): Uint8Array {
    const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
    if (!PATH_MESSAGES.includes(view.getUint32(0, true))) return message;
    const payload = message.subarray(HEADER_BYTES);
    const nul = payload.indexOf(0);
    const before = textOf(nul < 0 ? payload : payload.subarray(0, nul));
    const after = this.path(before);
    if (after === before) return message;
    const rewritten = joined(message.subarray(0, HEADER_BYTES), octetsOf(after), payload.subarray(before.length));
    new DataView(rewritten.buffer).setUint32(12, rewritten.length - HEADER_BYTES, true);
    return rewritten;
  }

  #mention(octets: Uint8Array, row: StateRow, thing: Thing, what: string): void {
    const old = `/local/domain/${this.#from}`;
    if (new RegExp(`${old}(/|\\0|$)`).test(textOf(octets)))
      this.#lose(row, thing, 'changed', `${what} still says ${old}`);
  }

  #lose(row: StateRow, thing: Thing, fate: Loss['fate'], how: string): void {
    this.#losses.push({ row, thing, fate, how });
  }
}
