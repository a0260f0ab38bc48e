import type { ScriptState } from './state.ts';

/** Components of paths: few, so that requests meet. */
export const NAMES = ['a', 'b', 'c', 'data', 'x-1', 'Y_2', 'z@', '0'] as const;

/** The name of a node that others use, too. */
export function someAbsolute(script: ScriptState): string {
  const { pick, below } = script.draw;
  const top = pick(['/a', '/b', '/local/domain/1', '/local/domain/2', '/local/domain/3', '/tool']);
  return [top, ...Array.from({ length: below(3) }, () => pick(NAMES))].join('/');
}

/** What a request names: mostly a node in use, now and then one that is too long. */
export function somePath(script: ScriptState, on: string): string {
  const { pick, below, oneIn } = script.draw;
  const isSocket = script.sockets.has(on);
  if (oneIn(80)) return 'p'.repeat(2045 + below(6));
  if (oneIn(80)) return `/local/domain/${isSocket ? 1 : on}/${'q'.repeat(2045 + below(6))}`;
  if (oneIn(60)) return '/';
  if (oneIn(isSocket ? 6 : 2)) return Array.from({ length: 1 + below(3) }, () => pick(NAMES)).join('/');
  return someAbsolute(script);
}

/** What is written: mostly short, now and then just as long as may be, or octets that are no text. */
export function someValue(script: ScriptState, on: string): string {
  const { pick, below, oneIn } = script.draw;
  if (oneIn(25))
    return 'v'.repeat(pick([1990, 2007, 2015, 2016, 2023, 2024, 2040]) + (script.sockets.has(on) ? 0 : below(2)));
  if (oneIn(40) && script.sockets.has(on)) return 'V'.repeat(3900);
  if (oneIn(10)) return pick(['', '\0', 'a\0b\0', '\xff\x80\x01', '"quoted\\"']);
  return `v${below(5)}`;
}
