import type { Annotation, FileRows } from '../file/annotate.ts';
import type { Format } from '../file/format.ts';
import type { Draws } from '../file/generate.ts';
import type { FormatFailure, FormatResult } from '../schema/cursor.ts';
import type { StateFormat } from './convert.ts';
import type { TextLayout } from './text-layout.ts';

/** Something found in a file. A note is allowed, or known from a daemon. */
export interface LabFinding extends FormatFailure {
  readonly rule: string;
  readonly severity: 'error' | 'note';
}

/** All that can be done with files of one format. */
export interface LabFormat extends StateFormat {
  /** Other names of it. */
  readonly aliases: readonly string[];
  /** The value that it is made of, where it is made of one. */
  readonly format?: Format;
  /** The same of a text. */
  readonly text?: TextLayout;
  /** What it is, in half a line. */
  readonly title: string;
  /** A readable text. What cannot be read ends it in a line of its own. */
  readonly show: (octets: Uint8Array) => string;
  /** The same as a JSON value. */
  readonly json: (octets: Uint8Array) => FormatResult<unknown>;
  /** Every octet once, field by field. */
  readonly annotate: (octets: Uint8Array) => Annotation;
  /** The same, one row at a time. */
  readonly rows: (octets: Uint8Array) => FileRows;
  /** What is wrong with it or worth a note, in the order of its octets. */
  readonly validate: (octets: Uint8Array) => readonly LabFinding[];
  /** A sound file of about `size` records, drawn at random. Errors: none that the draws can cause. */
  readonly generate: (draws: Draws, size: number) => FormatResult<Uint8Array>;
}
