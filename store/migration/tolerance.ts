import { type Carriage, extentOf, type Loss, type StateFormat, type StateRow } from '../format/model/index.ts';

/** What becomes of a domain whose state a format cannot hold. */
export const LOSS_POLICIES = ['refuse', 'warn', 'silent'] as const;
export type LossPolicy = (typeof LOSS_POLICIES)[number];

/** How a transaction that is open at the move may end. */
export const TX_OVER_MOVE = ['EAGAIN', 'refuse', 'conflictBase'] as const;
export type TxOverMove = (typeof TX_OVER_MOVE)[number];

/** Rows that no guest misses: numbers of one host, a count that starts anew, an order that nobody promised, entries that mean
 *  nobody. */
const MISSED_BY_NOBODY: readonly StateRow[] = [
  'generation',
  'siblingOrder',
  'staleAcl',
  'specialAcl',
  'port',
  'mfn',
  'uniqueId',
  'excPort',
  'evtchnFd',
  'listeners',
  'defaultQuotas',
  'features', // the word in the ring page tells
  'domainQuotas', // the other store's own, then (NC-21, INV-M23)
  'unknownQuotas',
];

/** What a transaction needs to be judged by; without it its end is EAGAIN (NC-17). */
const JUDGED_BY: readonly StateRow[] = ['txBase', 'txEvents'];

/** Losses that a guest could notice, and so reasons to leave it where it is. */
export function missed(losses: readonly Loss[], { carriage }: StateFormat, txOverMove: TxOverMove): readonly Loss[] {
  return losses.filter(({ row, fate }) => {
    if (MISSED_BY_NOBODY.includes(row)) return false;
    // Listed without a word how it was touched: it is seen in the transaction as before, which can only end in EAGAIN.
    if (fate === 'changed' && (row === 'txReads' || row === 'txWrites')) return txOverMove === 'conflictBase';
    if (JUDGED_BY.includes(row)) return txOverMove === 'conflictBase';
    // All of the output arrives, and is written on as it is: that the end of a message is not known is nobody's loss (MIG-38).
    return row !== 'outputBoundary' || extentOf(carriage, 'output') === 'none';
  });
}

/** The format as a move uses it: output goes in whether or not it begins with a message, since it is not looked into. */
export function forMoves<F extends StateFormat>(format: F): F {
  const carriage: Carriage = { ...format.carriage, outputOnBoundary: false };
  // Where reads can be listed without saying that they are reads, they are: a transaction ends in EAGAIN in any case.
  return { ...format, carriage, choices: { ...format.choices, txReads: 'include' } };
}

/** ADD_DOMAIN_WATCHES of the first document is defined to act like WATCH: each watch fires once (NC-23). */
export function firesWatches({ name }: Pick<StateFormat, 'name'>): boolean {
  return name === 'G1';
}

/** Whether it tells where a half-sent message ends. Otherwise the output is written on as one piece that never grows old. */
export function knowsBoundary({ carriage }: StateFormat): boolean {
  return extentOf(carriage, 'outputBoundary') !== 'none';
}
