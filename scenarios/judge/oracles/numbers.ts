/** C `strtoul` in base 10 with the store's limits; `undefined` = EINVAL. 4.17 uses `atoi`, which never fails.
 *  Source: store.md 1.7, DOMID. */
export function parseDomid(text: string, compat: '4.22' | '4.17'): number | undefined {
  if (compat === '4.17') return Number(BigInt.asUintN(32, BigInt(parseInt32(text))));
  if (text === '') return 0;
  const m = /^[ \t\n\v\f\r]*([+-]?)([0-9]+)$/.exec(text);
  if (m === null) return undefined;
  const magnitude = BigInt(m[2]!);
  const value = magnitude > 0xffff_ffff_ffff_ffffn ? 0xffff_ffff_ffff_ffffn : magnitude;
  const result = BigInt.asUintN(64, m[1] === '-' ? -value : value);
  return result > 65535n ? undefined : Number(result);
}

/** As parseDomid, of a string that may be missing. */
export function domidOf(raw: string | undefined, compat: '4.22' | '4.17'): number | undefined {
  return raw === undefined ? undefined : parseDomid(raw, compat);
}

/** C `atoi`: leading white space, sign, digits, the rest is ignored, none = 0. Source: store.md 1.7, INT. */
export function parseInt32(text: string): number {
  const m = /^[ \t\n\v\f\r]*([+-]?[0-9]+)/.exec(text);
  if (m === null) return 0;
  const max = 0x7fff_ffff_ffff_ffffn;
  const value = BigInt(m[1]!);
  const clamped = value > max ? max : value < -max - 1n ? -max - 1n : value;
  return Number(BigInt.asIntN(32, clamped));
}

/** The NUL-terminated strings of a payload; what follows the last NUL is not one. */
export function stringsOf(payload: string): string[] {
  const parts = payload.split('\0');
  parts.pop();
  return parts;
}

/** A payload that is exactly one string with its NUL; `undefined` = malformed. Source: store.md 1.7, ONE. */
export function oneString(payload: string): string | undefined {
  return payload.indexOf('\0') === payload.length - 1 && payload.length > 0 ? payload.slice(0, -1) : undefined;
}
