/** Numbers and octets as text, both ways: what a page carries, and its script reads. No imports. */

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** RFC 4648, section 4, with padding. */
export function base64(bytes: Uint8Array): string {
  const parts: string[] = [];
  let part = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const left = bytes.length - at;
    const bits = ((bytes[at] as number) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    part += DIGITS.charAt(bits >> 18) + DIGITS.charAt((bits >> 12) & 63);
    part += (left > 1 ? DIGITS.charAt((bits >> 6) & 63) : '=') + (left > 2 ? DIGITS.charAt(bits & 63) : '=');
    if (part.length >= 1 << 12) {
      parts.push(part);
      part = '';
    }
  }
  parts.push(part);
  return parts.join('');
}

/** Octets of what `base64` wrote. */
export function octetsIn(text: string): Uint8Array {
  const count = (text.length / 4) * 3 - (text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0);
  const bytes = new Uint8Array(count);
  for (let at = 0, to = 0; to < count; at += 4) {
    const bits =
      (digit(text, at) << 18) | (digit(text, at + 1) << 12) | (digit(text, at + 2) << 6) | digit(text, at + 3);
    bytes[to++] = bits >> 16;
    if (to < count) bytes[to++] = bits >> 8;
    if (to < count) bytes[to++] = bits;
  }
  return bytes;
}

function digit(text: string, at: number): number {
  return VALUES[text.charCodeAt(at)] as number;
}

const VALUES = new Uint8Array(128);
for (let value = 0; value < DIGITS.length; value++) VALUES[DIGITS.charCodeAt(value)] = value;

/** Whole numbers from 0 to 2^53, as unsigned LEB128, base64. */
export function packed(numbers: ArrayLike<number>): string {
  const bytes = new Uint8Array(numbers.length * OCTETS_MAX);
  let at = 0;
  for (let i = 0; i < numbers.length; i++) {
    let rest = numbers[i] as number;
    while (rest >= 128) {
      bytes[at++] = (rest % 128) + 128;
      rest = Math.floor(rest / 128);
    }
    bytes[at++] = rest;
  }
  return base64(bytes.subarray(0, at));
}

/** A number of 53 bits takes so many. */
const OCTETS_MAX = 8;

/** `count` numbers of what `packed` wrote. */
export function unpacked(text: string, count: number): Float64Array {
  const bytes = octetsIn(text);
  const numbers = new Float64Array(count);
  let at = 0;
  for (let i = 0; i < count; i++) {
    let value = 0;
    let scale = 1;
    for (;;) {
      const octet = bytes[at++] as number;
      value += (octet & 127) * scale;
      if (octet < 128) break;
      scale *= 128;
    }
    numbers[i] = value;
  }
  return numbers;
}
