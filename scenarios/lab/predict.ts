import { type Carriage, extentOf, MARKS, type StateRow } from '../../store/format/model/index.ts';
import type { Extent } from './extent.ts';

export interface Prediction {
  readonly extent: Extent;
  /** Why it is not simply what the mark says, or what the mark says beside its extent; '' where there is nothing to say. */
  readonly note: string;
}

/** What a mark comes to when a running store is updated through all files of the format, in version 2 where there are two. */
export function predict(carriage: Carriage, row: StateRow): Prediction {
  const mark = carriage.marks[row];
  const has = (other: StateRow) => extentOf(carriage, other) !== 'none';
  if (mark === 'v2') return { extent: 'full', note: MARKS.v2.note };
  if (row === 'connections' && carriage.oneDomain)
    return { extent: 'part', note: 'one file for each domain, all read together; sockets have none' };
  if (row === 'txBase' && has(row) && !has('generation'))
    return { extent: 'none', note: 'of no use where nodes come without their generations' };
  if (row === 'txEvents' && has(row) && predict(carriage, 'txBase').extent === 'none')
    return { extent: 'none', note: 'of no use where the transaction cannot commit' };
  const isSilent = mark === '-' || mark === 'y' || mark === 'memory';
  return { extent: extentOf(carriage, row), note: isSilent ? '' : MARKS[mark].note };
}
