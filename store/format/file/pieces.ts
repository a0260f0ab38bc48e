import type { StateRecord } from '../generations/records.ts';
import {
  type DecodeOptions,
  decodeHeader,
  IMAGE_HEADER_BYTES,
  type ImageHeader,
  RECORD_HEADER_BYTES,
  RecordReader,
} from '../image.ts';
import type { FormatFailure } from '../schema/cursor.ts';

/** No record that a daemon writes is larger; a length beyond it is damage, and would have to be waited for. */
const RECORD_MAX = 64 << 20;

/** Octets from `at` to the end of the last whole record, or -1: a record is larger than any can be. */
function wholeRecords(bytes: Uint8Array, at: number, littleEndian: boolean): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = at;
  while (end + RECORD_HEADER_BYTES <= bytes.length) {
    const len = view.getUint32(end + 4, littleEndian);
    if (len > RECORD_MAX) return -1;
    const after = end + RECORD_HEADER_BYTES + len + (-len & 7);
    if (after > bytes.length) break;
    const isEnd = view.getUint32(end, littleEndian) === 0;
    end = after;
    if (isEnd) break;
  }
  return end - at;
}

/**
 * Records of an image that comes in pieces, as from a file or a pipe: never more is held than a piece and a record. Octets
 * of records are windows on a copy of the pieces, good as long as they are kept.
 */
export function* recordsInPieces(
  pieces: Iterable<Uint8Array>,
  options: DecodeOptions = {},
): Generator<StateRecord, FormatFailure | undefined, void> {
  let rest = new Uint8Array(0);
  let header: ImageHeader | undefined;
  let offset = 0;
  let index = 0;
  const read = function* (bytes: Uint8Array, isWhole: boolean): Generator<StateRecord, RecordReader, void> {
    const part = header === undefined ? undefined : { header, index, offset, isWhole };
    const reader = new RecordReader(bytes, options, part);
    for (let record = reader.next(); record !== undefined; record = reader.next()) yield record;
    index = reader.index + 1;
    return reader;
  };
  for (const piece of pieces) {
    const bytes = new Uint8Array(rest.length + piece.length);
    bytes.set(rest);
    bytes.set(piece, rest.length);
    rest = bytes;
    if (header === undefined) {
      if (bytes.length < IMAGE_HEADER_BYTES) continue;
      const decoded = decodeHeader(bytes, options);
      if (!decoded.ok) return decoded.failure;
      header = decoded.value;
      rest = bytes.subarray(IMAGE_HEADER_BYTES);
      offset = IMAGE_HEADER_BYTES;
    }
    const whole = wholeRecords(rest, 0, !header.bigEndian);
    if (whole < 0) break;
    const { ended, failure } = yield* read(rest.subarray(0, whole), true);
    if (failure !== undefined || ended) return failure;
    offset += whole;
    rest = rest.subarray(whole);
  }
  // What is left is no whole record, or no record at all: whoever reads it says what is wrong.
  return (yield* read(rest, false)).failure;
}
