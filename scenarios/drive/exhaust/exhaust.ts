import type { DriveOptions } from '../drive.ts';
import { type Action, formatAction } from '../script.ts';
import { orders, ordersOf } from './orders.ts';
import { deaths, type Placements, races, splits, type Tried, updates } from './placements.ts';

/** What can be put into a script, by name. */
export const KINDS = { updates, splits, deaths, races, orders } as const satisfies Readonly<Record<string, Placements>>;
export type Kind = keyof typeof KINDS;

/** What came of all placements of one kind. */
export interface Exhausted {
  readonly kind: Kind;
  readonly placements: number;
  readonly held: number;
  /** Of those that held: how often the store refused the update, as it may. */
  readonly refused: number;
  /** Transactions that were open at an update and ended in EAGAIN, as they may. */
  readonly again: number;
  /** Of `orders`: how many there are in all, of which those that were tried stand for all. */
  readonly orders?: number;
  /** The first that did not hold; then no more were tried. */
  readonly failure?: Failure;
}

export interface Failure {
  readonly place: string;
  readonly difference: string;
  /** The shortest script found in which one of this kind does not hold, as its lines; and where, and what differs in it. */
  readonly shortest: { readonly script: readonly string[]; readonly place: string; readonly difference: string };
}

/** Try every placement of a kind in a script, up to the first that does not hold, which is then shrunk. */
export function exhaust(options: DriveOptions, script: readonly Action[], kind: Kind): Exhausted {
  const count = { placements: 0, held: 0, refused: 0, again: 0 };
  const all = kind === 'orders' ? { orders: ordersOf(script) } : {};
  const found = firstFailure(options, script, kind, ({ isRefused = false, again = 0 }) => {
    count.placements++;
    count.held++;
    if (isRefused) count.refused++;
    count.again += again;
  });
  if (found === undefined) return { kind, ...count, ...all };
  count.placements++;
  return { kind, ...count, ...all, failure: { ...found, shortest: shortest(options, script, kind, found) } };
}

/** What differs, whoever it is and whatever it holds: the operations, the errors, and on which side there is nothing. */
function wayOf({ difference }: Found): string {
  return difference.match(/\b(?:[A-Z_]{2,}|nothing|none|event|closed|dead)\b/g)?.join(' ') ?? '';
}

interface Found {
  readonly place: string;
  readonly difference: string;
}

function firstFailure(
  options: DriveOptions,
  script: readonly Action[],
  kind: Kind,
  seeHeld: (tried: Tried) => void = () => {},
): Found | undefined {
  for (const placement of KINDS[kind](options, script)) {
    const tried = placement.try();
    if (tried.failure !== undefined) return { place: placement.place, difference: tried.failure };
    seeHeld(tried);
  }
  return undefined;
}

/** Leave out actions, from the last to the first, as long as a placement of the kind fails in the same way: none that is left can go. */
function shortest(options: DriveOptions, script: readonly Action[], kind: Kind, found: Found): Failure['shortest'] {
  let failing = { script, ...found };
  for (let isDone = false; !isDone; ) {
    isDone = true;
    for (let i = failing.script.length - 1; i >= 0; i--) {
      const candidate = failing.script.filter((_, at) => at !== i);
      const still = firstFailure(options, candidate, kind);
      if (still === undefined || wayOf(still) !== wayOf(found)) continue;
      failing = { script: candidate, ...still };
      isDone = false;
    }
  }
  const { place, difference } = failing;
  return { script: failing.script.map(formatAction), place, difference };
}
