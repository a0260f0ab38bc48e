/** Octet strings: one code point (U+0000 to U+00FF) is one octet. Lossless both ways, and usable as map keys. */

/** Arguments of one call: far below what engines allow. */
const APPLY_MAX = 4096;

/** Octets `from` .. `to`-1 as an octet string. */
export function textOf(bytes: Uint8Array, from = 0, to = bytes.length): string {
  // Short texts are the rule. In one call, since a text grown by characters is a chain until somebody reads it.
  if (to - from <= APPLY_MAX) return String.fromCharCode.apply(null, bytes.subarray(from, to) as unknown as number[]);
  let s = '';
  for (let at = from; at < to; at += APPLY_MAX) s += textOf(bytes, at, Math.min(to, at + APPLY_MAX));
  return s;
}

/** Parts as octets, one after the other. */
export function octetsOf(...parts: readonly (string | Uint8Array)[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    if (typeof part === 'string') for (let i = 0; i < part.length; i++) bytes[at + i] = part.charCodeAt(i);
    else bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
