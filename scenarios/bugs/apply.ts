import type { Change } from './bug.ts';

/** The changed text of a module, or why there is none. */
export type Applied = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly reason: string };

/** Put changes into the text of a module, one after the other. Errors: a piece that is not there exactly once is a reason. */
export function applyChanges(text: string, changes: readonly Change[]): Applied {
  let changed = text;
  for (const change of changes) {
    const found = placesOf(changed, change.from);
    const [place] = found;
    if (place === undefined || found.length > 1)
      return { ok: false, reason: `${change.file}: the piece is there ${found.length} times: ${oneLine(change.from)}` };
    changed = changed.slice(0, place.from) + change.to + changed.slice(place.to);
  }
  return { ok: true, text: changed };
}

/** A part of a text: from one place of it up to another. */
export interface Place {
  readonly from: number;
  readonly to: number;
}

/**
 * Where in a text that nothing was changed in yet a change makes a difference, with one character more on either side: what is only
 * put in has neighbours. `undefined`: its piece is not there once, as that of a change which builds on another.
 */
export function placeOf(text: string, change: Change): Place | undefined {
  const all = squeeze(text);
  const [from, to] = [squeeze(change.from).squeezed, squeeze(change.to).squeezed];
  const start = all.squeezed.indexOf(from);
  if (start < 0 || all.squeezed.includes(from, start + 1)) return undefined;
  const same = (a: number, b: number) => from.at(a) === to.at(b);
  const most = Math.min(from.length, to.length);
  let before = 0;
  while (before < most && same(before, before)) before++;
  let behind = 0;
  while (behind < most - before && same(-1 - behind, -1 - behind)) behind++;
  const first = Math.max(0, start + before - 1);
  const last = Math.min(all.at.length - 1, start + from.length - behind);
  return { from: all.at[first] as number, to: (all.at[last] as number) + 1 };
}

/** Where `piece` is in `text`, whatever white space there is in either. */
function placesOf(text: string, piece: string): Place[] {
  const places: Place[] = [];
  const { squeezed, at } = squeeze(text);
  const wanted = squeeze(piece).squeezed;
  if (wanted === '') return places;
  for (let i = squeezed.indexOf(wanted); i >= 0; i = squeezed.indexOf(wanted, i + 1))
    places.push({ from: at[i] as number, to: (at[i + wanted.length - 1] as number) + 1 });
  return places;
}

/** A text without white space, and where in it each character was. */
function squeeze(text: string): { readonly squeezed: string; readonly at: readonly number[] } {
  const at: number[] = [];
  let squeezed = '';
  for (let i = 0; i < text.length; i++) {
    const c = text[i] as string;
    if (/\s/.test(c)) continue;
    squeezed += c;
    at.push(i);
  }
  return { squeezed, at };
}

function oneLine(piece: string): string {
  return piece.trim().replace(/\s+/g, ' ');
}
