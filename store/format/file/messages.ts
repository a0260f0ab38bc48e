/** Of xsd_sockmsg: type, req_id, tx_id, len. Source: io/xs_wire.h. */
const HEADER_BYTES = 16;
const LENGTH_AT = 12;
/** XENSTORE_PAYLOAD_MAX, io/xs_wire.h: what a request or a reply can carry; a header that promises more belongs to no message. */
export const PAYLOAD_MAX = 4096;

export interface SplitInput {
  /** Whole messages, with their headers. */
  readonly whole: readonly Uint8Array[];
  /** What has arrived of the next one. */
  readonly partial: Uint8Array;
}

/** Whole messages at the start of a buffer, and what is left behind them; windows on it. Numbers are little endian unless told. */
export function splitMessages(buffer: Uint8Array, bigEndian = false): SplitInput {
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  const whole: Uint8Array[] = [];
  let at = 0;
  while (at + HEADER_BYTES <= buffer.length) {
    const len = view.getUint32(at + LENGTH_AT, !bigEndian);
    const end = at + HEADER_BYTES + len;
    if (len > PAYLOAD_MAX || end > buffer.length) break;
    whole.push(buffer.subarray(at, end));
    at = end;
  }
  return { whole, partial: buffer.subarray(at) };
}

/**
 * Why octets from `from` on are not whole messages, one behind the other; undefined = they are. The last one may lack its end,
 * if that is allowed.
 * @param isBigEndian of the headers, which are in the order of the machine that wrote the file
 */
export function messagesFault(
  octets: Uint8Array,
  { from, isBigEndian, mayEndEarly }: { from: number; isBigEndian: boolean; mayEndEarly: boolean },
): string | undefined {
  const { partial } = splitMessages(octets.subarray(from), isBigEndian);
  if (partial.length === 0) return undefined;
  const at = octets.length - partial.length;
  if (partial.length >= HEADER_BYTES) {
    const len = new DataView(partial.buffer, partial.byteOffset).getUint32(LENGTH_AT, !isBigEndian);
    if (len > PAYLOAD_MAX) return `has a message at ${at} that promises ${len} octets, more than ${PAYLOAD_MAX}`;
  }
  return mayEndEarly ? undefined : `ends within a message, which begins at ${at}`;
}
