import type { StateRow } from '../../store/format/model/index.ts';

/**
 * How it shows that a thing has come through: to guests and programs by what they are answered, sent and refused, by the
 * words of their rings and the state of their ports; in what the successor read from the files; in files alone, where no
 * store here has such a thing.
 */
export type Witness = 'guests' | 'successor' | 'files';

/** One thing of a row, and whether it is there after the update as it was before. */
export interface Thing {
  readonly row: StateRow;
  readonly name: string;
  readonly by: Witness;
  readonly came: boolean;
}

/** Notes things one by one. */
export class Things {
  readonly all: Thing[] = [];

  note(row: StateRow, name: string, came: boolean, by: Witness = 'guests'): void {
    this.all.push({ row, name, by, came });
  }
}
