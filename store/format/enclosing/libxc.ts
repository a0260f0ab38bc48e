import type { FormatFailure, Reader, Writer } from '../schema/cursor.ts';
import { domainHeader, LIBXC_RECORDS, type LibxcRecord, libxcHeader } from './layouts.ts';
import { isFailure, Layer, type Padded, type UnknownRecord } from './stream.ts';

/** Records of the image. */
export const libxcLayer = new Layer<LibxcRecord>('libxc', LIBXC_RECORDS as never);
const BIG_ENDIAN = 1;

/** A guest's memory and processors. The last record is END. Source: docs/specs/libxc-migration-stream.pandoc. */
export interface LibxcImage {
  readonly version: number;
  readonly options: number;
  /** 1 PV, 2 HVM. */
  readonly type: number;
  readonly xenMajor: number;
  readonly xenMinor: number;
  /** Octets of the headers that mean nothing, where they are not zero. */
  readonly headerReserved?: { readonly image1?: number; readonly image2?: number; readonly domain?: number };
  readonly records: readonly ((LibxcRecord | UnknownRecord) & Padded)[];
}

/** Read the image that starts at `reader.pos`, to its END; its padding counts from its own first octet. */
export function readLibxc(reader: Reader): LibxcImage | FormatFailure {
  const start = reader.pos;
  const outer = reader.littleEndian;
  reader.littleEndian = false;
  const header = libxcLayer.header(reader, libxcHeader);
  if (isFailure(header)) return header;
  reader.littleEndian = (header.options & BIG_ENDIAN) === 0;
  const domain = libxcLayer.header(reader, domainHeader);
  if (isFailure(domain)) return domain;
  const records: LibxcImage['records'][number][] = [];
  do {
    const next = libxcLayer.read(reader, start, records.length);
    if (isFailure(next)) return next;
    records.push(next);
  } while (records.at(-1)?.kind !== 'END');
  reader.littleEndian = outer;
  const { version, options } = header;
  const { type, xenMajor, xenMinor } = domain;
  const image = { version, options, type, xenMajor, xenMinor, records };
  const headerReserved = {
    ...(header.reserved1 !== undefined && { image1: header.reserved1 }),
    ...(header.reserved2 !== undefined && { image2: header.reserved2 }),
    ...(domain.reserved1 !== undefined && { domain: domain.reserved1 }),
  };
  return Object.keys(headerReserved).length === 0 ? image : { ...image, headerReserved };
}

/** False = writer.failure. */
export function writeLibxc(writer: Writer, image: LibxcImage): boolean {
  const start = writer.pos;
  const outer = writer.littleEndian;
  writer.littleEndian = false;
  writer.base = start;
  const { image1, image2, domain } = image.headerReserved ?? {};
  const { version, options } = image;
  const reserved = {
    ...(image1 !== undefined && { reserved1: image1 }),
    ...(image2 !== undefined && { reserved2: image2 }),
  };
  if (!libxcHeader.encode(writer, { kind: 'LIBXC_HEADER', version, options, ...reserved })) return false;
  writer.littleEndian = (image.options & BIG_ENDIAN) === 0;
  const { type, xenMajor, xenMinor } = image;
  const own = domain === undefined ? {} : { reserved1: domain };
  if (!domainHeader.encode(writer, { kind: 'DOMAIN_HEADER', type, xenMajor, xenMinor, ...own })) return false;
  for (const record of image.records) if (!libxcLayer.write(writer, start, record)) return false;
  writer.littleEndian = outer;
  return true;
}

/** The smallest image: of a guest without memory. */
export function emptyLibxc(type: 1 | 2 = 2): LibxcImage {
  return {
    version: 3,
    options: 0,
    type,
    xenMajor: 4,
    xenMinor: 22,
    records: [{ kind: 'STATIC_DATA_END' }, { kind: 'END' }],
  };
}
