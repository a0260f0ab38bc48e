import type { FormatFailure } from '../schema/cursor.ts';
import { type Arrived, arrivingLibxc, arrivingLibxl } from './arriving.ts';
import type { LibxcRecord, LibxlRecord } from './layouts.ts';
import { isFailure } from './stream.ts';

type Stream = ReturnType<typeof arrivingLibxl> | ReturnType<typeof arrivingLibxc>;
export type Item = Arrived<{ readonly kind: string }, LibxcRecord | LibxlRecord>;

/** A header or record, and where it lies. */
export interface Placed {
  readonly at: number;
  readonly octets: number;
  readonly layer: 'libxl' | 'libxc';
  readonly item: Item;
}

/**
 * Each header and record of a libxl stream that begins at `from`, those of the libxc image in it too, in their order. @returns where
 * it is not what it should be, or ends early; `undefined`: it is whole.
 */
export function recordsOf(
  octets: Uint8Array,
  from: number,
  found: (placed: Placed) => void,
): FormatFailure | undefined {
  const outer = arrivingLibxl();
  let at = from;
  for (;;) {
    const next = take(outer, octets, at);
    if (next === undefined) return undefined;
    if (isFailure(next)) return next;
    found({ at, octets: next.octets, layer: 'libxl', item: next });
    at += next.octets;
    if (next.record?.kind !== 'LIBXC_CONTEXT') continue;
    const inner = arrivingLibxc();
    for (;;) {
      const item = take(inner, octets, at);
      if (item === undefined) break;
      if (isFailure(item)) return item;
      found({ at, octets: item.octets, layer: 'libxc', item });
      at += item.octets;
    }
  }
}

/** The thing that begins at `at`; a failure's offset is that in the file. */
function take(stream: Stream, octets: Uint8Array, at: number): Item | FormatFailure | undefined {
  const before = stream.taken;
  for (let pos = at; stream.wants > 0; ) {
    const some = octets.subarray(pos, pos + stream.wants);
    const got = some.length === 0 ? stream.endedEarly() : (stream.take(some) as Item | FormatFailure | undefined);
    pos += some.length;
    if (got === undefined) continue;
    return isFailure(got) ? { ...got, offset: got.offset - before + at } : got;
  }
  return undefined;
}
