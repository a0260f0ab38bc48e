import type { Connection } from '../daemon/connection.ts';
import type { Daemon } from '../daemon/daemon.ts';
import type { DaemonState, TransactionState } from '../format/model/index.ts';
import { restoreBases } from '../live-update/neutral-state.ts';
import { isWithin } from './places.ts';

/**
 * A transaction that came with its conflict base is judged again by it, if it can be told on this host (MIG-45): each node that it
 * has touched came along, unchanged since it was first looked at there, or was not there and is on neither host. Any other ends
 * in EAGAIN.
 */
export function judgedAgain(daemon: Daemon, conn: Connection, tx: TransactionState, image: DaemonState): void {
  if (tx.base === undefined || conn.link.kind !== 'ring') return;
  const { state } = daemon;
  const came = new Map(image.nodes.map((node) => [node.path, node]));
  const domids = image.connections.flatMap(({ link }) => (link.kind === 'ring' ? [link.domid] : []));
  const nodes: TransactionState['nodes'][number][] = [];
  for (const node of tx.nodes) {
    const there = came.get(node.path);
    const here = state.tree.get(node.path);
    if (!isWithin(node.path, domids)) return;
    if (node.base === undefined) {
      if (there !== undefined || here !== undefined) return;
      nodes.push(node);
      continue;
    }
    if (there?.generation !== node.base || here === undefined) return;
    nodes.push({ ...node, base: BigInt(here.generation) });
  }
  restoreBases(state, conn, { ...tx, nodes, base: BigInt(state.generation) });
}
