const HEADER_BYTES = 16;
/** XENSTORE_PAYLOAD_MAX, io/xs_wire.h: a header that promises more belongs to no message. */
const PAYLOAD_MAX = 4096;

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
    const len = view.getUint32(at + 12, !bigEndian);
    const end = at + HEADER_BYTES + len;
    if (len > PAYLOAD_MAX || end > buffer.length) break;
    whole.push(buffer.subarray(at, end));
    at = end;
  }
  return { whole, partial: buffer.subarray(at) };
}

/** Octets of all parts, one after another. */
export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
