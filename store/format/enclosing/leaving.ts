import type { RecordSchema } from '../codec/compile.ts';
import { Writer } from '../schema/cursor.ts';
import { domainHeader, type LibxcRecord, type LibxlRecord, libxcHeader, libxlHeader } from './layouts.ts';
import { libxcLayer } from './libxc.ts';
import { libxlLayer } from './libxl.ts';
import type { Layer } from './stream.ts';

// The pieces of a stream one by one, as a saver writes them: little endian, of the newest version. What is encoded is the
// caller's own, so that a value which does not fit its layout is a mistake of ours and not of a file.

/** DHDR_TYPE_*. Source: xg_sr_stream_format.h. */
export const DOMAIN_TYPE = { PV: 1, HVM: 2 } as const;

export function libxlHeaderOctets(): Uint8Array {
  return header(libxlHeader, { kind: 'LIBXL_HEADER', options: 0 }, false);
}

/** Image header and domain header. */
export function libxcHeaderOctets(type: number, xen: { readonly major: number; readonly minor: number }): Uint8Array {
  const image = header(libxcHeader, { kind: 'LIBXC_HEADER', version: 3, options: 0 }, false);
  const of = { kind: 'DOMAIN_HEADER', type, xenMajor: xen.major, xenMinor: xen.minor } as const;
  const domain = header(domainHeader, of, true);
  const octets = new Uint8Array(image.length + domain.length);
  octets.set(image);
  octets.set(domain, image.length);
  return octets;
}

export function libxlRecordOctets(record: LibxlRecord): Uint8Array {
  return octetsOf(libxlLayer, record);
}

export function libxcRecordOctets(record: LibxcRecord): Uint8Array {
  return octetsOf(libxcLayer, record);
}

function header<V>(schema: RecordSchema<V>, value: NoInfer<V>, isLittleEndian: boolean): Uint8Array {
  const writer = new Writer(64);
  writer.littleEndian = isLittleEndian;
  if (!schema.encode(writer, value)) throw new Error(`assertion: ${schema.name}: ${writer.failure?.reason}`);
  return writer.bytes.slice(0, writer.pos);
}

function octetsOf<V extends { readonly kind: string }>(layer: Layer<V>, record: V): Uint8Array {
  const writer = new Writer();
  if (!layer.write(writer, 0, record)) throw new Error(`assertion: ${record.kind}: ${writer.failure?.reason}`);
  return writer.bytes.subarray(0, writer.pos);
}
