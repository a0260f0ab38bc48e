/** Payloads are octets; where code writes them as text, one code point is one octet (U+0000 to U+00FF). */

/** Each part as octets, joined without anything between. */
export function octets(...parts: readonly (string | Uint8Array)[]): Uint8Array {
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

/** NUL-terminated strings, one after the other. */
export function strings(...parts: readonly string[]): Uint8Array {
  return octets(...parts.map((p) => `${p}\0`));
}

/** Octets as text; a payload is short enough for one call. */
export function text(bytes: Uint8Array): string {
  return String.fromCharCode.apply(null, bytes as unknown as number[]);
}

/** The NUL-terminated strings in a payload; an unterminated tail counts as one more. */
export function split(bytes: Uint8Array): string[] {
  const parts = text(bytes).split('\0');
  if (parts[parts.length - 1] === '') parts.pop();
  return parts;
}
