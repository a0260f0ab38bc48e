import { checkLibxl } from '../../../store/format/enclosing/check.ts';
import { emptyLibxc } from '../../../store/format/enclosing/libxc.ts';
import {
  decodeLibxl,
  type Embedding,
  encodeLibxl,
  imagesIn,
  type LibxlStream,
  withImage,
} from '../../../store/format/enclosing/libxl.ts';
import { decodeXl, encodeXl, isXl, XL_FLAGS, xlData } from '../../../store/format/enclosing/xl.ts';
import { type FormatFailure, type FormatResult, formatFailure } from '../../../store/format/index.ts';
import { print } from '../terminal/output.ts';
import { readOctets, tell, writeOctets } from './io.ts';

export interface EncloseOptions {
  readonly as: 'libxl' | 'xl';
  /** A saved guest to put the image into; the smallest one by default. */
  readonly into?: string;
  readonly out: string;
  readonly embedType: number;
  readonly embedPosition: Embedding['position'];
}

const SMALLEST: LibxlStream = {
  options: 0,
  records: [{ kind: 'LIBXC_CONTEXT', libxc: emptyLibxc() }, { kind: 'END' }],
};

interface SavedGuest {
  readonly stream: LibxlStream;
  /** The same guest with another stream, as octets. */
  readonly encode: (stream: LibxlStream) => FormatResult<Uint8Array>;
}

function readGuest(octets: Uint8Array, embedType: number): SavedGuest | FormatFailure {
  if (!isXl(octets)) {
    const stream = decodeLibxl(octets, 0, embedType);
    return stream.ok ? { stream: stream.value, encode: (of) => encodeLibxl(of, embedType) } : stream.failure;
  }
  const file = decodeXl(octets, embedType);
  if (!file.ok) return file.failure;
  return { stream: file.value.stream, encode: (stream) => encodeXl({ ...file.value, stream }, embedType) };
}

/** A saved guest that carries the image as an opaque record. Exit 1: the guest is broken; no file is written then. */
export function encloseCommand(file: string, options: EncloseOptions): number {
  const { as, into, out, embedType, embedPosition } = options;
  const image = readOctets(file);
  const data = xlData('{"c_info": {"type": "hvm", "name": "guest"}}');
  const smallest: SavedGuest = {
    stream: SMALLEST,
    encode: (stream) =>
      as === 'libxl'
        ? encodeLibxl(stream, embedType)
        : encodeXl({ mandatoryFlags: XL_FLAGS, optionalFlags: 0, data, stream }, embedType),
  };
  const guest = into === undefined ? smallest : readGuest(readOctets(into), embedType);
  if ('reason' in guest) return tell([`${into}: ${formatFailure(guest)}`]);
  const octets = guest.encode(withImage(guest.stream, image, embedPosition));
  if (!octets.ok) return tell([`${out}: ${formatFailure(octets.failure)}`]);
  writeOctets(out, octets.value);
  return 0;
}

export interface ExtractOptions {
  /** Of a checkpointed stream, which one; from 1. The last by default. */
  readonly nth?: number;
  readonly out: string;
  readonly embedType: number;
}

/** The state image in a saved guest. Exit 1: the guest is broken, or has no such image; no file is written then. */
export function extractCommand(file: string, { nth, out, embedType }: ExtractOptions): number {
  const guest = readGuest(readOctets(file), embedType);
  if ('reason' in guest) return tell([`${file}: ${formatFailure(guest)}`]);
  const images = imagesIn(guest.stream);
  const image = images.at(nth === undefined ? -1 : nth - 1);
  if (image === undefined) return tell([`${file}: ${images.length} images in it`]);
  writeOctets(out, image);
  return 0;
}

/** What a stream verifier would refuse, image records aside. Exit 1 if anything. */
export function verifyCommand(file: string, { embedType }: Pick<ExtractOptions, 'embedType'>): number {
  const guest = readGuest(readOctets(file), embedType);
  if ('reason' in guest) return tell([`${file}: ${formatFailure(guest)}`]);
  const records = guest.stream.records.filter(({ kind }) => kind !== 'XENSTORE_IMAGE');
  const findings = checkLibxl({ ...guest.stream, records });
  const where = (record: number) => (record < 0 ? 'header' : `record ${record}`);
  if (findings.length > 0)
    return tell(findings.map(({ layer, record, reason }) => `${layer} ${where(record)}: ${reason}`));
  const kinds = guest.stream.records.map(({ kind }) => kind).join(', ');
  print(`${file}: ${kinds}\n`);
  return 0;
}
