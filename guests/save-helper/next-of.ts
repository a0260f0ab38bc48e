import type { Actor, OctetReader } from '../../sim/index.ts';
import type { Arrived, ArrivingStream } from '../../store/format/enclosing/arriving.ts';
import type { FormatFailure } from '../../store/format/index.ts';

/**
 * The next header or record of a stream out of a file or a link, and not an octet more than it takes. A failure is where the
 * octets are not what they should be, or end.
 */
export function* nextOf<H extends { readonly kind: string }, V extends { readonly kind: string }>(
  from: OctetReader,
  stream: ArrivingStream<H, V>,
): Actor<Arrived<H, V> | FormatFailure> {
  while (stream.wants > 0) {
    const octets = yield* from.read(stream.wants);
    if (octets === 'end' || octets === 'broken') return stream.endedEarly();
    const arrived = stream.take(octets);
    if (arrived !== undefined) return arrived;
  }
  return stream.endedEarly();
}
