import {
  type Carriage,
  extentOf,
  STATE_ROWS,
  type StateFormat,
  type StateRow,
} from '../../store/format/model/index.ts';
import { MOVE_PLAYS, type MovePlay } from './move-plays.ts';
import { differ, hasOnlyMoreEvents, live, type MoveWay } from './move-twin.ts';

/**
 * What becomes of a guest that is to be moved without its help: it hears what it would have heard, where it is by then (`same`),
 * or where it was, since it was refused (`stays`); there are more watch events, which is allowed (CL-4), and all else is the same
 * (`extra`); it hears something else (`differs`).
 */
export const FATES = ['same', 'extra', 'stays', 'differs'] as const;
export type Fate = (typeof FATES)[number];

/** Moments, and what is put up with. */
export const MOVE_WAYS = {
  atPause: { choices: [], finishFirst: false },
  finishFirst: { choices: [], finishFirst: true },
  silent: { choices: ['loss=silent'], finishFirst: false },
} as const satisfies Readonly<Record<string, MoveWay>>;
export type WayName = keyof typeof MOVE_WAYS;
export const WAY_NAMES = Object.keys(MOVE_WAYS) as readonly WayName[];

export interface MoveCell {
  readonly label: string;
  readonly play: string;
  readonly way: WayName;
  readonly predicted: Fate;
  readonly observed: Fate;
  /** Why it stayed, or where it heard something else; '' otherwise. */
  readonly why: string;
}

export interface MoveColumn {
  readonly format: string;
  readonly cells: readonly MoveCell[];
}

/** Rows that a format has no place for. */
export function lacking(carriage: Carriage, rows: readonly StateRow[]): readonly StateRow[] {
  return rows.filter((row) => extentOf(carriage, row) === 'none');
}

/** What the carriage of a format says of a play. */
export function predictMove({ name, carriage }: StateFormat, play: MovePlay, way: WayName): Fate {
  const lacks = lacking(carriage, play.needs);
  const isQuiet = way === 'finishFirst' && play.inRequest === undefined && lacks.every((row) => row === 'output');
  if (lacks.length > 0 && !isQuiet) {
    // A watch without its depth fires too often, and no more than that (MIG-50).
    return way !== 'silent' ? 'stays' : lacks.every((row) => row === 'watchDepth') ? 'extra' : 'differs';
  }
  return name === 'G1' && play.watches === true ? 'extra' : 'same'; // NC-23
}

/** Let a guest live through every play, moved in every way, beside a twin that stays. */
export function measureMoves(format: StateFormat): MoveColumn {
  const cells = MOVE_PLAYS.flatMap((play) => {
    const twin = live(play, format, undefined);
    return WAY_NAMES.map((way): MoveCell => {
      const { heard, outcome } = live(play, format, MOVE_WAYS[way]);
      const [observed, why] = fateOf(outcome, twin.heard, heard);
      return { label: play.label, play: play.name, way, predicted: predictMove(format, play, way), observed, why };
    });
  });
  return { format: format.name, cells };
}

function fateOf(outcome: string, twin: Uint8Array, heard: Uint8Array): readonly [fate: Fate, why: string] {
  const difference = differ(twin, heard);
  if (difference === undefined) return outcome === 'moved' ? ['same', ''] : ['stays', outcome];
  if (outcome !== 'moved') return ['differs', `${outcome}; ${difference}`];
  return hasOnlyMoreEvents(twin, heard) ? ['extra', ''] : ['differs', difference];
}

/** A line for each cell in which the two differ. */
export function moveSurprises({ format, cells }: MoveColumn): string[] {
  return cells
    .filter(({ predicted, observed }) => predicted !== observed)
    .map(
      ({ label, play, way, predicted, observed, why }) =>
        `${format}: ${label}, ${play}, ${way}: predicted ${predicted}, observed ${observed}${why === '' ? '' : ` (${why})`}`,
    );
}

/** Which rows of a play a format lacks, in words; '' none. */
export function lackText(carriage: Carriage, play: MovePlay): string {
  return lacking(carriage, play.needs)
    .map((row) => STATE_ROWS[row])
    .join(', ');
}
