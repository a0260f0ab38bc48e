/**
 * Blocks of a pcapng file, little-endian. Source: draft-ietf-opsawg-pcapng: 4.1 Section Header, 4.2 Interface Description,
 * 4.3 Enhanced Packet.
 */
const SECTION = 0x0a0d0d0a;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const INTERFACE = 1;
const ENHANCED_PACKET = 6;

/** Codes of options; 1 is a comment in every block. */
const COMMENT = 1;
const SHB_USERAPPL = 4;
const IF_NAME = 2;
const IF_DESCRIPTION = 3;
const IF_TSRESOL = 9;
const EPB_FLAGS = 2;

type Option = readonly [code: number, value: Uint8Array];

/** The first block of a file. */
export function sectionHeader(program: string, comment: string): Uint8Array {
  const body = new DataView(new ArrayBuffer(16));
  body.setUint32(0, BYTE_ORDER_MAGIC, true);
  body.setUint16(4, 1, true); // version 1.0
  body.setBigInt64(8, -1n, true); // of unknown length
  return block(SECTION, octetsIn(body), [
    [COMMENT, text(comment)],
    [SHB_USERAPPL, text(program)],
  ]);
}

/** An interface whose times are ns. `linkType`: a LINKTYPE_ number. */
export function interfaceDescription(linkType: number, name: string, description: string): Uint8Array {
  const body = new DataView(new ArrayBuffer(8));
  body.setUint16(0, linkType, true);
  return block(INTERFACE, octetsIn(body), [
    [IF_NAME, text(name)],
    [IF_DESCRIPTION, text(description)],
    [IF_TSRESOL, Uint8Array.of(9)],
  ]);
}

/** A packet. */
export interface Packet {
  /** Number of the interface, in the order of their blocks. */
  readonly at: number;
  /** ns since 1970. */
  readonly timeNs: bigint;
  readonly octets: Uint8Array;
  readonly direction?: 'inbound' | 'outbound' | undefined;
  readonly comments: readonly string[];
}

export function enhancedPacket({ at, timeNs, octets, direction, comments }: Packet): Uint8Array {
  const body = new Uint8Array(20 + padded(octets.length));
  const view = new DataView(body.buffer);
  view.setUint32(0, at, true);
  view.setUint32(4, Number(timeNs >> 32n), true);
  view.setUint32(8, Number(timeNs & 0xffff_ffffn), true);
  view.setUint32(12, octets.length, true);
  view.setUint32(16, octets.length, true);
  body.set(octets, 20);
  const flags = direction === undefined ? [] : [direction === 'inbound' ? 1 : 2];
  return block(ENHANCED_PACKET, body, [
    ...comments.map((comment): Option => [COMMENT, text(comment)]),
    ...flags.map((flag): Option => [EPB_FLAGS, Uint8Array.of(flag, 0, 0, 0)]),
  ]);
}

function block(type: number, body: Uint8Array, options: readonly Option[]): Uint8Array {
  const optionOctets = options.reduce((sum, [, value]) => sum + 4 + padded(value.length), options.length > 0 ? 4 : 0);
  const length = 12 + body.length + optionOctets;
  const octets = new Uint8Array(length);
  const view = new DataView(octets.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, length, true);
  octets.set(body, 8);
  let at = 8 + body.length;
  for (const [code, value] of options) {
    view.setUint16(at, code, true);
    view.setUint16(at + 2, value.length, true);
    octets.set(value, at + 4);
    at += 4 + padded(value.length);
  }
  view.setUint32(length - 4, length, true); // behind the end of options, which is four octets of zero
  return octets;
}

function padded(count: number): number {
  return (count + 3) & ~3;
}

/** As much of a text as an option can hold. */
function text(words: string): Uint8Array {
  return new TextEncoder().encode(words).subarray(0, 0xffff);
}

function octetsIn(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
