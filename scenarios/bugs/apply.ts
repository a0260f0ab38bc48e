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

interface Place {
  readonly from: number;
  readonly to: number;
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
