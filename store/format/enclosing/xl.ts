import { type FormatResult, Reader, Writer } from '../schema/cursor.ts';
import { xlHeader } from './layouts.ts';
import { decodeLibxl, encodeLibxl, type LibxlStream } from './libxl.ts';

/** `Xen saved domain, xl format`, a line feed, and four octets that no text file has. Source: tools/xl/xl.h. */
const MAGIC: readonly number[] = [
  ...Array.from('Xen saved domain, xl format\n', (c) => c.charCodeAt(0)),
  0x20,
  0x00,
  0x20,
  0x0d,
];

/** What `xl save` writes. */
export interface XlFile {
  /** Bit 0 the configuration is JSON, bit 1 a libxl stream follows. */
  readonly mandatoryFlags: number;
  readonly optionalFlags: number;
  /** u32 size, then the configuration and its NUL. */
  readonly data: Uint8Array;
  readonly stream: LibxlStream;
  /** Octets after the stream; absent when there are none. */
  readonly trailing?: Uint8Array;
}

const KNOWN_FLAGS = 3;
const HAS_LIBXL_STREAM = 2;

/** Whether the octets begin as a file of `xl save` does. */
export function isXl(bytes: Uint8Array): boolean {
  return MAGIC.every((octet, i) => bytes[i] === octet);
}

/** What xl puts before the stream. `end`: the offset behind it. */
export type XlHeader = Pick<XlFile, 'mandatoryFlags' | 'optionalFlags' | 'data'> & { readonly end: number };

/** Errors: not the magic, another byte order, flags that nobody knows, a legacy stream. */
export function decodeXlHeader(bytes: Uint8Array): FormatResult<XlHeader> {
  const fail = (offset: number, path: string, reason: string): FormatResult<XlHeader> => ({
    ok: false,
    failure: { offset, record: -1, name: 'xl header', path, reason },
  });
  for (const [i, octet] of MAGIC.entries())
    if (bytes[i] !== octet) return fail(i, 'magic', 'is not that of a saved domain');
  const reader = new Reader(bytes);
  reader.pos = MAGIC.length;
  reader.base = MAGIC.length;
  const header = xlHeader.decode(reader);
  if (header === undefined) {
    const { offset, path, reason } = reader.failure!;
    return fail(offset, path, reason);
  }
  const { mandatoryFlags, optionalFlags, data } = header;
  if ((mandatoryFlags & ~KNOWN_FLAGS) !== 0)
    return fail(36, 'mandatoryFlags', `unknown bits in 0x${mandatoryFlags.toString(16)}`);
  if ((mandatoryFlags & HAS_LIBXL_STREAM) === 0) return fail(36, 'mandatoryFlags', 'a legacy stream follows');
  return { ok: true, value: { mandatoryFlags, optionalFlags, data, end: reader.pos } };
}

/** Errors: those of the header, and what the stream itself has. */
export function decodeXl(bytes: Uint8Array, imageType?: number): FormatResult<XlFile> {
  const header = decodeXlHeader(bytes);
  if (!header.ok) return header;
  const { mandatoryFlags, optionalFlags, data } = header.value;
  const stream = decodeLibxl(bytes, header.value.end, imageType);
  if (!stream.ok) return stream;
  const { end, ...rest } = stream.value;
  const file = { mandatoryFlags, optionalFlags, data, stream: rest };
  return { ok: true, value: end < bytes.length ? { ...file, trailing: bytes.subarray(end) } : file };
}

export function encodeXl(file: XlFile, imageType?: number): FormatResult<Uint8Array> {
  const stream = encodeLibxl(file.stream, imageType);
  if (!stream.ok) return stream;
  const writer = new Writer();
  writer.octets(Uint8Array.from(MAGIC));
  writer.base = writer.pos;
  const { mandatoryFlags, optionalFlags, data } = file;
  if (!xlHeader.encode(writer, { kind: 'XL_HEADER', mandatoryFlags, optionalFlags, data })) {
    const { offset, path, reason } = writer.failure!;
    return { ok: false, failure: { offset, record: -1, name: 'xl header', path, reason } };
  }
  writer.octets(stream.value);
  if (file.trailing !== undefined) writer.octets(file.trailing);
  return { ok: true, value: writer.bytes.subarray(0, writer.pos) };
}

/** Bit 0: the configuration is JSON; bit 1: a libxl stream follows. */
export const XL_FLAGS = 3;

/** All that xl writes before the stream. */
export function xlHeaderOctets(config: string): Uint8Array {
  const writer = new Writer();
  const data = xlData(config);
  writer.octets(Uint8Array.from(MAGIC));
  writer.base = writer.pos;
  const header = { kind: 'XL_HEADER', mandatoryFlags: XL_FLAGS, optionalFlags: 0, data } as const;
  if (!xlHeader.encode(writer, header)) throw new Error(`assertion: ${writer.failure?.reason}`);
  return writer.bytes.slice(0, writer.pos);
}

/** A configuration as xl stores it: its size, its text, a NUL. */
export function xlData(config: string): Uint8Array {
  const text = Uint8Array.from(`${config}\0`, (c) => c.charCodeAt(0));
  const data = new Uint8Array(4 + text.length);
  new DataView(data.buffer).setUint32(0, text.length, true);
  data.set(text, 4);
  return data;
}
