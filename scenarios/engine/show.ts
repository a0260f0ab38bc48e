const SHOWN_MAX = 48;

/** Octets for people: NUL as `\0`, others outside printable ASCII as `\xNN`, cut behind the first few dozen. */
export function showOctets(bytes: Uint8Array): string {
  let s = '';
  for (const b of bytes.subarray(0, SHOWN_MAX))
    s += b === 0 ? '\\0' : b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : `\\x${b.toString(16).padStart(2, '0')}`;
  return bytes.length > SHOWN_MAX ? `${s}… (${bytes.length} octets)` : s;
}
