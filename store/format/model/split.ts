import type { Loss } from './losses.ts';
import { contentText } from './reduce.ts';
import { childLists, connectionName, type DaemonState, EMPTY_STATE, type NodeState } from './state.ts';

/** The part of a state that belongs to one domain. */
export interface DomainShare {
  readonly domid: number;
  readonly state: DaemonState;
}

function ringDomids(state: DaemonState): number[] {
  const domids = state.connections.flatMap(({ link }) => (link.kind === 'ring' ? [link.domid] : []));
  return [...new Set(domids)].sort((a, b) => a - b);
}

/**
 * One state for each domain that has a ring, in ascending order of domids. A domain has what is in its home; all other
 * nodes are the first domain's. A state without any ring is domain 0's.
 * @returns the shares, and a loss for each node whose children come in another order when the shares are put together.
 */
export function splitByDomain(state: DaemonState): {
  readonly shares: readonly DomainShare[];
  readonly losses: readonly Loss[];
} {
  const domids = ringDomids(state);
  const first = domids[0] ?? 0;
  const shares = (domids.length === 0 ? [first] : domids).map((domid): DomainShare => {
    const isOwn = (node: NodeState) => homeOf(node.path, domids, first) === domid;
    return {
      domid,
      state: {
        ...EMPTY_STATE,
        scope: 'migration',
        nodes: state.nodes.filter(isOwn),
        specials: domid === first ? state.specials : [],
        connections: state.connections.filter(({ link }) => link.kind === 'ring' && link.domid === domid),
        domains: state.domains.filter((domain) => domain.domid === domid),
      },
    };
  });
  const [before, after] = [childLists(state.nodes), childLists(mergeShares(shares).nodes)];
  const losses: Loss[] = [];
  for (const [path, names] of before)
    if (names.join('/') !== after.get(path)?.join('/'))
      losses.push({
        row: 'siblingOrder',
        thing: { kind: 'node', path },
        fate: 'changed',
        how: 'homes come last, by domid',
      });
  return { shares, losses };
}

/** Whose home a node is in. */
function homeOf(path: string, domids: readonly number[], first: number): number {
  const m = /^\/local\/domain\/([0-9]{1,5})(?:\/|$)/.exec(path);
  const domid = m === null ? first : Number(m[1]);
  return domids.includes(domid) ? domid : first;
}

/** The share of one domain, and what stays behind when it alone is moved. */
export function takeDomain(
  state: DaemonState,
  domid: number,
): { readonly share: DomainShare; readonly losses: readonly Loss[] } {
  const losses: Loss[] = [];
  for (const conn of state.connections) {
    if (conn.link.kind === 'ring' && conn.link.domid === domid) continue;
    const thing = { kind: 'connection', connection: connectionName(conn.link) } as const;
    losses.push({ row: 'connections', thing, fate: 'dropped', how: contentText(conn) });
  }
  const share = splitByDomain(state).shares.find((one) => one.domid === domid);
  const left = state.nodes.length - (share?.state.nodes.length ?? 0);
  if (left > 0)
    losses.push({
      row: 'node',
      thing: { kind: 'daemon' },
      fate: 'dropped',
      how: `${left} nodes outside the home of domain ${domid}`,
    });
  return { share: share ?? { domid, state: { ...EMPTY_STATE, scope: 'migration' } }, losses };
}

/** All shares as one state, in the order given. */
export function mergeShares(shares: readonly { readonly state: DaemonState }[]): DaemonState {
  const states = shares.map((share) => share.state);
  return {
    ...EMPTY_STATE,
    nodes: states.flatMap((state) => state.nodes),
    specials: states.flatMap((state) => state.specials),
    connections: states.flatMap((state) => state.connections),
    domains: states.flatMap((state) => state.domains),
  };
}
