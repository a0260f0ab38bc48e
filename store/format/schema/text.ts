/** Octets as a string of one code point U+0000..U+00FF each. Not for show: see `escapeOctets`. */
export function textOf(octets: Uint8Array): string {
  // Short ones are the rule; in one call, since a text grown by parts is a chain until somebody reads it.
  if (octets.length <= 4096) return String.fromCharCode.apply(null, octets as unknown as number[]);
  let text = '';
  for (let at = 0; at < octets.length; at += 4096) text += String.fromCharCode(...octets.subarray(at, at + 4096));
  return text;
}

/** The octets of a string of code points U+0000..U+00FF; higher ones are cut to their low eight bits. */
export function octetsOf(text: string): Uint8Array {
  const octets = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) octets[i] = text.charCodeAt(i);
  return octets;
}

const ESCAPES: Readonly<Record<number, string>> = { 9: '\\t', 10: '\\n', 13: '\\r', 34: '\\"', 92: '\\\\' };

/** Octets as a C string literal in quotes. Octal escapes have three digits, so that a digit may follow them. */
export function escapeOctets(octets: Uint8Array, limit = Number.POSITIVE_INFINITY): string {
  let text = '"';
  const count = Math.min(octets.length, limit);
  for (let i = 0; i < count; i++) {
    const octet = octets[i]!;
    if (ESCAPES[octet] !== undefined) text += ESCAPES[octet];
    else if (octet >= 0x20 && octet < 0x7f) text += String.fromCharCode(octet);
    else text += `\\${octet.toString(8).padStart(3, '0')}`;
  }
  return count < octets.length ? `${text}"...(${octets.length} octets)` : `${text}"`;
}
