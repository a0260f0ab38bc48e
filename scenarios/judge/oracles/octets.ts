/** Octets as a string of one code point per octet: comparable with `===`, usable as a key, never decoded as text. */
export function textOf(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 4096) {
    text += String.fromCharCode.apply(null, bytes.subarray(at, at + 4096) as unknown as number[]);
  }
  return text;
}

/** Whether an octet string and octets are the same. */
export function sameOctets(text: string, bytes: Uint8Array): boolean {
  if (text.length !== bytes.length) return false;
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== text.charCodeAt(i)) return false;
  return true;
}

const SHOWN_MAX = 120;

/** An octet string for people: quoted, NUL as `\0`, other octets outside printable ASCII as `\xNN`, shortened in the middle. */
export function show(text: string): string {
  const cut = text.length > SHOWN_MAX;
  const part = cut ? text.slice(0, SHOWN_MAX) : text;
  let out = '"';
  for (let i = 0; i < part.length; i++) {
    const code = part.charCodeAt(i);
    if (code === 0) out += '\\0';
    else if (code === 0x22 || code === 0x5c) out += `\\${part[i]}`;
    else if (code < 0x20 || code > 0x7e) out += `\\x${code.toString(16).padStart(2, '0')}`;
    else out += part[i];
  }
  return cut ? `${out}" (${text.length} octets)` : `${out}"`;
}
