import { type FormatFailure, type FormatResult, Reader, Writer } from '../cursor.ts';
import { LIBXL_RECORDS, type LibxlRecord, libxlHeader } from './layouts.ts';
import { type LibxcImage, readLibxc, writeLibxc } from './libxc.ts';
import { isFailure, Layer, type Padded, type UnknownRecord } from './stream.ts';

const layer = new Layer<LibxlRecord>('libxl', LIBXL_RECORDS as never);
const BIG_ENDIAN = 1;

/** One record of the stream; LIBXC_CONTEXT brings the image that stands behind it. */
export type LibxlItem = ((LibxlRecord | UnknownRecord) & Padded) & { readonly libxc?: LibxcImage };

/** A guest as libxl saves or migrates it. The last record is END. Source: docs/specs/libxl-migration-stream.pandoc. */
export interface LibxlStream {
  readonly options: number;
  readonly records: readonly LibxlItem[];
}

/** Read a stream that starts at `at`; alignment counts from there. `end`: the offset behind it. */
export function decodeLibxl(bytes: Uint8Array, at = 0): FormatResult<LibxlStream & { readonly end: number }> {
  const reader = new Reader(bytes);
  reader.pos = at;
  reader.littleEndian = false;
  const header = layer.header(reader, libxlHeader);
  if (isFailure(header)) return { ok: false, failure: header };
  reader.littleEndian = (header.options & BIG_ENDIAN) === 0;
  const records: LibxlItem[] = [];
  do {
    let next: LibxlItem | FormatFailure = layer.read(reader, at, records.length);
    if (!isFailure(next) && next.kind === 'LIBXC_CONTEXT') {
      const libxc = readLibxc(reader);
      next = isFailure(libxc) ? libxc : { ...next, libxc };
    }
    if (isFailure(next)) return { ok: false, failure: next };
    records.push(next);
  } while (records.at(-1)?.kind !== 'END');
  return { ok: true, value: { options: header.options, records, end: reader.pos } };
}

/** The octets of a stream. */
export function encodeLibxl(stream: LibxlStream): FormatResult<Uint8Array> {
  const writer = new Writer();
  const fail = (record: number, name: string): FormatResult<Uint8Array> => {
    const { offset, path, reason } = writer.failure ?? { offset: writer.pos, path: '', reason: 'cannot be written' };
    return { ok: false, failure: { offset, path, reason, record, name } };
  };
  writer.littleEndian = false;
  if (!libxlHeader.encode(writer, { kind: 'LIBXL_HEADER', options: stream.options })) return fail(-1, 'header');
  writer.littleEndian = (stream.options & BIG_ENDIAN) === 0;
  for (const [i, item] of stream.records.entries()) {
    if (!layer.write(writer, 0, item)) return fail(i, item.kind);
    if (item.libxc !== undefined && !writeLibxc(writer, item.libxc)) return fail(i, item.kind);
  }
  return { ok: true, value: writer.bytes.subarray(0, writer.pos) };
}

/** The state images that a stream carries, in order: one, or one for each checkpoint. */
export function imagesIn(stream: LibxlStream): Uint8Array[] {
  return stream.records.flatMap((record) => (record.kind === 'XENSTORE_IMAGE' ? [record.image] : []));
}

/**
 * The stream with a state image in it: behind the guest's memory, which is final there, and before what emulators have;
 * in a checkpointed stream once in each checkpoint.
 */
export function withImage(stream: LibxlStream, image: Uint8Array): LibxlStream {
  const records: LibxlItem[] = [];
  let isDue = false;
  for (const record of stream.records) {
    if (record.kind === 'XENSTORE_IMAGE') continue;
    if (isDue && record.kind !== 'LIBXC_CONTEXT') {
      records.push({ kind: 'XENSTORE_IMAGE', image });
      isDue = false;
    }
    records.push(record);
    if (record.kind === 'LIBXC_CONTEXT' || record.kind === 'CHECKPOINT_END') isDue = true;
  }
  return { ...stream, records };
}
