import type { History, Verdict } from '../history.ts';
import { Op } from '../oracles/wire.ts';
import type { Connection, Request } from './connection-epochs.ts';
import { describe, Findings } from './finding.ts';
import { answeredConnections } from './replies.ts';

const CLAIM =
  'A guest is refused a watch or a transaction for its quota only when it holds as many as it may have, and then always';
const SOURCE = 'store.md 6.1; tools/xenstored/domain.c, domain_max_chk';

/** How many a domain may have. */
export interface HeldQuotas {
  readonly watches: number;
  readonly transactions: number;
}

/** What one connection holds, by its own requests and their answers, in the order in which the store served them. */
interface Held {
  watches: number;
  transactions: number;
}

/**
 * Counts of watches and open transactions against refusals, for each guest that keeps to the protocol. It is not judged by
 * contents, as other answers are: what is granted and what is let go of is all that matters, over updates too. Where updates may
 * break transactions what a guest holds is not known, so that none is told to be one too many.
 */
export function heldCounts(history: History, quotas: HeldQuotas): Verdict {
  const findings = new Findings('held-counts');
  for (const connection of answeredConnections(history))
    if (connection.epoch.domid !== 0 && connection.epoch.isHostile !== true)
      judge(connection, history, quotas, findings);
  return findings.verdict(CLAIM, SOURCE);
}

function judge({ name, requests }: Connection, history: History, quotas: HeldQuotas, findings: Findings): void {
  const held: Held = { watches: 0, transactions: 0 };
  for (const request of requests) {
    const { reply, type } = request;
    if (reply === undefined) return; // what came of it, and of those behind it, nobody knows
    const errno = reply.type === Op.ERROR ? reply.payload.replace(/\0$/, '') : undefined;
    const what = type === Op.WATCH ? 'watches' : type === Op.TRANSACTION_START ? 'transactions' : undefined;
    if (what === undefined) letGo(request, errno, held);
    else {
      findings.count(`${what} asked for`);
      const isRefused = errno === 'ENOSPC' || (what === 'watches' && errno === 'E2BIG');
      if (isRefused) findings.count(`${what} refused`);
      const [has, may] = [held[what], quotas[what]];
      if (isRefused && has < may)
        findings.add(
          request,
          name,
          describe(request),
          `${name} is refused ${errno}, and holds ${has} of ${may} ${what}`,
        );
      if (errno !== undefined) continue;
      if (has >= may && history.transactionPolicy === 'carry')
        findings.add(
          request,
          name,
          describe(request),
          `${name} is granted one more, and holds ${has} of ${may} ${what}`,
        );
      held[what]++;
    }
  }
}

function letGo({ type }: Request, errno: string | undefined, held: Held): void {
  if (type === Op.UNWATCH && errno === undefined) held.watches--;
  if (type === Op.RESET_WATCHES && errno === undefined) {
    held.watches = 0;
    held.transactions = 0;
  }
  // Refused or not, it is over; but for one that there was not.
  if (type === Op.TRANSACTION_END && errno !== 'ENOENT' && errno !== 'EINVAL') held.transactions--;
}
