import { type Carriage, extentOf, type StateRow } from './carriage.ts';
import type { Loss, Thing } from './losses.ts';
import { reduceConnection } from './reduce-connection.ts';
import { reduceAcl, reduceOrder, reduceOrphans, reduceSpecials } from './reduce-nodes.ts';
import type { ReduceOptions, Report } from './reduction.ts';
import { type ConnectionState, connectionName, type DaemonState, type DomainState, type QuotaState } from './state.ts';

/** The ten that C-4.22 has a limit for; it drops others. Source: tools/xenstored/domain.c, quota_adm and parse_quota_name(). */
export const QUOTA_NAMES: readonly string[] = [
  'nodes',
  'watches',
  'outstanding',
  'memory',
  'soft-memory',
  'transactions',
  'transaction-nodes',
  'node-permissions',
  'path-max',
  'node-size',
];

/**
 * Take from a state what a format cannot carry. What is left is carried in full: it comes back equal.
 * @returns the rest, and one loss for each thing taken or changed, in the order of the state's parts.
 */
export function reduceState(
  state: DaemonState,
  carriage: Carriage,
  options: ReduceOptions = {},
): { readonly state: DaemonState; readonly losses: readonly Loss[] } {
  const losses: Loss[] = [];
  const report: Report = (row, thing, fate, how) => losses.push({ row, thing, fate, how });
  const rooted = reduceOrphans(state.nodes, carriage, report);
  const nodes = reduceOrder(reduceAcl(rooted, carriage, report), carriage, report);
  const specials = reduceSpecials(reduceAcl(state.specials, carriage, report), carriage, report);
  const listeners = { ...state.listeners };
  if (listeners.rw !== undefined && extentOf(carriage, 'listeners') === 'none') {
    report('listeners', DAEMON, 'dropped', `fd ${listeners.rw}`);
    delete listeners.rw;
  }
  if (listeners.ro !== undefined && extentOf(carriage, 'listeners') !== 'full') {
    report('listeners', DAEMON, 'dropped', `read-only socket, fd ${listeners.ro}`);
    delete listeners.ro;
  }
  const evtchn = { ...state.evtchn };
  if (evtchn.fd !== undefined && extentOf(carriage, 'evtchnFd') === 'none') {
    report('evtchnFd', DAEMON, 'dropped', `fd ${evtchn.fd}`);
    delete evtchn.fd;
  }
  if (evtchn.excPort !== undefined && extentOf(carriage, 'excPort') === 'none') {
    report('excPort', DAEMON, 'dropped', `port ${evtchn.excPort}; the successor binds the VIRQ again`);
    delete evtchn.excPort;
  }
  const quotas = reduceDefaults(state, carriage, options, report);
  return {
    state: {
      scope: carriage.scope ?? state.scope,
      nodes,
      specials,
      connections: reduceConnections(state.connections, carriage, options, report),
      domains: reduceDomains(state.domains, carriage, options, report),
      ...(quotas === undefined ? {} : { quotas }),
      listeners,
      evtchn,
    },
    losses,
  };
}

const DAEMON: Thing = { kind: 'daemon' };

function reduceConnections(
  connections: readonly ConnectionState[],
  carriage: Carriage,
  options: ReduceOptions,
  report: Report,
): ConnectionState[] {
  const kept: ConnectionState[] = [];
  const earlier = new Set<number>();
  const named = new Set<string>();
  for (const conn of connections) {
    const connection = connectionName(conn.link);
    if (conn.link.kind === 'socket' && extentOf(carriage, 'sockets') === 'none') {
      report('sockets', { kind: 'connection', connection }, 'dropped', contentText(conn));
      continue;
    }
    if (named.has(connection) && carriage.names !== 'ids') {
      report('connections', { kind: 'connection', connection }, 'dropped', `a second one, ${contentText(conn)}`);
      continue;
    }
    if (conn.link.kind === 'socket' && conn.link.fd <= 0 && carriage.names === 'numbers') {
      report(
        'sockets',
        { kind: 'connection', connection },
        'dropped',
        `its negated fd is no name, ${contentText(conn)}`,
      );
      continue;
    }
    named.add(connection);
    kept.push(reduceConnection(conn, carriage, { ...options, earlier }, report));
    if (conn.link.kind === 'ring') earlier.add(conn.link.domid);
  }
  return kept;
}

/** What goes with a connection. */
export function contentText({ readOnly, watches, transactions, delayed, input, output }: ConnectionState): string {
  const parts = [
    readOnly ? 'no right to write' : '0 ',
    `${watches.length} watches`,
    `${transactions.length} transactions`,
    `${delayed.length} delayed requests`,
    `${input.length} octets of input`,
    `${output.length} octets of output`,
  ].filter((part) => !part.startsWith('0 '));
  return parts.length === 0 ? 'it holds nothing' : `with ${parts.join(', ')}`;
}

function reduceDefaults(
  state: DaemonState,
  carriage: Carriage,
  options: ReduceOptions,
  report: Report,
): DaemonState['quotas'] {
  if (state.quotas === undefined) return undefined;
  const reduce = (quotas: readonly QuotaState[]) =>
    reduceQuotas(quotas, 'defaultQuotas', DAEMON, carriage, options, report);
  const domain = reduce(state.quotas.domain);
  const global = reduce(state.quotas.global);
  return extentOf(carriage, 'defaultQuotas') === 'none' ? undefined : { domain, global };
}

function reduceQuotas(
  quotas: readonly QuotaState[],
  row: 'defaultQuotas' | 'domainQuotas',
  thing: Thing,
  carriage: Carriage,
  { quotaNames = QUOTA_NAMES }: ReduceOptions,
  report: Report,
): readonly QuotaState[] {
  const take = (lost: readonly QuotaState[], of: StateRow) => {
    if (lost.length > 0) report(of, thing, 'dropped', lost.map(({ name, value }) => `${name}=${value}`).join(' '));
  };
  const [known, unknown] = [true, false].map((is) => quotas.filter(({ name }) => quotaNames.includes(name) === is));
  const isCarried = extentOf(carriage, row) !== 'none';
  const isPassed = isCarried && extentOf(carriage, 'unknownQuotas') !== 'none';
  if (!isCarried) take(known ?? [], row);
  if (!isPassed) take(unknown ?? [], 'unknownQuotas');
  return isPassed ? quotas : isCarried ? (known ?? []) : [];
}

function reduceDomains(
  domains: readonly DomainState[],
  carriage: Carriage,
  options: ReduceOptions,
  report: Report,
): DomainState[] {
  const extent = extentOf(carriage, 'features');
  const hasFeatures = extent === 'full' || (extent === 'part' && (options.version ?? 2) >= 2);
  const hasQuotas = extentOf(carriage, 'domainQuotas') !== 'none';
  const kept: DomainState[] = [];
  for (const { domid, features, quotas } of domains) {
    const thing: Thing = { kind: 'domain', domid };
    const left = reduceQuotas(quotas, 'domainQuotas', thing, carriage, options, report);
    const isLost = features !== undefined && !hasFeatures;
    // An image of version 1 has zero there, which says nothing.
    if (isLost && features !== 0) report('features', thing, 'dropped', `0x${features.toString(16)}`);
    if (hasFeatures || hasQuotas || extent !== 'none')
      kept.push({ domid, ...(features === undefined || isLost ? {} : { features }), quotas: left });
  }
  return kept;
}
