import {
  type Carriage,
  type LabFormat,
  type Mark,
  STATE_ROW_NAMES,
  type StateFormat,
  type StateRow,
} from '../../store/format/model/index.ts';
import { type Extent, extentOfThings, isMore } from './extent.ts';
import { observe } from './observe.ts';
import { predict } from './predict.ts';
import type { Thing } from './things.ts';
import { whyWithheld } from './withheld.ts';

export interface Cell {
  readonly row: StateRow;
  readonly mark: Mark;
  readonly predicted: Extent;
  readonly observed: Extent;
  /** What came through when nothing of the row was kept out of the files, if it was more. */
  readonly possible: Extent | undefined;
  readonly things: readonly Thing[];
  readonly notes: readonly string[];
  /** The prediction did not hold, or the octets hold more than was said and nobody knows why it is kept back. */
  readonly isWrong: boolean;
}

/** The cells of one format, and why updates failed: nothing of the rows that they were to show came through then. */
export interface Column {
  readonly format: string;
  readonly cells: readonly Cell[];
  readonly failures: readonly string[];
}

/** Live-update running stores through a format, row by row, beside what its carriage predicts. */
export function measure(given: LabFormat): Column {
  // Where reads can be listed without saying that they are reads, they are: that is what the format can do.
  const format = { ...given, choices: { ...given.choices, txReads: 'include' } } as const;
  const { carriage, name } = format;
  const { things, failures } = observe(format, STATE_ROW_NAMES);
  const cells = STATE_ROW_NAMES.map((row): Cell => {
    const mark = carriage.marks[row];
    const { extent: predicted, note } = predict(carriage, row);
    const own = things.filter((thing) => thing.row === row);
    const observed = extentOfThings(own);
    const generous = predicted === 'full' ? observed : extentOfThings(observe(granting(format, row), [row]).things);
    const possible = isMore(generous, observed) ? generous : undefined;
    const withheld = possible === undefined ? undefined : whyWithheld(name, row);
    return {
      row,
      mark,
      predicted,
      observed,
      possible,
      things: own,
      notes: [note, withheld ?? ''].filter((text) => text !== ''),
      isWrong: observed !== predicted || (possible !== undefined && withheld === undefined),
    };
  });
  return { format: name, cells, failures: failures.map(({ group, reason }) => `${group}: ${reason}`) };
}

/** Cells in which the prediction did not hold. */
export function wrongCells({ cells }: Column): readonly Cell[] {
  return cells.filter(({ isWrong }) => isWrong);
}

const FULL: Partial<Record<StateRow, Mark>> = { port: 'both', listeners: 'rw+ro' };

/**
 * The same format, with nothing of the row kept out of its files: whatever its carriage says, what the octets can hold comes
 * through.
 */
export function granting(format: StateFormat, row: StateRow): StateFormat {
  const marks = { ...format.carriage.marks, [row]: FULL[row] ?? 'y' };
  const traits: Partial<Carriage> = row === 'outputBoundary' ? { outputOnBoundary: false } : {};
  return { ...format, carriage: { ...format.carriage, ...traits, marks } };
}
