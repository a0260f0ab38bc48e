import type { UpdateReport } from '../engine/scenario.ts';

/** What a live update met on its way, in words. */
export function heldText(update: UpdateReport): string {
  const held = [
    [update.partialRequests, 'requests half read'],
    [update.requestOctetsInRings, 'octets of requests unread'],
    [update.partialReplies, 'messages half written'],
    [update.queuedReplies, 'replies queued'],
    [update.queuedEvents, 'events queued'],
    [update.openTransactions, 'transactions open'],
    [update.watches, 'watches'],
  ] as const;
  const told = held.filter(([count]) => count > 0).map(([count, kind]) => `${count} ${kind}`);
  return told.join(', ') || 'nothing on its way';
}
