import type { FormatFailure } from '../schema/cursor.ts';
import type { FormatRecord } from './format.ts';
import { type Plan, RECORD_HEADER_BYTES, upTo8 } from './plan.ts';
import { FileReader, type HeaderRead, type ReadOptions } from './reader.ts';

/** No record that a daemon writes is larger; a length beyond it is damage, and would have to be waited for. */
const RECORD_MAX = 64 << 20;

/** Octets at the start of `bytes` up to the end of the last whole record, or -1: a record is larger than any can be. */
function wholeRecords(plan: Plan, bytes: Uint8Array, littleEndian: boolean): number {
  const { framing, knobs, byKind, end: last } = plan;
  // Where no length tells, or a daemon tells a wrong one, only the record itself says where it ends.
  if (framing.how === 'bare' || [...byKind.values()].some(({ unwritten }) => unwritten !== undefined)) return 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = 0;
  while (end + RECORD_HEADER_BYTES <= bytes.length) {
    const len = view.getUint32(end + 4, littleEndian);
    if (len > RECORD_MAX) return -1;
    const after = end + RECORD_HEADER_BYTES + (knobs.advance === 'exact' ? len : upTo8(len));
    if (after > bytes.length) break;
    const isLast = framing.how === 'typed' && view.getUint32(end, littleEndian) === last?.type;
    end = after;
    if (isLast) break;
  }
  return end;
}

/**
 * Records of a file that comes in pieces, as from a disk or a pipe: never more is held than a piece and a record, in a
 * format whose records tell their length. Octets of records are windows on a copy of the pieces, good as long as they are
 * kept.
 */
export function* recordsInPieces<R extends FormatRecord>(
  plan: Plan<R>,
  pieces: Iterable<Uint8Array>,
  options: ReadOptions = {},
): Generator<R, FormatFailure | undefined, void> {
  let rest = new Uint8Array(0);
  let header: HeaderRead | undefined;
  let offset = 0;
  let index = 0;
  const read = function* (bytes: Uint8Array, isWhole: boolean): Generator<R, FileReader<R>, void> {
    const part = header === undefined ? {} : { part: { header, index, offset, isWhole } };
    const reader = new FileReader(plan, bytes, { ...options, ...part });
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
      if (bytes.length < plan.headerBytes) continue;
      const reader = new FileReader(plan, bytes, options);
      if (reader.header === undefined) return reader.failure;
      header = reader.header;
      rest = bytes.subarray(plan.headerBytes);
      offset = plan.headerBytes;
    }
    const whole = wholeRecords(plan, rest, header.byteOrder === 'little');
    if (whole < 0) break;
    const { ended, failure } = yield* read(rest.subarray(0, whole), true);
    if (failure !== undefined || ended) return failure;
    offset += whole;
    rest = rest.subarray(whole);
  }
  // What is left is no whole record, or no record at all: whoever reads it says what is wrong.
  return (yield* read(rest, false)).failure;
}
