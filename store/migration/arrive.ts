import { SERVER_FEATURES } from '../../sim/index.ts';
import type { Connection } from '../daemon/connection.ts';
import { tie } from '../daemon/connection.ts';
import type { Daemon } from '../daemon/daemon.ts';
import { isQuota } from '../daemon/quota.ts';
import type { NodeData } from '../format/index.ts';
import type { ConnectionState, DaemonState, NodeState, RingLink, TransactionState } from '../format/model/index.ts';
import { restoreInput, restoreOutput, restoreView, restoreWatch } from '../live-update/restore.ts';
import { restorePerms } from '../live-update/restored-tree.ts';
import { octetsOf, textOf } from '../protocol/octets.ts';
import { parentOf } from '../protocol/path.ts';
import type { Perm } from '../protocol/perms.ts';
import { ownerOf } from '../tree/node.ts';
import { newTransaction } from '../tree/transaction.ts';
import { View } from '../tree/view.ts';
import { judgedAgain } from './conflict-base.ts';
import { isWithin, placeOf } from './places.ts';

const READ = 1;
const WRITTEN = 2;

/** What an image is applied by. */
export interface Arrival {
  readonly domids: readonly number[];
  /** The guest's end of the store's port, by domid. */
  readonly ports: ReadonlyMap<number, number>;
  /** Where half-sent messages end is not known: output is one piece. */
  readonly isOpaque: boolean;
  /** Each watch fires once (NC-23). */
  readonly firesWatches: boolean;
  /** Transactions with a conflict base are judged by it. */
  readonly hasBases: boolean;
}

/**
 * Apply an image that was looked through, in one step and whole or not at all (NC-15): connections first, frozen, then the nodes
 * as if dom0 had written them in one transaction (NC-16), then watches, which have seen none of it, and what is on its way.
 * @returns why it cannot be; then nothing is as if it had been tried.
 */
export function arrive(daemon: Daemon, state: DaemonState, arrival: Arrival): string | undefined {
  const { domids } = arrival;
  const occupied = whyOccupied(daemon, domids);
  if (occupied !== undefined) return occupied;
  // All that is needed is got before anything changes: a daemon that finds no memory half way would have to take it back.
  const [first = 0] = domids;
  const pieces = state.nodes.length + state.connections.length;
  for (let i = 0; i < pieces; i++) if (daemon.platform.lacksMemory(first)) return 'ENOMEM';
  const conns = new Map<number, Connection>();
  for (const { link } of state.connections) {
    if (link.kind !== 'ring') continue;
    const failed = attach(daemon, conns, link, arrival.ports.get(link.domid) ?? link.guestPort);
    if (failed === undefined) continue;
    for (const conn of conns.values()) daemon.introductions.abandon(conn);
    return failed;
  }
  for (const { domid, quotas } of state.domains) {
    const known = daemon.records.record(domid);
    for (const { name, value } of quotas) if (known !== undefined && isQuota(name)) known.quotas[name] = value;
  }
  plant(daemon, state.nodes, domids);
  for (const { link } of state.connections) {
    const [conn, target] = [ofLink(conns, link), link.kind === 'ring' ? conns.get(link.target ?? -1) : undefined];
    if (conn !== undefined && target !== undefined) tie(conn, target); // after both are there (NC-20)
  }
  for (const domid of domids) daemon.introductions.announce(domid);
  for (const one of state.connections) {
    const conn = ofLink(conns, one.link);
    if (conn !== undefined) resume(daemon, conn, one, state, arrival);
  }
  return undefined;
}

function ofLink(conns: ReadonlyMap<number, Connection>, link: ConnectionState['link']): Connection | undefined {
  return link.kind === 'ring' ? conns.get(link.domid) : undefined;
}

/** NC-14: whoever had the number here must have gone, and left nothing. What the toolstack has made at its place goes later. */
function whyOccupied({ state, records }: Daemon, domids: readonly number[]): string | undefined {
  for (const domid of domids) if (records.isIntroduced(domid)) return `domain ${domid} is introduced`;
  for (const node of state.tree.values())
    if (domids.includes(ownerOf(node)) && !isWithin(node.path, domids))
      return `domain ${ownerOf(node)} owns ${node.path} here`;
  return undefined;
}

