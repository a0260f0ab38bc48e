import {
  type AclEntry,
  type ConnectionState,
  type DaemonState,
  EMPTY_STATE,
  type NodeState,
  type RingLink,
} from '../format/model/index.ts';
import { isBelow, isWithin } from './places.ts';

/** What becomes of nodes that the domain owns elsewhere (NC-13). */
export const SCOPES = ['refuse', 'carry', 'drop'] as const;
export type Scope = (typeof SCOPES)[number];

/** The part of a store that goes with a domain. */
export interface Share {
  /** The domain, and its stub domains: they move together or not at all (NC-20). */
  readonly domids: readonly number[];
  readonly state: DaemonState;
  /** Nodes that the domain owns elsewhere, and that were left behind. */
  readonly left: readonly string[];
}

export type Shared = { readonly ok: true; readonly share: Share } | { readonly ok: false; readonly reason: string };

type RingConnection = ConnectionState & { readonly link: RingLink };

/**
 * What of a daemon's state goes with a domain that is moved without its help (NC-13, NC-20, NC-25): its home, the areas that its
 * backends have for it, its connection and those of its stub domains. Entries for domains that mean nobody there are marked:
 * they must not give rights to whoever has that number. Errors: why it cannot be moved.
 */
export function shareOf(whole: DaemonState, domid: number, scope: Scope): Shared {
  const rings = whole.connections.filter((conn): conn is RingConnection => conn.link.kind === 'ring');
  const own = rings.find(({ link }) => link.domid === domid);
  if (own === undefined) return refused(`domain ${domid} is not introduced`);
  if (own.link.target !== undefined)
    return refused(`domain ${domid} is the stub domain of ${own.link.target}, and moves with it alone`);
  const group = rings.filter(({ link }) => link.domid === domid || link.target === domid);
  const domids = group.map(({ link }) => link.domid);
  const odd = group.find(({ link }) => link.flags?.ignored || link.flags?.released);
  if (odd !== undefined) return refused(`domain ${odd.link.domid} is ${odd.link.flags?.ignored ? 'ignored' : 'dead'}`); // NC-18
  const foreign = whole.nodes.filter(
    ({ path, acl }) => domids.includes(acl[0]?.domid ?? -1) && !isWithin(path, domids),
  );
  if (foreign.length > 0 && scope === 'refuse')
    return refused(
      `domain ${domid} owns ${foreign[0]?.path}${foreign.length > 1 ? ' and others' : ''} outside its home`,
    );
  const kept = scope === 'carry' ? new Set(foreign.map(({ path }) => path)) : new Set<string>();
  const inside = whole.nodes.filter(({ path }) => isWithin(path, domids) || kept.has(path));
  const above = new Set(inside.flatMap(({ path }) => ancestors(path)));
  const nodes = whole.nodes.filter((node) => above.has(node.path) || inside.includes(node));
  const known = new Set([...domids, 0, ...backendsOf(inside)]);
  return {
    ok: true,
    share: {
      domids,
      left: scope === 'drop' ? foreign.map(({ path }) => path) : [],
      state: {
        ...EMPTY_STATE,
        scope: 'migration',
        nodes: nodes.map((node) => ({ ...node, acl: node.acl.map((entry) => ofHere(entry, known)) })),
        connections: group.map((conn) => withoutMachine(conn)),
        domains: whole.domains.filter(({ domid: one }) => domids.includes(one)),
      },
    },
  };
}

function refused(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason };
}

/** An entry for somebody who does not come along: nobody there is meant by it (INV-M25). */
function ofHere(entry: AclEntry, known: ReadonlySet<number>): AclEntry {
  return entry.stale || known.has(entry.domid) || entry.domid === DOMID_ANY ? entry : { ...entry, stale: true };
}

const DOMID_ANY = 0x7ff5;

/** Numbers that mean something to this host alone: the daemon's port, the frame, the identity; marks that start anew. */
function withoutMachine(conn: RingConnection): ConnectionState {
  const { domid, target, guestPort } = conn.link;
  const link: RingLink = {
    kind: 'ring',
    domid,
    ...(target === undefined ? {} : { target }),
    ...(guestPort === undefined ? {} : { guestPort }),
  };
  return { ...conn, link };
}

/** Domains that have a backend area for somebody, by the paths of these nodes. */
export function backendsOf(nodes: readonly Pick<NodeState, 'path'>[]): number[] {
  const found = new Set<number>();
  for (const { path } of nodes) {
    const m = /^\/local\/domain\/([0-9]+)\/backend\//.exec(path);
    if (m !== null) found.add(Number(m[1]));
  }
  return [...found];
}

/** Every name above a path, `/` among them. */
export function ancestors(path: string): string[] {
  const all: string[] = [];
  for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) all.push(path.slice(0, at));
  if (path !== '/') all.push('/');
  return all;
}

/** Whether a node is one that others need above them, and no more. */
export function isAbove(path: string, nodes: readonly Pick<NodeState, 'path'>[]): boolean {
  return nodes.some((node) => isBelow(node.path, path) && node.path !== path);
}
