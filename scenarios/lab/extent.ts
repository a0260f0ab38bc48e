import type { Thing } from './things.ts';

/** How much of a row there is. */
export type Extent = 'full' | 'part' | 'none';

const RANKS: readonly Extent[] = ['none', 'part', 'full'];

export function extentOfThings(things: readonly Thing[]): Extent {
  const came = things.filter((thing) => thing.came).length;
  return came === 0 ? 'none' : came === things.length ? 'full' : 'part';
}

export function isMore(a: Extent, than: Extent): boolean {
  return RANKS.indexOf(a) > RANKS.indexOf(than);
}