function attach(
  daemon: Daemon,
  conns: Map<number, Connection>,
  { domid }: RingLink,
  port: number | undefined,
): string | undefined {
  if (port === undefined) return `nobody says which port of domain ${domid} is the store's`;
  const conn = daemon.introductions.adopt(domid, port);
  if (typeof conn === 'string') return `domain ${domid}: ${conn}`;
  conns.set(domid, conn);
  if (conn.link.kind !== 'ring' || conn.record === undefined) return undefined;
  // NC-19: what the guest was told there, it may rely on here.
  const told = conn.link.page?.load32(SERVER_FEATURES) ?? 0;
  const offered = daemon.state.compat.ringFeatures ? conn.record.features : 0;
  if ((told & ~offered) !== 0)
    return `domain ${domid} was offered features 0x${told.toString(16)}, here are 0x${offered.toString(16)}`;
  conn.record.features = told;
  return undefined;
}

/** Nodes of the domain in place of whatever is there; others hear of it when all are there. */
function plant(daemon: Daemon, nodes: readonly NodeState[], domids: readonly number[]): void {
  const { ground, tree } = daemon;
  const view = new View(ground, undefined, undefined, undefined);
  const places = new Set(nodes.map(({ path }) => placeOf(path, domids) ?? path));
  for (const place of places) {
    const there = tree.get(place);
    if (there !== undefined && isWithin(place, domids)) view.removeTree(there, tree.get(parentOf(place)));
  }
  const written: string[] = [];
  for (const { path, value, acl } of nodes) {
    const there = tree.get(path);
    const isOwn = isWithin(path, domids) || domids.includes(acl[0]?.domid ?? -1);
    if (!isOwn && there !== undefined) continue;
    const node = there ?? view.create(path, value);
    if (!isOwn) continue; // a level above: the host's own
    const perms = restorePerms(
      daemon,
      acl.map((entry) => ({ letter: entry.letter, domid: entry.domid, flags: entry.stale ? 1 : 0 })),
    );
    view.reown(ownerOf(node), (perms[0] as Perm).domid);
    view.putPerms(there === undefined ? node : view.putValue(node, value), perms);
    written.push(path);
  }
  view.applyCounts();
  for (const path of written) ground.watchers.fire(path, tree.get(path), 'subtree', undefined, undefined);
}

/** Everything of a connection that is neither its ring nor a node. */
function resume(
  daemon: Daemon,
  conn: Connection,
  { watches, transactions, delayed, input, output, restBytes }: ConnectionState,
  state: DaemonState,
  { isOpaque, firesWatches, hasBases }: Arrival,
): void {
  restoreOutput(daemon, conn, output, isOpaque ? output.length : restBytes);
  for (const { path, token, depth } of watches) {
    restoreWatch(daemon, conn, path, textOf(token), depth ?? -1);
    const watch = conn.watches.at(-1);
    if (firesWatches && watch !== undefined) daemon.output.event(watch, watch.path, undefined);
  }
  for (const one of transactions) {
    const tx = newTransaction(one.id, true, daemon.state.generation);
    daemon.transactions.open(conn, tx);
    conn.lastTxId = Math.max(conn.lastTxId, tx.id); // not to be given out again before its end (NC-17)
    restoreView(daemon, tx, one.nodes.map(touched));
    if (hasBases) judgedAgain(daemon, conn, one, state);
  }
  restoreInput(daemon, conn, octetsOf(...delayed, input));
}

/** A node of a transaction as an image has it. */
function touched({ path, read, written, value, acl }: TransactionState['nodes'][number]): NodeData {
  return {
    kind: 'NODE_DATA',
    connId: 0,
    txId: 0,
    access: acl.length === 0 ? 0 : (read ? READ : 0) | (written ? WRITTEN : 0),
    perms: acl.map(({ letter, domid, stale }) => ({ letter, domid, flags: stale ? 1 : 0 })),
    path: octetsOf(path),
    value,
  };
}
