import { octetsOf as octets, textOf as text } from '../../store/protocol/octets.ts';

/** Keys of a directory and their values, in the order in which they are written. */
export type KeyValues = readonly (readonly [key: string, value: string])[];

/** Payloads are octets; where code writes them as text, one code point is one octet (U+0000 to U+00FF). */

/** NUL-terminated strings, one after the other. */
export function strings(...parts: readonly string[]): Uint8Array {
  return octets(...parts.map((p) => `${p}\0`));
}

/** The NUL-terminated strings in a payload; an unterminated tail counts as one more. */
export function split(bytes: Uint8Array): string[] {
  const parts = text(bytes).split('\0');
  if (parts[parts.length - 1] === '') parts.pop();
  return parts;
}
