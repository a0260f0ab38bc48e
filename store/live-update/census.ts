import { REQ_CONS, REQ_PROD, RING_BYTES, used } from '../../sim/index.ts';
import type { UpdateRecord } from '../contract/update-record.ts';
import type { Connection } from '../daemon/connection.ts';
import type { DaemonState } from '../daemon/state.ts';

/** What a live update interrupts. */
export type Census = Pick<
  UpdateRecord,
  | 'connections'
  | 'partialRequests'
  | 'requestOctetsInRings'
  | 'partialReplies'
  | 'queuedReplies'
  | 'queuedEvents'
  | 'openTransactions'
  | 'watches'
  | 'nodes'
>;

/** Count what is under way in this moment. */
export function takeCensus(state: DaemonState): Census {
  let connections = 0;
  let partialRequests = 0;
  let requestOctetsInRings = 0;
  let partialReplies = 0;
  let queuedReplies = 0;
  let queuedEvents = 0;
  let watches = 0;
  for (const conn of state.connections) {
    connections++;
    watches += conn.watches.length;
    requestOctetsInRings += octetsInRing(conn);
    if (conn.headerUsed > 0) partialRequests++;
    for (const out of conn.out) {
      if (out.sent > 0 || out.kind === 'restored') partialReplies++;
      else if (out.kind === 'event') queuedEvents++;
      else queuedReplies++;
    }
  }
  return {
    connections,
    partialRequests,
    requestOctetsInRings,
    partialReplies,
    queuedReplies,
    queuedEvents,
    openTransactions: state.openTransactions,
    watches,
    nodes: state.tree.size,
  };
}

function octetsInRing(conn: Connection): number {
  const page = conn.link.kind === 'ring' ? conn.link.page : undefined;
  const octets = page === undefined ? 0 : used(page.load32(REQ_PROD), page.load32(REQ_CONS));
  return octets > RING_BYTES ? 0 : octets; // indexes that cannot be say nothing
}
