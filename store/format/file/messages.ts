/** Of xsd_sockmsg: type, req_id, tx_id, len. Source: io/xs_wire.h. */
const HEADER_BYTES = 16;
const LENGTH_AT = 12;
/** XENSTORE_PAYLOAD_MAX, io/xs_wire.h. */
const PAYLOAD_MAX = 4096;

/**
 * Why octets from `from` on are not whole messages, one behind the other; undefined = they are. The last one may lack its end,
 * if that is allowed.
 * @param isBigEndian of the headers, which are in the order of the machine that wrote the file
 */
export function messagesFault(
  octets: Uint8Array,
  { from, isBigEndian, mayEndEarly }: { from: number; isBigEndian: boolean; mayEndEarly: boolean },
): string | undefined {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  for (let at = from; at < octets.length; ) {
    const left = octets.length - at;
    if (left >= HEADER_BYTES) {
      const len = view.getUint32(at + LENGTH_AT, !isBigEndian);
      if (len > PAYLOAD_MAX) return `has a message at ${at} that promises ${len} octets, more than ${PAYLOAD_MAX}`;
      if (left >= HEADER_BYTES + len) {
        at += HEADER_BYTES + len;
        continue;
      }
    }
    return mayEndEarly ? undefined : `ends within a message, which begins at ${at}`;
  }
  return undefined;
}
