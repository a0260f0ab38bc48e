import { type FormatFailure, type FormatResult, Reader, Writer } from '../schema/cursor.ts';
import { imageRecord, LIBXL_RECORDS, type LibxlRecord, libxlHeader, XENSTORE_IMAGE } from './layouts.ts';
import { type LibxcImage, readLibxc, writeLibxc } from './libxc.ts';
import { isFailure, Layer, type Padded, type UnknownRecord } from './stream.ts';

/** The records of the stream, with state images in records of that type. */
function layerWith(imageType: number): Layer<LibxlRecord> {
  const others = LIBXL_RECORDS.filter(({ name }) => name !== 'XENSTORE_IMAGE');
  return new Layer<LibxlRecord>('libxl', [...others, imageRecord(imageType)] as never);
}

/** Records of the stream, as released and with a state image in its usual place. */
export const libxlLayer = layerWith(XENSTORE_IMAGE);

function layerOf(imageType: number): Layer<LibxlRecord> {
  return imageType === XENSTORE_IMAGE ? libxlLayer : layerWith(imageType);
}

export const EMBED_POSITIONS = ['after-libxc', 'before-libxc', 'last'] as const;

/** How a state image stands in a stream, which no released format says. */
export interface Embedding {
  /** Type of its record: none of 0 to 5, which the stream uses. */
  readonly type: number;
  /** Where it comes in the stream, or in each checkpoint of it. */
  readonly position: (typeof EMBED_POSITIONS)[number];
}

export const USUAL_EMBEDDING: Embedding = { type: XENSTORE_IMAGE, position: 'after-libxc' };
const BIG_ENDIAN = 1;

/** One record of the stream; LIBXC_CONTEXT brings the image that stands behind it. */
export type LibxlItem = ((LibxlRecord | UnknownRecord) & Padded) & { readonly libxc?: LibxcImage };

/** A guest as libxl saves or migrates it. The last record is END. Source: docs/specs/libxl-migration-stream.pandoc. */
export interface LibxlStream {
  readonly options: number;
  readonly records: readonly LibxlItem[];
}

/** Read a stream that starts at `at`; alignment counts from there. `end`: the offset behind it. */
export function decodeLibxl(
  bytes: Uint8Array,
  at = 0,
  imageType: number = XENSTORE_IMAGE,
): FormatResult<LibxlStream & { readonly end: number }> {
  const layer = layerOf(imageType);
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
export function encodeLibxl(stream: LibxlStream, imageType: number = XENSTORE_IMAGE): FormatResult<Uint8Array> {
  const layer = layerOf(imageType);
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
 * The stream with a state image in it, and no other: behind the guest's memory, which is final there, and before what
 * emulators have; in a checkpointed stream once in each checkpoint. Elsewhere only when asked for.
 */
export function withImage(
  stream: LibxlStream,
  image: Uint8Array,
  position: Embedding['position'] = 'after-libxc',
): LibxlStream {
  const records: LibxlItem[] = [];
  let isDue = position !== 'after-libxc';
  for (const record of stream.records) {
    if (record.kind === 'XENSTORE_IMAGE') continue;
    if (isDue && isPlace(record, position)) {
      records.push({ kind: 'XENSTORE_IMAGE', image });
      isDue = false;
    }
    records.push(record);
    const isOpen = record.kind === 'LIBXC_CONTEXT' && position === 'after-libxc';
    if (isOpen || record.kind === 'CHECKPOINT_END') isDue = position !== 'before-libxc';
  }
  return { ...stream, records };
}

/** Whether an image that is due comes before this record. */
function isPlace({ kind }: LibxlItem, position: Embedding['position']): boolean {
  if (position === 'before-libxc') return kind === 'LIBXC_CONTEXT';
  if (position === 'last') return kind === 'CHECKPOINT_END' || kind === 'END';
  return kind !== 'LIBXC_CONTEXT';
}
