import type { History, Verdict } from '../history.ts';
import type { RecordLog } from '../record-log.ts';
import { logOf } from '../recorded-history.ts';
import { type Connection, collectConnections } from './connection-epochs.ts';
import { CLAIM as FINAL_TREE_CLAIM, SOURCE as FINAL_TREE_SOURCE, finalTree } from './final-tree.ts';
import { type Evidence, type Family, newEvidence } from './finding.ts';
import { judge } from './judge.ts';
import { checkAnswered, pairReplies, CLAIM as REPLIES_CLAIM, SOURCE as REPLIES_SOURCE, replies } from './replies.ts';
import {
  checkRingOctets,
  CLAIM as RING_OCTETS_CLAIM,
  SOURCE as RING_OCTETS_SOURCE,
  ringOctets,
} from './ring-octets.ts';
import { CLAIM as TRANSACTIONS_CLAIM, SOURCE as TRANSACTIONS_SOURCE, transactions } from './transactions.ts';
import { CLAIM as WATCH_EVENTS_CLAIM, SOURCE as WATCH_EVENTS_SOURCE, watchEvents } from './watch-events.ts';

export { collectConnections } from './connection-epochs.ts';
export { FAMILIES, type Family, Findings } from './finding.ts';
export { mappings } from './mappings.ts';
export { type MemoryFinding, type MemorySnap, type MovedMemory, memoryMoved } from './memory.ts';
export { type StoreEnd, storeLives } from './store-lives.ts';
export { toolstackIntends } from './toolstack.ts';

/** One family of checks: what it says holds, and where that is written. */
export interface Invariant {
  readonly name: Family;
  readonly claim: string;
  readonly source: string;
  /** Its verdict, from what the one pass over a history has found. */
  readonly verdict: (evidence: Evidence) => Verdict;
}

/** All families, in the order in which a report shows them. */
export const allInvariants: readonly Invariant[] = [
  { name: 'ring-octets', claim: RING_OCTETS_CLAIM, source: RING_OCTETS_SOURCE, verdict: ringOctets },
  { name: 'replies', claim: REPLIES_CLAIM, source: REPLIES_SOURCE, verdict: replies },
  { name: 'watch-events', claim: WATCH_EVENTS_CLAIM, source: WATCH_EVENTS_SOURCE, verdict: watchEvents },
  { name: 'transactions', claim: TRANSACTIONS_CLAIM, source: TRANSACTIONS_SOURCE, verdict: transactions },
  { name: 'final-tree', claim: FINAL_TREE_CLAIM, source: FINAL_TREE_SOURCE, verdict: finalTree },
];

/** Judge a recorded history: one verdict per family, in the order of `allInvariants`. The model runs over it once. Linear in
 *  the length of the history. Errors: none; a history that makes no sense is a history with violations. */
export function checkHistory(history: History): Verdict[] {
  return judgeHistory(history).verdicts;
}

/** As checkHistory, with the connections taken apart. */
export function judgeHistory(history: History): {
  readonly verdicts: Verdict[];
  readonly connections: readonly Connection[];
} {
  const log = logOf(history);
  let judged = judgeAs(history, log, true);
  // Whether a store knows its queued events again behind an update shows only in what it sends. Where it may, one of several
  // equal events that came can be taken for the wrong one: 1. e is queued, and again behind an update. 2. @releaseDomain is
  // queued. 3. The first e comes, then another @releaseDomain that an end during the update has brought: it is taken for that of
  // step 2, and the second e for merged. 4. The second e comes. Who queues twice always does so: then all have a cause.
  if (judged.evidence['watch-events'].total > 0) {
    const strict = judgeAs(history, log, false);
    if (strict.evidence['watch-events'].total === 0) judged = strict;
  }
  const { evidence, connections } = judged;
  return { verdicts: allInvariants.map((each) => each.verdict(evidence)), connections };
}

/** `recognises`: whether events that are queued before an update may be known again behind it. */
function judgeAs(
  history: History,
  log: RecordLog,
  recognises: boolean,
): { readonly evidence: Evidence; readonly connections: readonly Connection[] } {
  const evidence = newEvidence();
  const connections = collectConnections(history, log);
  checkRingOctets(log, connections, evidence);
  pairReplies(history, log, connections, evidence);
  checkAnswered(history, log, connections, evidence);
  judge(history, log, connections, evidence, recognises);
  return { evidence, connections };
}
