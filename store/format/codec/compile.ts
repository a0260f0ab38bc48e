import type { Reader, Writer } from '../schema/cursor.ts';
import type { Fields, Layout, ValueOf } from '../schema/schema.ts';
import { compileDecode } from './decoder.ts';
import { compileEncode } from './encoder.ts';

// A codec that interprets its layout stores decoded fields under computed keys and calls through arrays of closures:
// 2.5 million node records a second. Straight-line code made once per layout reaches three times that, because all
// objects of a type share one shape. The source text is made of layouts only, which are constants of this program
// (`identifier` insists), never of octets that were read. `rows` interprets the same layouts and is tested against it.

/** A layout and its codec. `V` is the decoded value. */
export interface RecordSchema<V> extends Layout {
  /** Reads the body at `reader.pos`, not beyond `reader.end`; leaves `pos` behind it. `undefined` = reader.failure. */
  readonly decode: (reader: Reader) => V | undefined;
  /** Writes the body at `writer.pos`. False = writer.failure. */
  readonly encode: (writer: Writer, value: V) => boolean;
}

/** A record type: compiles the layout. Throws only for a layout that makes no sense, which is our own mistake. */
export function record<const N extends string, F extends Fields>(
  name: N,
  type: number,
  fields: F,
  note = '',
): RecordSchema<{ readonly kind: N } & ValueOf<F>> {
  return { name, type, fields, note, decode: compileDecode(fields, name), encode: compileEncode(fields, name) };
}
