import { type Bug, type Place, placeOf } from '../../bugs/index.ts';
import type { Ranges } from './coverage.ts';

/**
 * How much a run of the clean code executes of what a bug changes: all of some change, a part, or nothing. A run that executes nothing
 * of it is the same with the bug on, since it has one seed and nothing else to go by: nobody can find the bug with it.
 */
export const REACHES = ['nothing', 'part', 'all'] as const;
export type Reach = (typeof REACHES)[number];

/** A module as it is loaded. */
export interface Module {
  readonly url: string;
  readonly text: string;
}

/** One change, and the characters of its module that were executed: when the module was loaded, or in this run. */
interface Spot extends Module {
  readonly place: Place;
  readonly atLoad: boolean[];
  inRun: boolean[];
}

/** What runs of this thread reach of all bugs. */
export class Reaching {
  /** By bug; `undefined`: of one of its changes it is not known where it is. */
  readonly #spots: readonly (readonly Spot[] | undefined)[];

  /** @param moduleOf the module of a source file. Errors: throws what it throws. */
  constructor(bugs: readonly Bug[], moduleOf: (file: string) => Module) {
    this.#spots = bugs.map((bug) => spotsOf(bug, moduleOf));
  }

  /** What was executed while modules were loaded: it makes a difference to all runs. */
  loaded(covered: ReadonlyMap<string, Ranges>): void {
    for (const spot of this.#all())
      for (const [i, is] of executedIn(spot, covered).entries()) spot.atLoad[i] = is || spot.atLoad[i] === true;
  }

  /** What a run executed. */
  ran(covered: ReadonlyMap<string, Ranges>): readonly Reach[] {
    for (const spot of this.#all()) spot.inRun = executedIn(spot, covered);
    return this.#spots.map((spots) => (spots === undefined ? 'part' : mostOf(spots.map(reachOf))));
  }

  *#all(): Generator<Spot> {
    for (const spots of this.#spots) yield* spots ?? [];
  }
}

function spotsOf({ changes }: Bug, moduleOf: (file: string) => Module): readonly Spot[] | undefined {
  const spots: Spot[] = [];
  for (const change of changes) {
    const { url, text } = moduleOf(change.file);
    const place = placeOf(text, change);
    // A label of a switch is compared also where what is behind it is not executed.
    if (place === undefined || /\bcase\b/.test(change.from + change.to)) return undefined;
    spots.push({ url, text, place, atLoad: [], inRun: [] });
  }
  return spots;
}

/** Of each character of a place whether it was executed: the innermost part that it is in says so. */
function executedIn({ url, place }: Spot, covered: ReadonlyMap<string, Ranges>): boolean[] {
  const executed: boolean[] = new Array(place.to - place.from).fill(false);
  for (const { startOffset, endOffset, count } of covered.get(url) ?? [])
    if (startOffset < place.to && endOffset > place.from)
      executed.fill(count > 0, Math.max(0, startOffset - place.from), endOffset - place.from);
  return executed;
}

function reachOf({ text, place, atLoad, inRun }: Spot): Reach {
  const visible = inRun.map((is, i) => is || atLoad[i]).filter((_, i) => /\S/.test(text[place.from + i] as string));
  if (visible.every((is) => is)) return 'all';
  return visible.some((is) => is) ? 'part' : 'nothing';
}

function mostOf(reaches: readonly Reach[]): Reach {
  return REACHES.findLast((each) => reaches.includes(each)) ?? 'part';
}
