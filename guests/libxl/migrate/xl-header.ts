import { type Actor, type OctetReader, readExactly } from '../../../sim/index.ts';
import { xlHeaderOctets } from '../../../store/format/enclosing/xl.ts';
import { octetsOf, textOf } from '../../../store/protocol/octets.ts';

/** struct save_file_header and what belongs to it. Source: tools/xl/xl.h. */
const MAGIC = octetsOf('Xen saved domain, xl format\n \0 \r');
const BYTE_ORDER = 0x01020304;
const FLAG_JSON = 1;
const FLAG_STREAM_V2 = 2;
const KNOWN_FLAGS = FLAG_JSON | FLAG_STREAM_V2;
const HEADER_BYTES = 48;
/** Longer ones nobody writes: what says so is no header. */
const CONFIG_BYTES_MAX = 1 << 20;

/** save_domain_core_writeconfig: header, size of the configuration, the configuration with its NUL. */
export function encodeXlHeader(json: string): Uint8Array {
  return xlHeaderOctets(json);
}

export type XlHeader = { readonly ok: true; readonly json: string } | { readonly ok: false; readonly reason: string };

/** The same as create_domain reads it: whatever it does not know of what is mandatory is refused. */
export function* readXlHeader(from: OctetReader): Actor<XlHeader> {
  const header = yield* readExactly(from, HEADER_BYTES);
  if (header.length < HEADER_BYTES) return refused('file/stream truncated reading save file header');
  if (!MAGIC.every((octet, i) => octet === header[i]))
    return refused('File has wrong magic number - corrupt or for a different tool?');
  const v = new DataView(header.buffer, header.byteOffset);
  if (v.getUint32(32, true) !== BYTE_ORDER) return refused('File has wrong byte order');
  const flags = v.getUint32(36, true);
  if ((flags & ~KNOWN_FLAGS) !== 0)
    return refused(
      `Savefile has mandatory flag(s) 0x${(flags & ~KNOWN_FLAGS).toString(16)} which are not supported; need newer xl`,
    );
  const size = v.getUint32(44, true);
  if (size < 4 || size > CONFIG_BYTES_MAX) return refused(`Savefile optional data of ${size} octets`);
  const optional = yield* readExactly(from, size);
  if (optional.length < size) return refused('file/stream truncated reading optional data');
  const length = new DataView(optional.buffer, optional.byteOffset).getUint32(0, true);
  if (length === 0 || length > size - 4) return refused(`Savefile configuration of ${length} octets in ${size}`);
  return { ok: true, json: textOf(optional.subarray(4, 4 + length)).replace(/\0.*$/s, '') };
}

function refused(reason: string): XlHeader {
  return { ok: false, reason };
}
