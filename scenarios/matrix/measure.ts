import { formatFailure } from '../../store/format/index.ts';
import {
  type DaemonState,
  extentOf,
  type LabFormat,
  MARKS,
  type Mark,
  STATE_ROW_NAMES,
  type StateRow,
  writeState,
} from '../../store/format/model/index.ts';
import { populatedState } from './populated.ts';
import { halfSentOf, thingsOf } from './things.ts';

export type Extent = 'full' | 'part' | 'none';

export interface Cell {
  readonly row: StateRow;
  readonly mark: Mark;
  readonly predicted: Extent;
  /** Undefined: no file tells, since it is in guest memory. */
  readonly observed: Extent | undefined;
  /** Things that did not come back as they were, and things that came back and had not been there. */
  readonly lost: readonly string[];
  readonly added: readonly string[];
}

/** The cells of one format, or why the files could not be written or read: then nothing is carried at all. */
export interface Column {
  readonly format: string;
  readonly cells: readonly Cell[];
  readonly failure: string | undefined;
}

/** Write a state in the format, read the files back, and compare row by row. Images are of version 2 where there are two. */
export function measure(format: LabFormat, before: DaemonState = populatedState()): Column {
  const passed = passThrough(format, before);
  const halfSent = halfSentOf(before);
  const had = thingsOf([before], halfSent);
  const has = thingsOf(passed.states, halfSent);
  const cells = STATE_ROW_NAMES.map((row): Cell => {
    const mark = format.carriage.marks[row];
    const lost = [...had[row]].filter(([name, value]) => has[row].get(name) !== value).map(([name]) => name);
    const added = [...has[row].keys()].filter((name) => !had[row].has(name));
    const survivors = had[row].size - lost.length;
    const whole = lost.length === 0 && added.length === 0;
    const observed = mark === 'memory' ? undefined : whole ? 'full' : survivors > 0 ? 'part' : 'none';
    return { row, mark, predicted: predictedExtent(format, row), observed, lost, added };
  });
  return { format: format.name, cells, failure: passed.failure };
}

/** Cells in which the prediction did not hold. */
export function wrongCells({ cells }: Column): readonly Cell[] {
  return cells.filter(({ predicted, observed }) => observed !== undefined && observed !== predicted);
}

function predictedExtent({ carriage }: LabFormat, row: StateRow): Extent {
  return carriage.marks[row] === 'v2' ? 'full' : extentOf(carriage, row);
}

/** The rows that this state has nothing in: their cells would say nothing. */
export function emptyRows(state: DaemonState): readonly StateRow[] {
  const things = thingsOf([state], halfSentOf(state));
  const isInFiles = (row: StateRow) => row !== 'ringWords';
  return STATE_ROW_NAMES.filter((row) => isInFiles(row) && things[row].size === 0);
}

/** What a mark says beside its extent. */
export function noteOf(mark: Mark): string {
  return MARKS[mark].note;
}

function passThrough(
  format: LabFormat,
  state: DaemonState,
): { readonly states: readonly DaemonState[]; readonly failure: string | undefined } {
  const written = writeState(state, format, { onLoss: 'silent', txReads: 'include' });
  if (!written.ok) {
    const why = written.failure === undefined ? 'refused' : formatFailure(written.failure);
    return { states: [], failure: `cannot be written: ${why}` };
  }
  const states: DaemonState[] = [];
  for (const { octets, domid } of written.files) {
    const read = format.read(octets, domid === undefined ? {} : { domid });
    if (!read.ok) return { states: [], failure: `cannot be read back: ${formatFailure(read.failure)}` };
    states.push(read.value.state);
  }
  return { states, failure: undefined };
}
