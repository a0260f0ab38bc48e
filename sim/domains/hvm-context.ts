import { fail } from '../errors.ts';

// Xen's own save records: u16 type, u16 instance, u32 length, body. Source: xen/include/public/hvm/save.h,
// xen/include/public/arch-x86/hvm/save.h, xen/arch/x86/hvm/save.c.

const END = 0;
const HEADER = 1;
const CPU = 2;
const HVM_FILE_MAGIC = 0x54381286;
const HVM_FILE_VERSION = 2;
const HEADER_BYTES = 24;
const RECORD_BYTES = 8;

/** The header, one record for each vCPU, and the end. */
export function encodeHvmContext(vcpus: readonly Uint8Array[], gtscKhz: number): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint32(0, HVM_FILE_MAGIC, true);
  view.setUint32(4, HVM_FILE_VERSION, true);
  view.setUint32(20, gtscKhz, true);
  const records: [type: number, instance: number, body: Uint8Array][] = [
    [HEADER, 0, header],
    ...vcpus.map((body, vcpu): [number, number, Uint8Array] => [CPU, vcpu, body]),
    [END, 0, new Uint8Array(0)],
  ];
  const octets = new Uint8Array(records.reduce((sum, [, , body]) => sum + RECORD_BYTES + body.length, 0));
  const out = new DataView(octets.buffer);
  let at = 0;
  for (const [type, instance, body] of records) {
    out.setUint16(at, type, true);
    out.setUint16(at + 2, instance, true);
    out.setUint32(at + 4, body.length, true);
    octets.set(body, at + RECORD_BYTES);
    at += RECORD_BYTES + body.length;
  }
  return octets;
}

/** The vCPUs' records, by instance. Errors: EINVAL no header of ours, a record that does not fit, no end. */
export function decodeHvmContext(octets: Uint8Array): ReadonlyMap<number, Uint8Array> {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  const vcpus = new Map<number, Uint8Array>();
  let at = 0;
  for (let first = true; ; first = false) {
    if (at + RECORD_BYTES > octets.length) fail('EINVAL', `no end within ${octets.length} octets`);
    const type = view.getUint16(at, true);
    const length = view.getUint32(at + 4, true);
    const from = at + RECORD_BYTES;
    if (from + length > octets.length) fail('EINVAL', `a record of ${length} octets at ${at}`);
    if (first && (type !== HEADER || length !== HEADER_BYTES || view.getUint32(from, true) !== HVM_FILE_MAGIC))
      fail('EINVAL', 'no header');
    if (type === END) return vcpus;
    if (type === CPU) vcpus.set(view.getUint16(at + 2, true), octets.slice(from, from + length));
    at = from + length;
  }
}
