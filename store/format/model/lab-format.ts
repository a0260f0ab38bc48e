import type { FormatFailure, FormatResult } from '../cursor.ts';
import type { ImageRowsResult } from '../rows.ts';
import type { StateFormat } from './convert.ts';

/** All that can be done with files of one format. */
export interface LabFormat extends StateFormat {
  /** Other names of it. */
  readonly aliases: readonly string[];
  /** Who writes it, in half a line. */
  readonly title: string;
  /** A readable text. What cannot be read ends it in a line of its own. */
  readonly show: (octets: Uint8Array) => string;
  /** The same as a JSON value. */
  readonly json: (octets: Uint8Array) => FormatResult<unknown>;
  /** Every octet once, field by field. */
  readonly rows: (octets: Uint8Array) => ImageRowsResult;
  /** What is wrong with it, first of all that it cannot be read. */
  readonly validate: (octets: Uint8Array) => readonly FormatFailure[];
}
